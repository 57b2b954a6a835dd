"""docs: who may import whom, and the habits a machine can check."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
# Which chapters a chapter of services/ may know, besides itself and the single files. The buy-back
# and orders are blind to each other; what reacts to a chapter stands on its right.
MAY_KNOW = {
    "people": (),
    "imports": ("people",),
    "catalogue": ("people", "imports"),
    "stock": ("people", "imports", "catalogue"),
    "payments": ("people", "imports", "catalogue", "stock"),
    "shipping": ("people", "imports", "catalogue", "stock", "payments"),
    "buyback": ("people", "imports", "catalogue", "stock", "payments", "shipping"),
    "orders": ("people", "imports", "catalogue", "stock", "payments", "shipping"),
    "channels": ("people", "imports", "catalogue", "stock", "payments", "shipping", "orders"),
}
MAY_KNOW["finance"] = (*MAY_KNOW["channels"], "buyback", "channels")
MAY_KNOW["installation"] = (*MAY_KNOW["finance"], "finance")
# The chapters of models.py, by their banners.
BANNERS = {"The house": "house", "Buy-back": "buyback"}
OURS = {
    "app",
    "commands",
    "config",
    "models",
    "services",
    "gateways",
    "simulators",
    "admin",
    "portal",
    "api",
    "tasks",
    "demo",
}
MAY = {
    "models": set(),
    "config": set(),
    "gateways": {"gateways"},
    "simulators": {"simulators"},
    "services": {"services", "models", "gateways"},
    "admin": {"admin", "services", "models"},
    "portal": {"portal", "services", "models"},
    "api": {"api", "services", "models"},
    "tasks": {"services", "models", "config"},
    "demo": {"demo", "services", "models", "gateways"},
    "commands": {"services", "models", "demo"},
    "app": OURS,
}


# Tables of a chapter a service may not know, each with its reason.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "services/access.py": {"*": "the scope of every table is built from what the table says"},
    "services/catalogue/products.py": {"Listing": "merging two products moves their listings"},
    "services/messages.py": {
        "Customer": "a message is written to a customer",
        "Site": "in the name of a site",
        "Offer": "about an offer",
        "Order": "about an order",
        "VendorOrder": "to the vendor of a part of it",
    },
    "services/payments/bank_details.py": {"Offer": "an IBAN is kept as long as an unpaid offer"},
    "services/payments/seller_payments.py": {
        "Offer": "paying settles the offer through its table of moves (decision 0006)",
        "OfferState": "the same",
    },
    "services/people/customers.py": {"Offer": "an account is idle when nothing was sold lately"},
    "services/personal.py": {"Customer": "the person the rules are about"},
    "services/people/identity.py": {"Offer": "which vendor saw a document is read in its offers"},
    "services/people/sites.py": {
        "BuyingRule": "its cache of sites is emptied when a rule changes",
        "Platform": "the same",
    },
    "services/stock/items.py": {"OfferLine": "an item remembers the line it was bought on"},
    "services/visits.py": {"Site": "visits are counted by site"},
    "services/webhooks.py": {
        "Webhook": "the tables of this module",
        "WebhookState": "the same",
        "WebhookDelivery": "the same",
        "DeliveryState": "the same",
        "Vendor": "whose address it is",
    },
}


def sources(*tops: str) -> list[Path]:
    found = []
    for top in tops or OURS:
        found += (
            [ROOT / f"{top}.py"]
            if (ROOT / f"{top}.py").exists()
            else sorted((ROOT / top).rglob("*.py"))
        )
    return found


def imports(path: Path, lazy: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if lazy else tree.body
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_layers_look_down_only():
    breaches = []
    for path in sources():
        top = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for name in imports(path):
            first = name.partition(".")[0]
            if first in OURS and first not in MAY[top]:
                breaches.append(f"{path.relative_to(ROOT)} imports {name}")
    assert breaches == []


def chapter_of_tables() -> dict[str, str]:
    """The chapter of each class of models.py, by the banner it stands under."""
    chapter, found = "house", {}
    for line in (ROOT / "models.py").read_text().splitlines():
        if banner := re.match(r"# ── (.+?) ─", line):
            chapter = BANNERS.get(banner[1], banner[1].lower())
        elif name := re.match(r"class (\w+)\(", line):
            found[name[1]] = chapter
    return found


def chapter_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "services").parts
    return parts[0] if len(parts) > 1 else "house"


def test_every_chapter_is_in_the_table_of_who_may_know_whom():
    folders = {p.name for p in (ROOT / "services").iterdir() if (p / "__init__.py").exists()}
    assert folders <= set(MAY_KNOW)
    assert set(chapter_of_tables().values()) <= {*MAY_KNOW, "house"}


def test_chapters_know_only_the_modules_they_may():
    breaches = []
    for path in sources("services"):
        here = chapter_of(path)
        for name in imports(path):
            chapter = name.removeprefix("services.").partition(".")[0]
            is_chapter = name.startswith("services.") and chapter in MAY_KNOW
            if is_chapter and chapter != here and chapter not in MAY_KNOW.get(here, ()):
                breaches.append(f"{path.relative_to(ROOT)} imports {name}")
    assert breaches == []


def test_chapters_know_only_the_tables_they_may():
    tables, breaches = chapter_of_tables(), set()
    for path in sources("services"):
        here, place = chapter_of(path), str(path.relative_to(ROOT))
        for name in imports(path, lazy=True):
            table = name.removeprefix("models.")
            chapter = tables.get(table, "house") if name.startswith("models.") else "house"
            allowed = chapter in {"house", here} or chapter in MAY_KNOW.get(here, ())
            reasons = EXCEPTIONS.get(place, {})
            if not allowed and table not in reasons and "*" not in reasons:
                breaches.add(f"{place} imports {table} of {chapter}")
    assert sorted(breaches) == []


def test_no_exception_is_left_that_nobody_needs():
    for place, tables in EXCEPTIONS.items():
        used = {name.removeprefix("models.") for name in imports(ROOT / place, lazy=True)}
        assert set(tables) - {"*"} <= used, place


def test_services_know_no_request_and_commit_nowhere_but_in_units():
    for path in sources("services"):
        code = path.read_text()
        assert not re.search(
            r"from flask import .*\b(request|session|g|redirect|render_template)\b", code
        ), path
        if path.name != "unit.py":
            assert ".commit()" not in code, path


def state_writes(tree: ast.AST) -> list[int]:
    """Lines that write a column of states: an assignment, also inside a tuple, or a value of an
    UPDATE.
    """
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute) and part.attr in ("status", "state"):
                        lines.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "values":
                names: list[Any] = [k.arg for k in node.keywords]
                names += [
                    key.value
                    for arg in node.args
                    if isinstance(arg, ast.Dict)
                    for key in arg.keys
                    if isinstance(key, ast.Constant)
                ]
                if {"status", "state"} & set(names):
                    lines.append(node.lineno)
            if node.func.attr == "setattr":
                lines.append(node.lineno)
    return lines


def test_only_the_workflow_changes_a_state():
    breaches = []
    for path in sources("services", "admin", "portal", "api", "tasks", "demo", "commands"):
        if path.name != "workflow.py":
            for line in state_writes(ast.parse(path.read_text())):
                breaches.append(f"{path.relative_to(ROOT)}:{line}")
    assert breaches == []


def asks_a_state(node: ast.expr) -> bool:
    """Whether a comparison asks the state of one row: `offer.status is …`; a column of a table,
    `Offer.status == …`, is a criterion of a list.
    """
    return isinstance(node, ast.Compare) and any(
        isinstance(side, ast.Attribute)
        and side.attr in ("status", "state")
        and not ast.unparse(side.value).rpartition(".")[2][:1].isupper()
        for side in (node.left, *node.comparators)
    )


# What the scan page answers to a barcode; it is a price, not a row with moves.
A_QUOTE = "quote.status"


def test_pages_ask_a_service_what_a_state_allows():
    breaches = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("admin", "portal")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.expr) and asks_a_state(node)
    ]
    asked = re.compile(r"([\w.]+\.(?:status|state)) (?:==|!=|in|not in) ")
    for path in (ROOT / "templates").rglob("*.html"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            breaches += [
                f"{path.relative_to(ROOT)}:{number}"
                for found in asked.findall(line)
                if found != A_QUOTE
            ]
    assert breaches == []


# Each option of « Paramétrages » reads its own words; the page that asks for the password sends on
# what was typed into another one.
READ_FORMS_THEMSELVES = {
    "admin/forms.py",
    "admin/installation/settings.py",
    "admin/people/account.py",
}


def test_views_read_their_forms_through_the_form_that_names_the_fields():
    reads = re.compile(r"request\.form(?:\.get|\[|\.items|\.getlist)")
    assert {
        str(path.relative_to(ROOT)) for path in sources("admin") if reads.search(path.read_text())
    } == READ_FORMS_THEMSELVES


def test_money_meets_no_float():
    for path in sources("services", "models"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "float"
            ):
                assert path.name in {"dashboards.py", "places.py"}, path
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and node.target.id.endswith("_cents")
            ):
                assert "float" not in ast.unparse(node.annotation), path


def test_a_limited_session_loads_relations_by_statements_of_their_own():
    """services/access.py narrows the tables a statement names: a joined load is not named."""
    for path in sources("services", "admin", "api", "portal"):
        assert "joinedload" not in path.read_text(), path
    assert 'lazy="joined"' not in (ROOT / "models.py").read_text()


def test_no_script_holds_a_sentence():
    """Texts come through the catalogue, in data attributes of the page."""
    for path in (ROOT / "static" / "js").glob("*.js"):
        assert "documentElement.lang" not in path.read_text(), path
        assert not re.search(r"[\"'`][^\"'`]*[àéèêçôû’][^\"'`]*[\"'`]", path.read_text()), path


def test_html_is_never_glued_together():
    for path in sources("admin", "portal", "services", "app"):
        assert not re.search(r"Markup\(\s*f?[\"']|Markup\([^)]*[+%]", path.read_text()), path
    for path in (ROOT / "templates").rglob("*.*"):
        assert "|safe" not in path.read_text(), path


def test_a_line_of_a_template_holds_one_element_and_is_short():
    """One expression, or the style of a mail, may be longer than 120: it cannot be split."""
    blocks = (
        r"<(?:div|p|section|form|table|tr|ul|ol|li|dl|h1|h2|h3|main|article|details|aside|nav)\b"
    )
    for path in (ROOT / "templates").rglob("*.html"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            assert len(re.findall(blocks, line)) <= 2, place
            assert len(re.sub(r"\{\{.*?\}\}|\{%.*?%\}|style=\"[^\"]*\"", "", line)) <= 120, place


def test_outside_calls_have_a_timeout():
    for path in sources("gateways"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "requests.get",
                "requests.post",
                "smtplib.SMTP",
                "smtplib.SMTP_SSL",
            }:
                assert any(k.arg == "timeout" for k in node.keywords), path


def test_limits_count_places_and_not_addresses():
    """Who has an IPv6 network has more addresses than any count (services/limits.py `place`)."""
    naming = {
        str(path.relative_to(ROOT))
        for folder in (".", "portal", "admin", "api", "services")
        for path in (sources(folder) if folder != "." else [ROOT / "app.py"])
        if "remote_addr" in path.read_text()
    }
    # Named in the logs, in the list of a person's browsers, and once a day as a visitor.
    assert naming == {"app.py", "admin/people/account.py", "portal/access.py"}


def test_views_name_their_columns_and_speak_french(app):
    from flask_appbuilder import ModelView

    from admin.base import ScopedView

    for view in app.appbuilder.baseviews:
        if isinstance(view, ModelView):
            assert isinstance(view, ScopedView), view
            for name in (
                "list_columns",
                "show_columns",
                "label_columns",
                "list_title",
                "order_columns",
            ):
                assert name in vars(type(view)) or any(
                    name in vars(b) for b in type(view).__mro__[1:2]
                ), (view, name)
            for column in (
                *view.list_columns,
                *view.show_columns,
                *view.add_columns,
                *view.edit_columns,
            ):
                assert column in type(view).label_columns, (view, column)


def test_no_status_amount_owner_or_number_of_a_fact_is_editable(app):
    from admin.base import ReferenceView

    facts = {
        "Offer",
        "OfferLine",
        "Item",
        "Movement",
        "Event",
        "Message",
        "Outbox",
        "Customer",
        "ImportRun",
        "Parcel",
        "SellerPayment",
        "TransferBatch",
        "TransferLine",
        "PoliceRecord",
        "Entry",
        "LedgerTransaction",
        "BankDetails",
        "IdentityDocument",
    }
    for view in app.appbuilder.baseviews:
        if isinstance(view, ReferenceView):
            assert view.datamodel.obj.__name__ not in facts, view


def test_every_cents_column_has_a_money_field_where_it_can_be_typed(app):
    from admin.base import ReferenceView
    from admin.fields import MoneyField, PercentField

    for view in app.appbuilder.baseviews:
        if isinstance(view, ReferenceView):
            with app.test_request_context():
                for form in (view.add_form(), view.edit_form()):
                    for field in form:
                        if field.name.endswith("_cents"):
                            assert isinstance(field, MoneyField), (view, field.name)
                        if field.name.endswith("_bp"):
                            assert isinstance(field, PercentField), (view, field.name)


DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_path_test_and_command_a_page_names_exists(page):
    text = page.read_text()
    tops = (
        "admin|api|benchmarks|demo|docs|gateways|migrations|portal|services|simulators|static"
        "|templates|tests"
    )
    missing = []
    path = rf"(?<![\w/])((?:{tops})/[\w/.-]+\.(?:py|html|md|css|js|csv|txt|wsdl))"
    for name in re.findall(path, text):
        if not (ROOT / name).exists() and not name.startswith("api/v1/"):
            missing.append(name)
    for path, test in re.findall(r"\b(tests/[\w/]+\.py)::(test_\w+)", text):
        if (ROOT / path).exists() and f"def {test}(" not in (ROOT / path).read_text():
            missing.append(f"{path}::{test}")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    missing += [
        f"make {name}" for name in re.findall(r"`make ([a-z]+)", text) if name not in targets
    ]
    assert missing == []
