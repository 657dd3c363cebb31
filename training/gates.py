"""The gate between a challenger and the champion. Pure: two bundles in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.catalogue import NAIVE
from models.forecasting.bundle import ForecastBundle
from models.forecasting.fitted_panel import FittedPanel

#: a challenger is refused that is worse by more than this, and significantly so ...
TOLERATED = 0.01

#: ... or by more than this, significant or not: on few series nothing is
TOO_MUCH = 0.10

#: one-sided 5% point of the standard normal
_SIGNIFICANT = 1.645

#: a difference in MASE that is none: what rounding and the storage of weights leave
NEGLIGIBLE = 1e-3

#: series below which a comparison with the seasonal naive decides nothing
FEW = 10

#: what a series' MASE counts for at most: one broken series must not decide for all others
WORST = 10.0

#: share of its series that a version may fail for
TOLERATED_FAILURE = 0.5

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

    The champion is replayed: at the newest origin it forecasts with the weights that it would have given by then, from as
    many origins as the challenger had, so neither profits from having seen the answer, or more of the past. Then the errors
    that the champion's run recorded are compared at the origins that both used, which shows a change of code or of data.
    Without a champion, the seasonal naive stands in for it.
    """
    checks = [_answers(challenger), *_beats_naive(challenger)]
    if champion is not None:
        checks += [
            _is_newer(challenger, champion),
            _keeps_series(challenger, champion),
            _weighs_no_worse(challenger, champion),
            _fits_no_worse(challenger, champion),
        ]
    return Verdict(tuple(checks))


def _answers(challenger: ForecastBundle) -> Check:
    """A version that fails for most series is broken, whatever its figures on the rest."""
    failed = sum(1 for _ in challenger.failures())
    passed = len(challenger) > 0 and failed <= TOLERATED_FAILURE * len(challenger)
    return Check("answers", passed, f"It answers for {len(challenger) - failed} of its {len(challenger)} series.")


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


def _beats_naive(challenger: ForecastBundle) -> list[Check]:
    """Real and simulated series apart: an easy simulator must not carry a version that fails on real data."""
    checks = []
    for kind in ("real", "simulated"):
        pairs = []
        for fitted in challenger.panels.values():
            record = fitted.backtest
            own = record.weights[:, :-1]
            rows = fitted.simulated == (kind == "simulated")
            naive = np.broadcast_to(np.array([float(name == NAIVE) for name in record.members]), own.shape)
            pairs.append((record.mase(own)[rows], record.mase(naive)[rows]))
        ours, naive_errors = _per_series(pairs)
        if len(ours):
            passed, detail = _compared(ours, naive_errors, "the seasonal naive")
            few = len(ours) < FEW and not passed  # refusing would leave a beginner with nothing, on no evidence
            checks.append(
                Check(f"naive, {kind} data", passed or few, detail + (" Too few series to tell." if few else ""))
            )
    return checks or [Check("naive", True, "No series is long enough to backtest, so there is nothing to compare.")]


def _weighs_no_worse(challenger: ForecastBundle, champion: ForecastBundle) -> Check:
    """The champion's weights of each origin's time, on the challenger's errors: the same data, the same code."""
    pairs = []
    for freq, fitted in challenger.panels.items():
        other = champion.panels.get(freq)
        if other is None:
            continue
        missing = set(other.backtest.members) - set(fitted.backtest.members)
        if missing:
            names = ", ".join(sorted(missing))
            return Check(
                "weights", False, f"The champion's {names} can't be replayed by this code, so nothing compares."
            )
        record = fitted.backtest
        # at the newest origin alone: there, both have learnt from all origins but one
        pairs.append((record.mase(record.weights[:, :-1])[:, -1:], record.mase(_replay(other, fitted))[:, -1:]))
    return _check("weights", pairs, "the champion's weights")


