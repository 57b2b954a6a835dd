"""Paper, read back as a shop would: its words by their text, its barcodes by a scanner."""

import pypdfium2
import zxingcpp


def read(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def scan(pdf: bytes, page: int = 0, scale: float = 4) -> list[str]:
    """What a scanner reads on a printed page, in black and white."""
    picture = (
        pypdfium2.PdfDocument(pdf)[page].render(scale=scale).to_pil().convert("1").convert("L")
    )
    return [
        found.text
        for found in zxingcpp.read_barcodes(
            picture, formats=zxingcpp.barcode_formats_from_str("Code128")
        )
    ]
