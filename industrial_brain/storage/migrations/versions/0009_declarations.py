"""What operators say of devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "declaration",
        sa.Column("site", _CODE, nullable=False),
        sa.Column("device", _CODE, nullable=False),
        sa.Column("metric", _CODE, nullable=False),
        sa.Column("unit", sa.String),
        sa.Column("low", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("counter", sa.Boolean, nullable=False),
        sa.Column("wraps_at", sa.Double),
        sa.Column("seconds", sa.Double),
        sa.Column("watch", sa.Boolean, nullable=False),
        sa.Column("equipment", _CODE),
        sa.Column("parent", _CODE),
        sa.Column("search", sa.String, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("site", "device", "metric", name="pk_declaration"),
    )
    op.create_index("ix_declaration_equipment", "declaration", ["equipment"])
    op.create_index("ix_declaration_revision", "declaration", ["revision"])
