"""Fit one partition: backtest, choose, fit on everything, say what became of each series. No Ray here, and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.gaps import gap_counts
from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from models.catalogue import CANDIDATES, DEFAULT_CANDIDATE, FALLBACK_FORECASTER, FORECASTERS
from models.forecasting.bundle import Texts
from models.forecasting.combination import Combination
from models.forecasting.state import Array, join
from training.backtest import Backtest, choose, run_backtest, weight_matrix
from training.plan import TrainSpec

Flags = npt.NDArray[np.bool_]

_NAMES = tuple(CANDIDATES)
_DEFAULT = _NAMES.index(DEFAULT_CANDIDATE)


@dataclass(frozen=True, slots=True)
class FittedPartition:
    """What a partition's fit leaves. Every array has a row a series, in the partition's order.

    Attributes:
        model: the fitted combination.
        method, fallback, notes, failure: as in `models.forecasting.bundle.FittedPanel`.
        origins, mase, choice: as in `models.forecasting.bundle.BacktestRecord`.
        standardised: float64 (n, origins, horizon), the errors of this version's own choices over the scale that it
            claimed: each origin is forecast with the candidate that older origins had chosen, so no error is flattered.
        smape: float64 (n, origins), in percent, of the same forecasts.
    """

    model: Combination
    method: Texts
    fallback: Texts
    notes: Texts
    failure: Texts
    origins: Ordinals
    mase: Floats
    choice: Ordinals
    standardised: Floats
    smape: Floats

    _PLAIN = ("method", "fallback", "notes", "failure", "origins", "mase", "choice", "standardised", "smape")

    def arrays(self) -> dict[str, Array]:
        """The whole result as named arrays, for a checkpoint or a wire."""
        plain = {name: getattr(self, name) for name in self._PLAIN}
        return plain | {f"model/{name}": array for name, array in self.model.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> FittedPartition:
        model = {name.removeprefix("model/"): a for name, a in arrays.items() if name.startswith("model/")}
        return cls(model=_unfitted().with_arrays(model), **{name: arrays[name] for name in cls._PLAIN})


def fit_every(
    spec: TrainSpec, panel: Panel, fit: Callable[[TrainSpec, Panel], FittedPartition] | None = None
) -> FittedPartition:
    """`fit_partition`, but a series that breaks it fails alone, with the error as its reason.

    The partition is halved until what breaks stands by itself; the others are fitted as if it had not been there, but for
    what they borrow from their neighbours.
    """
    fit = fit or fit_partition
    try:
        return fit(spec, panel)
    except Exception as error:  # noqa: BLE001  # whatever a series breaks, it must not take the others with it
        if len(panel) == 1:
            nothing = fit_partition(spec, replace(panel, values=np.full_like(panel.values, np.nan)))
            return replace(nothing, failure=_texts([f"The fit broke: {type(error).__name__}: {error}."]))
        middle = len(panel) // 2
        halves = [fit_every(spec, panel.take(rows), fit) for rows in (range(middle), range(middle, len(panel)))]
        return FittedPartition.from_arrays(join([half.arrays() for half in halves]))


@np.errstate(over="ignore", invalid="ignore")  # values too large to compute with are looked for, and named
def fit_partition(spec: TrainSpec, panel: Panel) -> FittedPartition:
    """Backtest all candidates, choose one a series, fit it on the whole history.

    A series whose chosen candidate has no finite answer falls back to the last value, and says so; one that has no answer at
    all fails, and says why. No series stops the others.
    """
    backtest = run_backtest(panel, FORECASTERS, CANDIDATES, horizon=spec.horizon, origins=spec.origins, seed=spec.seed)
    fitted = _unfitted().fit(panel, None, spec.seed)
    finite = _finite(fitted, panel.freq.longest_horizon)
    weights = weight_matrix(CANDIDATES, FORECASTERS)
    answers = ~((weights[None, :, :] != 0.0) & ~finite[:, None, :]).any(axis=2)  # (n, candidates)

    nested = np.stack([choose(backtest.mae[:, :k], _DEFAULT) for k in range(spec.origins + 1)], axis=1)
    final = np.where(nested[:, -1] >= 0, nested[:, -1], _DEFAULT)
    candidate = np.where(answers[np.arange(len(panel)), final], final, -1)
    last_value = list(FORECASTERS).index(FALLBACK_FORECASTER)
    falls_back = (candidate < 0) & finite[:, last_value]
    fails = (candidate < 0) & ~finite[:, last_value]

    rows = np.where((candidate >= 0)[:, None], weights[np.maximum(candidate, 0)], np.nan)
    rows[falls_back] = np.eye(len(FORECASTERS))[last_value]
    observed = panel.lengths - gap_counts(panel)
    labels = np.array([*_NAMES, FALLBACK_FORECASTER, ""])
    return FittedPartition(
        model=Combination(fitted.members, rows),
        method=labels[np.where(candidate >= 0, candidate, np.where(falls_back, len(_NAMES), len(_NAMES) + 1))],
        fallback=_texts([_why_fallback(n) if f else "" for n, f in zip(observed, falls_back, strict=True)]),
        notes=_texts(_notes(panel, nested[:, -1] < 0, candidate >= 0)),
        failure=_texts([_why_failure(n) if f else "" for n, f in zip(observed, fails, strict=True)]),
        origins=backtest.origins,
        mase=backtest.mae / _mase_scale(panel)[:, None, None],
        choice=np.where(np.arange(spec.origins + 1) == spec.origins, candidate[:, None], nested),
        **_own_errors(backtest, nested[:, :-1]),
    )


def _unfitted() -> Combination:
    return Combination(FORECASTERS, np.empty((0, 0)))


def _finite(fitted: Combination, horizon: int) -> Flags:
    """Which members answer which series with numbers, as far as anyone may ask: bool (n, members)."""
    columns = []
    for member in fitted.members.values():
        d = member.forecast(horizon)
        columns.append(np.isfinite(d.mean).all(axis=1) & np.isfinite(d.scale).all(axis=1))
    return np.stack(columns, axis=1)


def _own_errors(backtest: Backtest, nested: Ordinals) -> dict[str, Floats]:
    """Standardised errors and sMAPE of the candidate that was chosen before each origin (the default, before the first)."""
    n, origins = nested.shape
    at = (np.arange(n)[:, None], np.arange(origins)[None, :], np.where(nested >= 0, nested, _DEFAULT))
    error, scale = backtest.error[at], backtest.scale[at]
    forecast = backtest.actual - error
    size = np.abs(backtest.actual) + np.abs(forecast)
    ratio = np.divide(2.0 * np.abs(error), size, out=np.zeros(error.shape), where=size > 0.0)
    ratio[np.isnan(error)] = np.nan
    return {
        "standardised": np.divide(error, scale, out=np.full(error.shape, np.nan), where=scale > 0.0),
        "smape": 100.0 * mean_of_present(ratio),
    }


def _mase_scale(panel: Panel) -> Floats:
    """In-sample mean absolute seasonal difference; NaN where there is none, or it is zero (Hyndman and Koehler 2006)."""
    scales = np.full(len(panel), np.nan)
    for i, y in enumerate(panel):
        differences = np.abs(y[panel.season :] - y[: -panel.season])
        differences = differences[np.isfinite(differences)]
        if len(differences) and differences.any():
            scales[i] = differences.mean()
    return scales


def _notes(panel: Panel, no_backtest: Flags, has_candidate: Flags) -> list[str]:
    notes = []
    for y, gaps, untried, candidate in zip(panel, gap_counts(panel), no_backtest, has_candidate, strict=True):
        lines = []
        if gaps:
            lines.append(f"{gaps} of {len(y)} periods have no value; they were bridged for fitting and never scored")
        known = y[np.isfinite(y)]
        if len(known) > 1 and known.min() == known.max():
            lines.append("the history is constant, so the interval has no width")
        if untried and candidate:
            lines.append(f"too short to backtest, so the {DEFAULT_CANDIDATE} answers by default")
        notes.append("\n".join(lines))
    return notes


def _why_fallback(observed: int) -> str:
    what = "1 observation is" if observed == 1 else f"{observed} observations are"
    if observed < 6:
        return f"{what} too few for a trend or a season: the last value is repeated"
    return "the chosen model had no finite answer: the last value is repeated"


def _why_failure(observed: int) -> str:
    if observed == 0:
        return "There is no observation."
    if observed == 1:
        return "There is 1 observation, and no other series of this frequency to borrow a spread from."
    return "The values are too large to compute with."


def _texts(lines: list[str]) -> Texts:
    return np.array(lines, dtype=np.str_)
