"""The watch of a shard is a function of its ingest sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.telemetry import Batch, Cause, Decided
from models.anomaly.decisions import LiveDecider, Policy
from models.anomaly.fleet import LiveFleet
from streaming.watch import Watch

MINUTE = 60_000_000
START = 1_700_000_000_000_000 // MINUTE * MINUTE


def a_watch() -> Watch:
    return Watch(LiveFleet(), LiveDecider(Policy()))


def sequence(minutes: int, silent_from: int = 10**9) -> list[Batch]:
    """Simulated: two channels, a reading a minute each, in two batches; the second falls silent, and time goes on."""
    rng = np.random.default_rng(5)
    found: list[Batch] = []
    for minute in range(minutes):
        for half in range(2):
            at = START + minute * MINUTE + half * MINUTE // 2
            rows = np.array([half] if half == 0 or minute < silent_from else [], np.int32)
            count = len(rows)
            found.append(
                Batch(
                    seq=len(found) + 1,
                    received_at=at,
                    channel=rows,
                    ts=np.full(count, at - 1_000_000),
                    value=rng.normal(20.0, 1.0, count),
                    quality=np.zeros(count, np.uint8),
                    late=np.zeros(count, np.bool_),
                )
            )
    return found


def written(decided: Sequence[Decided]) -> bytes:
    """All that was decided, to the byte."""
    parts = []
    for one in decided:
        scored = one.scored
        columns = (scored.channel, scored.ts, scored.p, scored.cause, scored.value, scored.expected, scored.score)
        parts += [column.tobytes() for column in (*columns, one.alarm)]
        parts.append(f"{scored.seq} {one.level!r} {one.detector}".encode())
    return b"|".join(parts)


def test_a_state_that_is_loaded_anywhere_goes_on_to_the_byte() -> None:
    entries = sequence(120, silent_from=100)
    through = a_watch()
    expected = [written(through.take(batch)) for batch in entries]
    for cut in (1, 60, 121, 205):
        before, after = a_watch(), a_watch()
        for batch in entries[:cut]:
            before.take(batch)
        after.load(before.save())
        assert [written(after.take(batch)) for batch in entries[cut:]] == expected[cut:]
        assert {name: array.tobytes() for name, array in after.save().items()} == {
            name: array.tobytes() for name, array in through.save().items()
        }


def test_silence_is_looked_for_once_a_minute_and_found_in_batches_without_rows() -> None:
    watch = a_watch()
    looks, silent = 0, []
    for batch in sequence(150, silent_from=100):
        decided = watch.take(batch)
        looks += len(decided) == 2
        silent += [batch.received_at for one in decided if (one.scored.cause == Cause.SILENT).any()]
    assert looks == 150
    assert len(silent) == 1
    assert 101 <= (silent[0] - START) // MINUTE <= 130


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError):
        a_watch().load({})
