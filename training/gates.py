"""The gate between a challenger and the champion. Pure: two bundles in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.catalogue import DEFAULT_CANDIDATE
from models.forecasting.bundle import BacktestRecord, FittedPanel, ForecastBundle

#: a challenger is refused that is worse by more than this, and significantly so
TOLERATED = 0.01

#: one-sided 5% point of the standard normal
_SIGNIFICANT = 1.645

#: share of the champion's series that a challenger may lose
TOLERATED_LOSS = 0.01


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the gate asks, with its answer in words."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a challenger."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """Why it was refused; empty if it passed."""
        return " ".join(check.detail for check in self.checks if not check.passed)


def judge(challenger: ForecastBundle, champion: ForecastBundle | None) -> Verdict:
    """Compare both on the challenger's backtest: the newer data, the same origins, the same series.

    The champion is replayed: at each origin it forecasts with the candidate that it had chosen by then (never with what it
    learnt later), and so does the challenger, so neither profits from having seen the answer. Parameters are re-estimated at
    each origin for both. Without a champion, the seasonal naive stands in for it.
    """
    if champion is None:
        return Verdict((_beats_naive(challenger),))
    return Verdict(
        (
            _is_newer(challenger, champion),
            _keeps_series(challenger, champion),
            _beats_naive(challenger),
            _is_accurate(challenger, champion),
        )
    )


def _is_newer(challenger: ForecastBundle, champion: ForecastBundle) -> Check:
    passed = challenger.vintage >= champion.vintage
    words = "is not older than" if passed else "is older than"
    return Check("vintage", passed, f"Its vintage {challenger.vintage:%Y-%m-%d} {words} the champion's.")


def _keeps_series(challenger: ForecastBundle, champion: ForecastBundle) -> Check:
    failed_then = {failed.series for failed in champion.failures()}
    failed_now = {failed.series for failed in challenger.failures()}
    answered = [name for name in champion.series if name not in failed_then]
    lost = [name for name in answered if name not in challenger or name in failed_now]
    passed = len(lost) <= TOLERATED_LOSS * len(answered)
    examples = f", for instance {', '.join(lost[:3])}" if lost else ""
    return Check("series kept", passed, f"It loses {len(lost)} of the champion's {len(answered)} series{examples}.")


def _beats_naive(challenger: ForecastBundle) -> Check:
    pairs = []
    for fitted in challenger.panels.values():
        record = fitted.backtest
        naive = np.full(record.choice[:, :-1].shape, record.candidates.index("seasonal_naive"))
        pairs.append((_errors(record, record.choice[:, :-1]), _errors(record, naive)))
    own, naive_errors = _per_series(pairs)
    if len(own) == 0:
        return Check("naive", True, "No series is long enough to backtest, so there is nothing to compare.")
    return Check("naive", *_compared(own, naive_errors, "the seasonal naive"))


def _is_accurate(challenger: ForecastBundle, champion: ForecastBundle) -> Check:
    pairs = []
    for freq, fitted in challenger.panels.items():
        other = champion.panels.get(freq)
        if other is None:
            continue
        missing = set(other.backtest.candidates) - set(fitted.backtest.candidates)
        if missing:
            names = ", ".join(sorted(missing))
            return Check(
                "accuracy", False, f"The champion's {names} can't be replayed by this code, so nothing compares."
            )
        rows, replayed = _replay(other, fitted)
        record = fitted.backtest
        own, others = _errors(record, record.choice[:, :-1])[rows], _errors(record, replayed, rows)
        pairs.append((own, others))
    own, others = _per_series(pairs)
    if len(own) == 0:
        return Check("accuracy", True, "No series is shared with the champion and long enough to backtest.")
    return Check("accuracy", *_compared(own, others, "the champion"))


def _compared(own: Floats, others: Floats, name: str) -> tuple[bool, str]:
    """Whether our errors are not clearly larger, by a paired test over the series, and the figures in words."""
    difference = own - others
    change = float((own.mean() - others.mean()) / max(others.mean(), np.finfo(float).tiny))
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else np.inf
    significant = float(abs(difference.mean())) > _SIGNIFICANT * error
    detail = (
        f"On the same {len(own)} series and origins its MASE is {own.mean():.4f} against {others.mean():.4f} of {name} "
        f"({change:+.2%}, {'significant' if significant else 'not significant'})."
    )
    return not (change > TOLERATED and significant), detail


def _replay(champion: FittedPanel, challenger: FittedPanel) -> tuple[Ordinals, Ordinals]:
    """Rows of the challenger's panel that the champion knew, and the candidate that the champion had chosen before each of
    the challenger's origins there: int64 (rows, origins), by the challenger's numbering; -1 where it had not chosen yet."""
    places = {name: row for row, name in enumerate(champion.panel.ids)}
    known = [(row, places[name]) for row, name in enumerate(challenger.panel.ids) if name in places]
    rows, theirs = (np.array(column, dtype=np.int64) for column in (zip(*known, strict=True) if known else ((), ())))
    record = champion.backtest
    chosen_at = np.concatenate([record.origins[theirs], champion.panel.last[theirs][:, None]], axis=1)
    origins = challenger.backtest.origins[rows]
    choices_by_then = (chosen_at[:, None, :] <= origins[:, :, None]).sum(axis=2)
    latest = np.take_along_axis(record.choice[theirs], np.maximum(choices_by_then - 1, 0), axis=1)
    names = [challenger.backtest.candidates.index(name) for name in record.candidates]
    translated = np.where(latest >= 0, np.array(names)[np.maximum(latest, 0)], -1)
    return rows, np.where(choices_by_then > 0, translated, -1)


def _errors(record: BacktestRecord, choice: Ordinals, rows: Ordinals | None = None) -> Floats:
    """Scaled errors of these choices; the default candidate stands in where there was none yet."""
    mase = record.mase if rows is None else record.mase[rows]
    chosen = np.where(choice >= 0, choice, record.candidates.index(DEFAULT_CANDIDATE))
    picked: Floats = np.take_along_axis(mase, chosen[:, :, None], axis=2)[:, :, 0]
    return picked


def _per_series(pairs: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Means over the origins that both could be scored at, of the series that have any."""
    ours, theirs = [np.empty(0)], [np.empty(0)]
    for own, other in pairs:
        both = np.isfinite(own) & np.isfinite(other)
        a, b = mean_of_present(np.where(both, own, np.nan)), mean_of_present(np.where(both, other, np.nan))
        ours.append(a[np.isfinite(a)])
        theirs.append(b[np.isfinite(b)])
    return np.concatenate(ours), np.concatenate(theirs)
