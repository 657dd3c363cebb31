"""Decided batches, written down row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from industrial_brain.domain.telemetry import Cause, Decided, Scored

MINUTE = 60_000_000
T0 = 1_700_000_000_000_000
LEVEL = 1e-6


def at(minute: float) -> int:
    return T0 + int(minute * MINUTE)


def decided(
    seq: int,
    minute: float,
    *rows: tuple[int, float] | tuple[int, float, Cause] | tuple[int, float, Cause, float],
    shares: tuple[float, ...] | None = None,
    level: float = LEVEL,
) -> Decided:
    """Rows are (channel, p[, cause[, value]]), all of one moment; those with p at or under the level are alarms."""
    full = [(*row, *(Cause.LEVEL, 8.2)[len(row) - 2 :]) for row in rows]
    count = len(full)
    p = np.array([row[1] for row in full], np.float32)
    cause = np.array([row[2] for row in full], np.uint8)
    scored = Scored(
        seq=seq,
        channel=np.array([row[0] for row in full], np.int32),
        ts=np.full(count, at(minute)),
        p=p,
        cause=cause,
        value=np.array([math.nan if row[2] is Cause.SILENT else row[3] for row in full], np.float32),
        expected=np.array([math.nan if row[2] is Cause.SILENT else 4.1 for row in full], np.float32),
        score=(1 - p).astype(np.float32),
    )
    share = None if shares is None else np.array(shares, np.float32)
    return Decided(scored, (p <= level) & (cause != Cause.NONE), level, "fleet 1", share)


def concatenated(parts: Sequence[Decided]) -> Decided:
    """The same rows as one batch, with the seq, level and detector of the first."""
    columns = {
        column.name: np.concatenate([getattr(part.scored, column.name) for part in parts])
        for column in fields(Scored)
        if column.name != "seq"
    }
    first = parts[0]
    alarm = np.concatenate([part.alarm for part in parts])
    return Decided(Scored(seq=first.scored.seq, **columns), alarm, first.level, first.detector)
