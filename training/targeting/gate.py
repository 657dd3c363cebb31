"""The gate between a challenger and the champion of targets. Pure: two bundles in, a verdict out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.targeting.bundle import TargetBundle
from models.targeting.record import PERSISTENCE, WindowRecord, mean_precision, scored, without_score
from training.gates import Check, Verdict

#: precision (of the first fifty) that may be lost on average, and in the worst window: one pair of fifty, and two and a half
TOLERATED, TOLERATED_IN_WORST = 0.02, 0.05


def judge_targets(challenger: TargetBundle, champion: TargetBundle | None) -> Verdict:
    """Compare on windows of the past that neither had seen: with a lottery, with closeness to the threshold, with the champion
    on the windows that both tried; on average, and on the worst one.

    A challenger whose history is too short for any window passes beside no champion, and says so; beside one that was tried it
    is refused.
    """
    checks = [_beats_chance(challenger), _holds_against_nearness(challenger)]
    if champion is not None:
        checks += [_is_newer(challenger, champion), *_no_worse(challenger, champion)]
    return Verdict(tuple(checks))


def _beats_chance(challenger: TargetBundle) -> Check:
    tried = scored(challenger.windows)
    if not tried:
        return Check("beats chance", True, f"{without_score(challenger.windows)} How good it is isn't known.")
    ours, chance = mean_precision(tried), float(np.mean([one.chance for one in tried]))
    detail = f"Its precision at the head is {ours:.3f} over {len(tried)} window(s); that of a lottery {chance:.3f}."
    return Check("beats chance", ours > chance, detail)


def _holds_against_nearness(challenger: TargetBundle) -> Check:
    tried = scored(challenger.windows)
    if not tried:
        return Check("holds against nearness", True, without_score(challenger.windows))
    ours, near = mean_precision(tried), mean_precision(tried, PERSISTENCE)
    detail = f"Its precision at the head is {ours - near:+.3f} beside the pairs closest to the threshold ({near:.3f})."
    return Check("holds against nearness", ours >= near - _tolerance(tried, TOLERATED_IN_WORST), detail)


def _is_newer(challenger: TargetBundle, champion: TargetBundle) -> Check:
    passed = challenger.vintage >= champion.vintage
    words = "is not older than" if passed else "is older than"
    return Check("vintage", passed, f"Its vintage {challenger.vintage:%Y-%m-%d} {words} the champion's.")


def _no_worse(challenger: TargetBundle, champion: TargetBundle) -> list[Check]:
    ours, theirs = _shared(challenger, champion)
    names = ("no worse on average", "no worse in its worst window")
    if not theirs:
        lost = bool(scored(champion.windows)) and not scored(challenger.windows)
        words = (
            f"The champion was scored, this one not. {without_score(challenger.windows)}"
            if lost
            else "They share no window."
        )
        return [Check(name, not lost, words) for name in names]
    mean, other = mean_precision(ours), mean_precision(theirs)
    worst, other_worst = min(one.precision() for one in ours), min(one.precision() for one in theirs)
    shared = f"on the {len(ours)} window(s) that both tried"
    return [
        Check(
            names[0],
            mean >= other - _tolerance(ours, TOLERATED),
            f"Its precision at the head is {mean - other:+.3f} beside the champion's {shared}.",
        ),
        Check(
            names[1],
            worst >= other_worst - _tolerance(ours, TOLERATED_IN_WORST),
            f"In its worst window it is {worst:.3f}, the champion's in its own worst {other_worst:.3f}, {shared}.",
        ),
    ]


def _tolerance(windows: Sequence[WindowRecord], part: float) -> float:
    """One pair of the smallest head at least: less can't be told apart."""
    return max(part, 1.0 / min(one.top for one in windows))


def _shared(one: TargetBundle, other: TargetBundle) -> tuple[list[WindowRecord], list[WindowRecord]]:
    """Windows that both tried on the same indicator."""
    if one.indicator != other.indicator:
        return [], []
    theirs = {(w.start, w.end): w for w in scored(other.windows)}
    ours = [w for w in scored(one.windows) if (w.start, w.end) in theirs]
    return ours, [theirs[w.start, w.end] for w in ours]
