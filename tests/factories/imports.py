"""Files, given and loaded."""

from models import Store
from services.imports import runs
from services.unit import db
from tests.factories.house import LEA, the_store, the_vendor


def a_file(folder, text: str, name: str = "stock.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def given(path, kind: str = "stock", **how):
    """A file given and loaded; its run."""
    if kind == "stock" and "store" not in how and "vendor" not in how:
        how["store"] = the_store()
    if kind in ("listings", "offers", "prices") and "vendor" not in how:
        how["vendor"] = the_vendor()
    run = runs.import_file(path, kind, by=LEA, **how)
    db.session.expire_all()
    return run


def a_feed(folder, counts: dict, store: Store | None = None, **how):
    """A stock file of EANs and quantities, loaded."""
    rows = "".join(f"{v if isinstance(v, str) else v.ean};{q}\n" for v, q in counts.items())
    return given(a_file(folder, "ean;quantite\n" + rows), store=store or the_store(), **how)