def _fits_no_worse(challenger: ForecastBundle, champion: ForecastBundle) -> Check:
    """The members' errors as both runs recorded them, at the origins that both used, both under the champion's weights: sees a
    change of the code, and not of what was learnt since."""
    pairs = []
    for freq, fitted in challenger.panels.items():
        other = champion.panels.get(freq)
        if other is None or not set(other.backtest.members) <= set(fitted.backtest.members):
            continue
        ours, theirs = fitted.backtest, other.backtest
        rows = _rows_of(other, fitted)
        same = (ours.origins[:, :, None] == theirs.origins[rows][:, None, :]) & (rows >= 0)[:, None, None]
        weights = np.einsum("nkj,njm->nkm", same.astype(float), np.nan_to_num(theirs.weights[rows][:, :-1]))
        translated = np.zeros((*ours.origins.shape, len(ours.members)))
        translated[:, :, [ours.members.index(name) for name in theirs.members]] = weights
        recorded = theirs.mase(theirs.weights[:, :-1])[rows]
        at_ours = mean_of_present(np.where(same, recorded[:, None, :], np.nan))
        pairs.append((ours.mase(translated), at_ours))
    return _check("errors", pairs, "the champion's own run")


def _check(name: str, pairs: list[tuple[Floats, Floats]], other: str) -> Check:
    ours, theirs = _per_series(pairs)
    if len(ours) == 0:
        return Check(name, True, f"Nothing that was backtested is shared with {other}.")
    return Check(name, *_compared(ours, theirs, other))


def _compared(own: Floats, others: Floats, name: str) -> tuple[bool, str]:
    """Whether our errors are not clearly larger, by a paired test over the series, and the figures in words."""
    difference = own - others
    change = float((own.mean() - others.mean()) / max(others.mean(), np.finfo(float).tiny))
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else np.inf
    negligible = abs(float(difference.mean())) < NEGLIGIBLE
    significant = not negligible and float(abs(difference.mean())) > _SIGNIFICANT * error
    detail = (
        f"On the same {len(own)} series and origins its MASE is {own.mean():.4f} against {others.mean():.4f} of {name} "
        + (
            "(no difference)."
            if negligible
            else f"({change:+.2%}, {'significant' if significant else 'not significant'})."
        )
    )
    return negligible or not (change > TOO_MUCH or (change > TOLERATED and significant)), detail


def _replay(champion: FittedPanel, challenger: FittedPanel) -> Floats:
    """The weights that the champion had given before each of the challenger's origins, by the challenger's rows and
    members: float64 (n, origins, members); zeros where it had given none yet, or did not know the series.

    Its last ones are those without its oldest origin: it had weighed with one more than the challenger had before its newest.
    """
    theirs, record = _rows_of(champion, challenger), champion.backtest
    weighed_at = np.concatenate([record.origins[theirs], champion.panel.last[theirs][:, None]], axis=1)
    origins = challenger.backtest.origins
    by_then = (weighed_at[:, None, :] <= origins[:, :, None]).sum(axis=2)
    comparable = np.concatenate([record.weights[:, :-1], record.comparable[:, None]], axis=1)
    latest = np.take_along_axis(comparable[theirs], np.maximum(by_then - 1, 0)[:, :, None], axis=1)
    known = (theirs >= 0)[:, None] & (by_then > 0)
    columns = [challenger.backtest.members.index(name) for name in record.members]
    replayed = np.zeros((*origins.shape, len(challenger.backtest.members)))
    replayed[:, :, columns] = np.where(known[:, :, None], np.nan_to_num(latest), 0.0)
    return replayed


def _rows_of(champion: FittedPanel, challenger: FittedPanel) -> Ordinals:
    """The champion's row of each of the challenger's series: int64 (n,), -1 where it has none."""
    places = {name: row for row, name in enumerate(champion.panel.ids)}
    return np.array([places.get(name, -1) for name in challenger.panel.ids], dtype=np.int64)


def _per_series(pairs: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Means over the origins that both could be scored at, of the series that have any."""
    ours, theirs = [np.empty(0)], [np.empty(0)]
    for own, other in pairs:
        both = np.isfinite(own) & np.isfinite(other)
        a, b = mean_of_present(np.where(both, own, np.nan)), mean_of_present(np.where(both, other, np.nan))
        ours.append(np.minimum(a[np.isfinite(a)], WORST))
        theirs.append(np.minimum(b[np.isfinite(b)], WORST))
    return np.concatenate(ours), np.concatenate(theirs)
