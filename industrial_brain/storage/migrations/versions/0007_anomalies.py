"""Anomalies: episodes, their sensors, what people said of them, and how far each shard has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# spelled out here, not taken from `tables.py`: a step must do tomorrow what it does today
_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "anomaly",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("shard", _CODE, nullable=False),
        sa.Column("site", _CODE, nullable=False),
        sa.Column("device", _CODE, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("cause", sa.Integer, nullable=False),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("metric", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("p", sa.Double, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("expected", sa.Double),
        sa.Column("detector", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("sensor_count", sa.Integer, nullable=False),
        sa.Column("device_count", sa.Integer, nullable=False),
        sa.Column("level", sa.Double, nullable=False),
        sa.Column("lax", sa.Double, nullable=False),
        sa.Column("calm", sa.BigInteger, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("parent", _CODE),
        sa.Column("acknowledged_by", sa.String),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("label", sa.String),
        sa.Column("labelled_by", sa.String),
        sa.Column("labelled_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("change", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anomaly"),
        sa.UniqueConstraint("revision", name="uq_anomaly_revision"),
    )
    op.create_index("ix_anomaly_parent", "anomaly", ["parent"])
    op.create_index("ix_anomaly_labelled_at", "anomaly", ["labelled_at"])
    op.create_index("ix_anomaly_site_device", "anomaly", ["site", "device"])
    op.create_index(
        "uq_anomaly_open",
        "anomaly",
        ["site", "device", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "anomaly_sensor",
        sa.Column("episode", _CODE, nullable=False),
        sa.Column("channel", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("device", _CODE, nullable=False),
        sa.Column("metric", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("cause", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("p", sa.Double, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("expected", sa.Double),
        sa.Column("share", sa.Double),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("episode", "channel", name="pk_anomaly_sensor"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "anomaly_word",
        sa.Column("key", sa.Integer, nullable=False),
        sa.Column("episode", _CODE, nullable=False),
        sa.Column("label", sa.String),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("request_key", sa.String),
        sa.Column("request_digest", sa.String(64)),
        sa.PrimaryKeyConstraint("key", name="pk_anomaly_word"),
        sa.UniqueConstraint("request_key", name="uq_anomaly_word_request_key"),
    )
    op.create_index("ix_anomaly_word_episode", "anomaly_word", ["episode"])
    op.create_table(
        "anomaly_taken",
        sa.Column("shard", _CODE, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_anomaly_taken"),
    )
