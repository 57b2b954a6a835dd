"""PDF pieces shared by slips, labels and extracts: black on white, core fonts, barcodes drawn as
rectangles.

Rectangles are ten times faster than a barcode picture, and sharper; plain cells ten times faster
than tables.
"""

import functools
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from anyascii import anyascii
from barcode import Code128
from fpdf import FPDF, XPos, YPos

from services import clock


def latin(words: str) -> str:
    """What the printer's own fonts can show (Windows-1252, so € and œ too); any other letter is
    spelled in plain Latin ones.
    """
    words = words.replace("\u202f", "\u00a0")
    try:
        return words.encode("cp1252").decode("cp1252")
    except UnicodeEncodeError:
        return "".join(c if _shows(c) else anyascii(c) or "?" for c in words)


def _shows(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


class Page(FPDF):
    """A document of ours: French core fonts, « page / pages » at the foot, and a line under it when
    there is one.
    """

    foot = ""

    def __init__(
        self, size: object = "A4", orientation: str = "P", margin: float = 12, numbered: bool = True
    ) -> None:
        super().__init__(orientation=orientation, format=size)  # type: ignore[arg-type]
        self.core_fonts_encoding = "cp1252"
        self.numbered = numbered
        self._widths: dict[tuple[str, str, float], dict[str, float]] = {}
        self.set_margin(margin)
        self.set_auto_page_break(True, 14 if numbered else margin)
        self.set_line_width(0.2)

    def footer(self) -> None:
        if not self.numbered:
            return
        self.set_y(-10)
        self.set_font("helvetica", "", 7.5)
        self.cell(self.epw - 20, 5, latin(self.foot))
        self.cell(20, 5, f"{self.page_no()} / {{nb}}", align="R")

    def cell_line(self, width: float, height: float, words: str, align: str = "L") -> None:
        """One cell, then the next line."""
        self.cell(width, height, words, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def write_line(self, words: str, size: float = 9.5, style: str = "", height: float = 5) -> None:
        self.set_font("helvetica", style, size)
        self.multi_cell(0, height, latin(words), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def bars(self, text: str, x: float, y: float, width: float, height: float) -> None:
        """A Code 128 across `width` mm, its quiet zones included (10 modules each side)."""
        start, spans, modules = 0.0, modules_of(text), sum(w for _black, w in modules_of(text)) + 20
        module = width / modules
        start = x + 10 * module
        for black, wide in spans:
            if black:
                self.rect(start, y, wide * module, height, "F")
            start += wide * module

    def tick(self, words: str) -> None:
        y = self.get_y()
        self.rect(self.l_margin, y + 0.6, 3.6, 3.6)
        self.set_xy(self.l_margin + 6, y)
        self.set_font("helvetica", "", 9)
        self.multi_cell(
            self.epw - 6, 4.6, latin(words), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L"
        )
        self.ln(1)

    def fit(self, words: str, width: float) -> str:
        """Words cut with « … » so that they hold in a width, in the current font."""
        words = latin(words)
        widths = self._widths.setdefault((self.font_family, self.font_style, self.font_size_pt), {})
        for character in {*words, "…"} - widths.keys():
            widths[character] = self.get_string_width(character)
        length = sum(map(widths.__getitem__, words))
        if length <= width - 2:
            return words
        length += widths["…"]
        while words and length > width - 2:
            length -= widths[words[-1]]
            words = words[:-1]
        return words.rstrip() + "…"

    def lines(self, words: str, width: float) -> list[str]:
        """Words broken into lines that hold in a width, in the current font. Ten times faster than
        multi_cell's dry run.
        """
        widths = self._widths.setdefault((self.font_family, self.font_style, self.font_size_pt), {})
        space = widths.get(" ") or widths.setdefault(" ", self.get_string_width(" "))
        found, line, length = [], "", 0.0
        for word in latin(words).split():
            size = widths.get(word)
            if size is None:
                size = widths[word] = self.get_string_width(word)
            while (
                size > width and len(word) > 1
            ):  # a word longer than its column is cut where it must
                cut = max(1, int(len(word) * width / size) - 1)
                while (
                    cut > 1 and self.get_string_width(word[:cut]) > width
                ):  # its first letters are wider than most
                    cut -= 1
                if line:
                    found.append(line)
                    line, length = "", 0.0
                found.append(word[:cut])
                word = word[cut:]
                size = self.get_string_width(word)
            if line and length + space + size > width:
                found.append(line)
                line, length = word, size
            else:
                line, length = (f"{line} {word}", length + space + size) if line else (word, size)
        return [*found, line]

    def done(self) -> bytes:
        return bytes(self.output())


@functools.lru_cache(maxsize=4096)
def modules_of(text: str) -> tuple[tuple[bool, int], ...]:
    """The bars and spaces of a Code 128, with their widths in modules."""
    line = Code128(text).build()[0]
    spans: list[tuple[bool, int]] = []
    for bit in line:
        black = bit == "1"
        if spans and spans[-1][0] is black:
            spans[-1] = (black, spans[-1][1] + 1)
        else:
            spans.append((black, 1))
    return tuple(spans)


def bars_path(text: str) -> tuple[str, int]:
    """The bars of a Code 128 as the path of a drawing 40 high, and its width in modules, quiet
    zones of ten modules included.
    """
    x, parts = 10, []
    for black, width in modules_of(text):
        if black:
            parts.append(f"M{x} 0h{width}v40h-{width}z")
        x += width
    return "".join(parts), x + 10


# ── in words: a price that cannot be altered ──

_UNITS = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
]
_TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 8: "quatre-vingt"}


def in_words(number: int) -> str:
    """A whole number in French (1990 spelling: hyphens throughout), up to 999 999."""
    if number < 17:
        return _UNITS[number]
    if number < 20:
        return f"dix-{_UNITS[number - 10]}"
    if number < 100:
        tens, unit = divmod(number, 10)
        if tens in (7, 9):
            tens, unit = tens - 1, unit + 10
        word = _TENS[tens]
        if unit == 0:
            return word + ("s" if tens == 8 else "")
        if unit in (1, 11) and tens != 8:
            return f"{word}-et-{in_words(unit)}"
        return f"{word}-{in_words(unit)}"
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        word = "cent" if hundreds == 1 else f"{_UNITS[hundreds]}-cent" + ("" if rest else "s")
        return f"{word}-{in_words(rest)}" if rest else word
    thousands, rest = divmod(number, 1000)
    # « Quatre-vingts » and « cents » lose their s before « mille ».
    count = in_words(thousands)
    if thousands % 100 in (0, 80):
        count = count.removesuffix("s")
    word = "mille" if thousands == 1 else f"{count}-mille"
    return f"{word}-{in_words(rest)}" if rest else word


def amount_in_words(cents: int) -> str:
    """« treize euros et vingt centimes »."""
    euros, rest = divmod(cents, 100)
    words = f"{in_words(euros)} euro{'s' if euros > 1 else ''}"
    return words + (f" et {in_words(rest)} centime{'s' if rest > 1 else ''}" if rest else "")


# ── pieces ──


def three(pdf: Page, y: float, blocks: Sequence[tuple[str, list[str]]]) -> None:
    bottom = y
    for n, (title, lines) in enumerate(blocks):
        x = 14 + n * 62
        pdf.set_xy(x, y)
        pdf.set_font("helvetica", "B", 10)
        pdf.cell(60, 6, latin(title), new_x=XPos.LEFT, new_y=YPos.NEXT)
        pdf.set_font("helvetica", "", 9.5)
        for words in filter(None, lines):
            pdf.set_x(x)
            pdf.multi_cell(58, 4.6, latin(words), new_x=XPos.LEFT, new_y=YPos.NEXT, align="L")
        bottom = max(bottom, pdf.get_y())
    pdf.set_xy(14, bottom + 3)


def grid(
    pdf: Page, columns: Sequence[tuple[str, float, str]], rows: Iterable[Sequence[str | None]]
) -> None:
    """A table of one-line cells, its heading repeated on each page."""

    def header() -> None:
        pdf.set_font("helvetica", "B", 8.5)
        for title, width, align in columns:
            pdf.cell(width, 6.5, pdf.fit(title, width), align=align, border="B")
        pdf.ln()
        pdf.set_font("helvetica", "", 8.5)

    header()
    for row in rows:
        if pdf.will_page_break(6):
            pdf.add_page()
            header()
        for (_title, width, align), words in zip(columns, row, strict=True):
            pdf.cell(width, 6, pdf.fit(words or "", width), align=align, border="B")
        pdf.ln()


def wrapped(
    pdf: Page, titles: Sequence[str], widths: Sequence[float], rows: Iterable[Sequence[str]]
) -> None:
    """A table whose cells wrap: a legal extract cuts no word."""
    pdf.c_margin = 0.8

    def draw(cells: Sequence[str], style: str) -> None:
        pdf.set_font("helvetica", style, 7)
        wrapped = [pdf.lines(c, w - 1.6) for w, c in zip(widths, cells, strict=True)]
        height = 3.4 * max(map(len, wrapped)) + 1.6
        if pdf.will_page_break(height):
            pdf.add_page()
            if style != "B":
                draw(titles, "B")
                pdf.set_font("helvetica", style, 7)
        x, y = pdf.l_margin, pdf.get_y()
        for width, lines in zip(widths, wrapped, strict=True):
            for n, words in enumerate(lines):
                pdf.set_xy(x, y + 0.8 + 3.4 * n)
                pdf.cell(width, 3.4, words)
            x += width
        pdf.line(pdf.l_margin, y + height, pdf.l_margin + sum(widths), y + height)
        pdf.set_xy(pdf.l_margin, y + height)

    draw(titles, "B")
    for row in rows:
        draw(row, "")


def day(value: datetime | date | None) -> str:
    if value is None:
        return ""
    return (clock.paris(value).date() if isinstance(value, datetime) else value).strftime(
        "%d/%m/%Y"
    )


def moment(value: datetime) -> str:
    local = clock.paris(value)
    return f"{local:%d/%m/%Y} à {local:%H} h {local:%M}"
