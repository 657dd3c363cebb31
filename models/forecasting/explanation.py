"""Why: everything that a version knows about one series' forecast, read off the states that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from features.flags import data_flags, revision_flags
from features.present import mean_of_present
from features.seasonality import RECENT_SEASONS
from industrial_brain.domain.explanations import DataFlag, Explanation, History, MemberEvidence, StepErrors
from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.observations import Observation
from industrial_brain.domain.panel import Floats
from models.catalogue import FALLBACK
from models.forecasting.decomposition import LEVEL, REMAINDER, decompose_forecast, decompose_history
from models.forecasting.fitted_panel import FittedPanel
from models.forecasting.past_errors import similar_series, step_errors
from models.forecasting.state import Rows

#: parts that are no member's: what adding up moved, what the floor at zero cut, what a planner's override moved
RECONCILIATION, FLOOR, OVERRIDE = "reconciliation", "floor", "override"

#: seasons, and periods at least, of history that are decomposed for the reader
_SEASONS, _PERIODS = 3, 24

#: periods in which flags are looked for, at least; else `RECENT_SEASONS`: what was odd long ago no longer moves a forecast
_FLAGGED = 60

#: periods whose revisions are told, at least; else a season
_REVISED = 12

#: candidates among which similar series are looked for, at most
_CANDIDATES = 500


def explain(fitted: FittedPanel, row: int, answer: Forecast, peers: Sequence[str] | None) -> Explanation:
    """Explain an answer of this panel.

    Args:
        answer: the series' forecast, with or without overrides.
        peers: ids of series that the reader would compare it with, for instance of the same sector and tier; all series of
            the panel, without them.
    """
    horizon, panel = len(answer.mean), fitted.panel
    one = fitted.model.take(np.array([row]))
    alone = panel.take([row])
    parts = {name: values[0] for name, values in decompose_forecast(one, alone, horizon).items()}
    parts = _closed(parts, answer)
    past = decompose_history(one, alone)
    observed = panel.values[panel.indptr[row] : panel.indptr[row + 1]]
    shown = min(len(observed), max(_SEASONS * panel.season, _PERIODS))
    steps = step_errors(fitted, row)
    candidates = _peers(fitted, row, peers)
    recent = min(len(observed), max(RECENT_SEASONS * panel.season, _FLAGGED))
    flags = data_flags(
        observed[len(observed) - recent :],
        (past[LEVEL] + past[REMAINDER])[len(observed) - recent :],
        int(panel.last[row]) - recent + 1,
        panel.freq,
        panel.season,
        int(panel.last[candidates].max()) if len(candidates) else None,
    )
    return Explanation(
        series=answer.series,
        freq=answer.freq,
        unit=answer.unit,
        start=answer.start,
        mean=answer.mean,
        parts={name: tuple(values.tolist()) for name, values in parts.items()},
        history=History(
            start=panel.freq.label(int(panel.last[row]) - shown + 1),
            observed=_known(observed[len(observed) - shown :]),
            parts={name: _known(values[len(values) - shown :]) for name, values in past.items()},
        ),
        members=_members(fitted, row, horizon),
        past_errors=tuple(step for step in steps if step.horizon <= horizon),
        similar=similar_series(fitted, row, candidates, horizon),
        flags=tuple(flags),
        method=answer.method,
        fallback=answer.fallback,
        notes=answer.notes,
        words=(*_of_parts(parts, answer), *_of_errors(steps, answer, horizon), *_of_flags(flags)),
        vintage=answer.vintage,
        simulated=answer.simulated,
    )


def revised_since(explanation: Explanation) -> int:
    """The ordinal from which on revisions are told: a season before the forecast, and `_REVISED` periods at least."""
    freq = explanation.freq
    return freq.ordinal_of_label(explanation.start) - max(freq.season, _REVISED)


def with_revisions(explanation: Explanation, vintages: Sequence[Observation]) -> Explanation:
    """The explanation with a flag for each period whose value was revised.

    Args:
        vintages: as `ObservationStore.read_vintages` gives them, from `revised_since` on.
    """
    found = revision_flags(vintages, explanation.freq)
    return replace(explanation, flags=(*explanation.flags, *found))


def _closed(parts: Mapping[str, Floats], answer: Forecast) -> dict[str, Floats]:
    """Parts that add up to the answer: what lies between it and the members' mean gets a name, rounding goes into the level."""
    mean = np.array(answer.mean)
    judged = answer.judgement
    statistical = mean if judged is None else np.array(judged.statistical_mean)
    out = dict(parts)
    left = statistical - sum(out.values(), np.zeros_like(mean))
    if (np.abs(left) > 1e-9 * np.abs(mean).max(initial=1e-300)).any():
        out[RECONCILIATION if answer.reconciliation_delta is not None else FLOOR] = left
    else:
        first = LEVEL if LEVEL in out else next(iter(out))
        out[first] = out[first] + left
    if judged is not None:
        out[OVERRIDE] = mean - statistical
    return out


