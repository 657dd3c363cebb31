"""What an indicator depends on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("indicator", sa.Column("covariates", sa.String, nullable=False, server_default=""))
