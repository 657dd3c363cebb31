"""How a ranking did on windows of the past that it had not seen: kept in the bundle, and shown beside every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

#: what our own ranking is called beside the baselines
OURS = "brain"

#: close to the threshold already: the baseline that is hardest to beat
PERSISTENCE = "persistence"

#: pairs at the head of a ranking that precision is measured on: so many, but no more than a quarter of all
TOP, _PART = 50, 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the central 95% of a bootstrap of whole regions; without ends where that can't be drawn."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """One window: fitted on what was known at its start, scored on its end.

    Attributes:
        pairs: below the threshold at the start.
        entered: of them, at the end at or above it: hits.
        expected: the sum of our probabilities.
        figures: method -> metric (`precision`, `roc_auc`, `pr_auc`) -> figure.
        gain: baseline -> metric -> what ours has more.
        words: what it was worth, in a sentence.
        top: pairs at the head that precision is measured on.
    """

    start: int
    end: int
    pairs: int
    entered: int
    expected: float
    figures: Mapping[str, Mapping[str, Figure]]
    gain: Mapping[str, Mapping[str, Figure]]
    words: str
    top: int = TOP

    @property
    def chance(self) -> float:
        """Precision of a ranking by lot."""
        return self.entered / self.pairs if self.pairs else float("nan")

    def precision(self, method: str = OURS) -> float:
        return self.figures[method]["precision"].value

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> WindowRecord:
        def figures(table: Mapping[str, Any]) -> dict[str, dict[str, Figure]]:
            return {m: {name: Figure(**figure) for name, figure in of.items()} for m, of in table.items()}

        return cls(**{**facts, "figures": figures(facts["figures"]), "gain": figures(facts["gain"])})


def head_of(pairs: int) -> int:
    """How many pairs at the head of so many precision is measured on."""
    return max(1, min(TOP, pairs // _PART))


def scored(windows: Sequence[WindowRecord]) -> list[WindowRecord]:
    """Those in which something could be found and missed."""
    return [one for one in windows if one.figures]


def mean_precision(windows: Sequence[WindowRecord], method: str = OURS) -> float:
    """Over the windows that were scored; NaN without any. A method that could not answer a window counts as chance there."""
    found = [one.precision(method) if method in one.figures else one.chance for one in scored(windows)]
    return float(np.mean(found)) if found else float("nan")


def without_score(windows: Sequence[WindowRecord]) -> str:
    """Which windows tell nothing: none could be tried, or some were and nothing entered in them, or all did."""
    empty = [one for one in windows if not one.figures]
    if not windows:
        return "No window of the past could be tried."
    entered, pairs = sum(one.entered for one in empty), sum(one.pairs for one in empty)
    return f"{len(empty)} window(s) were tried and can't be scored: {entered} of {pairs} pairs entered in them."


def in_words(windows: Sequence[WindowRecord]) -> str:
    """What a planner must know of a ranking before following it."""
    tried = scored(windows)
    if not tried:
        return f"{without_score(windows).removesuffix('.')}: nothing is known of how good this ranking is."
    ours, near = mean_precision(tried), mean_precision(tried, PERSISTENCE)
    chance = float(np.mean([one.chance for one in tried]))
    top = min(one.top for one in tried)
    text = (
        f"Over {len(tried)} window(s) of the past, {ours:.0%} of the first {top} had entered by the end; "
        f"{near:.0%} of those closest to the threshold, and {chance:.0%} of all."
    )
    if len(tried) < len(windows):
        text += f" {without_score(windows)}"
    if ours <= chance:
        return f"{text} No better than chance: don't follow this ranking."
    better = sum(one.precision() > _of(one, PERSISTENCE) for one in tried)
    gain = f"{ours - near:+.0%} beside the pairs closest to the threshold, better in {better} of {len(tried)} windows"
    return f"{text} {gain}{'.' if ours > near else ': not better than that.'}"


def _of(one: WindowRecord, method: str) -> float:
    return one.precision(method) if method in one.figures else one.chance
