"""Every route is classified; GET never writes; every change needs a token; headers are strict;
roles open what they should and no more.
"""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from admin.roles import RIGHTS
from models import Model
from services import audit
from services.people import rights
from services.unit import db
from tests import factories

# Who a route is for. A route in no class fails the run: classify it here, on purpose.
PUBLIC = {
    "static",
    "appbuilder.static",
    "api.quote",
    "portal.sell",
    "portal.scan",
    "portal.photo",
    "portal.add",
    "portal.take_out",
    "portal.put_back",
    "portal.recap",
    "portal.finalise",
    "portal.conditions",
    "portal.help_page",
    "portal.shop",
    "portal.search_shop",
    "portal.suggestions",
    "portal.product",
    "portal.vendor",
    "portal.add_to_cart",
    "portal.cart_page",
    "portal.set_quantity",
    "portal.move_line",
    "portal.bin_line",
    "portal.unbin_line",
    "portal.robots",
    "portal.sitemap",
    "portal.sitemap_part",
    "portal.cover",
    "portal.logo",
    "portal.brand",
    "portal.open_account",
    "portal.sign_in",
    "portal.sign_out",
    "portal.document",
    "portal.forgotten",
    "portal.new_password",
    "portal.confirm",
    "AuthView.login",
    "AuthView.logout",
    "AuthView.code",
    "api.well",
    "api.metrics",
    "api.openapi",
    "api.csp_report",
    "api.till_client",
    "manual.manual",
}
CUSTOMER = {
    "portal.complete",
    "portal.thanks",
    "portal.sales",
    "portal.sale",
    "portal.reserve_page",
    "portal.reserve",
    "portal.orders",
    "portal.order",
    "portal.cancel_part",
    "portal.pickup_qr",
    "portal.answer",
    "portal.account",
    "portal.correct",
    "portal.change_email",
    "portal.confirm_credit",
    "portal.statement",
    "portal.withdraw",
    "portal.change_password",
    "portal.label",
    "portal.slip",
    "portal.bench_photo",
    "portal.relays",
    "portal.answer_reception",
    "portal.choose_means",
    "portal.give_iban",
    "portal.confirm_again",
    "portal.export",
    "portal.erase",
}
# For machines that show a key.
MACHINE = {
    "api.product",
    "api.find_products",
    "api.suggestions",
    "api.whole_catalogue",
    "api.catalogue_file",
    "api.catalogue_sheet",
    "api.nearest",
    "api.stock",
    "api.changes",
    "api.publish",
    "api.offers",
    "api.offers_file",
    "api.till",
    "api.tills_of_vendor",
    "api.register_till",
    "api.revoke_till",
    "api.tell_sale",
    "api.tell_return",
    "api.tell_trade_in",
    "api.tell_count",
    "api.tell_receipt",
    "api.tell_correction",
    "api.publish_offers",
    "api.publish_prices",
    "api.addresses",
    "api.register",
    "api.trial",
    "api.pause",
    "api.resume",
    "api.tell_many",
    "api.orders",
    "api.order",
    "api.accept_order",
    "api.refuse_order",
    "api.order_ready",
    "api.collect_order",
    "api.cancel_order",
    "api.stores",
    "api.files_given",
    "api.confirm_file",
    "api.cancel_file",
    "api.give_file",
    "api.file_status",
    "api.file_errors",
}
TABLE = Path(__file__).parent / "roles.txt"


def rules(app):
    return sorted(app.url_map.iter_rules(), key=lambda r: r.rule)


def is_staff(endpoint: str) -> bool:
    return endpoint.partition(".")[0].endswith("View") and endpoint not in PUBLIC


def address(app, rule) -> str:
    filled = {
        "number": "CDE000000001",
        "token": "x",
        "ean": "5060327534393",
        "name": "x",
        "filename": "x",
        "digest": "x",
        "pk": "1",
        "kind": "csv",
    }
    values = {a: filled.get(a, "1") for a in rule.arguments}
    for name, first in re.findall(r"<any\('?([\w-]+)[^>]*:(\w+)>", rule.rule):
        values[first] = name
    if "size" in rule.arguments:
        values["size"] = "A4"
    with app.test_request_context():
        return rule.build(values)[1]


def test_no_route_is_unclassified(app):
    unknown = [
        r.endpoint
        for r in rules(app)
        if r.endpoint not in PUBLIC | CUSTOMER | MACHINE and not is_staff(r.endpoint)
    ]
    assert unknown == []


