"""Boosted trees over the whole pool: one model for all series, of lags, seasons and the time of the year.

The pool's series are made alike (each is told in units of its own seasonal differences, from its own last value), so that what
one shows another may follow (Montero-Manso and Hyndman 2021; Makridakis, Spiliotis and Assimakopoulos 2022 on M5, where such
trees won).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from features.gaps import bridged
from features.seasonality import LONG_SEASON
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import ArrayState, Rows, no_rows

if TYPE_CHECKING:
    import xgboost as xgb

#: series and rows below which there is no pool to learn from, and rows above which they are drawn
FEWEST_SERIES, FEWEST_ROWS, MOST_ROWS = 30, 2_000, 8_000

#: trees, and how they grow: few and shallow, on absolute errors, since they are to cost no more than the other members do
ROUNDS = 30
GROWTH = {
    "objective": "reg:absoluteerror",
    "max_depth": 5,
    "eta": 0.15,
    "min_child_weight": 10.0,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "tree_method": "hist",
    "max_bin": 64,
    "nthread": 1,
}

#: single lags that are read, and further ones a main season apart from the period that is forecast
LAGS, SEASONS_BACK, LONG_SEASONS_BACK = 12, 3, 2

#: periods whose seasonal differences give a series its unit: the newest seasons, and at least
UNIT_SEASONS, UNIT_PERIODS = 8, 40

#: units by which a value may differ from the season before, in what is learnt from
FARTHEST = 10.0

#: periods that one pass forecasts, at most: longer horizons are reached in passes, each on what the last one said
LONGEST_PASS = 48

Bytes = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class GlobalTrees(ArrayState):
    """How a value differs from that of the season before, by gradient-boosted trees (XGBoost) that all series share.

    A row is a series at an origin, and a period ahead: recent values, the same slot in seasons before, means of seasons, the
    slot, and how rough the series is; the periods ahead are told apart by a column, so one model serves a whole pass (direct
    multi-step). Nothing tells a row which series it is of.

    Parameters depend on the series fitted beside one: not for panels that mix unrelated things. Where the pool has fewer
    than `FEWEST_SERIES` series or `FEWEST_ROWS` rows nothing is answered (NaN), nor are series that do not vary, or are under
    two seasons and two periods, or are zero half the time: absolute errors ask for a median, and the median of such a series is
    no demand at all. Covariates and holidays are not read: the regression reads them.

    Attributes:
        unit: float64 (n,), mean absolute seasonal difference.
        roughness: float64 (n,), mean absolute difference, over the unit.
        spread: float64 (n, pass), standard deviation of the pool's errors by periods ahead, in units.
        recent: float64 (n, periods), the last values less `level`, oldest first; NaN before the first.
        level: float64 (n,), the last value.
        last: int64 (n,), ordinal of the last period seen.
        season: int64 (n, 2), periods in the main season and in the long one.
        key: uint64 (n,), which of the boosters is a series' own; zero for none.
        shared_keys: uint64 (boosters,), of the boosters; joined pools may hold one twice.
        shared_sizes: int64 (boosters,), bytes of each.
        shared_bytes: uint8, native XGBoost models (UBJSON), one after the other.
    """

    name: ClassVar[str] = "global_trees"

    unit: Floats = field(default_factory=no_rows)
    roughness: Floats = field(default_factory=no_rows)
    spread: Floats = field(default_factory=no_rows)
    recent: Floats = field(default_factory=no_rows)
    level: Floats = field(default_factory=no_rows)
    last: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    season: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    key: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    shared_keys: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    shared_sizes: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    shared_bytes: Bytes = field(default_factory=lambda: np.empty(0, np.uint8))

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        import xgboost as xgb  # takes a second, which whoever only reads a version's other members need not wait for

        n, season, longer = len(panel), panel.season, max(panel.season, LONG_SEASON.get(panel.freq, 0))
        ahead = min(panel.freq.default_horizon, LONGEST_PASS)
        values = bridged(panel).values
        unit, roughness = _units(values, panel.indptr, season)
        blank = replace(
            self,
            unit=unit,
            roughness=roughness,
            spread=np.full((n, ahead), np.nan),
            season=np.tile(np.array([season, longer]), (n, 1)),
            key=np.zeros(n, dtype=np.uint64),
            shared_keys=np.empty(0, np.uint64),
            shared_sizes=np.empty(0, np.int64),
            shared_bytes=np.empty(0, np.uint8),
        ).update(panel)
        series, at, steps = _drawn(panel.lengths, np.isfinite(unit), 2 * season, ahead, np.random.default_rng(seed))
        if len(series) < FEWEST_ROWS or np.isfinite(unit).sum() < FEWEST_SERIES:
            return blank
        begin = panel.indptr[:-1][series]
        end = begin + at
        table = _columns(
            values, begin, end, steps, unit[series], roughness[series], (panel.start[series] + at), season, longer
        )
        truth = (values[end + steps] - values[end + steps - _seasons(steps, season) * season]) / unit[series]
        data = xgb.DMatrix(table, np.clip(truth, -FARTHEST, FARTHEST))
        booster = xgb.train(GROWTH | {"seed": seed}, data, ROUNDS)
        squares = (truth - booster.inplace_predict(table)) ** 2
        count = np.bincount(steps - 1, minlength=ahead)
        mean_square = np.bincount(steps - 1, np.minimum(squares, FARTHEST**2), ahead) / np.maximum(count, 1)
        raw = np.frombuffer(booster.save_raw("ubj"), dtype=np.uint8)
        key = np.frombuffer(hashlib.sha256(raw.tobytes()).digest()[:8], dtype=np.uint64)
        return replace(
            blank,
            spread=np.tile(np.maximum.accumulate(np.sqrt(mean_square)), (n, 1)),
            key=np.where(np.isfinite(unit), key, 0).astype(np.uint64),
            shared_keys=key,
            shared_sizes=np.array([len(raw)]),
            shared_bytes=raw,
        )

    def update(self, panel: Panel) -> Self:
        season, longer = panel.season, max(panel.season, LONG_SEASON.get(panel.freq, 0))
        periods = max((SEASONS_BACK + 1) * season, LONG_SEASONS_BACK * longer, LAGS) + 1
        recent = _ends(bridged(panel).values, panel.indptr, periods)
        return replace(self, recent=recent - recent[:, -1:], level=recent[:, -1], last=panel.last)

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        n = len(self.unit)
        mean, scale = np.full((n, horizon), np.nan), np.full((n, horizon), np.nan)
        for rows, booster in self._pools():
            mean[rows] = self._paths(rows, booster, horizon)
        if n and self.spread.shape[1]:
            passes, step = np.divmod(np.arange(horizon), self.spread.shape[1])
            variance = self.spread[:, step] ** 2 + passes[None, :] * self.spread[:, -1:] ** 2
            scale = np.where(np.isnan(mean), np.nan, self.unit[:, None] * np.sqrt(variance))
        return Distribution(mean=mean + self.level[:, None], scale=scale)

    def _pools(self) -> Iterator[tuple[Rows, xgb.Booster]]:
        """The rows of each booster that has any, and it."""
        ends = np.cumsum(self.shared_sizes)
        told = set()
        for key, size, end in zip(self.shared_keys.tolist(), self.shared_sizes, ends, strict=True):
            rows = np.flatnonzero((self.key == key) & ~np.isnan(self.level))
            if len(rows) and key not in told:
                told.add(key)
                yield rows, _booster(self.shared_bytes[end - size : end].tobytes())

    def _paths(self, rows: Rows, booster: xgb.Booster, horizon: int) -> Floats:
        """Means less `level`: float64 (rows, horizon), from the end of each series, pass after pass."""
        ahead = self.spread.shape[1]
        season, longer = self.season[rows[0]]
        path = self.recent[rows]
        n, known = path.shape
        at, steps = np.repeat(np.arange(n), ahead), np.tile(np.arange(1, ahead + 1), n)
        for done in range(0, horizon, ahead):
            end = known + done - 1
            begin = at * (known + done)
            table = _columns(
                path.reshape(-1),
                begin,
                begin + end,
                steps,
                self.unit[rows][at],
                self.roughness[rows][at],
                (self.last[rows][at] + done),
                season,
                longer,
            )
            moved = booster.inplace_predict(table).reshape(n, ahead) * self.unit[rows][:, None]
            before = end + np.arange(1, ahead + 1) - _seasons(np.arange(1, ahead + 1), season) * season
            path = np.concatenate([path, path[:, before] + moved], axis=1)
        return path[:, known : known + horizon]


@lru_cache(maxsize=256)
def _booster(raw: bytes) -> xgb.Booster:
    import xgboost as xgb

    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(raw))
    booster.set_param({"nthread": 1})
    return booster


def _seasons(steps: Ordinals, season: int) -> Ordinals:
    """Whole seasons to go back from each step ahead to what is known."""
    return np.asarray((steps + season - 1) // season)


def _drawn(
    lengths: Ordinals, answered: npt.NDArray[np.bool_], first: int, ahead: int, rng: np.random.Generator
) -> tuple[Rows, Rows, Rows]:
    """Series, position of the origin and periods ahead of the rows that are learnt from: int64 (rows,) each."""
    each = np.where(answered, np.maximum(lengths - 1 - first, 0), 0)
    total = int(each.sum())
    drawn = np.sort(rng.choice(total, MOST_ROWS, replace=False)) if total > MOST_ROWS else np.arange(total)
    series = np.repeat(np.arange(len(each)), each)[drawn]
    at = first + drawn - (np.cumsum(each) - each)[series]
    return series, at, np.minimum(rng.integers(1, ahead + 1, len(drawn)), lengths[series] - 1 - at)


@compiled
def _ends(values: Floats, indptr: Ordinals, periods: int) -> Floats:
    ends = np.full((len(indptr) - 1, periods), np.nan)
    for i in range(len(ends)):
        there = min(periods, indptr[i + 1] - indptr[i])
        if there > 0:
            ends[i, periods - there :] = values[indptr[i + 1] - there : indptr[i + 1]]
    return ends


@compiled
def _units(values: Floats, indptr: Ordinals, season: int) -> tuple[Floats, Floats]:
    """Mean absolute seasonal difference, and mean absolute difference over it.

    NaN for series that are short, constant, or zero half the time.
    """
    n = len(indptr) - 1
    unit, roughness = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        periods = max(UNIT_SEASONS * season, UNIT_PERIODS)
        y = values[max(indptr[i + 1] - periods, indptr[i]) : indptr[i + 1]]
        if len(y) < 2 * season + 2 or 2 * (y == 0.0).sum() >= len(y):
            continue
        size = np.abs(y[season:] - y[:-season]).mean()
        if 0.0 < size < 1e100:
            unit[i] = size
            roughness[i] = np.abs(y[1:] - y[:-1]).mean() / size
    return unit, roughness


@compiled
def _columns(
    values: Floats,
    begin: Ordinals,
    end: Ordinals,
    steps: Ordinals,
    unit: Floats,
    roughness: Floats,
    ordinal: Ordinals,
    season: int,
    longer: int,
) -> npt.NDArray[np.float32]:
    """What the trees read of a series `values[begin:end + 1]` for the period `steps` after its end: float32 (rows, columns)."""
    lags, two = min(max(season, 2), LAGS), longer > season
    columns = lags + 1 + SEASONS_BACK + 3 + 3 + ((LONG_SEASONS_BACK + 1) if two else 0)
    table = np.full((len(begin), columns), np.nan, dtype=np.float32)
    width = season if season > 1 else 3
    for r in range(len(begin)):
        first, now, h = begin[r], end[r], steps[r]
        anchor, c = values[now], 0
        for k in range(1, lags + 1):
            if now - k >= first:
                table[r, c] = (values[now - k] - anchor) / unit[r]
            c += 1
        if now - season >= first:
            table[r, c] = (values[now - season] - anchor) / unit[r]
        c += 1
        for k in range(SEASONS_BACK):
            there = now + h - ((h + season - 1) // season + k) * season
            if there >= first:
                table[r, c] = (values[there] - anchor) / unit[r]
            c += 1
        if two:
            for k in range(LONG_SEASONS_BACK):
                there = now + h - ((h + longer - 1) // longer + k) * longer
                if there >= first:
                    table[r, c] = (values[there] - anchor) / unit[r]
                c += 1
            table[r, c] = (ordinal[r] + h) % longer
            c += 1
        for k in range(3):  # the last season, the one before, the long one
            high = now + 1 - (width if k == 1 else 0)
            low = now + 1 - (longer if k == 2 else (k + 1) * width)
            if low >= first:
                total = 0.0
                for t in range(low, high):
                    total += values[t] - anchor
                table[r, c] = total / (high - low) / unit[r]
            c += 1
        table[r, c] = h
        table[r, c + 1] = (ordinal[r] + h) % season
        table[r, c + 2] = roughness[r]
    return table
