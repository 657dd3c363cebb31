"""What is measured: a method takes a panel and answers with means and quantiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Progress

if TYPE_CHECKING:
    from benchmarks.forecasting_sets import Hierarchy
    from models.forecasting.bundle import ForecastBundle
    from training.fit import FittedPartition
    from training.plan import Partition

#: probabilities of the quantiles that every method answers with, in order: the nine deciles inside the 95% interval
PROBABILITIES = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)


@dataclass(frozen=True, slots=True)
class Answer:
    """Forecasts of `n` series over `h` steps.

    Attributes:
        mean: shape (n, h).
        quantiles: shape (n, h, len(PROBABILITIES)), never falling along the last axis.
        refused: row of each series that the method could not forecast (its numbers are NaN), and why.
        fallbacks: row of each series that the method itself answered by something simpler, and by what.
    """

    mean: Floats
    quantiles: Floats
    refused: Mapping[int, str] = field(default_factory=dict)
    fallbacks: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, series: int, horizon: int) -> Answer:
        """All NaN, to be filled in place."""
        return cls(np.full((series, horizon), np.nan), np.full((series, horizon, len(PROBABILITIES)), np.nan), {}, {})


class Method(Protocol):
    """Fits and forecasts. It runs in a process of its own, so it must be a module's function or another picklable."""

    def __call__(self, panel: Panel, horizon: int, progress: Progress) -> Answer: ...


def brain(panel: Panel, horizon: int, progress: Progress, hierarchy: Hierarchy | None = None) -> Answer:
    """The shipped pipeline, backtest, calibration and reconciliation included, in one process: no Ray, no store, no
    registry. Of a hierarchy, it is told what adds up; that it does is no news to a user of one."""
    from training.pipeline import outcomes_of  # not loaded by the processes that measure the peers

    row = {name: i for i, name in enumerate(panel.ids)}
    bundle = fitted_bundle(panel, horizon, progress, hierarchy)
    mean, quantiles = bundle.predict(panel.ids, horizon, PROBABILITIES)
    refused: dict[int, str] = {}
    fallbacks: dict[int, str] = {}
    for outcome in outcomes_of(bundle):
        if isinstance(outcome, Failed):
            refused[row[outcome.series]] = outcome.reason
        elif outcome.fallback:
            fallbacks[row[outcome.series]] = outcome.method
    return Answer(mean, quantiles, refused, fallbacks)


def fitted_bundle(panel: Panel, horizon: int, progress: Progress, hierarchy: Hierarchy | None = None) -> ForecastBundle:
    """The version that `brain` asks."""
    from models.forecasting.hierarchy import Structure
    from training.pipeline import fit_panels  # as above

    row = {name: i for i, name in enumerate(panel.ids)}
    return fit_panels(
        [panel],
        horizons={panel.freq: horizon},
        executor=_Watched(len(panel), progress),
        structures={panel.freq: Structure.of(_identities(row, hierarchy), len(panel))} if hierarchy else None,
    )


def _identities(row: Mapping[str, int], hierarchy: Hierarchy) -> list[tuple[int, list[int]]]:
    """Every node that is a plain sum of bottom series, where the panel has all of them."""
    found = []
    for node, weights in zip(hierarchy.nodes, hierarchy.summing, strict=True):
        names = [hierarchy.bottoms[i] for i in np.flatnonzero(weights)]
        plain = names != [node] and set(weights.tolist()) <= {0.0, 1.0}
        if plain and all(name in row for name in (node, *names)):
            found.append((row[node], [row[name] for name in names]))
    return found


@dataclass(frozen=True, slots=True)
class _Watched:
    """An executor that fits in this process and tells how far it is."""

    series: int
    progress: Progress

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        from training.executors import InProcess  # as above

        done = 0
        for partition, fitted in InProcess().run(partitions):
            done += len(partition.panel)
            self.progress(done, self.series)
            yield partition, fitted
