"""The inbox's tables, in a database of their own: what waits there must not wait for an import of indicators.

They are few and made when the inbox is opened; `telemetry_shard.layout` says which release's they are.
"""

from __future__ import annotations

import sqlalchemy as sa

#: of the tables and of the blobs in them
LAYOUT = 1

telemetry = sa.MetaData()

_SHARD = sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False)

shard = sa.Table(
    "telemetry_shard",
    telemetry,
    _SHARD.copy(),
    sa.Column("layout", sa.Integer, nullable=False),
    sa.Column("shards", sa.Integer, nullable=False),  # of how many
    sa.Column("last_seq", sa.BigInteger, nullable=False),
)

#: readings, an Arrow stream a transaction; deleted once they are in the lake
batch = sa.Table(
    "telemetry_batch",
    telemetry,
    _SHARD.copy(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

#: the rest of the ingest sequence: that a minute has passed (without a body), and what operators declared (JSON)
event = sa.Table(
    "telemetry_event",
    telemetry,
    _SHARD.copy(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary),
)

#: names of channels, an Arrow stream a block, for good
names = sa.Table(
    "telemetry_names",
    telemetry,
    _SHARD.copy(),
    sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

#: requests of the last day
request = sa.Table(
    "telemetry_request",
    telemetry,
    _SHARD.copy(),
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
