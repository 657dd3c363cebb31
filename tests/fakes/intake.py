"""An intake in memory: what the doors hand in is kept, and judged in the simplest way."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.telemetry import MOST_ERRORS, ItemError, Receipt, Submission


class FakeIntake:
    """`Intake`. Refuses what is not finite, knows duplicates and late readings.

    Attributes:
        readings: value by (site, device, metric, ts).
        submissions: all that came, newest last.
        failing: raised by the next submissions, where it is set.
    """

    def __init__(self) -> None:
        self.readings: dict[tuple[str, str, str, int], float] = {}
        self.submissions: list[Submission] = []
        self.failing: Exception | None = None

    async def submit(self, submission: Submission) -> Receipt:
        if self.failing is not None:
            raise self.failing
        self.submissions.append(submission)
        errors = list(submission.errors)
        accepted = duplicate = late = 0
        for row in range(len(submission)):
            value, ts = float(submission.value[row]), int(submission.ts[row])
            channel = (submission.site, submission.device[row], submission.metric[row])
            if not np.isfinite(value):
                errors.append(ItemError(int(submission.index[row]), "not-finite", "The value is not finite."))
            elif self.readings.get((*channel, ts)) == value:
                duplicate += 1
            else:
                accepted += 1
                late += any(known[:3] == channel and known[3] > ts for known in self.readings)
                self.readings[(*channel, ts)] = value
        errors.sort(key=lambda error: error.index)
        return Receipt(accepted, duplicate, late, len(errors), tuple(errors[:MOST_ERRORS]))
