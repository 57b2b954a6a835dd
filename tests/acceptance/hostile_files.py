"""Files somebody could send us to do harm, and files honest people send, both made here: (name,
bytes, which door).
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import openpyxl
from PIL import Image


def png(width: int, height: int, *, body: bytes = b"") -> bytes:
    """A PNG that says it has this size, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = body or zlib.compress(b"\0" * min(width * 3 + 1, 1_000_000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def photo(
    kind: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **how
) -> bytes:
    out = io.BytesIO()
    Image.new(
        mode,
        size,
        (
            120
            if mode in ("L", "1", "P")
            else (200, 120, 40, 255)[: len(mode)]
            if mode != "CMYK"
            else (9, 9, 9, 0)
        ),
    ).save(out, kind, **how)
    return out.getvalue()


def xlsx(*rows: tuple, **parts: bytes) -> bytes:
    """A spreadsheet, and what else is hidden in it."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    if not parts:
        return out.getvalue()
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(out.getvalue())) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            if entry.filename not in parts:
                new.writestr(entry, old.read(entry.filename))
        for name, data in parts.items():
            new.writestr(name, data)
    return changed.getvalue()


HEAD = "ean;titre;argus\n"
LINE = "5060327534393;A.O.T. 2;25,00\n"
ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b'
    b' "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def pictures() -> Iterator[tuple[str, bytes]]:
    """None of these is a photo one may keep."""
    yield "120 megapixels in 15 kB", png(12_000, 10_000)
    yield "900 megapixels", png(30_000, 30_000)
    yield "two thousand million wide", png(2_147_483_647, 1)
    yield "nothing wide", png(0, 100)
    yield "41 megapixels", png(41_000, 1_000)
    yield "a JPEG of 41 megapixels", photo("JPEG", (8_200, 5_001), "L", quality=5)
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        whole = photo(kind)
        for share in (3, 10, 50):
            yield f"{kind} cut at {share} %", whole[: len(whole) * share // 100]
        yield f"{kind} of noise after its first bytes", whole[:12] + bytes(range(256)) * 40
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    yield (
        "SVG with an entity",
        OUTSIDE + b'<svg xmlns="http://www.w3.org/2000/svg"><text>&a;</text></svg>',
    )
    yield "HTML", b"<html><script>alert(1)</script></html>"
    yield "PDF", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj"
    yield "ZIP", xlsx(("a",))
    yield "EXE", b"MZ" + b"\0" * 400
    yield "ELF", b"\x7fELF" + b"\0" * 400
    yield "PHP", b"<?php system($_GET['c']); ?>"
    yield "shell", b"#!/bin/sh\nrm -rf /\n"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n{} loop"
    yield "TIFF", photo("TIFF")
    yield "BMP", photo("BMP")
    yield "ICO", photo("ICO", (64, 64), "RGBA")
    yield "MP4", b"\0\0\0\x18ftypmp42" + b"\0" * 200
    yield "empty", b""
    yield "one byte", b"\xff"
    yield "13 MB of zeros", b"\0" * 13_000_000
    yield "text", b"Je ne suis pas une photo."
    for head in (b"GIF89a", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\xff\xffWEBP"):
        yield f"only {head[:6]!r}", head
        yield f"{head[:6]!r} then HTML", head + b"<script>alert(1)</script>"


def tables() -> Iterator[tuple[str, bytes, str]]:
    """None of these gets a single line in; the last word is the name of the file."""
    yield (
        "spreadsheet bomb",
        xlsx(
            ("ean", "titre", "argus"),
            **{"xl/sharedStrings.xml": b"<sst><si><t>" + b"A" * 70_000_000 + b"</t></si></sst>"},
        ),
        "liste.xlsx",
    )
    yield (
        "spreadsheet of 500 MB",
        xlsx(("ean",), **{f"xl/worksheets/sheet{n}.xml": b" " * 100_000_000 for n in range(2, 7)}),
        "liste.xlsx",
    )
    yield (
        "spreadsheet with an entity",
        xlsx(("ean",), **{"xl/sharedStrings.xml": OUTSIDE + b"<sst><si><t>&a;</t></si></sst>"}),
        "liste.xlsx",
    )
    yield (
        "spreadsheet with a thousand laughs",
        xlsx(("ean",), **{"xl/sharedStrings.xml": ENTITY + b"<sst><si><t>&c;</t></si></sst>"}),
        "liste.xlsx",
    )
    yield (
        "spreadsheet without a sheet",
        xlsx(("ean",), **{"xl/workbook.xml": b"<workbook/>"}),
        "liste.xlsx",
    )
    yield (
        "cut spreadsheet",
        xlsx(("ean", "titre", "argus"), (5060327534393, "A", 1))[:900],
        "liste.xlsx",
    )
    yield (
        "spreadsheet called CSV",
        xlsx(("ean", "titre", "argus"), (5060327534393, "A", 1)),
        "liste.csv",
    )
    yield "CSV called spreadsheet", (HEAD + LINE).encode(), "liste.xlsx"
    yield "CSV called EXE", (HEAD + LINE).encode(), "liste.exe"
    yield "CSV called nothing", (HEAD + LINE).encode(), "liste"
    yield "CSV called PHP", (HEAD + LINE).encode(), "liste.csv.php"
    yield "empty", b"", "liste.csv"
    yield "only its header", HEAD.encode(), "liste.csv"
    yield "no header", LINE.encode(), "liste.csv"
    yield "binary", bytes(range(256)) * 50, "liste.csv"
    yield "old Excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "liste.csv"
    yield "PDF", b"%PDF-1.4 ...", "liste.csv"
    yield "HTML", b"<table><tr><td>ean</td></tr></table>", "liste.csv"
    yield (
        "a line of 2 MB",
        (HEAD + "5060327534393;" + "A" * 2_000_000 + ";1\n").encode(),
        "liste.csv",
    )
    yield "an open quote to the end", (HEAD + '5060327534393;"A;1\n').encode(), "liste.csv"
    for words in (
        "3,7E+12",
        "NaN",
        "",
        "−5060327534393",
        "5060327534394",
        "٥٠٦٠٣٢٧٥٣٤٣٩٣",
        "0000000000000",
        "506032753439",
        "=5060327534393",
        "5060327534393;x",
    ):
        yield f"EAN {words!r}", f"{HEAD}{words};Jeu;10\n".encode(), "liste.csv"
    for words in (
        "-5",
        "1e3",
        "NaN",
        "inf",
        "12€50",
        "9999999999",
        "0x10",
        "1;2",
        "gratuit",
        "12 50",
        "1.2.3",
        "--1",
    ):
        yield (
            f"price {words!r}",
            f"{HEAD}5060327534393;Jeu;{words.replace(';', ',,')}\n".encode(),
            "liste.csv",
        )
    for words in ("", "   ", "\u200b", "\u2800", "\0"):
        yield f"title {words!r}", f"{HEAD}5060327534393;{words};10\n".encode(), "liste.csv"


def good_pictures() -> Iterator[tuple[str, bytes]]:
    """What telephones and scanners really send."""
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        yield kind, photo(kind)
        yield f"large {kind}", photo(kind, (4_000, 3_000))
        yield f"small {kind}", photo(kind, (1, 1))
    for mode in ("L", "CMYK"):
        yield f"JPEG {mode}", photo("JPEG", mode=mode)
    for mode in ("RGBA", "LA", "P", "1", "L"):
        yield f"PNG {mode}", photo("PNG", mode=mode)
    for turned in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = turned, "Téléphone"
        yield f"JPEG held the way {turned}", photo("JPEG", exif=exif)
    gps = Image.Exif()
    gps.get_ifd(0x8825).update({1: "N", 2: (47.0, 13.0, 0.0), 3: "W", 4: (1.0, 33.0, 0.0)})
    yield "JPEG that says where it was taken", photo("JPEG", exif=gps)
    yield "progressive JPEG", photo("JPEG", progressive=True)
    yield "JPEG with a comment", photo("JPEG", comment=b"<script>alert(1)</script>")
    yield "JPEG with a web page at its end", photo("JPEG") + b"<html><script>alert(1)</script>"
    yield "39 megapixels", photo("JPEG", (7_800, 5_000), quality=20)


def good_tables() -> Iterator[tuple[str, bytes, str]]:
    """One article each, in every dress a shop's export comes in."""
    plain = HEAD + "5060327534393;Pokémon : l’été;25,00\n"
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"):
        yield f"in {encoding}", plain.encode(encoding), "liste.csv"
    for separator in (";", ",", "\t", "|"):
        yield (
            f"separated by {separator!r}",
            (HEAD + LINE).replace("25,00", "25.00").replace(";", separator).encode(),
            "liste.txt",
        )
    for end in ("\n", "\r\n", "\n\n"):
        yield f"lines ended by {end!r}", plain.replace("\n", end).encode(), "liste.csv"
    yield (
        "columns in another order",
        b"argus;plateforme;ean;titre;couleur\n25;PC;5060327534393;Jeu;bleu\n",
        "liste.CSV",
    )
    yield (
        "headings as people write them",
        "Code-barres;Désignation;Cote\n5060327534393;Jeu;25,00\n".encode(),
        "liste.csv",
    )
    yield "spaces in the barcode", b"ean;titre;argus\n5 060327 534393;Jeu;25\n", "liste.csv"
    yield "a float barcode", b"ean;titre;argus\n5060327534393.0;Jeu;25\n", "liste.csv"
    yield (
        "quotes and line breaks",
        b'ean;titre;argus\n5060327534393;"Le ""grand"" jeu;\nsuite";25\n',
        "liste.csv",
    )
    yield "a NUL byte", b"ean;titre;argus\n5060327534393;Je\0u;25\n", "liste.csv"
    for words in (
        "1 234,56 €",
        "1\u202f234,56\u00a0€",
        "25",
        "25.5",
        "25,50 €",
        "€ 25,50",
        "0025,00",
        "+25",
    ):
        yield (
            f"price {words!r}",
            f"ean;titre;argus\n5060327534393;Jeu;{words}\n".encode(),
            "liste.csv",
        )
    yield (
        "a spreadsheet",
        xlsx(("ean", "titre", "argus"), (5060327534393, "Jeu", 25.5)),
        "liste.xlsx",
    )
    yield (
        "a spreadsheet of texts",
        xlsx(("EAN", "Titre", "Argus"), ("5060327534393", "Jeu", "25,50")),
        "liste.XLSX",
    )
    yield "a title like a formula", b"ean;titre;argus\n5060327534393;=3 Le jeu;25\n", "liste.csv"
    yield (
        "a title of 300 letters",
        f"ean;titre;argus\n5060327534393;{'Très long ' * 30};25\n".encode(),
        "liste.csv",
    )
