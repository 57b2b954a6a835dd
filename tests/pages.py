"""Reading the HTML of a page without the layout of its template."""

import re


def without_layout(html: str) -> str:
    """The same HTML without line breaks and indentation, inside tags and between them."""
    tags = re.sub(r"</?[a-z][^<>]*>", lambda tag: re.sub(r"\s+", " ", tag[0]), html)
    tags = re.sub(r"(<(?:br|hr|img|input|link|meta)\b[^<>]*?) ?/>", r"\1>", tags)
    tags = re.sub(r" >", ">", tags)
    return re.sub(r"(?<=>)\s*\n\s*|\s*\n\s*(?=</?[a-z])", "", tags)
