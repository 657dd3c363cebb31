"""The ranker's members. Each sees pairs and answers with a score, high where the pair will stand above the threshold.

Two learn nothing, two learn by boosted trees: one where the quotient goes and how far it scatters, one from crossings alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from models.targeting.measures import COLUMN, NAMES, OF_ONE_SIDE, SURROUNDINGS, Table
from models.targeting.pairs import Pairs

Array = npt.NDArray[Any]

#: quotients further from the threshold than this (log points) teach nothing about crossing it
_BAND = 2.5

#: below which weight of crossings, or of stays, nothing is learned from them
FEWEST = 5


class PairModel(Protocol):
    """A model of pairs. Fitted ones are immutable. `scores` are comparable within one fitted model only."""

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        """Learn from pairs and from whether each ended above the threshold."""
        ...

    def scores(self, measures: Table) -> Floats: ...

    def reasons(self, measures: Table, centre: float) -> Floats:
        """What each measure adds to the score, (n, measures), beside a pair with the score `centre`."""
        ...

    def arrays(self) -> Mapping[str, Array]: ...
    def with_arrays(self, arrays: Mapping[str, Array]) -> Self: ...


@dataclass(frozen=True, slots=True)
class Level:
    """How specialised a pair is already: "persistence", the baseline that is hardest to beat. It learns nothing, and so it is
    still right when the years ahead are unlike those that were learned from."""

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        return self

    def scores(self, measures: Table) -> Floats:
        return np.asarray(measures[:, COLUMN["log_rca"]], dtype=np.float64)

    def reasons(self, measures: Table, centre: float) -> Floats:
        return _all_of("log_rca", self.scores(measures) - centre)

    def arrays(self) -> Mapping[str, Array]:
        return {}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class Distance:
    """Steps to the threshold: how many of its own standard deviations a pair is away, over the horizon. It learns nothing.

    Where no volatility is known (a single year) the level itself stands in.
    """

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        return self

    def scores(self, measures: Table) -> Floats:
        steps = measures[:, COLUMN["distance"]]
        level = measures[:, COLUMN["log_rca"]]
        return np.asarray(np.where(np.isfinite(steps), steps, level), dtype=np.float64)

    def reasons(self, measures: Table, centre: float) -> Floats:
        return _all_of("distance", self.scores(measures) - centre)

    def arrays(self) -> Mapping[str, Array]:
        return {}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class BoostedShift:
    """Where the quotient goes, by boosted trees (XGBoost), and how far it scatters around that, by others on the log
    residuals; the score is how many standard deviations above the threshold it is expected."""

    mean: bytes | None = None
    scatter: bytes | None = None

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        rows = pairs.take(np.abs(pairs.start) < _BAND)
        target = np.clip(_shift(rows), -2.0, 2.0)
        settings = {**_TREES, "max_depth": 3, "min_child_weight": 20, "reg_lambda": 10.0, "seed": seed}
        mean = boost(rows.measures, target, _precision(rows), settings)
        residual = target - predict(mean, rows.measures)
        scatter = boost(rows.measures, np.log(np.abs(residual) + 0.02), rows.weight, settings)
        return type(self)(mean, scatter)

    def scores(self, measures: Table) -> Floats:
        assert self.mean is not None and self.scatter is not None
        return _crossing(measures, predict(self.mean, measures), predict(self.scatter, measures))

    def reasons(self, measures: Table, centre: float) -> Floats:
        assert self.mean is not None and self.scatter is not None
        scatter = np.exp(predict(self.scatter, measures))
        root = np.sqrt(measures[:, COLUMN["horizon"]].astype(np.float64))
        found = _contributions(self.mean, measures) / scatter[:, None]
        found[:, COLUMN["log_rca"]] += measures[:, COLUMN["log_rca"]] / (scatter * root) - centre
        return found

    def arrays(self) -> Mapping[str, Array]:
        assert self.mean is not None and self.scatter is not None
        return {"mean": _bytes(self.mean), "scatter": _bytes(self.scatter)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return type(self)(arrays["mean"].tobytes(), arrays["scatter"].tobytes())


@dataclass(frozen=True, slots=True)
class BoostedCrossing:
    """Boosted small forests of the crossing; the nearer a pair is to the threshold, the likelier it crosses, all else equal."""

    trees: bytes | None = None

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        rising = tuple(int(name in ("log_rca", "distance")) for name in NAMES)
        settings = {
            **_TREES,
            "max_depth": 4,
            "min_child_weight": 5,
            "reg_lambda": 5.0,
            "subsample": 0.6,
            "colsample_bynode": 0.3,
            "num_parallel_tree": 3,
            "monotone_constraints": rising,
            "objective": "binary:logistic",
            "seed": seed,
        }
        measures = _of_the_pair(pairs.measures)
        return type(self)(boost(measures, above.astype(np.float64), pairs.weight, settings, rounds=80))

    def scores(self, measures: Table) -> Floats:
        assert self.trees is not None
        return predict(self.trees, _of_the_pair(measures), margin=True)

    def reasons(self, measures: Table, centre: float) -> Floats:
        assert self.trees is not None
        return _contributions(self.trees, _of_the_pair(measures))

    def arrays(self) -> Mapping[str, Array]:
        assert self.trees is not None
        return {"trees": _bytes(self.trees)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return type(self)(arrays["trees"].tobytes())


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Boosted trees of who comes from nothing. Level and volatility of what has no value tell nothing: only what surrounds a
    pair does, and the more of it the likelier it comes, all else equal."""

    trees: bytes | None = None

    def fit(self, pairs: Pairs, above: npt.NDArray[np.bool_], seed: int) -> Self:
        settings = {
            **_TREES,
            "max_depth": 2,
            "min_child_weight": 5,
            "reg_lambda": 5.0,
            "monotone_constraints": tuple(int(name in SURROUNDINGS) for name in NAMES),
            "objective": "binary:logistic",
            "seed": seed,
        }
        return type(self)(boost(_surroundings(pairs.measures), above.astype(np.float64), pairs.weight, settings))

    def scores(self, measures: Table) -> Floats:
        assert self.trees is not None
        return predict(self.trees, _surroundings(measures), margin=True)

    def reasons(self, measures: Table, centre: float) -> Floats:
        assert self.trees is not None
        return _contributions(self.trees, _surroundings(measures))

    def arrays(self) -> Mapping[str, Array]:
        assert self.trees is not None
        return {"trees": _bytes(self.trees)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return type(self)(arrays["trees"].tobytes())


_ONE_THREAD = {"nthread": 1}
_TREES: dict[str, Any] = {
    **_ONE_THREAD,
    "tree_method": "hist",
    "max_bin": 64,
    "eta": 0.07,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "verbosity": 0,
}


def boost(table: Table, target: Floats, weight: Floats, settings: Mapping[str, Any], rounds: int = 60) -> bytes:
    """Boosted trees as XGBoost's own UBJ."""
    import xgboost

    data = xgboost.DMatrix(table, label=target, weight=weight)
    return bytes(xgboost.train(dict(settings), data, rounds).save_raw("ubj"))


def predict(trees: bytes, table: Table, *, margin: bool = False) -> Floats:
    import xgboost

    model = xgboost.Booster(_ONE_THREAD, model_file=bytearray(trees))
    return np.asarray(model.predict(xgboost.DMatrix(table), output_margin=margin), dtype=np.float64)


def _contributions(trees: bytes, measures: Table) -> Floats:
    import xgboost

    model = xgboost.Booster(_ONE_THREAD, model_file=bytearray(trees))
    return np.asarray(model.predict(xgboost.DMatrix(measures), pred_contribs=True)[:, :-1], dtype=np.float64)


def _all_of(name: str, score: Floats) -> Floats:
    found = np.zeros((len(score), len(NAMES)))
    found[:, COLUMN[name]] = score
    return found


def _of_the_pair(measures: Table) -> Table:
    """The table, with what says nothing of the pair itself unknown."""
    found = measures.copy()
    found[:, [COLUMN[name] for name in OF_ONE_SIDE]] = np.nan
    return found


def _surroundings(measures: Table) -> Table:
    """The table, with nothing known but what surrounds a pair, and the horizon."""
    found = np.full_like(measures, np.nan)
    kept = [COLUMN[name] for name in (*SURROUNDINGS, "horizon")]
    found[:, kept] = measures[:, kept]
    return found


def _shift(pairs: Pairs) -> Floats:
    """Change in log quotient, in units of a year's: a random walk's grows with the root of time."""
    return np.asarray((pairs.end - pairs.start) / np.sqrt(pairs.horizon))


def _precision(pairs: Pairs) -> Floats:
    """Weights by the variance that is expected of each pair."""
    volatility = np.exp(pairs.measures[:, COLUMN["volatility"]].astype(np.float64))
    typical = float(np.nanmedian(volatility)) if np.isfinite(volatility).any() else 1.0
    weight = pairs.weight / (np.where(np.isfinite(volatility), volatility, typical) ** 2 + 0.05**2)
    return np.asarray(weight / weight.mean())


def _crossing(measures: Table, shift: Floats, log_scatter: Floats) -> Floats:
    """Where the quotient is expected, above the threshold, in standard deviations."""
    root = np.sqrt(measures[:, COLUMN["horizon"]].astype(np.float64))
    return np.asarray((measures[:, COLUMN["log_rca"]] + shift * root) / (np.exp(log_scatter) * root))


def _bytes(raw: bytes) -> Array:
    return np.frombuffer(raw, dtype=np.uint8)
