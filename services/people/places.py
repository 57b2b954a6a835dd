"""Where things are in France, off line: the point of a postal code, as the crow flies, the nearest
stores.

`postal_codes.csv` is made by docs/make_postal_codes.py from GeoNames (CC BY 4.0).
"""

import math
from functools import cache
from pathlib import Path

from sqlalchemy import select

from models import Store
from services.unit import db

EARTH_KM = 6371.0


@cache
def _codes() -> dict[str, tuple[float, float, str]]:
    rows = Path(__file__).with_name("postal_codes.csv").read_text(encoding="utf-8").splitlines()[2:]
    return {
        code: (float(latitude), float(longitude), town)
        for code, latitude, longitude, town in (row.split(";") for row in rows)
    }


def of_postcode(postcode: str) -> tuple[float, float] | None:
    """Latitude and longitude (degrees) of a French postal code; of an unknown one, the middle of
    its neighbours « 33xx »; None outside France.
    """
    code = "".join(postcode.split())
    if len(code) != 5 or not (code.isascii() and code.isdigit()):
        return None
    found = _codes().get(code)
    if found:
        return found[:2]
    near = [point for other, point in _codes().items() if other[:3] == code[:3]]
    return (
        (sum(p[0] for p in near) / len(near), sum(p[1] for p in near) / len(near)) if near else None
    )


def km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance in kilometres (haversine)."""
    la, lb = math.radians(a[0]), math.radians(b[0])
    half = (
        math.sin((lb - la) / 2) ** 2
        + math.cos(la) * math.cos(lb) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def of_store(store: Store) -> tuple[float, float] | None:
    """Where a store is: its own point, else its postal code's."""
    if store.latitude is not None and store.longitude is not None:
        return store.latitude, store.longitude
    return of_postcode(store.postcode)


def km_between(a: Store, b: Store) -> int | None:
    here, there = of_store(a), of_store(b)
    return round(km(here, there)) if here and there else None


def nearest_stores(postcode: str, limit: int = 10) -> list[tuple[Store, int]]:
    """Stores from the nearest on, with their kilometres; empty for a code that is not French.
    Stores that are nowhere are left out.
    """
    here = of_postcode(postcode)
    if here is None:
        return []
    points = db.session.execute(
        select(Store.id, Store.latitude, Store.longitude, Store.postcode)
    ).all()
    found = []
    for id, latitude, longitude, code in points:
        there = (
            (latitude, longitude)
            if latitude is not None and longitude is not None
            else of_postcode(code)
        )
        if there:
            found.append((km(here, there), id))
    found.sort()
    stores = {
        store.id: store
        for store in db.session.scalars(
            select(Store).where(Store.id.in_([id for _km, id in found[:limit]]))
        )
    }
    return [(stores[id], round(distance)) for distance, id in found[:limit] if id in stores]
