"""What a noun must declare about itself: forgotten, a test is red."""

from typing import Any

import pytest
from sqlalchemy import Enum

import app as _app  # noqa: F401  (every noun declares itself when it is loaded)
import models
from services import outbox, personal, retention, sealing, workflow
from services.installation import declared

TABLES = [m for m in models.Model.registry.mappers if m.class_.__module__ == "models"]
# Tables that name a person and have neither rule, each with its reason.
KEPT = {
    "Account": "the ledger is kept ten years (art. L123-22 c. com.); it has no name",
    "Customer": "the account itself: customers.erase, and the rule of idle accounts",
}


def ruled() -> set[str]:
    """Tables a rule speaks of, by retention or by the chapter's own rule of persons."""
    by_time = {rule.model.__name__ for rule in retention.RULES}
    of_persons = {
        "offers": "Offer",
        "parcels": "Parcel",
        "bank_details": "BankDetails",
        "identity_documents": "IdentityDocument",
        "payments": "SellerPayment",
        "register": "PoliceRecord",
        "messages": "Message",
        "orders": "Order",
    }
    return by_time | {of_persons[name] for name in personal.RULES if name in of_persons}


@pytest.mark.parametrize("mapper", TABLES, ids=lambda m: m.class_.__name__)
def test_a_table_that_names_a_customer_says_what_becomes_of_it(mapper):
    table = mapper.local_table
    names = any(
        key.column.table.name == "customer"
        for column in table.columns
        for key in column.foreign_keys
    )
    if names:
        name = mapper.class_.__name__
        assert name in ruled() or name in KEPT


@pytest.mark.parametrize("mapper", TABLES, ids=lambda m: m.class_.__name__)
def test_a_column_whose_name_says_sealed_is_declared_sealed(mapper):
    declared_columns = {(s.model, s.column) for s in sealing.SEALED}
    for column in mapper.local_table.columns:
        if column.name.endswith("_sealed"):
            assert (mapper.class_, column.name) in declared_columns, column


@pytest.mark.parametrize("mapper", TABLES, ids=lambda m: m.class_.__name__)
def test_every_state_of_every_table_has_a_word(mapper):
    for column in mapper.local_table.columns:
        if column.name in ("status", "state") and isinstance(column.type, Enum):
            states: Any = column.type.enum_class
            for state in states:
                assert workflow.has_word(state), state


def test_every_task_of_the_outbox_has_a_word(app):
    for name, kind in outbox.KINDS.items():
        assert str(kind.label) not in ("", name)


def test_one_command_lists_what_is_declared(app):
    printed = app.test_cli_runner().invoke(args=["declared"]).output
    for kind in {kind for kind, _name, _says in declared.lines()}:
        assert kind in printed
