"""Forecast value added: did an override come closer to the actual than the statistical forecast that it replaced?

After Gilliland (2010): the statistical forecast of the moment is kept with the override, and both are measured against what
came. Computed from stored facts whenever it is asked for.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from industrial_brain.domain.observations import Observation
from industrial_brain.domain.overrides import Override

#: probability under chance alone below which a difference is called proven
SIGNIFICANT = 0.05


class Actual(StrEnum):
    FIRST = "first"  # as first published: a score, once given, stays
    LATEST = "latest"  # as known now, with all revisions


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Score:
    """One override beside the statistical forecast, over the periods that have an actual.

    Attributes:
        periods: how many those are.
        statistical_mae, override_mae: mean absolute errors, in the series' unit.
        value_added: how much smaller the override's is; below zero, it did harm.
        size: mean absolute actual, in the series' unit.
        inside: periods whose actual lay in the statistical 80% interval.
    """

    override: Override
    periods: int
    statistical_mae: float
    override_mae: float
    size: float
    inside: int

    @property
    def value_added(self) -> float:
        return self.statistical_mae - self.override_mae

    @property
    def relative(self) -> float | None:
        """Value added as a share of the statistical error; None where that is zero."""
        return self.value_added / self.statistical_mae if self.statistical_mae > 0.0 else None

    @property
    def points(self) -> float | None:
        """Value added in percentage points of the actual; None where that is zero."""
        return 100.0 * self.value_added / self.size if self.size > 0.0 else None


@dataclass(frozen=True, slots=True)
class ValueAdded:
    """The overrides of one group.

    Attributes:
        count: scored overrides, each counted once, however many periods it has.
        better, worse: how many came closer than the statistical forecast, and how many did not.
        relative: one less the ratio of the summed errors, each in units of its actual; None where nothing erred.
        points: mean value added in percentage points of the actual; None where no override has any.
        p_value: of the two-sided sign test: how often chance alone would be as lopsided.
        verdict: `adds value`, `costs value`, or `not proven`.
    """

    group: str
    count: int
    better: int
    worse: int
    relative: float | None
    points: float | None
    p_value: float
    verdict: str


def direction(override: Override) -> Direction:
    """Whether an override raised its forecasts or lowered them, over all of its periods."""
    change = sum(override.values) - sum(override.statistical.mean)
    return Direction.SAME if change == 0.0 else Direction.UP if change > 0.0 else Direction.DOWN


def score(override: Override, vintages: Sequence[Observation], actual: Actual) -> Score | None:
    """The score of an override; None as long as none of its periods counts.

    A period counts once it has an actual, unless the override was withdrawn before that was published: who takes his word back
    in time has not said it, who does so afterwards has.

    Args:
        vintages: every value published of its periods, ordered by period and by when it became known.
    """
    published: dict[int, list[Observation]] = {}
    for one in vintages:
        published.setdefault(override.freq.ordinal_of_label(one.period), []).append(one)
    statistical, own, size, inside = [], [], [], 0
    for step, (value, mean) in enumerate(zip(override.values, override.statistical.mean, strict=True)):
        told = published.get(override.start + step, [])
        if not told or _withdrawn_before(override, told[0].known_at):
            continue
        came = (told[0] if actual is Actual.FIRST else told[-1]).value
        statistical.append(abs(came - mean))
        own.append(abs(came - value))
        size.append(abs(came))
        inside += override.statistical.low[step] <= came <= override.statistical.high[step]
    if not own:
        return None
    return Score(override, len(own), _mean(statistical), _mean(own), _mean(size), inside)


def value_added(scores: Sequence[Score], group: Callable[[Score], str]) -> list[ValueAdded]:
    """The scores by group, in the groups' order; a group that is the empty text is left out."""
    groups: dict[str, list[Score]] = {}
    for one in scores:
        groups.setdefault(group(one), []).append(one)
    return [summarise(name, ours) for name, ours in sorted(groups.items()) if name]


def summarise(name: str, scores: Sequence[Score]) -> ValueAdded:
    """What one group's scores come to."""
    better = sum(one.value_added > 0.0 for one in scores)
    worse = sum(one.value_added < 0.0 for one in scores)
    sized = [one for one in scores if one.size > 0.0]
    statistical = sum(one.statistical_mae / one.size for one in sized)
    own = sum(one.override_mae / one.size for one in sized)
    p_value = sign_test(better, worse)
    verdict = "not proven" if p_value >= SIGNIFICANT else "adds value" if better > worse else "costs value"
    return ValueAdded(
        group=name,
        count=len(scores),
        better=better,
        worse=worse,
        relative=1.0 - own / statistical if statistical > 0.0 else None,
        points=100.0 * (statistical - own) / len(sized) if sized else None,
        p_value=p_value,
        verdict=verdict,
    )


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact probability that fair coins fall as lopsided as this; 1 for none.

    >>> sign_test(2, 0), sign_test(6, 0), sign_test(3, 3)
    (0.5, 0.03125, 1.0)
    """
    tries = better + worse
    tail = sum(math.comb(tries, k) for k in range(min(better, worse) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**tries)))


def _withdrawn_before(override: Override, moment: dt.datetime) -> bool:
    return override.withdrawn_at is not None and override.withdrawn_at < moment


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
