"""Fit one partition: backtest, weigh, fit on everything, say what became of each series. No Ray here, and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.gaps import gap_counts
from features.magnitudes import without_extremes
from features.outliers import without_absurd
from features.scales import mase_scale
from features.seasonality import SEASONS_NEEDED
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from models.catalogue import FALLBACK, forecaster, members_for
from models.forecasting.combination import Combination
from models.forecasting.fitted_panel import EXACT, Texts
from models.forecasting.state import SHORTEST_HISTORY, Array, join
from training.backtest import Backtest, run_backtest
from training.decide import WORTH, Decision, Learner
from training.meta_learner import shipped_learner
from training.plan import TrainSpec

Flags = npt.NDArray[np.bool_]

#: what the method is called where more than one member answers
ENSEMBLE = "ensemble"


@dataclass(frozen=True, slots=True)
class FittedPartition:
    """What a partition's fit leaves. Every array has a row a series, in the partition's order.

    Attributes:
        model: the fitted combination.
        method, fallback, notes, failure: as in `models.forecasting.fitted_panel.FittedPanel`.
        origins, error, mase_scale, weights, comparable: as in `models.forecasting.fitted_panel.BacktestRecord`.
        own_error: float64 (n, origins, horizon), actual less forecast by this version's own weights: each origin is
            forecast with the weights that older origins had given, so no error is flattered. NaN where not.
        own_scale: float64, like `own_error`: the standard deviation that it claimed.
        actual: float64, like `own_error`.
    """

    model: Combination
    method: Texts
    fallback: Texts
    notes: Texts
    failure: Texts
    origins: Ordinals
    error: npt.NDArray[np.float32]
    mase_scale: Floats
    weights: Floats
    comparable: Floats
    own_error: Floats
    own_scale: Floats
    actual: Floats

    def arrays(self) -> dict[str, Array]:
        """The whole result as named arrays, for a checkpoint or a wire."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return plain | {f"model/{name}": array for name, array in self.model.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], freq: Frequency, season: int) -> FittedPartition:
        """The inverse of `arrays`, for a panel of this frequency and season."""
        model = {name.removeprefix("model/"): a for name, a in arrays.items() if name.startswith("model/")}
        return cls(model=_unfitted(freq, season).with_arrays(model), **{name: arrays[name] for name in _PLAIN})


_PLAIN = (
    "method",
    "fallback",
    "notes",
    "failure",
    "origins",
    "error",
    "mase_scale",
    "weights",
    "comparable",
    "own_error",
    "own_scale",
    "actual",
)


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
        return FittedPartition.from_arrays(join([half.arrays() for half in halves]), panel.freq, panel.season)


@np.errstate(over="ignore", invalid="ignore")  # values too large to compute with are looked for, and named
def fit_partition(
    spec: TrainSpec, panel: Panel, learner: Learner | None = None, worth: float = WORTH
) -> FittedPartition:
    """Backtest the members that are worth it for a series, weigh them for each series, fit them on the whole history.

    Weights are those of `learner`, the shipped one by default; `worth` is as in `training.decide.Decision`. A member without
    a finite answer gets no weight. A series with fewer than `SHORTEST_HISTORY` observations, or more gaps than
    observations, or no member that answers, falls back to the last value, and says so; one that has no answer at all
    fails, and says why. No series stops the others.
    """
    panel, slips = without_absurd(panel)
    panel, extreme = without_extremes(panel)
    observed = panel.lengths - gap_counts(panel)
    enough = (observed >= SHORTEST_HISTORY) & (observed >= panel.lengths - observed)
    unfitted = _unfitted(panel.freq, panel.season)
    names = list(unfitted.members)
    decision = Decision(learner or shipped_learner(), tuple(names), spec.horizon, worth)
    moments = [decision.at(panel.without_last(spec.horizon * back)) for back in range(spec.origins, -1, -1)]
    chosen = moments[0].worth_fitting()
    backtest = run_backtest(
        panel, unfitted.members, horizon=spec.horizon, origins=spec.origins, seed=spec.seed, worth=chosen
    )
    fitted = fit_members(unfitted, panel, chosen, spec.seed)
    finite = _finite(fitted, panel.freq.longest_horizon)

    # as the weights stood before each origin, a member that could not answer there left out; and as they stand now
    *earlier, now = moments
    before = [
        moment.weights(backtest.mae[:, :k], backtest.mean[:, k], backtest.scale[:, k])
        for k, moment in enumerate(earlier)
    ]
    ahead = [member.forecast(spec.horizon) for member in fitted.members.values()]
    mean, scale = (np.stack([getattr(d, part) for d in ahead], axis=1) for part in ("mean", "scale"))
    final = now.weights(backtest.mae, np.where(finite[:, :, None], mean, np.nan), scale) * enough[:, None]

    last_value = names.index(FALLBACK)
    answered = _any(final > 0.0)
    falls_back = ~answered & finite[:, last_value]
    fails = ~answered & ~finite[:, last_value]
    final[falls_back, last_value] = 1.0
    final[fails] = np.nan
    model = Combination(fitted.members, final)
    return FittedPartition(
        model=model,
        method=_texts([_method(names, row) for row in final]),
        fallback=_texts(
            [_why_fallback(n, of) if f else "" for n, of, f in zip(observed, panel.lengths, falls_back, strict=True)]
        ),
        notes=_texts(
            _notes(
                panel,
                by_default=answered & ~_any(np.isfinite(backtest.mae)),
                slips=slips,
                exact=_fits_exactly(model),
            )
        ),
        failure=_texts([_why_failure(n, e) if f else "" for n, e, f in zip(observed, extreme, fails, strict=True)]),
        origins=backtest.origins,
        error=backtest.error.astype(np.float32),
        mase_scale=_mase_scales(panel, spec),
        weights=np.stack([*before, final], axis=1),
        comparable=now.weights(backtest.mae[:, 1:], mean, scale),
        **_own_errors(backtest, np.stack(before, axis=1)),
    )


