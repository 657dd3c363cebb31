"""How long a unit will last: its remaining life, by boosted trees on what its past says.

Lives are learnt up to a cap (Heimes 2008): nothing in a new unit's readings tells 200 cycles from 300, and trees that try
learn noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from sklearn.model_selection import GroupKFold, KFold

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import RiskTable
from models.risk.recipe import Recipe

#: fits, each without one fold of the units
_FOLDS = 5

_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "nthread": 1,
        "eta": 0.05,
        "max_depth": 5,
        "min_child_weight": 20,
        "colsample_bytree": 0.3,
        "subsample": 0.5,
        "max_bin": 128,
    }
)

_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class RemainingLife:
    """Rows that a unit has left, from 0 to the cap.

    Attributes:
        cap: the longest life that is told; None without one.
        fits: XGBoost models in its binary JSON.
        held_out: (n,) each training row's life by a fit that had not seen its unit.
    """

    cap: float | None = None
    recipe: Recipe | None = None
    fits: tuple[bytes, ...] = ()
    held_out: Floats = field(default_factory=lambda: np.empty(0))

    def fit(self, table: RiskTable, life: Floats, seed: int = 0) -> Self:
        """Learn from rows whose remaining life is known, (n,), 0 or more.

        Raises:
            InputError: a life is negative or unknown, or there are fewer than ten units.
        """
        import xgboost as xgb

        if not (life >= 0.0).all():
            raise InputError("A remaining life is unknown or negative.", "Leave the unit out, or correct it.")
        units = len(life) if table.group is None else len(np.unique(table.group))
        if units < 10:
            raise InputError(f"There are {units} units: no life can be learnt from them.", "Give ten or more.")
        recipe = Recipe.of(table)
        features = recipe.build(table).values
        target = life if self.cap is None else np.minimum(life, self.cap)
        if table.group is None:
            splits = list(KFold(_FOLDS, shuffle=True, random_state=seed).split(features))
        else:
            splits = list(GroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, groups=table.group))
        fits, held_out = [], np.empty(len(life))
        for number, (train, held) in enumerate(splits):
            data = xgb.DMatrix(features[train], target[train], nthread=1)
            booster = xgb.train({**_SETTINGS, "seed": 1000 * seed + number}, data, _ROUNDS)
            held_out[held] = self._bounded(booster.inplace_predict(features[held]).astype(np.float64))
            fits.append(bytes(booster.save_raw("ubj")))
        return replace(self, recipe=recipe, fits=tuple(fits), held_out=held_out)

    def predict(self, table: RiskTable) -> Floats:
        """(n,) remaining rows. A unit's past is looked for among the rows given. Raises InputError as `Recipe.build`."""
        import xgboost as xgb

        if self.recipe is None:
            raise InputError("This model has not learnt from anything yet.", "Call fit first.")
        features = self.recipe.build(table).values
        told = [xgb.Booster({"nthread": 1}, model_file=bytearray(one)).inplace_predict(features) for one in self.fits]
        return self._bounded(np.mean(told, axis=0).astype(np.float64))

    def _bounded(self, life: Floats) -> Floats:
        return np.asarray(np.clip(life, 0.0, self.cap))
