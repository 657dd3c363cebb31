"""Which append changed a series last, so that a server sees what is new without reading everything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("series", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_series_revision", "series", ["revision"])
