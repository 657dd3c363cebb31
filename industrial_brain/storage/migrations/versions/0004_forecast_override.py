"""Planners' overrides of forecasts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# spelled out here, not taken from `tables.py`: a step must do tomorrow what it does today
_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "forecast_override",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("held", sa.JSON, nullable=False),
        sa.Column("change", sa.String, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger),
        sa.Column("withdrawn_by", sa.String),
        sa.Column("mean", sa.JSON, nullable=False),
        sa.Column("low", sa.JSON, nullable=False),
        sa.Column("high", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("vintage", sa.BigInteger, nullable=False),
        sa.Column("request_key", sa.String),
        sa.Column("request_digest", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_forecast_override"),
        sa.ForeignKeyConstraint(["series"], ["series.key"], name="fk_forecast_override_series"),
        sa.UniqueConstraint("request_key", name="uq_forecast_override_request_key"),
    )
    op.create_index("ix_forecast_override_series", "forecast_override", ["series"])
    op.create_index("ix_forecast_override_expires_at", "forecast_override", ["expires_at"])
