"""A label is a row of its own, no columns of a parcel; a vendor may have several contracts.

Revision ID: 0010
Revises: 0009
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LABEL_STATES = (
    "requested",
    "unknown",
    "refused",
    "made",
    "in_transit",
    "at_relay",
    "delivered",
    "incident",
    "cancelled",
)
# What was a column of the parcel and is one of its label now.
MOVED = (
    "carrier",
    "insurance",
    "label_asked",
    "label_number",
    "label_url",
    "label_files",
    "label_error",
    "label_is_test",
    "relays",
    "label_at",
    "last_words",
    "follow_at",
)
# A parcel had the states of its label. Of a return, whose state said nothing of its label, an error
# may hide a label: a person looks.
STATE = """CASE
    WHEN is_return AND label_number != '' THEN 'made'
    WHEN is_return AND label_error != '' THEN 'unknown'
    WHEN is_return THEN 'requested'
    WHEN status = 'label_requested' THEN 'requested'
    WHEN status = 'label_unknown' THEN 'unknown'
    WHEN status = 'label_refused' THEN 'refused'
    WHEN label_number = '' THEN 'cancelled'
    WHEN status IN ('in_transit', 'at_relay', 'delivered', 'incident') THEN status
    WHEN status IN ('inspecting', 'checked') THEN 'delivered'
    ELSE 'made' END"""


def upgrade():
    _number_the_contracts()
    _make_the_tables()
    _move_the_labels()
    _name_the_orders_that_wait()
    op.execute(
        "UPDATE parcel SET status = 'not_sent'"
        " WHERE status IN ('label_requested', 'label_unknown', 'label_refused')"
    )
    op.drop_table("parcel_event")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION parcel_event_only_added()")
    with op.batch_alter_table("parcel") as table:
        table.drop_index("uq_parcel_label_number")
        table.drop_index("ix_parcel_follow_at")
        for column in MOVED:
            table.drop_column(column)


def _number_the_contracts():
    """The key of a contract was its vendor. Each keeps that number, which its sealed secrets are
    bound to.
    """
    bind = op.get_bind()
    rows = [dict(row) for row in bind.execute(sa.text("SELECT * FROM carrier_contract")).mappings()]
    op.drop_table("carrier_contract")
    op.create_table(
        "carrier_contract",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=False),
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("prefers_relay", sa.Boolean(), nullable=False),
        sa.Column("prefers_home", sa.Boolean(), nullable=False),
        sa.Column(
            "service",
            sa.Enum("soap", "rest", name="carrierservice", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("account", sa.String(length=8), nullable=False),
        sa.Column("brand", sa.String(length=2), nullable=False),
        sa.Column("key_sealed", sa.Text(), nullable=False),
        sa.Column("login", sa.String(length=120), nullable=False),
        sa.Column("password_sealed", sa.Text(), nullable=False),
        sa.Column("relay_country", sa.String(length=2), nullable=False),
        sa.Column("relay_number", sa.String(length=6), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("street", sa.String(length=100), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("city", sa.String(length=60), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("insurance_levels", sa.Integer(), nullable=False),
        sa.Column("packaging_grams", sa.Integer(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_result", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "insurance_levels BETWEEN 0 AND 5", name=op.f("ck_carrier_contract_levels_in_bounds")
        ),
        sa.CheckConstraint(
            "packaging_grams >= 0", name=op.f("ck_carrier_contract_packaging_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name=op.f("fk_carrier_contract_vendor_id_vendor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrier_contract")),
    )
    contracts = sa.Table("carrier_contract", sa.MetaData(), autoload_with=bind)
    for row in rows:
        for moment in ("checked_at",):
            row.pop(moment, None)  # tested again at the next click
        bind.execute(
            contracts.insert().values(
                **row,
                id=row["vendor_id"],
                carrier="mondial_relay",
                name="Mondial Relay",
                prefers_relay=True,
                prefers_home=False,
            )
        )
    if bind.dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('carrier_contract', 'id'),"
            " COALESCE((SELECT max(id) FROM carrier_contract), 0) + 1, false)"
        )
    op.create_index(op.f("ix_carrier_contract_vendor_id"), "carrier_contract", ["vendor_id"])
    for kind in ("relay", "home"):
        op.create_index(
            f"uq_carrier_contract_{kind}",
            "carrier_contract",
            ["vendor_id"],
            unique=True,
            sqlite_where=sa.text(f"prefers_{kind}"),
            postgresql_where=sa.text(f"prefers_{kind}"),
        )


def _make_the_tables():
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=False),
        sa.Column("parcel_id", sa.Integer(), nullable=True),
        sa.Column("contract_id", sa.Integer(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(*LABEL_STATES, name="labelstate", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("carrier_name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("insurance", sa.Integer(), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("tracking_link", sa.String(length=500), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("relays", sa.JSON(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_words", sa.String(length=200), nullable=False),
        sa.Column("follow_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(CASE WHEN parcel_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_label_of_exactly_one"),
        ),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name=op.f("fk_label_vendor_id_vendor")
        ),
        sa.ForeignKeyConstraint(
            ["parcel_id"], ["parcel.id"], name=op.f("fk_label_parcel_id_parcel")
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["carrier_contract.id"],
            name=op.f("fk_label_contract_id_carrier_contract"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
    )
    for column in ("parcel_id", "contract_id", "status"):
        op.create_index(op.f(f"ix_label_{column}"), "label", [column])
    op.create_index("ix_label_follow_at", "label", ["follow_at"])
    op.create_index("ix_label_number", "label", ["number"])
    op.create_index("ix_label_vendor_id_requested_at", "label", ["vendor_id", "requested_at"])
    numbered = sa.text("number != '' AND carrier != 'by_hand'")
    op.create_index(
        "uq_label_carrier_number",
        "label",
        ["carrier", "number"],
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )
    live = sa.text("status != 'cancelled'")
    op.create_index(
        "uq_label_live_parcel",
        "label",
        ["parcel_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_table(
        "label_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("relay", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(
            ["label_id"], ["label.id"], name=op.f("fk_label_event_label_id_label")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_event")),
        sa.UniqueConstraint(
            "label_id", "at", "words", name=op.f("uq_label_event_label_id_at_words")
        ),
    )


def _move_the_labels():
    op.execute(
        f"""INSERT INTO label (vendor_id, parcel_id, contract_id, status, carrier, carrier_name,
            kind, insurance, weight_grams, reference, number, url, tracking_link, files, error,
            is_test, relays, requested_at, made_at, last_words, follow_at, version)
        SELECT parcel.vendor_id, parcel.id,
            (SELECT id FROM carrier_contract WHERE vendor_id = parcel.vendor_id),
            {STATE}, 'mondial_relay', 'Mondial Relay', 'relay', insurance, weight_grams,
            COALESCE((SELECT number FROM offer WHERE offer.id = parcel.offer_id), '')
                || CASE WHEN is_return THEN 'R' ELSE '' END,
            label_number, label_url, '', label_files, label_error, label_is_test, relays,
            parcel.created_at, label_at, last_words, follow_at, 1
        FROM parcel WHERE carrier != '' OR label_number != ''
            OR EXISTS (SELECT 1 FROM parcel_event WHERE parcel_id = parcel.id)
        ORDER BY parcel.id"""
    )
    op.execute(
        "INSERT INTO label_event (label_id, at, words, place, relay)"
        " SELECT label.id, parcel_event.at, words, place, relay FROM parcel_event"
        " JOIN label ON label.parcel_id = parcel_event.parcel_id ORDER BY parcel_event.id"
    )
    table = "label_event"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: add a correction'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_added() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only: add a correction'"
        " USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added()"
    )


def _name_the_orders_that_wait():
    """What waits in the outbox named its parcel; it names its label now. An order that another one
    replaced names none.
    """
    bind = op.get_bind()
    waiting = sa.text("SELECT id, payload FROM outbox WHERE kind = 'label'").columns(
        id=sa.Integer, payload=sa.JSON
    )
    which = sa.text(
        "SELECT label.id FROM label JOIN parcel ON parcel.id = label.parcel_id"
        " WHERE parcel.id = :parcel AND parcel.label_asked = :asked"
    )
    for id, payload in bind.execute(waiting).all():
        asked = {"parcel": payload.get("parcel"), "asked": payload.get("asked")}
        label = bind.execute(which, asked).scalar()
        bind.execute(
            sa.text("UPDATE outbox SET payload = :payload WHERE id = :id"),
            {"payload": json.dumps({"label": label or 0}), "id": id},
        )


def downgrade():
    raise NotImplementedError(
        "labels of several carriers do not fit into a parcel's columns: restore the backup that was"
        " made before the upgrade"
    )
