"""The production chain, and investment targets that are followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_CODE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "chain_link",
        sa.Column("supplier", _CODE, nullable=False),
        sa.Column("customer", _CODE, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("supplier", "customer", name="pk_chain_link"),
        sa.ForeignKeyConstraint(["supplier"], ["cluster.code"], name="fk_chain_link_supplier"),
        sa.ForeignKeyConstraint(["customer"], ["cluster.code"], name="fk_chain_link_customer"),
    )
    op.create_table(
        "lead",
        sa.Column("id", _CODE, nullable=False),
        sa.Column("region", _CODE, nullable=False),
        sa.Column("cluster", _CODE, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("request_key", sa.String),
        sa.Column("request_digest", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_lead"),
        sa.UniqueConstraint("request_key", name="uq_lead_request_key"),
        sa.ForeignKeyConstraint(["region"], ["region.code"], name="fk_lead_region"),
        sa.ForeignKeyConstraint(["cluster"], ["cluster.code"], name="fk_lead_cluster"),
    )
    op.create_index("ix_lead_region", "lead", ["region"])
    op.create_table(
        "lead_event",
        sa.Column("lead", _CODE, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("lead", "place", name="pk_lead_event"),
        sa.ForeignKeyConstraint(["lead"], ["lead.id"], name="fk_lead_event_lead"),
    )
