"""The stock of a shop, as eight softwares write it, by each of the four doors: on the screen, in
the watched folder, by the API and by the command; the shop ends with the same stock.

The headers, separators and letters are those of files shops gave us (tests/files/field) or of the
softwares' own documentation; the articles are ours.
"""

import io
import os
import re
import time
from datetime import timedelta

import pytest

from models import ImportRun, ImportState, VendorReference
from services import clock, outbox
from services.imports import folders, runs
from services.stock import listing_exports
from services.unit import db, unit_of_work
from tests import factories

# Software → (file name, letters, header, a line of: ean, own reference, title, size, quantity).
SOFTWARE = {
    "Fastmag": (
        "export.txt",
        "cp1252",
        "Gencod\tCodemag\tDésignation\tColoris\tTaille\tPA\tPV\tStock\tStock resa",
        "{ean}\tTSH001\t{title}\tMarine\t{size}\t12.50\t29.90\t{quantity}\t0",
    ),
    "Clictill": (
        "clictill.csv",
        "latin-1",
        "Référence;Code barre;Désignation;Marque;Sous-famille;Prix TTC;Stock;Stock mini;Valeur",
        "{ref};{ean};{title};Lormont;Ville;12,90;{quantity};2;90,30",
    ),
    "ShopCaisse": (
        "Visualisation_des_stocks_du_{today:%Y%m%d}.csv",
        "utf-8-sig",
        "Identifiant;Nom;Référence;En stock;Mon Magasin;Réservés client;Stock effectif;Famille",
        "101;{title};{ref};{quantity};{quantity};1;2;Chaussures",
    ),
    "PrestaShop": (
        "product_export.csv",
        "utf-8",
        '"Product ID";"Name";"Reference";"Category";"Price (tax incl.)";"Quantity";"EAN-13"',
        '"12";"{title}";"{ref}";"Ville";"89.000000";"{quantity}";"{ean}"',
    ),
    "Shopify": (
        "inventory_export_1.csv",
        "utf-8",
        "Handle,Title,Option1 Value,SKU,Variant Barcode,Location,Incoming,Committed,On hand",
        "{ref},{title},{size},{ref},'{ean},,0,0,{quantity}",
    ),
    "WooCommerce": (
        "wc-product-export.csv",
        "utf-8",
        'ID,Type,SKU,Name,Published,"GTIN, UPC, EAN, or ISBN",Stock',
        "7,variation,{ref},{title},1,{ean},{quantity}",
    ),
    "Cegid": (
        "STOCK_BTQ.csv",
        "cp1252",
        "CODE ARTICLE;CODE BARRE;LIBELLE;TAILLE;STOCK PHYSIQUE",
        '{ref};="{ean}";{title};{size};{quantity}',
    ),
    "Polaris": (
        "stock.csv",
        "cp1252",
        "Etat des stocks au 19/11/2026;;;\nGencode;Désignation;Taille;Qté stock",
        "{ean};{title};{size};{quantity},00",
    ),
    "Mirakl STO01": (
        "sto01.csv",
        "utf-8",
        "offer-sku;quantity;warehouse-code;update-delete",
        "{ref};{quantity};;update",
    ),
}
QUANTITIES = (4, 0, 12)


@pytest.fixture
def shoes(app):
    found = [factories.a_shoe(f"Derby {n}", str(38 + n)) for n in range(3)]
    with unit_of_work() as session:
        for shoe in found:
            session.add(
                VendorReference(
                    vendor_id=factories.the_vendor().id,
                    sku=f"REF-{shoe.id}",
                    variant_id=shoe.id,
                    how="by_hand",
                )
            )
    return found


def written(folder, software, shoes):
    name, letters, header, line = SOFTWARE[software]
    rows = [
        line.format(
            ean=shoe.ean,
            ref=f"REF-{shoe.id}",
            title=f"Derby été {number}",
            size=shoe.shoe_size,
            quantity=QUANTITIES[number],
        )
        for number, shoe in enumerate(shoes)
    ]
    path = folder / name.format(today=clock.today())
    path.write_bytes("\r\n".join([header, *rows, ""]).encode(letters))
    return path


def by_the_screen(app, as_staff, path, store):
    clerk = as_staff("Administrateur")
    given = clerk.post(
        "/gestion/imports/fichier/",
        data={
            "kind": "guess",
            "store": store.id,
            "file": (io.BytesIO(path.read_bytes()), path.name),
        },
    )
    assert given.status_code == 302, given.get_data(as_text=True)[:3000]
    address = given.location.split("?")[0]
    page = clerk.get(address).get_data(as_text=True)
    chosen = re.findall(r'name="(col-\w+)">.*?</select>', page, re.S)
    mapping = {}
    for column in chosen:
        part = page[page.index(f'name="{column}"') :]
        selected = re.search(r"<option selected>([^<]*)<", part[: part.index("</select>")])
        mapping[column] = selected[1].replace("&#39;", "'") if selected else ""
    started = clerk.post(f"{address}/start", data={**mapping, "mode": "delta"})
    assert started.status_code == 302
    outbox.work()


def by_the_folder(app, as_staff, path, store):
    place = path.parent / "dossier" / str(store.code) / "partiel"
    place.mkdir(parents=True)
    dropped = place / path.name
    dropped.write_bytes(path.read_bytes())
    os.utime(dropped, (time.time() - 60, time.time() - 60))
    assert folders.take_in(path.parent / "dossier") == 1
    outbox.work()


def by_the_api(app, as_staff, path, store):
    _key, secret = factories.a_key("imports", store=store)
    answer = app.test_client().post(
        "/api/v1/imports",
        data={
            "kind": "stock",
            "mode": "delta",
            "file": (io.BytesIO(path.read_bytes()), path.name),
        },
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 202, answer.json
    outbox.work()


def by_the_command(app, as_staff, path, store):
    said = app.test_cli_runner().invoke(args=["stock", "import", str(path), "--store", store.code])
    assert said.exit_code == 0, said.output


DOORS = {
    "screen": by_the_screen,
    "folder": by_the_folder,
    "api": by_the_api,
    "command": by_the_command,
}


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_stock_file_gives_the_same_stock_by_each_door(app, as_staff, tmp_path, shoes, software):
    for door, give in DOORS.items():
        store = factories.a_store(f"Magasin {door}", door.upper())
        with clock.at(clock.now() - timedelta(days=2)):  # a file of today knows better
            for shoe in shoes:
                factories.stocked(shoe, 1, store)
        folder = tmp_path / door
        folder.mkdir()
        give(app, as_staff, written(folder, software, shoes), store)
        db.session.rollback()
        run = db.session.scalars(db.select(ImportRun).order_by(ImportRun.id.desc())).first()
        assert run.state is ImportState.complete, (door, run.error, run.report)
        assert (run.kind, run.refused, run.ignored) == ("stock", 0, 0), (door, run.report)
        held = tuple(factories.quantity(shoe, store) for shoe in shoes)
        assert held == QUANTITIES, door


def test_our_own_export_comes_back_as_it_left(app, tmp_path, shoes):
    store = factories.the_store()
    for shoe, quantity in zip(shoes, QUANTITIES, strict=True):
        factories.stocked(shoe, quantity, store)
    path = tmp_path / "sto01.csv"
    path.write_text(
        "".join(listing_exports.as_sto01(factories.the_vendor().id, store.id)), encoding="utf-8"
    )
    run = runs.import_file(path, "stock", by=factories.LEA, store=store)
    assert (run.refused, run.updated) == (0, 0), run.report
    assert tuple(factories.quantity(shoe, store) for shoe in shoes) == QUANTITIES
