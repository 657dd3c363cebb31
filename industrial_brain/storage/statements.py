"""The few statements that SQLite and PostgreSQL share in spirit but not in SQLAlchemy's spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

#: names in one statement, below SQLite's 32,766 and PostgreSQL's 65,535 variables
_NAMES = 10_000


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]], key: str) -> None:
    """Insert rows; where a row with the same `key` column stands already, give it the new facts."""
    if not rows:
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    facts = {name: insert.excluded[name] for name in rows[0] if name != key}
    connection.execute(insert.on_conflict_do_update(index_elements=[key], set_=facts), list(rows))


def batches(names: Sequence[T]) -> Iterator[Sequence[T]]:
    """Stretches that fit into one statement's `IN`."""
    return (names[first : first + _NAMES] for first in range(0, len(names), _NAMES))


def contains(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a casefolded `search` column holds `text`; `%` and `_` in it mean themselves."""
    return column.contains(text.casefold(), autoescape=True)
