"""One machine of several, as a process of its own: `python -m tests.acceptance.machine_life VERB …`
says in JSON what it did or saw (test_s18_machines.py).
"""

import hashlib
import json
import sys
from io import BytesIO
from pathlib import Path

from flask_babel import force_locale
from PIL import Image

import config
from app import create_app
from gateways import live
from gateways.by_hand import ByHand
from gateways.fakes import FakeCarrier, FakeMail, FakeSms
from models import ImportRun, Parcel, Product, TransferBatch
from services import files, limits, outbox, visits
from services.catalogue import products
from services.imports import runs
from services.installation import backups, machines, restores
from services.payments import transfers
from services.shipping import labels
from services.unit import db, unit_of_work
from tests.factories import LEA

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140"


def print_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def receive(app, ean: str, table: str) -> dict:
    """A picture, a price list with a wrong line, a label, a transfer file; a visit, a wrong
    password.
    """
    photo = BytesIO()
    Image.new("RGB", (300, 400), "#4a6b8a").save(photo, "JPEG")
    kept = files.keep_picture(photo.getvalue())
    with unit_of_work():
        products.by_ean(ean).product.cover = kept
    run = runs.import_file(Path(table), "argus", by=LEA)
    outbox.work()
    visits.came(1, "1.1.1.1", AGENT)
    visits.asked_in_vain("4006381333931")
    limits.wrong_password("staff:lea@demo.test")
    return {"cover": print_of(files.read(kept)), "run": run.id, **show(app, ean, str(run.id))}


def show(app, ean: str, run_id: str) -> dict:
    """What a person at this machine sees of it."""
    outbox.work()
    db.session.expire_all()
    run = db.session.get_one(ImportRun, int(run_id))
    parcel = db.session.scalars(db.select(Parcel)).first()
    batch = db.session.scalars(db.select(TransferBatch)).first()
    return {
        "cover": print_of(app.test_client().get(f"/jaquette/{ean}").data),
        "refused": runs.refusals(run).count,
        "original": print_of(files.read(run.file_path)),
        "label": print_of(labels.pdf(parcel.label, "A4")),
        "transfers": print_of(transfers.content(batch)),
        "named": len(files.named()),
        "visits": visits._spool.names("visits-") != [],
        "failures": limits.storage.get("fail:staff:lea@demo.test"),
    }


def back_up(app) -> dict:
    made = backups.make(db.engine.url.render_as_string(False), files.data_dir(), files.data_dir())
    return {"name": made.path.name, "files": made.files, "size": made.size}


def verify(app, name: str) -> dict:
    """Fetch the backup from the store and verify it here, where it was not made."""
    report = restores.verify(app, backups.fetch(name, files.data_dir()))
    return {"troubles": report.troubles, "files": report.files}


def lose(app, ean: str) -> dict:
    """Somebody deletes a picture in the store, behind our back."""
    name = db.session.scalars(db.select(Product.cover).where(Product.cover != "")).first()
    files.drop(name)
    return {"lost": name}


def join(app) -> dict:
    try:
        machines.join(machines.here())
    except machines.OtherMachine as refusal:
        return {"refused": str(refusal)}
    return {"refused": ""}


def main() -> None:
    app = create_app(config.read(), bell=None)
    live.mail, live.sms = FakeMail(), FakeSms()
    live.carriers = {"mondial_relay": FakeCarrier(), "by_hand": ByHand()}
    with app.app_context(), force_locale("fr"):
        print(json.dumps(globals()[sys.argv[1]](app, *sys.argv[2:])))


if __name__ == "__main__":
    main()
