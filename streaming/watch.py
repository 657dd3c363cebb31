"""What one shard makes of its ingest sequence, step by step. Nothing else goes in, so the same sequence gives the same bytes:
after a restart, in a replay, and where somebody asks about readings of his own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Decided, Decider, Declaration, Fleet

Arrays = dict[str, npt.NDArray[np.generic]]

#: microseconds between two looks for silent channels; the first batch of a minute brings one
_LOOK = 60 * MICROS_PER_SECOND


class Watch:
    """Scores batches, looks for silence, decides. One thread owns it.

    Args:
        fleet, decider: new, or with a state of the same shard.
    """

    def __init__(self, fleet: Fleet, decider: Decider) -> None:
        self._fleet, self._decider = fleet, decider
        self._minute = 0

    def take(self, batch: Batch) -> tuple[Decided, ...]:
        """Decisions on a batch: on its readings; and on silences, if it is the first of a minute."""
        found = [self._decider.decide(self._fleet.score(batch), batch.received_at)]
        minute = batch.received_at // _LOOK
        if minute > self._minute:
            self._minute = minute
            found.append(self._decider.decide(self._fleet.look(batch.seq, batch.received_at), batch.received_at))
        return tuple(found)

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        """Take over what operators said of channels."""
        self._fleet.declare(keys, declarations)

    def save(self) -> Arrays:
        """The whole state as arrays, by name."""
        return {
            "watch/minute": np.array([self._minute], np.int64),
            **{f"fleet/{name}": array for name, array in self._fleet.save().items()},
            **{f"decider/{name}": array for name, array in self._decider.save().items()},
        }

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. Raises BundleError."""
        if "watch/minute" not in arrays:
            raise BundleError("This is no state of the watch.", "Start without it: it is learnt again from readings.")
        self._fleet.load(_below(arrays, "fleet/"))
        self._decider.load(_below(arrays, "decider/"))
        self._minute = int(arrays["watch/minute"][0])


def _below(arrays: Mapping[str, npt.NDArray[np.generic]], prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
