"""Tasks to learn weighing from: at each rolling origin of a panel, what was known of the members, and how they then did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.descriptors import describe
from features.scales import mase_scale
from industrial_brain.domain.panel import Floats, Panel
from models.catalogue import forecaster, members_for
from training.backtest import run_backtest
from training.evidence import evidence
from training.expectations import rule_of_thumb
from training.plan import ORIGINS, plan_training

#: origins of the backtest that tasks are read off; each looks back on the `ORIGINS` before it, as a version's last one does
TASK_ORIGINS = 6


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks of one panel at one origin: a row a series that has a scale, an actual, and two members that answer.

    Attributes:
        members: names.
        descriptors: float64 (n, columns), of what was known at the origin.
        rule: float64 (n, members), the rule of thumb's expectation; infinite for a member that is not weighed or has no answer.
        mae: float64 (n, origins, members), errors at the origins before.
        evidence: float64 (n, members, columns).
        error: float64 (n, members, horizon), errors that followed, over the MASE scale; NaN where there is none.
    """

    members: tuple[str, ...]
    descriptors: Floats
    rule: Floats
    mae: Floats
    evidence: Floats
    error: Floats

    def __len__(self) -> int:
        return len(self.descriptors)

    def take(self, rows: npt.NDArray[np.int64]) -> Tasks:
        """These rows alone."""
        arrays = ("descriptors", "rule", "mae", "evidence", "error")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})


def tasks_of(panel: Panel, horizon: int, seed: int) -> list[Tasks]:
    """All tasks of a panel, whose every value may be learnt from."""
    tasks = []
    for part in plan_training([panel], seed=seed, code="", origins=TASK_ORIGINS, horizons={panel.freq: horizon}):
        tasks += _tasks_of_partition(part.panel, horizon, seed)
    return [one for one in tasks if len(one)]


def _tasks_of_partition(panel: Panel, horizon: int, seed: int) -> list[Tasks]:
    names = members_for(panel.freq, panel.season)
    members = {name: forecaster(name) for name in names}
    backtest = run_backtest(panel, members, horizon=horizon, origins=TASK_ORIGINS, seed=seed)
    tasks = []
    for k in range(TASK_ORIGINS):
        known = panel.without_last(horizon * (TASK_ORIGINS - k))
        unit = mase_scale(known)
        mean, scale = backtest.mean[:, k], backtest.scale[:, k]
        answered = np.isfinite(mean).all(axis=2) & np.isfinite(scale).all(axis=2)
        rule = np.where(answered, rule_of_thumb(names, known), np.inf)
        weighed = np.isfinite(rule)
        heard = np.where(weighed[:, :, None], 1.0, np.nan)
        past = np.where(weighed[:, None, :], backtest.mae[:, max(0, k - ORIGINS) : k], np.nan)
        error = heard * backtest.error[:, k] / unit[:, None, None]
        told = (weighed.sum(axis=1) > 1) & np.isfinite(error).any(axis=(1, 2))
        whole = Tasks(
            names,
            describe(known, horizon),
            rule,
            past,
            evidence(past, heard * mean, heard * scale, unit),
            error,
        )
        tasks.append(whole.take(np.flatnonzero(told)))
    return tasks


def sample(tasks: Sequence[Tasks], most: int, seed: int) -> list[Tasks]:
    """At most so many rows, drawn without looking, in order."""
    total = sum(len(one) for one in tasks)
    if total <= most:
        return list(tasks)
    drawn = np.sort(np.random.default_rng(seed).choice(total, most, replace=False))
    first = np.cumsum([0, *(len(one) for one in tasks)])
    kept = [one.take(drawn[(drawn >= a) & (drawn < b)] - a) for one, a, b in zip(tasks, first, first[1:], strict=False)]
    return [one for one in kept if len(one)]
