"""The gate between a challenger and the champion of a risk task. Pure: two bundles in, a verdict out."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Integers
from models.risk.bundle import RiskBundle
from training.gates import Check, Verdict
from training.risk.scores import calibration_bound, expected_calibration_error, score_risks

#: shared cases, and cases of harm among them, below which a slice decides nothing
FEW, FEW_HARMED = 50, 5

#: chance, over all slices together, that an equal challenger is refused
LEVEL = 0.05

#: times the bound of a calibrated model from which an error of calibration refuses
_MISCALIBRATED = 1.5

#: mean difference in log loss that is none
_NEGLIGIBLE = 1e-4


def judge_risk(challenger: RiskBundle, champion: RiskBundle | None) -> Verdict:
    """Judge on what each said of known cases by fits that had not seen them.

    Beside the champion, each part of the cases is judged on its own, and all together: the log losses of the cases that both
    know are paired, and a part that is significantly worse refuses the version, however much better the rest is. Significance
    is one-sided, 5% over all parts together (Holm 1979). Cases of a group share their luck: groups, not cases, are counted.
    """
    checks = [_can_be_asked(challenger), _ranks(challenger), _is_calibrated(challenger)]
    if champion is not None:
        checks += [_is_newer(challenger, champion), *_no_part_is_worse(challenger, champion)]
    return Verdict(tuple(checks))


def holm(p_values: Floats, level: float = LEVEL) -> Flags:
    """Which hypotheses fall, with a chance of `level` that a true one is among them (Holm 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [True, False, False]
    """
    order = np.argsort(p_values, kind="stable")
    steps = level / np.arange(len(p_values), 0, -1)
    passed = np.logical_and.accumulate(p_values[order] <= steps)
    fallen = np.zeros(len(p_values), dtype=np.bool_)
    fallen[order] = passed
    return fallen


def log_loss(harmed: Flags, prob: Floats) -> Floats:
    """(n,) minus the log of the probability that was given to what came."""
    return -np.log(np.where(harmed, prob, 1.0 - prob))


def p_worse(lost: Floats, group: Integers | None = None) -> float:
    """Chance of a mean loss this large where there is none, one-sided.

    Args:
        lost: (n,) by how much each case's loss is higher.
        group: (n,) cases that share their luck; the error of the mean is then that of sums over groups (Liang and Zeger
            1986), with as many degrees of freedom as groups, less one. A single group tells nothing.
    """
    place = np.arange(len(lost)) if group is None else np.unique(group, return_inverse=True)[1]
    sums = np.bincount(place, lost - lost.mean())
    groups = len(sums)
    if lost.mean() <= _NEGLIGIBLE or groups < 2:
        return 1.0
    error = np.sqrt(groups / (groups - 1) * (sums**2).sum()) / len(lost)
    return float(stdtr(groups - 1, (_NEGLIGIBLE - lost.mean()) / error)) if error > 0.0 else 0.0


def _can_be_asked(challenger: RiskBundle) -> Check:
    recipe = challenger.engine.recipe
    if recipe is not None and recipe.sequence:
        return Check(
            "can be asked",
            False,
            "It looks at units' past, and cases that are asked about bring no group and order: learn without `order`.",
        )
    return Check("can be asked", True, "A case's own columns are enough to tell its risk.")


def _ranks(challenger: RiskBundle) -> Check:
    engine = challenger.engine
    auc = score_risks(engine.harmed, {"it": engine.held_out}, "it", challenger.group)["it"].figures["roc_auc"]
    detail = f"On cases that it had not seen, its AUC is {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})."
    return Check("ranks", auc.low > 0.5, detail)


def _is_calibrated(challenger: RiskBundle) -> Check:
    engine = challenger.engine
    error, bound = expected_calibration_error(engine.harmed, engine.held_out), calibration_bound(engine.held_out)
    detail = f"Its calibration error is {error:.4f}; a perfectly calibrated model's stays below {bound:.4f}, 95 times in 100."
    return Check("calibrated", error <= _MISCALIBRATED * bound, detail)


def _is_newer(challenger: RiskBundle, champion: RiskBundle) -> Check:
    passed = challenger.vintage >= champion.vintage
    words = "is not older than" if passed else "is older than"
    return Check("vintage", passed, f"Its vintage {challenger.vintage:%Y-%m-%d} {words} the champion's.")


def _no_part_is_worse(challenger: RiskBundle, champion: RiskBundle) -> list[Check]:
    ours, theirs = _shared(challenger, champion)
    harmed = challenger.engine.harmed[ours]
    lost = log_loss(harmed, challenger.engine.held_out[ours]) - log_loss(harmed, champion.engine.held_out[theirs])
    group = None if challenger.group is None else challenger.group[ours]
    parts = [("all", np.ones(len(ours), dtype=np.bool_))]
    for name, one in challenger.slices.items():
        code = one.code[ours]
        parts += [(f"{name} {level}", code == place) for place, level in enumerate(one.levels)]
    parts = [(name, rows) for name, rows in parts if rows.sum() >= FEW and harmed[rows].sum() >= FEW_HARMED]
    if not parts:
        return [Check("no part is worse", True, "It shares too few cases with the champion to compare.")]
    p_values = np.array([p_worse(lost[rows], None if group is None else group[rows]) for _, rows in parts])
    fallen = holm(p_values)
    worse = [
        f"{name} ({lost[rows].mean():+.4f}, p {p:.4f})"
        for (name, rows), p, bad in zip(parts, p_values, fallen, strict=True)
        if bad
    ]
    told = f"Log loss beside the champion's on {len(ours):,} shared cases: {lost.mean():+.4f} over all"
    if worse:
        return [Check("no part is worse", False, f"{told}; significantly worse: {', '.join(worse)}.")]
    return [Check("no part is worse", True, f"{told}; none of {len(parts)} parts is significantly worse (Holm).")]


def _shared(one: RiskBundle, other: RiskBundle) -> tuple[Integers, Integers]:
    """Places of the cases that both know, each once."""
    _, ours, theirs = np.intersect1d(one.keys, other.keys, return_indices=True)
    return ours.astype(np.int64), theirs.astype(np.int64)
