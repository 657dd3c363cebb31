"""Planning: from panels to partitions that can be fitted apart. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.gaps import gap_counts
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency

#: values in a partition, at most (unless one series has more): a second or two of work, and a few MB in a worker
PARTITION_VALUES = 60_000

#: series in a partition, at most
PARTITION_SERIES = 512

#: periods that a series of more gaps than observations keeps
DESERT = 1000

#: rolling origins of the backtest
ORIGINS = 3


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """How to fit one partition.

    Attributes:
        key: fingerprint of everything that decides the result: the data, this spec, the code. Equal keys, equal results.
        horizon: periods ahead of each backtest origin.
        origins: how many rolling origins, a horizon apart.
        seed: for members that draw.
    """

    key: str
    horizon: int
    origins: int
    seed: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A piece of work: a spec and the data that it is about."""

    spec: TrainSpec
    panel: Panel


def plan_training(
    panels: Sequence[Panel],
    *,
    seed: int,
    code: str,
    origins: int = ORIGINS,
    horizons: Mapping[Frequency, int] | None = None,
    simulated: Collection[str] = (),
) -> list[Partition]:
    """Cut panels into partitions of bounded size, in order; simulated series come last, in partitions of their own.

    Args:
        code: fingerprint of the code that will fit them; it goes into every key.
        simulated: ids of the series that are not real: members that learn from a whole partition must not mix the two.
        horizons: periods ahead by frequency; each frequency's default where it is not named.
    """
    partitions = []
    for panel in panels:
        horizon = (horizons or {}).get(panel.freq, panel.freq.default_horizon)
        is_simulated = np.array([name in simulated for name in panel.ids], dtype=np.bool_)
        for kind in (~is_simulated, is_simulated):
            kept = _without_deserts(panel.take(np.flatnonzero(kind)))
            for rows in _cuts(kept):
                piece = kept.take(rows)
                key = _fingerprint(piece, horizon, origins, seed, code)
                partitions.append(Partition(TrainSpec(key, horizon, origins, seed), piece))
    return partitions


def simulated_ids(infos: Mapping[str, SeriesInfo]) -> frozenset[str]:
    """The series that are not real, for `plan_training`."""
    return frozenset(name for name, info in infos.items() if info.simulated)


def _without_deserts(panel: Panel) -> Panel:
    """Long series with more gaps than observations keep their end alone, of `DESERT` periods or twice their observations.

    They fall back to the last value anyway, and a few values that lie millions of periods apart must not cost millions.
    """
    observed = panel.lengths - gap_counts(panel)
    kept = np.minimum(panel.lengths, np.maximum(DESERT, observed * 2))
    kept = np.where(observed * 2 < panel.lengths, kept, panel.lengths)
    if (kept == panel.lengths).all():
        return panel
    pieces = [y[len(y) - n :] for y, n in zip(panel, kept, strict=True)]
    start = panel.last - kept + 1
    shorter = Panel.of(pieces, freq=panel.freq, ids=panel.ids, start=start.tolist(), season=panel.season)
    return replace(shorter, calendar=panel.calendar, covariates=panel.covariates)


def _cuts(panel: Panel) -> list[range]:
    """Consecutive rows, closed whenever the next series would burst the partition."""
    cuts, first, size = [], 0, 0
    for row, length in enumerate(panel.lengths.tolist()):
        if row > first and (size + length > PARTITION_VALUES or row - first >= PARTITION_SERIES):
            cuts.append(range(first, row))
            first, size = row, 0
        size += length
    return [*cuts, range(first, len(panel))] if len(panel) else cuts


def _fingerprint(panel: Panel, horizon: int, origins: int, seed: int, code: str) -> str:
    digest = hashlib.sha256(f"{panel.freq}|{panel.season}|{horizon}|{origins}|{seed}|{code}|".encode())
    digest.update("\n".join(panel.ids).encode())
    arrays = [panel.values, panel.indptr, panel.start]
    if panel.calendar is not None:
        digest.update(f"|{panel.calendar.country}|{panel.calendar.weekend}".encode())
        arrays += [panel.calendar.holidays, panel.calendar.workdays, panel.calendar.festivals]
    if panel.covariates is not None:
        linked = panel.covariates
        digest.update(f"|{linked.names}|{linked.knowledge}|{linked.sources}".encode())
        arrays += [linked.values, linked.indptr, linked.start, linked.reads, linked.lead]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
