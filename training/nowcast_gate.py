"""The gate between a challenger and the champion of nowcasts. Pure: two bundles in, a verdict out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from models.nowcast.bundle import NowcastBundle
from models.nowcast.fitted import STEPS, FittedNowcast
from training.gates import TOLERATED_FAILURE, TOO_MUCH, Check, Verdict

#: replayed nowcasts below which a comparison decides nothing
FEW = 12

NAIVE = ("random_walk", "autoregression")


def judge_nowcasts(challenger: NowcastBundle, champion: NowcastBundle | None) -> Verdict:
    """Compare on the errors of the replays: with the better of two naive methods, and with the champion's own.

    Both sides of a comparison are made of the same months and periods; of the running period and those before it: the next one
    is a forecast, and others forecast better. Targets count alike, by the geometric mean of their
    ratios of root mean squared errors.
    """
    checks = [_answers(challenger), _beats_naive(challenger)]
    if champion is not None:
        checks += [_is_newer(challenger, champion), _keeps(challenger, champion), _no_worse(challenger, champion)]
    return Verdict(tuple(checks))


def rmse(errors: npt.NDArray[np.float64]) -> float:
    """Root mean square of what is there."""
    return float(np.sqrt(np.nanmean(errors**2)))


def judged(fitted: FittedNowcast) -> npt.NDArray[np.bool_]:
    """Which rows of the record are about a period that had begun."""
    month, period = fitted.record.month.astype(np.int64), fitted.record.period.astype(np.int64)
    return period <= month // fitted.step * fitted.step + fitted.step - 1


def ratio(fitted: FittedNowcast) -> float:
    """Our root mean squared error over the better naive method's."""
    record, rows = fitted.record, judged(fitted)
    naive = min(rmse(record.error(one)[rows]) for one in NAIVE)
    return rmse(record.error("mean")[rows]) / max(naive, 1e-12)


def coverage(fitted: FittedNowcast, level: float) -> float:
    """Share of the replay's actuals inside the central interval. In sample: the spread was taken from these errors."""
    record = fitted.record
    step = np.clip(record.step.astype(np.int64), 1, STEPS) - 1
    reach = float(ndtri(0.5 + level / 200.0)) * record.scale * fitted.spread[step]
    return float((np.abs(record.error("mean")) <= reach).mean())


def _answers(challenger: NowcastBundle) -> Check:
    total = len(challenger.targets) + len(challenger.failed)
    passed = len(challenger.targets) > 0 and len(challenger.failed) <= TOLERATED_FAILURE * total
    return Check("answers", passed, f"It answers for {len(challenger.targets)} of {total} targets.")


def _beats_naive(challenger: NowcastBundle) -> Check:
    long = [one for one in challenger.targets.values() if judged(one).sum() >= FEW]
    if not long:
        return Check("beats naive", True, "No target has a replay long enough to compare with a naive nowcast.")
    overall = float(np.exp(np.mean([np.log(max(ratio(one), 1e-12)) for one in long])))
    detail = (
        f"Its errors in the replay are {overall:.2f} of the better naive method's (random walk, autoregression), "
        f"over {len(long)} target(s)."
    )
    return Check("beats naive", overall < 1.0, detail)


def _is_newer(challenger: NowcastBundle, champion: NowcastBundle) -> Check:
    passed = challenger.vintage >= champion.vintage
    words = "is not older than" if passed else "is older than"
    return Check("vintage", passed, f"Its vintage {challenger.vintage:%Y-%m-%d} {words} the champion's.")


def _keeps(challenger: NowcastBundle, champion: NowcastBundle) -> Check:
    """A target that is no longer declared is no loss; one that can't be fitted any more is."""
    failed = {one.series for one in challenger.failed}
    lost = [name for name in champion.targets if name in failed]
    named = f": {', '.join(lost[:3])}" if lost else ""
    return Check(
        "targets kept", not lost, f"It loses {len(lost)} of the champion's {len(champion.targets)} targets{named}."
    )


def _no_worse(challenger: NowcastBundle, champion: NowcastBundle) -> Check:
    ratios = []
    for name, fitted in challenger.targets.items():
        other = champion.targets.get(name)
        if other is None or other.in_logs != fitted.in_logs:
            continue
        ours, theirs = _shared(fitted, other)
        if len(ours) >= FEW:
            ratios.append(rmse(ours) / max(rmse(theirs), 1e-12))
    if not ratios:
        return Check("no worse", True, "It shares no replayed nowcasts with the champion.")
    overall = float(np.exp(np.mean(np.log(np.maximum(ratios, 1e-12)))))
    detail = f"Its errors are {overall:.2f} of the champion's, on the periods that both replayed."
    return Check("no worse", overall <= 1.0 + TOO_MUCH, detail)


def _shared(one: FittedNowcast, other: FittedNowcast) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Errors at the (month, period) pairs that both have."""
    ours, theirs, rows = one.record, other.record, judged(one)
    places = {key: row for row, key in enumerate(zip(theirs.month, theirs.period, strict=True))}
    pairs = [
        (row, places[key])
        for row, key in enumerate(zip(ours.month, ours.period, strict=True))
        if rows[row] and key in places
    ]
    at = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return ours.error("mean")[at[:, 0]], theirs.error("mean")[at[:, 1]]
