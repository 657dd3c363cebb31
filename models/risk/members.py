"""Who tells a risk: each member fits a matrix and answers with log odds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags
from models.risk.logistic import Logistic
from models.risk.recipe import Matrix

Array = npt.NDArray[Any]


class Member(Protocol):
    """A fitted member is immutable."""

    def fit(self, features: Matrix, harmed: Flags, seed: int, monotone: tuple[int, ...]) -> Self:
        """Learn. `monotone` has a sign a column: +1 where more of it can't lower the risk, -1 the other way round, else 0."""
        ...

    def log_odds(self, features: Matrix) -> Floats: ...

    def contributions(self, features: Matrix) -> Floats:
        """(n, p + 1) what each column adds to the log odds; the last is where they start."""
        ...

    def arrays(self) -> Mapping[str, Array]: ...
    def with_arrays(self, arrays: Mapping[str, Array]) -> Self: ...


@dataclass(frozen=True, slots=True)
class Boosted:
    """Boosted trees (XGBoost; Chen and Guestrin 2016) on the log loss.

    Attributes:
        settings: XGBoost's own.
        rounds: boosting rounds.
        model: XGBoost's binary JSON.
    """

    settings: Mapping[str, Any]
    rounds: int
    model: bytes | None = None

    def fit(self, features: Matrix, harmed: Flags, seed: int, monotone: tuple[int, ...]) -> Self:
        import xgboost as xgb

        settings = {
            **_ALWAYS,
            **self.settings,
            "seed": seed,
            "base_score": float(np.clip(harmed.mean(), 1e-6, 1 - 1e-6)),
        }
        if any(monotone):
            settings["monotone_constraints"] = monotone
        data = xgb.DMatrix(features, harmed.astype(np.float32), nthread=1)
        return replace(self, model=bytes(xgb.train(settings, data, self.rounds).save_raw("ubj")))

    def log_odds(self, features: Matrix) -> Floats:
        return np.asarray(self._booster().inplace_predict(features, predict_type="margin"), dtype=np.float64)

    def contributions(self, features: Matrix) -> Floats:
        import xgboost as xgb

        return np.asarray(
            self._booster().predict(xgb.DMatrix(features, nthread=1), pred_contribs=True), dtype=np.float64
        )

    def arrays(self) -> Mapping[str, Array]:
        return {"model": np.frombuffer(self.model or b"", dtype=np.uint8)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return replace(self, model=arrays["model"].tobytes())

    def _booster(self) -> Any:
        assert self.model is not None
        return _loaded(self.model)


@lru_cache(maxsize=256)
def _loaded(model: bytes) -> Any:
    """The model, opened; it answers several threads at once."""
    import xgboost as xgb

    return xgb.Booster({"nthread": 1}, model_file=bytearray(model))


_ALWAYS = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1}

#: unfitted members by name. Their settings are set once, for every task; which count for how much is learnt on each
MEMBERS: Mapping[str, Member] = MappingProxyType(
    {
        "deep": Boosted(
            {
                "eta": 0.08,
                "max_depth": 5,
                "min_child_weight": 0.5,
                "colsample_bytree": 0.3,
                "subsample": 0.8,
                "max_bin": 128,
            },
            250,
        ),
        "shallow": Boosted(
            {
                "eta": 0.04,
                "max_depth": 3,
                "min_child_weight": 3.0,
                "colsample_bynode": 0.3,
                "subsample": 0.7,
                "reg_lambda": 10.0,
            },
            200,
        ),
        "logistic": Logistic(),
    }
)
