"""The city, its series, their observations, and the API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# spelled out here, not taken from `tables.py`: a step must do tomorrow what it does today
_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "region",
        sa.Column("code", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("parent", _CODE),
        sa.Column("longitude", sa.Double),
        sa.Column("latitude", sa.Double),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("search", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_region"),
        _within("region", "parent", "region.code"),
    )
    op.create_index("ix_region_parent", "region", ["parent"])
    op.create_table(
        "cluster",
        sa.Column("code", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.Column("cluster_class", sa.String, nullable=False),
        sa.Column("search", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_cluster"),
    )
    op.create_table(
        "indicator",
        sa.Column("code", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("frequency", sa.String(1), nullable=False),
        sa.Column("sector", sa.String, nullable=False),
        sa.Column("aggregation", sa.String, nullable=False),
        sa.Column("weight", _CODE),
        sa.Column("numerator", _CODE),
        sa.Column("denominator", _CODE),
        sa.Column("nonnegative", sa.Boolean, nullable=False),
        sa.Column("search", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_indicator"),
        _within("indicator", "weight", "indicator.code"),
        _within("indicator", "numerator", "indicator.code"),
        _within("indicator", "denominator", "indicator.code"),
    )
    op.create_table(
        "enterprise",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("region", _CODE, nullable=False),
        sa.Column("cluster", _CODE, nullable=False),
        sa.Column("employees", sa.Integer, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_enterprise"),
        sa.ForeignKeyConstraint(["region"], ["region.code"], name="fk_enterprise_region"),
        sa.ForeignKeyConstraint(["cluster"], ["cluster.code"], name="fk_enterprise_cluster"),
    )
    op.create_index("ix_enterprise_region", "enterprise", ["region"])
    op.create_index("ix_enterprise_cluster", "enterprise", ["cluster"])
    op.create_table(
        "site",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("region", _CODE, nullable=False),
        sa.Column("enterprise", _CODE),
        sa.Column("parent", _CODE),
        sa.Column("longitude", sa.Double),
        sa.Column("latitude", sa.Double),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_site"),
        sa.ForeignKeyConstraint(["region"], ["region.code"], name="fk_site_region"),
        sa.ForeignKeyConstraint(["enterprise"], ["enterprise.id"], name="fk_site_enterprise"),
        _within("site", "parent", "site.id"),
    )
    op.create_index("ix_site_region", "site", ["region"])
    op.create_index("ix_site_enterprise", "site", ["enterprise"])
    op.create_index("ix_site_parent", "site", ["parent"])
    op.create_table(
        "series",
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("id", _CODE, nullable=False),
        sa.Column("frequency", sa.String(1), nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("indicator", _CODE),
        sa.Column("region", _CODE),
        sa.Column("tier", sa.String),
        sa.Column("cluster", _CODE),
        sa.Column("sector", sa.String),
        sa.Column("aggregation", sa.String, nullable=False),
        sa.Column("nonnegative", sa.Boolean, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("search", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_series"),
        sa.UniqueConstraint("id", name="uq_series_id"),
        sa.ForeignKeyConstraint(["indicator"], ["indicator.code"], name="fk_series_indicator"),
        sa.ForeignKeyConstraint(["region"], ["region.code"], name="fk_series_region"),
        sa.ForeignKeyConstraint(["cluster"], ["cluster.code"], name="fk_series_cluster"),
    )
    op.create_index("ix_series_indicator", "series", ["indicator"])
    op.create_index("ix_series_region", "series", ["region"])
    op.create_table(
        "source",
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("licence", sa.String, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("newest_known_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("key", name="pk_source"),
        sa.UniqueConstraint("name", "licence", "url", "simulated", name="uq_source_name"),
    )
    op.create_table(
        "observation",
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("known_at", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("series", "period", "known_at", name="pk_observation"),
        sa.ForeignKeyConstraint(["series"], ["series.key"], name="fk_observation_series"),
        sa.ForeignKeyConstraint(["source"], ["source.key"], name="fk_observation_source"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "api_key",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("sites", sa.JSON, nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("secret_sha256", name="uq_api_key_secret_sha256"),
    )


def _within(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", deferrable=True, initially="DEFERRED"
    )
