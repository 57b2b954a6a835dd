"""Everything a person reads is French, from an English msgid; none is empty, fuzzy, or loses a
name.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

from babel.messages.pofile import read_po

from tests.test_architecture import sources

ROOT = Path(__file__).parent.parent
PO = ROOT / "translations/fr/LC_MESSAGES/messages.po"


def catalogue(path):
    with open(path, "rb") as file:
        return read_po(file, locale="fr")


def names(words):
    return sorted(set(re.findall(r"%\((\w+)\)s", words)))


def test_every_sentence_is_translated_and_none_is_left_over(tmp_path):
    pot = tmp_path / "messages.pot"
    babel = Path(sys.executable).parent / "pybabel"
    subprocess.run(
        [
            babel,
            "-q",
            "extract",
            "-F",
            "translations/babel.cfg",
            "-k",
            "_l",
            "--no-location",
            "-o",
            pot,
            ".",
        ],
        cwd=ROOT,
        check=True,
    )
    wanted = {m.id for m in catalogue(pot) if m.id}
    known = {m.id: m for m in catalogue(PO) if m.id}
    assert sorted(map(str, wanted - set(known))) == [], "run: make messages, then fill them"
    assert sorted(map(str, set(known) - wanted)) == [], "run: make messages"


def test_every_sentence_of_the_code_is_in_the_catalogue():
    """Those inside an f-string are not extracted, and would stay English."""
    known = {i for m in catalogue(PO) for i in (m.id if isinstance(m.id, tuple) else (m.id,))}
    lost = []
    for path in sources("services", "admin", "portal", "api", "gateways", "app", "tasks"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("_", "_l", "N_", "gettext", "lazy_gettext", "ngettext")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and node.args[0].value not in known
            ):
                lost.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert lost == []


def test_no_translation_is_empty_fuzzy_or_loses_a_name():
    for message in catalogue(PO):
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), message.id
        assert not message.fuzzy, message.id
        for string in strings:
            assert names(string) in [names(i) for i in ids], message.id


def test_french_typography_has_its_no_break_spaces():
    for message in catalogue(PO):
        for string in message.string if isinstance(message.string, tuple) else (message.string,):
            if message.id:
                assert not re.search(r" [;:!?»]|« ", string), string


def test_the_exact_labels_of_the_documents_are_on_screen():
    french = {
        s for m in catalogue(PO) for s in (m.string if isinstance(m.string, tuple) else (m.string,))
    }
    plain = {s.replace("\u00a0", " ") for s in french}
    for label in (
        "OUI, je le vends !",
        "Finaliser la vente",
        "Montant total de la proposition",
        "Offres à contrôler",
        "Colis en transit",
        "Colis à récupérer",
        "Colis à réceptionner",
        "Visiteurs uniques",
        "Taux de transformation",
        "Reprise web",
        "Achat à valider",
        "Retirer",
        "Remarque interne",
        "NB Stock",
        "NB Stock vendu",
        "Prix d’achat",
        "Créer une étiquette MR",
        "Accepter cette proposition",
        "Refuser cette proposition",
        "2ème chance",
        "Supprimer cette proposition",
        "Gestion du stock",
        "Paramétrages divers",
    ):
        assert label in plain, label


def test_no_page_shows_an_english_sentence(app, as_staff, client):
    english = {
        m.id
        for m in catalogue(PO)
        if m.id
        and isinstance(m.id, str)
        and len(m.id.split()) > 2
        and m.id != m.string
        and "%" not in m.id
    }
    from tests import factories

    factories.an_offer()
    boss = as_staff("Administrateur")
    for visitor, places in (
        (
            client,
            (
                "/",
                "/recapitulatif",
                "/compte/creer",
                "/compte/connexion",
                "/compte/oublie",
                "/conditions",
            ),
        ),
        (
            boss,
            (
                "/gestion/",
                "/gestion/offres/list/",
                "/gestion/offres/valider/",
                "/gestion/regles/add",
                "/gestion/sites/edit/1",
                "/gestion/parametrages/",
                "/gestion/imports/fichier/",
                "/gestion/utilisateurs/ajouter/",
            ),
        ),
    ):
        for place in places:
            page = visitor.get(place, follow_redirects=True).text
            found = [e for e in english if e in page]
            assert found == [], (place, found)
            for leftover in (
                "Record Count",
                "Not a valid choice",
                "This field is required",
                "Access is Denied",
                "List Users",
                "Nombre de record",
            ):
                assert leftover not in page


def test_english_is_a_catalogue_away(client):
    from flask_babel import force_locale, gettext

    with force_locale("en"):
        assert gettext("Finalise the sale") == "Finalise the sale"
