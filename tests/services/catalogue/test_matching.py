"""References of vendors are matched with the catalogue, or wait for a person."""

from models import (
    Product,
    UnmatchedReference,
    UnmatchedState,
    Variant,
    VendorReference,
)
from services import clock
from services.catalogue import matching, products, search
from services.unit import db, unit_of_work
from tests.factories import (
    LEA,
    a_file,
    a_shoe,
    another_vendor,
    ean,
    given,
    quantity,
    the_store,
)


def test_unknown_references_are_ignored_counted_and_wait_in_a_queue(tmp_path):
    text = (
        f"ean;designation;marque;quantite\n{ean(901)};Mocassin"
        f" Pouldu;Pouldu;3\n{a_shoe().ean};;;2\n"
    )
    run = given(a_file(tmp_path, text), mode="delta")
    assert (run.ignored, run.created) == (1, 1)
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    assert (row.ean, row.title, row.brand, row.times, row.status) == (
        ean(901),
        "Mocassin Pouldu",
        "Pouldu",
        1,
        UnmatchedState.unmatched,
    )
    given(a_file(tmp_path, text + "\n", "encore.csv"), mode="delta")
    db.session.expire_all()
    assert db.session.get(UnmatchedReference, row.id).times == 2


# ── mapping ──


STOCK_BY_REFERENCE = "sku;reference-fournisseur;marque;designation;quantite\n"


def test_a_reference_is_found_by_barcode_then_vendor_name_then_supplier_reference_and_brand(
    tmp_path,
):
    shoe = a_shoe(supplier_ref="LOR-100")
    run = given(
        a_file(tmp_path, STOCK_BY_REFERENCE + "CAISSE-7;LOR-100;lormont;DERBY LORMONT NOIR;3\n"),
        mode="delta",
    )
    assert (run.ignored, quantity(shoe)) == (0, 3)
    assert [(r.sku, r.how) for r in db.session.scalars(db.select(VendorReference))] == [
        ("CAISSE-7", "supplier_ref")
    ]
    given(a_file(tmp_path, "sku;quantite\nCAISSE-7;5\n", "b.csv"), mode="delta")
    assert quantity(shoe) == 5


def test_a_close_title_is_a_proposal_with_its_score_that_somebody_accepts(tmp_path):
    shoe = a_shoe("Mocassin Pouldu cuir")
    given(
        a_file(
            tmp_path,
            "sku;designation;quantite\nM-1;MOCASSIN POULDU CUIRS;3\nM-2;Perceuse à colonne;1\n",
        ),
        mode="delta",
    )
    rows = {r.sku: r for r in db.session.scalars(db.select(UnmatchedReference))}
    assert rows["M-1"].proposal_id == shoe.id
    assert rows["M-1"].score >= 90
    assert rows["M-2"].proposal_id is None
    with unit_of_work() as session:
        matching.accept_proposal(session.get_one(UnmatchedReference, rows["M-1"].id), by=LEA)
    given(a_file(tmp_path, "sku;quantite\nM-1;4\n", "b.csv"), mode="delta")
    assert quantity(shoe) == 4


def test_one_click_proposes_an_unknown_reference_to_the_catalogue(tmp_path):
    given(
        a_file(tmp_path, f"ean;designation;marque;quantite\n{ean(902)};Botte Aubrac;Aubrac;3\n"),
        mode="delta",
    )
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    with unit_of_work() as session:
        product = matching.propose_product(session.get_one(UnmatchedReference, row.id), by=LEA)
        assert (product.title, product.brand.name, product.status.value) == (
            "Botte Aubrac",
            "Aubrac",
            "proposed",
        )
    assert products.by_ean(ean(902)) is not None
    assert matching.waiting_count() == 0


def test_a_supplier_reference_of_a_merged_sheet_is_still_known(tmp_path):
    kept, double = (
        a_shoe("Derby Ploumanach", supplier_ref="NEW-1"),
        a_shoe("Derby Ploumanach bis", supplier_ref="OLD-1"),
    )
    with unit_of_work() as session:
        products.merge(session.merge(double).product, session.merge(kept).product, by=LEA)
    run = given(
        a_file(
            tmp_path,
            "reference-fournisseur;designation;marque;ean\nOLD-1;Derby;Lormont;" + ean(977) + "\n",
            "ref.csv",
        ),
        "catalogue",
    )
    assert run.created == 1
    assert products.by_ean(ean(977)).product_id == kept.product_id


def test_a_sheet_without_a_barcode_merged_into_its_twin_leaves_the_supplier_reference_known(
    tmp_path,
):
    shoe = a_shoe("Derby Ploumanach", supplier_ref="P-1")
    with unit_of_work() as session:
        kept = session.merge(shoe).product
        double = Product(
            title="Derby Ploumanac’h",
            supplier_ref="P-1",
            brand_id=kept.brand_id,
            category="",
            created_at=clock.now(),
        )
        session.add(double)
        session.flush()
        products.merge(double, kept, by=LEA)
    given(
        a_file(tmp_path, STOCK_BY_REFERENCE + "C-7;P-1;Lormont;Derby Ploumanach;3\n"),
        mode="delta",
    )
    assert quantity(shoe) == 3


# ── what is the same thing (domain 2.46) ──


def test_a_till_s_own_reference_is_no_maker_s_reference(tmp_path):
    a_shoe("Jean droit Lormont", supplier_ref="7001")
    run = given(
        a_file(tmp_path, STOCK_BY_REFERENCE + "7001;7001;Lormont;Crème de soin;3\n"), mode="delta"
    )
    assert run.ignored == 1
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    assert row.proposal_id is None


def test_a_maker_s_reference_without_a_title_is_a_proposal(tmp_path):
    shoe = a_shoe(supplier_ref="LOR-100")
    run = given(
        a_file(tmp_path, "sku;reference-fournisseur;marque;quantite\nC-7;LOR-100;Lormont;3\n"),
        mode="delta",
    )
    assert run.ignored == 1
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    assert (row.proposal_id, row.score) == (shoe.id, matching.REFERENCE_ALONE)


def test_a_shop_s_own_code_means_what_that_shop_means_by_it(tmp_path):
    own = "2900000000018"
    things = {
        "Console Pouldu": the_store(),
        "Manette Aubrac": another_vendor()[2],
    }
    for title, store in things.items():
        given(
            a_file(tmp_path, f"ean;designation;quantite\n{own};{title};3\n", f"{store.id}.csv"),
            mode="delta",
            store=store,
        )
        with unit_of_work() as session:
            row = session.scalars(
                db.select(UnmatchedReference).where(UnmatchedReference.title == title)
            ).one()
            products.validate(matching.propose_product(row, by=LEA), by=LEA)
    for title, store in things.items():
        assert matching.meant_by(store.vendor_id, own).product.title == title
        given(
            a_file(tmp_path, f"ean;quantite\n{own};4\n", f"again-{store.id}.csv"),
            mode="delta",
            store=store,
        )
        assert quantity(matching.meant_by(store.vendor_id, own), store) == 4


def test_a_title_that_names_no_size_proposes_none_of_several():
    for size in ("36", "37", "38"):
        a_shoe("Baskets Zephyr", size)
    search.catch_up()
    assert matching.closest("BASKETS ZEPHYR")[0] is None
    found, _score = matching.closest("BASKETS ZEPHYR 37")
    assert db.session.get(Variant, found).shoe_size == "37"