def test_every_staff_route_is_under_gestion_and_asks_who_it_is(app, client, as_customer):
    customer = as_customer(factories.a_customer())
    for rule in rules(app):
        if not is_staff(rule.endpoint):
            continue
        assert rule.rule.startswith("/gestion/"), rule.rule
        for visitor in (client, customer):
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                answer = visitor.open(address(app, rule), method=method)
                assert answer.status_code == 302, (
                    rule.rule,
                    method,
                    answer.status_code,
                )
                assert "/gestion/login/" in answer.location, (
                    rule.rule,
                    method,
                    answer.status_code,
                )


def test_every_customer_route_asks_who_it_is(app, client):
    for rule in rules(app):
        if rule.endpoint in CUSTOMER:
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                answer = client.open(address(app, rule), method=method)
                assert answer.status_code == 302, (
                    rule.rule,
                    method,
                )
                assert "/compte/connexion" in answer.location, (
                    rule.rule,
                    method,
                )


def test_every_route_of_machines_asks_for_a_key_and_for_the_right_one(app, client):
    _key, secret = factories.a_key("imports")
    for rule in rules(app):
        if rule.endpoint not in MACHINE:
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            for headers in ({}, {"Authorization": "Bearer cpt_faux"}, {"Authorization": "Basic x"}):
                answer = client.open(address(app, rule), method=method, headers=headers)
                assert answer.status_code == 401, rule.rule
                assert answer.json["code"] == "unauthorized", rule.rule
                assert answer.json["request_id"], rule.rule
            answer = client.open(
                address(app, rule), method=method, headers={"Authorization": f"Bearer {secret}"}
            )
            assert answer.status_code == 403 or rule.endpoint in (
                "api.stores",
                "api.files_given",
                "api.confirm_file",
                "api.cancel_file",
                "api.give_file",
                "api.file_status",
                "api.file_errors",
            ), (
                rule.rule,
                answer.status_code,
            )


def state() -> dict[str, int]:
    """A fingerprint of each table; reading what is sealed adds to the audit log, on purpose, and to
    nothing else.
    """
    db.session.rollback()
    sums = {}
    for table in Model.metadata.sorted_tables:
        if table.name == "audit_entry":
            continue
        rows = [
            row
            for row in db.session.execute(text(f'SELECT * FROM "{table.name}"'))
            if row[0] != audit.SERIES
        ]
        sums[table.name] = hash(tuple(sorted(map(repr, rows))))
    db.session.rollback()
    return sums


def test_get_never_writes(app, client, as_staff, as_customer):
    offer = factories.a_second_chance()
    factories.a_cart(factories.a_game(), customer=offer.customer)
    factories.an_item(factories.a_game())
    visitors = (client, as_customer(offer.customer), as_staff("Administrateur"))
    before = state()
    for rule in rules(app):
        if "GET" in rule.methods and rule.endpoint != "static":
            for visitor in visitors:
                answer = visitor.get(address(app, rule) + "?ean=5060327534393&q=x")
                assert answer.status_code < 500, (rule.rule, answer.status_code)
    assert state() == before


def test_every_change_needs_a_token(app, client, as_staff, as_customer):
    offer = factories.a_second_chance()
    visitors = (client, as_customer(offer.customer), as_staff("Administrateur"))
    before = state()
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        for rule in rules(app):
            if "POST" in rule.methods:
                for visitor in visitors:
                    answer = visitor.post(
                        address(app, rule),
                        data={
                            "ean": "x",
                            "motive": "x",
                            "price": "1",
                            "answer": "agree",
                            "action": "delete",
                            "rowid": "1",
                        },
                    )
                    # A browser's report has no token, and nothing of it was kept; a machine shows
                    # its key instead.
                    open_to_all = (
                        {204}
                        if rule.endpoint == "api.csp_report"
                        else {401}
                        if rule.endpoint in MACHINE
                        else set()
                    )
                    assert answer.status_code in {302, 400, 404, 410, 422} | open_to_all, (
                        rule.rule,
                        answer.status_code,
                    )
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert state() == before


def test_every_page_carries_a_strict_policy_and_no_outside_host(app, client, as_staff):
    factories.an_offer()
    for visitor, addresses in (
        (
            client,
            (
                "/",
                "/?ean=123",
                "/recapitulatif",
                "/compte/creer",
                "/conditions",
                "/nulle-part",
                "/api/v1/quote?ean=1",
            ),
        ),
        (
            as_staff("Administrateur"),
            (
                "/gestion/",
                "/gestion/offres/list/",
                "/gestion/offres/valider/",
                "/gestion/regles/add",
                "/gestion/nulle-part",
            ),
        ),
    ):
        for place in addresses:
            answer = visitor.get(place, follow_redirects=True)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "style-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert not re.search(
                r"\son\w+=|javascript:|<style|\sstyle=|<script>(?!$)", answer.text
            ), place
            outside = re.findall(r'(?:src|href|action)="(https?://[^"]+)"', answer.text)
            assert outside == [], (place, outside)