def _peers(fitted: FittedPanel, row: int, peers: Sequence[str] | None) -> Rows:
    if peers is None:
        rows = np.arange(len(fitted.panel))
    else:
        wanted = set(peers)
        rows = np.array([i for i, name in enumerate(fitted.panel.ids) if name in wanted], dtype=np.int64)
    rows = rows[fitted.simulated[rows] == fitted.simulated[row]]
    near = np.argsort(np.abs(rows - row), kind="stable")[
        :_CANDIDATES
    ]  # ids are in order: neighbours share an indicator
    nearest: Rows = rows[np.sort(near)]
    return nearest


def _members(fitted: FittedPanel, row: int, horizon: int) -> tuple[MemberEvidence, ...]:
    """Every member that answers, heaviest first."""
    record, model = fitted.backtest, fitted.model.take(np.array([row]))
    mae = mean_of_present(np.abs(record.error[row].astype(np.float64)))  # (origins, members)
    place = {name: k for k, name in enumerate(record.members)}
    comparable = [place[name] for name in model.members if name in place and name != FALLBACK]
    middle = np.array([np.median(o[np.isfinite(o)]) if np.isfinite(o).any() else np.nan for o in mae[:, comparable]])
    found = []
    for (name, member), weight in zip(model.members.items(), model.weights[0], strict=True):
        mean = member.forecast(horizon).mean[0]
        if not np.isfinite(mean).all():
            continue
        own = mae[:, place[name]] if name in place else np.full(len(mae), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = own / middle
            mase = own / record.mase_scale[row]
        relative = relative[np.isfinite(relative)]
        found.append(
            MemberEvidence(
                name=name,
                weight=float(weight),
                mean=tuple(mean.tolist()),
                mase=_known(mase),
                why=_why(name, float(weight), relative),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.weight))


def _why(name: str, weight: float, relative: Floats) -> str:
    if name == FALLBACK:
        return "answers alone, where nothing else can" if weight > 0.0 else "answers only where nothing else can"
    if len(relative) == 0:
        return "not tried at a past origin: the weight that is usual elsewhere" if weight > 0.0 else "not weighed"
    share = float(relative.mean()) - 1.0
    tried = "one past origin" if len(relative) == 1 else f"{len(relative)} past origins"
    how = f"{abs(share):.0%} {'less' if share < 0.0 else 'more'} than" if abs(share) >= 0.005 else "as much as"
    verdict = "" if weight > 0.0 else "; too little weight to count"
    return f"erred {how} the median member over {tried}{verdict}"


def _of_parts(parts: Mapping[str, Floats], answer: Forecast) -> list[str]:
    moving = {name: float(np.abs(values).max()) for name, values in parts.items() if name != LEVEL}
    told = [name for name in sorted(moving, key=lambda name: -moving[name]) if moving[name] > 0.0][:2]
    return [
        f"{name}: from {parts[name].min():+.6g} to {parts[name].max():+.6g} {answer.unit} over the horizon"
        for name in told
    ]


def _of_errors(steps: Sequence[StepErrors], answer: Forecast, horizon: int) -> list[str]:
    if not steps:
        return ["It was never backtested: the history is too short."]
    step = min(steps, key=lambda one: abs(one.horizon - horizon))
    noun = answer.freq.noun if step.horizon == 1 else answer.freq.noun + "s"
    side = "too low" if step.worst > 0.0 else "too high"
    if step.relative_typical is None or step.relative_worst is None:
        typical, worst = f"{step.typical:.4g} {answer.unit}", f"{abs(step.worst):.4g}"
    else:
        typical, worst = f"{step.relative_typical:.1%}", f"{abs(step.relative_worst):.1%}"
    origins = "once tried" if step.count == 1 else f"over {step.count} past origins"
    return [
        f"{step.horizon} {noun} ahead, forecasts were off by {typical} typically ({origins}), at worst by {worst} "
        f"({side}) in {step.worst_period}."
    ]


def _of_flags(flags: Sequence[DataFlag]) -> list[str]:
    return [f"{flag.period}: {flag.words}." for flag in flags if flag.kind in ("break", "unit", "stale")][:3]


def _known(values: Floats) -> tuple[float | None, ...]:
    return tuple(value if np.isfinite(value) else None for value in values.tolist())
