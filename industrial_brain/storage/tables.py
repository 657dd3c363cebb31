"""The tables. `migrations/` builds them step by step; a contract test holds the two together.

Text that people search for is kept once more in `search`: casefolded, so that a substring is found alike on every
database. Moments are microseconds (`moments.py`). Codes collate by code point, so that pages have one order everywhere.
"""

from __future__ import annotations

import sqlalchemy as sa

#: codes and ids
CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _within(column: str, table: str) -> sa.ForeignKeyConstraint:
    """A reference that is checked at commit, so that a batch may name a row before it holds it."""
    return sa.ForeignKeyConstraint([column], [f"{table}.code"], deferrable=True, initially="DEFERRED")


region = sa.Table(
    "region",
    metadata,
    sa.Column("code", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("name_en", sa.String, nullable=False),
    sa.Column("tier", sa.String, nullable=False),
    sa.Column("parent", CODE, index=True),
    sa.Column("longitude", sa.Double),
    sa.Column("latitude", sa.Double),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("search", sa.String, nullable=False),
    _within("parent", "region"),
)

cluster = sa.Table(
    "cluster",
    metadata,
    sa.Column("code", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("name_en", sa.String, nullable=False),
    sa.Column("cluster_class", sa.String, nullable=False),
    sa.Column("search", sa.String, nullable=False),
)

indicator = sa.Table(
    "indicator",
    metadata,
    sa.Column("code", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("name_en", sa.String, nullable=False),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("frequency", sa.String(1), nullable=False),
    sa.Column("sector", sa.String, nullable=False),
    sa.Column("aggregation", sa.String, nullable=False),
    sa.Column("weight", CODE),
    sa.Column("numerator", CODE),
    sa.Column("denominator", CODE),
    sa.Column("nonnegative", sa.Boolean, nullable=False),
    sa.Column("search", sa.String, nullable=False),
    sa.Column("covariates", sa.String, nullable=False, server_default=""),
    _within("weight", "indicator"),
    _within("numerator", "indicator"),
    _within("denominator", "indicator"),
)

enterprise = sa.Table(
    "enterprise",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("region", CODE, sa.ForeignKey("region.code"), nullable=False, index=True),
    sa.Column("cluster", CODE, sa.ForeignKey("cluster.code"), nullable=False, index=True),
    sa.Column("employees", sa.Integer, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
)

site = sa.Table(
    "site",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("region", CODE, sa.ForeignKey("region.code"), nullable=False, index=True),
    sa.Column("enterprise", CODE, sa.ForeignKey("enterprise.id"), index=True),
    sa.Column("parent", CODE, index=True),
    sa.Column("longitude", sa.Double),
    sa.Column("latitude", sa.Double),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.ForeignKeyConstraint(["parent"], ["site.id"], deferrable=True, initially="DEFERRED"),
)

#: `key` stands for the id in every observation: 4 bytes instead of some 20. `revision` is of the last append that stored
#: one of its values; it spares those who follow the store a scan of all observations
series = sa.Table(
    "series",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("id", CODE, nullable=False, unique=True),
    sa.Column("frequency", sa.String(1), nullable=False),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("indicator", CODE, sa.ForeignKey("indicator.code"), index=True),
    sa.Column("region", CODE, sa.ForeignKey("region.code"), index=True),
    sa.Column("tier", sa.String),
    sa.Column("cluster", CODE, sa.ForeignKey("cluster.code")),
    sa.Column("sector", sa.String),
    sa.Column("aggregation", sa.String, nullable=False),
    sa.Column("nonnegative", sa.Boolean, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("search", sa.String, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0", index=True),
)

#: `newest_known_at` spares a scan of all observations
source = sa.Table(
    "source",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("licence", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("newest_known_at", sa.BigInteger),
    sa.UniqueConstraint("name", "licence", "url", "simulated"),
)

#: append-only. The primary key is the order in which panels are read; on SQLite it is the table itself.
observation = sa.Table(
    "observation",
    metadata,
    sa.Column("series", sa.Integer, sa.ForeignKey("series.key"), primary_key=True, autoincrement=False),
    sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("known_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("source", sa.Integer, sa.ForeignKey("source.key"), nullable=False),
    sqlite_with_rowid=False,
)

#: a nowcast may be declared before its target has a value: no reference to `series`
nowcast = sa.Table(
    "nowcast",
    metadata,
    sa.Column("series", CODE, primary_key=True),
    sa.Column("indicators", sa.JSON, nullable=False),
    sa.Column("most_related", sa.Integer),
    sa.Column("transformations", sa.JSON, nullable=False),
    sa.Column("blocks", sa.JSON, nullable=False),
    sa.Column("factor_order", sa.Integer, nullable=False),
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("sites", sa.JSON, nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
)

#: what operators say of devices and their metrics; a device's own declaration has the empty metric
declaration = sa.Table(
    "declaration",
    metadata,
    sa.Column("site", CODE, primary_key=True),
    sa.Column("device", CODE, primary_key=True),
    sa.Column("metric", CODE, primary_key=True),
    sa.Column("unit", sa.String),
    sa.Column("low", sa.Double),
    sa.Column("high", sa.Double),
    sa.Column("counter", sa.Boolean, nullable=False),
    sa.Column("wraps_at", sa.Double),
    sa.Column("seconds", sa.Double),
    sa.Column("watch", sa.Boolean, nullable=False),
    sa.Column("equipment", CODE, index=True),
    sa.Column("parent", CODE),
    sa.Column("search", sa.String, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)

#: append-only but for the withdrawal, which keeps its moment. `request_key` is a client's Idempotency-Key, and whose it is
forecast_override = sa.Table(
    "forecast_override",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("series", sa.Integer, sa.ForeignKey("series.key"), nullable=False, index=True),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("held", sa.JSON, nullable=False),
    sa.Column("change", sa.String, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("withdrawn_at", sa.BigInteger),
    sa.Column("withdrawn_by", sa.String),
    sa.Column("mean", sa.JSON, nullable=False),
    sa.Column("low", sa.JSON, nullable=False),
    sa.Column("high", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("vintage", sa.BigInteger, nullable=False),
    sa.Column("request_key", sa.String, unique=True),
    sa.Column("request_digest", sa.String(64)),
)

#: `alive_at` is the last sign of life of the process at work
job = sa.Table(
    "job",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("owner", CODE, nullable=False, index=True),
    sa.Column("state", sa.String, nullable=False, index=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("alive_at", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("resumed", sa.BigInteger, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("idempotency_key", CODE),
    sa.UniqueConstraint("owner", "kind", "idempotency_key"),
)

#: one row an episode. `revision` rises with every change of any of them: who follows the table reads what is above the last
#: one that he saw. The partial index is what makes an open episode the only one of its device and kind
anomaly = sa.Table(
    "anomaly",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("shard", CODE, nullable=False),
    sa.Column("site", CODE, nullable=False),
    sa.Column("device", CODE, nullable=False),
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
    sa.Column("parent", CODE, index=True),
    sa.Column("acknowledged_by", sa.String),
    sa.Column("acknowledged_at", sa.BigInteger),
    sa.Column("label", sa.String),
    sa.Column("labelled_by", sa.String),
    sa.Column("labelled_at", sa.BigInteger, index=True),
    sa.Column("revision", sa.BigInteger, nullable=False, unique=True),
    sa.Column("change", sa.String, nullable=False),
    sa.Index("ix_anomaly_site_device", "site", "device"),
)
sa.Index(
    "uq_anomaly_open",
    anomaly.c.site,
    anomaly.c.device,
    anomaly.c.kind,
    unique=True,
    sqlite_where=anomaly.c.state == "open",
    postgresql_where=anomaly.c.state == "open",
)

#: the channels that an episode is made of
anomaly_sensor = sa.Table(
    "anomaly_sensor",
    metadata,
    sa.Column("episode", CODE, primary_key=True),
    sa.Column("channel", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("device", CODE, nullable=False),
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
    sqlite_with_rowid=False,
)

#: append-only: what people said of episodes. `label` is null for an acknowledgement
anomaly_word = sa.Table(
    "anomaly_word",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("episode", CODE, nullable=False, index=True),
    sa.Column("label", sa.String),
    sa.Column("note", sa.String, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("request_key", sa.String, unique=True),
    sa.Column("request_digest", sa.String(64)),
)

#: up to which place of a shard's ingest sequence episodes are stored
anomaly_taken = sa.Table(
    "anomaly_taken",
    metadata,
    sa.Column("shard", CODE, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

#: the production chain between clusters
chain_link = sa.Table(
    "chain_link",
    metadata,
    sa.Column("supplier", CODE, sa.ForeignKey("cluster.code"), primary_key=True),
    sa.Column("customer", CODE, sa.ForeignKey("cluster.code"), primary_key=True),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
)

#: investment targets that somebody follows; `status` is that of the last event
lead = sa.Table(
    "lead",
    metadata,
    sa.Column("id", CODE, primary_key=True),
    sa.Column("region", CODE, sa.ForeignKey("region.code"), nullable=False, index=True),
    sa.Column("cluster", CODE, sa.ForeignKey("cluster.code"), nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("request_key", sa.String, unique=True),
    sa.Column("request_digest", sa.String(64)),
)

lead_event = sa.Table(
    "lead_event",
    metadata,
    sa.Column("lead", CODE, sa.ForeignKey("lead.id"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("note", sa.String, nullable=False),
)