def test_numbers_and_bytes_nobody_types_are_no_error(client, as_staff):
    huge = "9" * 30
    for place in (
        f"/marque/{huge}-x.css",
        "/jaquette/%00",
        "/logo/%00",
        f"/panier/retirer/{huge}",
        "/?ean=%00",
        "/compte/connexion?suite=%00",
    ):
        assert client.get(place).status_code < 500, place
    boss = as_staff("Administrateur")
    for place in (
        f"/gestion/offres/valider/{huge}",
        f"/gestion/imports/fichier/{huge}",
        "/gestion/produits/list/?category=%00",
        "/gestion/recherche/?q=%00",
    ):
        assert boss.get(place).status_code < 500, place
    assert (
        client.post(
            "/compte/connexion", data={"email": "a\0b@exemple.fr", "password": "x\0"}
        ).status_code
        < 500
    )


def test_a_personal_page_is_never_kept_by_a_cache(as_customer):
    assert as_customer(factories.a_customer()).get("/ventes").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "",
        "a b",
        "[::2]",
        "0x7f.1",
        "10.0.0.1",
    ],
)
def test_a_stranger_host_is_refused_without_a_trace_of_it(client, host):
    for place in ("/", "/gestion/login/", "/compte/oublie", "/api/v1/quote?ean=1"):
        answer = client.get(place, headers={"Host": host})
        assert answer.status_code in (400, 404)
        assert "evil" not in str(answer.headers.get("Location", ""))


def test_the_table_of_rights_is_the_one_we_agreed_on(app):
    """role x view x permission, as FAB decides it; a change of rights shows in the diff of
    tests/roles.txt.
    """
    lines = [
        f"{role} | {view} | {' '.join(allowed)}"
        for role, views in rights.opens(app.appbuilder).items()
        for view, allowed in views.items()
    ]
    current = "\n".join(lines) + "\n"
    if not TABLE.exists():
        TABLE.write_text(current)
    assert current == TABLE.read_text(), (
        "rights changed: read the difference, then delete tests/roles.txt and run again to agree"
    )


def test_the_page_about_rights_is_made_from_the_code(app):
    page = (Path(__file__).parents[1] / "docs/rules/rights.md").read_text()
    assert rights.written(page, app.appbuilder) == page, "run: flask --app app rights"


def test_every_role_names_views_and_permissions_that_exist(app):
    existing: dict[str, set[str]] = {}
    for view in app.appbuilder.baseviews:
        names = {*(view.base_permissions or []), *getattr(view, "actions", {}), "*"}
        existing.setdefault(view.class_permission_name, set()).update(names)
    for role, table in RIGHTS.items():
        for name, permissions in table.items():
            assert set(permissions) <= existing[name], (role, name)


def test_every_action_that_asks_for_proof_exists(app):
    for view in app.appbuilder.baseviews:
        for name in (*getattr(view, "asks_proof", ()), *getattr(view, "asks_proof_to_read", ())):
            assert callable(getattr(view, name, None)), (view, name)


@pytest.mark.parametrize(
    ("role", "opens", "closed"),
    [
        ("Comptable", "/gestion/offres/list/", "/gestion/regles/add"),
        ("Magasin", "/gestion/stock/list/", "/gestion/offres/list/"),
        ("Vendeur", "/gestion/offres/list/", "/gestion/offres/valider/"),
        ("Opérateur reprise", "/gestion/offres/valider/", "/gestion/utilisateurs/list/"),
        ("Animateur", "/gestion/vendeurs-particuliers/list/", "/gestion/parametrages/"),
        ("Opérateur reprise", "/gestion/regles/list/", "/gestion/sites/edit/1"),
    ],
)
def test_a_role_opens_its_pages_and_is_told_who_can_open_the_others(as_staff, role, opens, closed):
    client = as_staff(role, factories.the_vendor())
    assert client.get(opens, follow_redirects=True).status_code == 200
    refused = client.get(closed)
    assert refused.status_code == 403
    assert "Votre rôle" in refused.text
    assert "/gestion/utilisateurs/" not in client.get("/gestion/").text
