"""Sizes have one spelling each, room for several scales, and are found by the search.

Revision ID: 0016
Revises: 0015
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

LENGTHS = {"size": (20, 40), "shoe_size": (10, 40)}
HALF = re.compile(r"(?<=\d)\s*½|(?<=\d)\s+1/2\b")
DECIMAL = re.compile(r"(?<![\d.,])(\d{1,3})[.,](\d{1,2})(?![\d.,])")


def normal(text):
    def decimal(found):
        part = found[2].rstrip("0")
        return f"{found[1]},{part}" if part else found[1]

    plain = DECIMAL.sub(decimal, HALF.sub(",5", " ".join(text.split())))
    return plain.upper() if re.fullmatch(r"\d{0,2}x{0,4}[sml]", plain, re.I) else plain


def upgrade():
    with op.batch_alter_table("variant") as table:
        for name, (before, after) in LENGTHS.items():
            table.alter_column(
                name, existing_type=sa.String(before), type_=sa.String(after), existing_nullable=False
            )
    connection = op.get_bind()
    for name in LENGTHS:
        rows = connection.execute(sa.text(f"SELECT DISTINCT {name} FROM variant WHERE {name} <> ''"))
        changes = [
            {"old": size, "new": normal(size)} for (size,) in rows.all() if normal(size) != size
        ]
        if changes:
            connection.execute(
                sa.text(f"UPDATE variant SET {name} = :new WHERE {name} = :old"), changes
            )
    # The worker indexes every sheet again, with its sizes and the families of its colours.
    connection.execute(
        sa.text(
            "INSERT INTO search_todo (product_id) SELECT id FROM product WHERE id NOT IN (SELECT"
            " product_id FROM search_todo)"
        )
    )


def downgrade():
    with op.batch_alter_table("variant") as table:
        for name, (before, after) in LENGTHS.items():
            table.alter_column(
                name, existing_type=sa.String(after), type_=sa.String(before), existing_nullable=False
            )
