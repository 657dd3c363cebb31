"""What happens to a series that a method can't forecast: another answers in its place, and is counted by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.methods import Answer

#: who answers for a method that refuses, in this order: the fallback that statsforecast recommends, then one that
#: always answers
STAND_INS = ("seasonal_naive", "naive2")


def answer_refused(
    answers: Sequence[Answer], others: Mapping[str, Sequence[Answer]]
) -> tuple[tuple[Answer, ...], Counter[str]]:
    """Answers of one method, one an origin, with the refused series answered by the first stand-in that can.

    Args:
        others: the answers of every other method at the same origins; those that are not stand-ins are not used.

    Returns:
        The completed answers, and how many forecasts were made by whom else: stand-ins, with the first reason that the
        method gave, and the method's own fallbacks.
    """
    completed = []
    reasons: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for i, answer in enumerate(answers):
        mean, quantiles = answer.mean.copy(), answer.quantiles.copy()
        counts.update(f"{by}, its own fallback" for by in answer.fallbacks.values())
        for row, reason in answer.refused.items():
            name = next(n for n in STAND_INS if n in others and row not in others[n][i].refused)
            mean[row], quantiles[row] = others[name][i].mean[row], others[name][i].quantiles[row]
            counts[f"{name} in its place ({reasons.setdefault(name, reason)})"] += 1
        completed.append(replace(answer, mean=mean, quantiles=quantiles))
    return tuple(completed), counts
