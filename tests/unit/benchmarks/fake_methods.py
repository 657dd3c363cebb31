"""Methods that a measured process can load: functions of a module."""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.methods import PROBABILITIES, Answer
from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import Progress


def last_value(panel: Panel, horizon: int, progress: Progress) -> Answer:
    """The last known value, with quantiles around it that are as far away as their probability is from a half."""
    answer = Answer.blank(len(panel), horizon)
    for row, values in enumerate(panel):
        known = values[~np.isnan(values)]
        answer.mean[row] = known[-1]
        answer.quantiles[row] = known[-1] + np.array(PROBABILITIES) - 0.5
        progress(row + 1, len(panel))
    return answer


def refuses_all(panel: Panel, horizon: int, progress: Progress) -> Answer:
    blank = Answer.blank(len(panel), horizon)
    return Answer(blank.mean, blank.quantiles, dict.fromkeys(range(len(panel)), "too hard"))


def burns_cpu_a_series(panel: Panel, horizon: int, progress: Progress) -> Answer:
    """0.05 seconds of CPU for each series."""
    for _ in panel:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
    return last_value(panel, horizon, progress)


def tells_its_threads(panel: Panel, horizon: int, progress: Progress) -> Answer:
    """All means are the number of threads that OpenMP was told."""
    answer = last_value(panel, horizon, progress)
    answer.mean[:] = float(os.environ["OMP_NUM_THREADS"])
    return answer


def raises_ours(panel: Panel, horizon: int, progress: Progress) -> Answer:
    raise NothingToTrainError("There is nothing here.", "Bring data.")


def dies(panel: Panel, horizon: int, progress: Progress) -> Answer:
    os._exit(7)
