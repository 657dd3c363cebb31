"""Panel: many series of one frequency as two flat arrays. Models see this, never a data frame or a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.covariates import PanelCovariates, joined
from industrial_brain.domain.periods import Frequency, Ordinals

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """`n` series; series `i` is `values[indptr[i]:indptr[i + 1]]`, one value a period, from period `start[i]` on.

    Attributes:
        ids: `n` names.
        freq: the frequency of all of them.
        values: float64, all series one after the other; NaN where a period has no value (a gap is never filled here).
        indptr: int64, `n + 1` offsets into `values`.
        start: int64, `n` ordinals of the first period.
        season: periods in the main season.
        calendar: of the country that the series are from; None where dates mean nothing.
        covariates: what the series depend on, or None.
    """

    ids: tuple[str, ...]
    freq: Frequency
    values: Floats
    indptr: Ordinals
    start: Ordinals
    season: int
    calendar: Calendar | None = None
    covariates: PanelCovariates | None = None

    def __post_init__(self) -> None:
        if len(self.indptr) != len(self.ids) + 1 or len(self.start) != len(self.ids):
            raise ValueError("a panel of n series has n + 1 offsets and n starts")
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.values) or (np.diff(self.indptr) < 0).any():
            raise ValueError("offsets start at 0, never fall, and end at the number of values")

    @classmethod
    def of(
        cls,
        series: Sequence[npt.ArrayLike],
        *,
        freq: Frequency = Frequency.MONTHLY,
        ids: Sequence[str] | None = None,
        start: Sequence[int] | None = None,
        season: int | None = None,
    ) -> Panel:
        """Build a panel from one array a series.

        >>> Panel.of([[1, 2, 3], [4, 5]], freq=Frequency.YEARLY).indptr.tolist()
        [0, 3, 5]
        """
        arrays = [np.asarray(one, dtype=np.float64) for one in series]
        indptr = np.concatenate([[0], np.cumsum([len(one) for one in arrays])]).astype(np.int64)
        return cls(
            ids=tuple(ids) if ids is not None else tuple(str(i) for i in range(len(arrays))),
            freq=freq,
            values=np.concatenate(arrays) if arrays else np.empty(0),
            indptr=indptr,
            start=np.asarray(start if start is not None else [0] * len(arrays), dtype=np.int64),
            season=season if season is not None else freq.season,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Floats]:
        return (self.values[a:b] for a, b in zip(self.indptr[:-1], self.indptr[1:], strict=True))

    @property
    def lengths(self) -> Ordinals:
        return np.diff(self.indptr)

    @property
    def last(self) -> Ordinals:
        """Ordinals of the last period of each series."""
        return self.start + self.lengths - 1

    def only(self, kept: npt.NDArray[np.bool_]) -> Panel:
        """All series, those that are not `kept`, bool (n,), without any period: a fit leaves them unanswered."""
        return self if kept.all() else self.without_last(np.where(kept, 0, self.lengths))

    def take(self, rows: npt.NDArray[np.integer] | Sequence[int]) -> Panel:
        """The panel of these rows, in this order."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # positions of each row's values: its own offset plus 0, 1, 2, ...
        positions = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        return Panel(
            ids=tuple(self.ids[i] for i in rows),
            freq=self.freq,
            values=self.values[positions],
            indptr=indptr,
            start=self.start[rows],
            season=self.season,
            calendar=self.calendar,
            covariates=None if self.covariates is None else self.covariates.take(rows),
        )

    def without_last(self, periods: int | Ordinals) -> Panel:
        """Each series without its last `periods` periods, as at an earlier origin. Short series become empty.

        Covariates stay: what may be read of them depends on where a series ends.
        """
        lengths = np.maximum(self.lengths - periods, 0)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        positions = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1] - indptr[:-1], lengths)
        return replace(self, values=self.values[positions], indptr=indptr)


def concatenate(panels: Sequence[Panel]) -> Panel:
    """One panel of all series of `panels`, which share a frequency and a season. Raises ValueError when they don't."""
    first = panels[0]
    if any((p.freq, p.season) != (first.freq, first.season) for p in panels):
        raise ValueError("panels of several frequencies or seasons can't be joined")
    lengths = np.concatenate([p.lengths for p in panels])
    return Panel(
        ids=tuple(name for p in panels for name in p.ids),
        freq=first.freq,
        values=np.concatenate([p.values for p in panels]),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        start=np.concatenate([p.start for p in panels]),
        season=first.season,
        calendar=first.calendar,
        covariates=_joined([p.covariates for p in panels]),
    )


def _joined(parts: Sequence[PanelCovariates | None]) -> PanelCovariates | None:
    there = [part for part in parts if part is not None]
    if len(there) not in (0, len(parts)):
        raise ValueError("panels with and without covariates can't be joined")
    return joined(there) if there else None
