"""Goal 14: a photo of a barcode decoded, against bare Pillow + zxing-cpp for EAN-13."""

import io
import statistics
import sys
import time

import _common
import zxingcpp
from PIL import Image

sys.path.insert(0, str(_common.ROOT))


def photo(width: int, height: int) -> bytes:
    from barcode import get
    from barcode.writer import ImageWriter

    drawn = (
        get("ean13", "506032753439", writer=ImageWriter())
        .render({"module_width": 0.3, "quiet_zone": 8, "write_text": False})
        .convert("L")
    )
    page = Image.new("L", (width, height), 235)
    page.paste(drawn, ((width - drawn.width) // 2, (height - drawn.height) // 2))
    out = io.BytesIO()
    page.convert("RGB").save(out, "JPEG", quality=75)
    return out.getvalue()


def bare(data: bytes) -> str:
    return zxingcpp.read_barcodes(
        Image.open(io.BytesIO(data)).convert("L"),
        formats=zxingcpp.barcode_formats_from_str("EAN13"),
        try_invert=False,
    )[0].text


def timed(read, data: bytes) -> float:
    times = []
    for _n in range(60):
        start = time.perf_counter()
        assert read(data) == "5060327534393"
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


if __name__ == "__main__":
    from services import files

    for size in ((640, 480), (1280, 720)):
        data = photo(*size)
        timed(bare, data)
        ours, baseline = timed(lambda photo: files.read_barcodes(photo)[0], data), timed(bare, data)
        _common.result(
            f"photo of a barcode, {size[0]} x {size[1]}, ms",
            f"{ours:.1f}",
            f"{baseline:.1f}",
            ours / baseline,
            "<= 1.20",
            ours <= 1.2 * baseline,
        )