def fit_members(unfitted: Combination, panel: Panel, chosen: Flags, seed: int) -> Combination:
    """Every member on the whole history of the series that it was `chosen` for, bool (n, members)."""
    each = zip(unfitted.members.items(), chosen.T, strict=True)
    return replace(unfitted, members={name: member.fit(panel.only(kept), None, seed) for (name, member), kept in each})


def _any(flags: Flags) -> Flags:
    """Whether a row has any flag set: bool (n,)."""
    return np.asarray(flags.reshape(len(flags), -1).any(axis=1), dtype=np.bool_)


def _unfitted(freq: Frequency, season: int) -> Combination:
    names = members_for(freq, season)
    return Combination({name: forecaster(name) for name in names}, np.empty((0, len(names))))


def _finite(fitted: Combination, horizon: int) -> Flags:
    """Which members answer which series with numbers, as far as anyone may ask: bool (n, members)."""
    columns = []
    for member in fitted.members.values():
        d = member.forecast(horizon)
        columns.append(np.isfinite(d.mean).all(axis=1) & np.isfinite(d.scale).all(axis=1))
    return np.stack(columns, axis=1)


def _own_errors(backtest: Backtest, weights: Floats) -> dict[str, Floats]:
    """Errors of the weighted forecasts, and the scale that they claimed; `weights` is (n, origins, members)."""
    answered = (weights > 0.0).sum(axis=2)[:, :, None] > 0
    error, scale = (
        np.where(
            answered, (weights[:, :, :, None] * np.where(weights[:, :, :, None] == 0.0, 0.0, part)).sum(axis=2), np.nan
        )
        for part in (backtest.error, backtest.scale)
    )
    return {"own_error": error, "own_scale": scale, "actual": backtest.actual}


def _mase_scales(panel: Panel, spec: TrainSpec) -> Floats:
    """The scale up to each origin: float64 (n, origins)."""
    cuts = spec.horizon * np.arange(spec.origins, 0, -1)
    return np.stack([mase_scale(panel.without_last(int(cut))) for cut in cuts], axis=1)


def _method(names: list[str], weights: Floats) -> str:
    """The one member that answers, or that several do; nothing for a series that fails."""
    used = np.flatnonzero(weights > 0.0)
    return names[used[0]] if len(used) == 1 else ENSEMBLE if len(used) else ""


def _fits_exactly(model: Combination) -> Flags:
    """Whether what is left of the one-step error is rounding: bool (n,)."""
    ahead = model.forecast(1)
    return np.asarray(ahead.scale[:, 0] <= EXACT * np.abs(ahead.mean[:, 0]), dtype=np.bool_)


def _notes(panel: Panel, *, by_default: Flags, slips: Ordinals, exact: Flags) -> list[str]:
    notes = []
    for y, missing, absurd, untried, no_width in zip(panel, gap_counts(panel), slips, by_default, exact, strict=True):
        lines = []
        if absurd:
            what = "1 value is" if absurd == 1 else f"{absurd} values are"
            lines.append(f"{what} absurdly far from the neighbours, and taken for a gap; correct them at their source")
        gaps = missing - absurd
        if gaps:
            lines.append(f"{gaps} of {len(y)} periods have no value; they were bridged for fitting and never scored")
        known = y[np.isfinite(y)]
        if len(known) > 1 and known.min() == known.max():
            lines.append("the history is constant, so the interval has no width")
        elif no_width:
            lines.append(
                "the model fits the history without an error; the interval is as wide as its values are coarse"
            )
        if panel.season < len(y) < SEASONS_NEEDED * panel.season:
            lines.append(f"under {SEASONS_NEEDED} seasons of history, so no seasonal shape was estimated")
        if untried:
            lines.append("too short to backtest, so the members have the weights that series like it have elsewhere")
        notes.append("\n".join(lines))
    return notes


def _why_fallback(observed: int, periods: int) -> str:
    what = "1 observation is" if observed == 1 else f"{observed} observations are"
    if observed < SHORTEST_HISTORY:
        return f"{what} too few for a trend or a season: the last value is repeated"
    if observed < periods - observed:
        return f"only {observed} of {periods} periods have a value: the last value is repeated"
    return "no model had a finite answer: the last value is repeated"


def _why_failure(observed: int, extreme: bool) -> str:
    if extreme:
        return "The values are too large, or too small, to compute with: give them in another unit."
    if observed == 0:
        return "There is no observation."
    if observed == 1:
        return "There is 1 observation, and no other series was fitted beside it to borrow a spread from."
    return "The values are too large to compute with."


def _texts(lines: list[str]) -> Texts:
    return np.array(lines, dtype=np.str_)
