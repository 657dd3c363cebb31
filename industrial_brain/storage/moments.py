"""Moments as the tables keep them: whole microseconds since 1970-01-01 UTC, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def to_microseconds(moment: dt.datetime) -> int:
    """Exact, unlike a detour through float seconds. Naive moments are UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> dt.datetime:
    """The moment in UTC, aware."""
    return _EPOCH + count * _MICROSECOND
