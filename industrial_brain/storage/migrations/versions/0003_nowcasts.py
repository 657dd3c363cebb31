"""The nowcasts that are declared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "nowcast",
        sa.Column("series", _CODE, nullable=False),
        sa.Column("indicators", sa.JSON, nullable=False),
        sa.Column("most_related", sa.Integer),
        sa.Column("transformations", sa.JSON, nullable=False),
        sa.Column("blocks", sa.JSON, nullable=False),
        sa.Column("factor_order", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("series", name="pk_nowcast"),
    )
