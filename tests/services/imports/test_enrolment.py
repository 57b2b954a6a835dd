"""A hundred shops and their people in one file, given again whenever something changes."""

import pytest

from models import Event, Membership, Store, User, Vendor
from services.people import staff
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_file, given

HEADER = "Code;Magasin;Enseigne;Adresse;CP;Ville;Horaires;E-mail;Prénom;Rôle\n"


def enrolled(folder, *rows, name="magasins.csv"):
    run = given(a_file(folder, HEADER + "".join(f"{row}\n" for row in rows), name), "stores")
    db.session.rollback()
    return run


def store(code):
    return db.session.scalar(db.select(Store).where(Store.code == code))


def test_stores_their_vendors_and_their_people_are_made(app, tmp_path):
    run = enrolled(
        tmp_path,
        "Z1;Souliers Rennes;Souliers du Port;1 rue A;35000;Rennes;lundi fermé;ana@x.fr;Ana;",
        "Z1;;;;;;;bob@x.fr;Bob;Vendeur",
        "Z2;Souliers Brest;Souliers du Port;2 rue B;29200;Brest;;;;",
    )
    assert (run.created, run.refused) == (3, 0), run.report
    assert (store("Z1").city, store("Z2").vendor.name) == ("Rennes", "Souliers du Port")
    assert len(db.session.scalars(db.select(Vendor).where(Vendor.name == "Souliers du Port")).all())
    people = dict(
        db.session.execute(
            db.select(User.username, Membership.store_id).join(
                Membership, Membership.user_id == User.id
            )
        ).all()
    )
    assert people == {"ana@x.fr": store("Z1").id, "bob@x.fr": store("Z1").id}
    ana = db.session.scalar(db.select(User).where(User.username == "ana@x.fr"))
    assert [role.name for role in ana.roles] == ["Magasin"]
    assert staff.sign_in("ana@x.fr", "", "192.0.2.1") is None, "no password opens it yet"
    assert len(run.report["doubts"]) == 2


def test_given_again_it_changes_what_changed_and_says_what_was_there(app, tmp_path):
    row = "Z1;Souliers Rennes;Souliers du Port;1 rue A;35000;Rennes;;ana@x.fr;Ana;"
    enrolled(tmp_path, row)
    again = enrolled(tmp_path, row, name="encore.csv")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 1)
    changed = enrolled(tmp_path, row.replace("1 rue A", "9 quai C"), name="change.csv")
    assert (changed.updated, store("Z1").address) == (1, "9 quai C")
    event = db.session.scalars(
        db.select(Event).where(Event.subject == "store", Event.verb == "edit")
    ).one()
    assert event.facts["changes"] == {"store.address": ["1 rue A", "9 quai C"]}


@pytest.mark.parametrize(
    "row",
    [
        ";Sans code;Souliers;;;;;;;",
        "Z9;;Souliers;;;;;;;",
        "Z9;Sans enseigne;;;;;;;;",
        "Z9;Mauvais CP;Souliers;;999;;;;;",
        "Z9;Rôle;Souliers;;;;;x@x.fr;;Administrateur",
        "Z9;Adresse;Souliers;;;;;pas-une-adresse;;",
        "M1;Nom;Une autre enseigne;;;;;;;",
    ],
)
def test_a_line_that_is_wrong_keeps_nothing_and_stops_no_other(app, tmp_path, row):
    factories.another_vendor()
    with unit_of_work():
        db.session.merge(factories.the_store()).code = "M1"
    before = db.session.scalar(db.select(db.func.count(Vendor.id)))
    run = enrolled(tmp_path, row, "Z1;Rennes;PixelCave;;35000;Rennes;;;;")
    assert (run.refused, run.created) == (1, 1)
    assert run.report["refused"][0][2]
    assert db.session.scalar(db.select(db.func.count(Vendor.id))) == before
    assert store("Z9") is None


def test_nobody_s_rights_are_taken_and_who_sees_all_is_left_alone(app, tmp_path):
    with unit_of_work():
        staff.add("lea@x.fr", "Administrateur", by=LEA)
    run = enrolled(tmp_path, "Z1;Rennes;Souliers;;35000;Rennes;;lea@x.fr;;")
    assert (run.refused, store("Z1")) == (1, None)


def test_only_who_may_give_access_gives_such_a_file(app, as_staff):
    for role, shown in (("Administrateur", True), ("Comptable", False), ("Vendeur", False)):
        vendors = () if role != "Vendeur" else (factories.the_vendor(),)
        page = as_staff(role, *vendors).get("/gestion/imports/fichier/")
        assert ("Magasins et leurs équipes" in page.get_data(as_text=True)) is shown, role
