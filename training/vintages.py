"""Backtest by vintage: what would have been forecast then, on what was known then, against what came.

The backtest inside a training cuts one vintage by period, and so sees old periods as they were revised later. This one
reads the store as of each origin, trains from nothing on it, and scores against today's values: a planner's track record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from features.present import mean_of_present
from features.scales import mase_scale
from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.forecasts import Failed, Outcome, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.domain.protocols import Progress, no_progress
from models.catalogue import NAIVE
from models.forecasting.bundle import ForecastBundle
from models.forecasting.fitted_panel import FittedPanel
from training.assemble import assemble
from training.executors import Executor
from training.plan import plan_training, simulated_ids
from training.report import slices_of

#: ends of the central intervals whose coverage is counted
_TAILS = {80: (0.1, 0.9), 95: (0.025, 0.975)}


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one slice.

    Attributes:
        slice: empty for all; else as in a version's metrics, `tier.district`; steps ahead are `step.M.3`.
        series: how many forecasts there were of it, over all origins.
        scored: how many of these have an actual and a scale.
        mase, naive_mase: mean absolute scaled error, ours and the seasonal naive's on the same periods.
        coverage80, coverage95: share of the actuals inside the interval.
    """

    slice: str
    series: int
    scored: int
    mase: float
    naive_mase: float
    coverage80: float
    coverage95: float


@dataclass(frozen=True, slots=True)
class SeriesScores:
    """Figures of one series at one origin, as in `Scores`; NaN where nothing has come yet."""

    series: str
    as_of: dt.datetime
    mase: float
    naive_mase: float
    coverage80: float
    coverage95: float


@dataclass(frozen=True, slots=True)
class VintageBacktest:
    """Scores over all origins, and what each origin's training said of the series that it could not forecast properly.

    Attributes:
        series: of each series at each origin, where these were asked for.
    """

    scores: tuple[Scores, ...]
    remarks: tuple[tuple[dt.datetime, Outcome], ...]
    series: tuple[SeriesScores, ...] = ()

    def score_rows(self) -> list[dict[str, object]]:
        """The scores as plain records, None for what is not known."""
        return [_finite(asdict(one)) for one in self.scores]

    def series_rows(self) -> list[dict[str, object]]:
        """The series' scores as plain records, None for what is not known."""
        return [_finite({**asdict(one), "as_of": one.as_of.isoformat()}) for one in self.series]

    def remark_rows(self) -> list[dict[str, object]]:
        """Failures and fallbacks as plain records: `series, as_of, outcome, reason`."""
        return [
            {
                "series": outcome.series,
                "as_of": at.isoformat(),
                "outcome": "failed" if isinstance(outcome, Failed) else "fallback",
                "reason": outcome.reason if isinstance(outcome, Failed) else outcome.fallback,
            }
            for at, outcome in self.remarks
        ]


@dataclass(frozen=True, slots=True)
class _Scored:
    """One frequency at one origin: arrays (n, horizon), NaN where there is no actual yet."""

    ids: tuple[str, ...]
    freq: Frequency
    scaled: Floats
    naive: Floats
    inside: Mapping[int, Floats]


def backtest_vintages(
    origins: Sequence[dt.datetime],
    read: Callable[[dt.datetime], list[Panel]],
    infos: Mapping[str, SeriesInfo],
    *,
    now: dt.datetime,
    executor: Executor,
    parents: Mapping[str, str | None] | None = None,
    seed: int = 0,
    by_series: bool = False,
    progress: Progress = no_progress,
) -> VintageBacktest:
    """Train on each origin's vintage, forecast each frequency's default horizon, and score against what is known `now`.

    Args:
        read: all panels as they were known at a moment.
        by_series: whether to keep the figures of each series at each origin.
        progress: told of partitions.

    Raises:
        NothingToTrainError: nothing was known at an origin.
    """
    actuals = {panel.freq: panel for panel in read(now)}
    scored: list[_Scored] = []
    series: list[SeriesScores] = []
    remarks: list[tuple[dt.datetime, Outcome]] = []
    for number, origin in enumerate(origins):
        panels = read(origin)
        if not panels:
            raise NothingToTrainError(f"Nothing was known yet at {origin:%Y-%m-%d}.", "Choose later origins.")
        plan = plan_training(panels, seed=seed, code="", simulated=simulated_ids(infos))
        parts = []
        for part in executor.run(plan):
            parts.append(part)
            progress(number * len(plan) + len(parts), len(origins) * len(plan))
        bundle, _ = assemble(parts, infos, vintage=origin, provenance={}, parents=parents)
        remarks += [(origin, outcome) for outcome in _remarkable(bundle)]
        tables = [_score(fitted, bundle, actuals[freq]) for freq, fitted in bundle.panels.items()]
        scored += tables
        series += [one for table in tables for one in _of_series(table, origin)] if by_series else []
    return VintageBacktest(tuple(_summarised(scored, infos)), tuple(remarks), tuple(series))


