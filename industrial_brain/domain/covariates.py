"""Covariates: series that other series depend on, kept beside a panel and never mixed with it.

What is known when is part of the type. A *known-ahead* covariate (a tariff that has been decided) is read beyond the end of the
series that depends on it. A *past-only* one (the temperature that was measured) is read only as far as it was known when the
series' last value came in; behind that, whoever forecasts has to expect something, and to say what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.periods import Ordinals

if TYPE_CHECKING:
    from industrial_brain.domain.panel import Floats, Panel


class Knowledge(StrEnum):
    """How far ahead a covariate's values are known."""

    KNOWN_AHEAD = "known_ahead"
    PAST_ONLY = "past_only"


@dataclass(frozen=True, slots=True)
class PanelCovariates:
    """What the `n` series of a panel may depend on: `k` covariates, read from `m` source series of the same frequency.

    Attributes:
        names: of the covariates.
        knowledge: of each covariate.
        sources: ids of the sources.
        values, indptr, start: the sources, laid out as in a panel; NaN where a period has no value.
        reads: int64 (n, k), the source that a series reads a covariate from; -1 where it does not depend on it.
        lead: int64 (n, k), how many periods beyond the series' last one a source was known already. An earlier origin is
            granted the same lead, and no more: sources are published with the same delay, and decided as far ahead, then.
    """

    names: tuple[str, ...]
    knowledge: tuple[Knowledge, ...]
    sources: tuple[str, ...]
    values: Floats
    indptr: Ordinals
    start: Ordinals
    reads: Ordinals
    lead: Ordinals

    @classmethod
    def of(
        cls, panel: Panel, names: Sequence[str], knowledge: Sequence[Knowledge], sources: Panel, reads: Ordinals
    ) -> Self:
        """Link a panel to the panel of its sources, both of one vintage."""
        last = np.append(sources.last, np.iinfo(np.int64).min // 2)[reads]  # -1 picks the appended one
        lead = np.maximum(last - panel.last[:, None], 0)
        return cls(
            tuple(names),
            tuple(knowledge),
            sources.ids,
            sources.values,
            sources.indptr,
            sources.start,
            reads,
            lead,
        )

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.NDArray[np.integer]) -> PanelCovariates:
        """The covariates of these series alone, with the sources that they read."""
        reads = self.reads[rows]
        used = np.unique(reads[reads >= 0])
        place = np.full(len(self.start) + 1, -1, dtype=np.int64)
        place[used] = np.arange(len(used))
        lengths = np.diff(self.indptr)[used]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        positions = np.arange(indptr[-1]) + np.repeat(self.indptr[used] - indptr[:-1], lengths)
        return replace(
            self,
            sources=tuple(self.sources[number] for number in used),
            values=self.values[positions],
            indptr=indptr,
            start=self.start[used],
            reads=place[reads],
            lead=self.lead[rows],
        )

    def known_until(self, last: Ordinals) -> Ordinals:
        """Last period that may be read of each covariate by series that end at `last`: int64 (n, k)."""
        return last[:, None] + self.lead

    def source(self, number: int) -> Floats:
        return self.values[self.indptr[number] : self.indptr[number + 1]]


def joined(parts: Sequence[PanelCovariates]) -> PanelCovariates:
    """The covariates of panels laid one behind the other, which have the same names. Raises ValueError when they don't."""
    first = parts[0]
    if any((part.names, part.knowledge) != (first.names, first.knowledge) for part in parts):
        raise ValueError("panels that depend on different covariates can't be joined")
    shift = np.cumsum([0, *(len(part.start) for part in parts[:-1])])
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    return replace(
        first,
        sources=tuple(name for part in parts for name in part.sources),
        values=np.concatenate([part.values for part in parts]),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        start=np.concatenate([part.start for part in parts]),
        reads=np.concatenate([np.where(p.reads < 0, -1, p.reads + s) for p, s in zip(parts, shift, strict=True)]),
        lead=np.concatenate([part.lead for part in parts]),
    )