def _remarkable(bundle: ForecastBundle) -> Iterator[Outcome]:
    for fitted in bundle.panels.values():
        for row in np.flatnonzero((fitted.failure != "") | (fitted.fallback != "")):
            name = fitted.panel.ids[row]
            if fitted.failure[row]:
                yield Failed(name, str(fitted.failure[row]))
            else:
                yield Trained(name, str(fitted.method[row]), str(fitted.fallback[row]))


def _score(fitted: FittedPanel, bundle: ForecastBundle, actuals: Panel) -> _Scored:
    panel = fitted.panel
    horizon = panel.freq.default_horizon
    probabilities = sorted({p for tails in _TAILS.values() for p in tails})
    mean, quantiles = bundle.predict(panel.ids, horizon, probabilities)
    actual = _values_at(actuals, panel.ids, panel.last[:, None] + 1 + np.arange(horizon)[None, :])
    naive = fitted.model.members[NAIVE].forecast(horizon).mean
    scale = mase_scale(panel)[:, None]
    inside = {}
    for level, (low, high) in _TAILS.items():
        lower, upper = (quantiles[:, :, probabilities.index(p)] for p in (low, high))
        inside[level] = np.where(np.isfinite(actual) & np.isfinite(mean), (actual >= lower) & (actual <= upper), np.nan)
    ours = np.abs(actual - mean) / scale
    return _Scored(
        panel.ids, panel.freq, ours, np.where(np.isfinite(ours), np.abs(actual - naive) / scale, np.nan), inside
    )


def _values_at(panel: Panel, ids: Sequence[str], periods: Ordinals) -> Floats:
    """The values of these series at these periods (n, horizon); NaN where there is none."""
    rows = {name: row for row, name in enumerate(panel.ids)}
    found = np.array([rows[name] for name in ids], dtype=np.int64)
    offset = periods - panel.start[found][:, None]
    there = (offset >= 0) & (offset < panel.lengths[found][:, None])
    at = np.where(there, panel.indptr[found][:, None] + offset, 0)
    return np.where(there, panel.values[at], np.nan)


def _summarised(scored: Sequence[_Scored], infos: Mapping[str, SeriesInfo]) -> Iterator[Scores]:
    members: dict[str, list[tuple[_Scored, int]]] = {"": []}
    for table in scored:
        for row, name in enumerate(table.ids):
            for key in slices_of(infos[name]):
                members.setdefault(key, []).append((table, row))
    for key, rows in sorted(members.items()):
        columns = [
            np.array([mean_of_present(part[row]) for table, row in rows for part in (_part(table, column),)])
            for column in ("scaled", "naive", 80, 95)
        ]
        yield _scores(key, *columns)
    for freq in dict.fromkeys(table.freq for table in scored):
        tables = [table for table in scored if table.freq is freq]
        for step in range(freq.default_horizon):
            columns = [
                np.concatenate([_part(table, column)[:, step] for table in tables])
                for column in ("scaled", "naive", 80, 95)
            ]
            yield _scores(f"step.{freq}.{step + 1}", *columns)


def _of_series(table: _Scored, origin: dt.datetime) -> Iterator[SeriesScores]:
    columns = (mean_of_present(_part(table, column)).tolist() for column in ("scaled", "naive", 80, 95))
    for name, *figures in zip(table.ids, *columns, strict=True):
        yield SeriesScores(name, origin, *figures)


def _finite(record: dict[str, object]) -> dict[str, object]:
    return {key: None if isinstance(value, float) and value != value else value for key, value in record.items()}


def _part(table: _Scored, column: str | int) -> Floats:
    return table.inside[column] if isinstance(column, int) else getattr(table, column)


def _scores(key: str, ours: Floats, naive: Floats, inside80: Floats, inside95: Floats) -> Scores:
    mase, naive_mase, covers80, covers95 = (
        float(mean_of_present(column)) for column in (ours, naive, inside80, inside95)
    )
    return Scores(key, len(ours), int(np.isfinite(ours).sum()), mase, naive_mase, covers80, covers95)
