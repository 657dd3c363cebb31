"""The members of an equipment's detector: what each looks at, and with which algorithm. Equal votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.hotelling import Hotelling
from models.anomaly.equipment.isolation_forest import IsolationForest
from models.anomaly.equipment.neighbours import Neighbours
from models.anomaly.equipment.principal_components import PrincipalComponents
from models.anomaly.equipment.residuals import OneStep
from models.anomaly.equipment.runs import accumulated, dispersions, lagged

#: weights of exponentially weighted means: shifts that last for about 3, 10 and 30 rows
_LEVELS = 0.3, 0.1, 0.03
_MISSES = 0.2, 0.05
_UNREST, _MOST_UNREST = 0.05, 25.0  # weight of squared misses, and where one of them stops to count


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in rows. With one sensor its shape over time is all that there is to see, so that they are longer."""

    short: int
    long: int
    order: int
    spreads: tuple[int, int]

    @classmethod
    def of(cls, sensors: int) -> Self:
        return cls(8, 32, 8, (20, 100)) if sensors == 1 else cls(3, 10, 2, (10, 60))


@dataclass(frozen=True, slots=True)
class Members:
    """Everything that was fitted on normal runs; the parts by name.

    Attributes:
        sensors: how many.
        one_step: forecasts of the next row.
        parts: the algorithms, by the name of what they look at.
    """

    sensors: int
    one_step: OneStep
    parts: Mapping[str, Hotelling | PrincipalComponents | Neighbours | IsolationForest]

    @classmethod
    def fit(cls, runs: Sequence[Floats], seed: int, *, forest: bool = False) -> Self:
        """Learn from standardised normal runs without gaps, each longer than the longest window.

        Args:
            forest: whether an isolation forest votes as well. It takes longer to grow than all others together.
        """
        sensors = runs[0].shape[1]
        one_step = OneStep.fit(runs, Windows.of(sensors).order)
        views = [_views(run, one_step) for run in runs]
        seen = {name: np.concatenate([view[name] for view in views]) for name in views[0]}
        parts: dict[str, Hotelling | PrincipalComponents | Neighbours | IsolationForest] = {}
        for name, features in seen.items():
            parts[name] = PrincipalComponents.fit(features) if name == "long" else Hotelling.fit(features)
        parts["neighbours"] = Neighbours.fit(seen["long"])
        if forest:
            parts["forest"] = IsolationForest.fit(seen["rows"], seed)
        return cls(sensors, one_step, parts)

    def statistics(self, run: Floats) -> dict[str, Floats]:
        """Each member's figure for each row of a standardised run: high is odd, in units of its own."""
        views = _views(run, self.one_step)
        found = {name: part.statistic(views[_VIEW.get(name, name)]) for name, part in self.parts.items()}
        return found | {"long error": self._components().error(views["long"])}

    def contributions(self, run: Floats, rows: slice) -> dict[str, Floats]:
        """Each member's split of its figure by sensor, for some rows of a run: shape (rows, sensors)."""
        views = {name: view[rows] for name, view in _views(run, self.one_step).items()}
        found = {name: part.contributions(views[_VIEW.get(name, name)]) for name, part in self.parts.items()}
        found["long error"] = self._components().error_contributions(views["long"])
        return {
            name: parts.reshape(len(parts), -1, self.sensors).sum(axis=1)  # over the lags
            for name, parts in found.items()
        }

    def _components(self) -> PrincipalComponents:
        found = self.parts["long"]
        if not isinstance(found, PrincipalComponents):
            raise TypeError("the member of long windows holds no components")
        return found

    def arrays(self) -> dict[str, Any]:
        arrays = {f"one_step/{key}": value for key, value in self.one_step.arrays().items()}
        for name, part in self.parts.items():
            arrays |= {f"{name}/{key}": value for key, value in part.arrays().items()}
        return arrays

    @classmethod
    def of_arrays(cls, sensors: int, arrays: Mapping[str, Any]) -> Self:
        groups: dict[str, dict[str, Any]] = {}
        for key, value in arrays.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = value
        one_step = OneStep.of_arrays(groups.pop("one_step"))
        return cls(sensors, one_step, {name: _KINDS.get(name, Hotelling).of_arrays(g) for name, g in groups.items()})


#: what members look at, where that is not their own name
_VIEW = {"neighbours": "long", "forest": "rows"}

_KINDS: Mapping[str, type[Hotelling | PrincipalComponents | Neighbours | IsolationForest]] = {
    "long": PrincipalComponents,
    "neighbours": Neighbours,
    "forest": IsolationForest,
}


def _views(run: Floats, one_step: OneStep) -> dict[str, Floats]:
    """What there is to look at in each row of a run: features by name, each with all sensors of a lag together."""
    windows = Windows.of(run.shape[1])
    missed = one_step.missed(run)
    return {
        "rows": run,
        "short": lagged(run, windows.short),
        "long": lagged(run, windows.long),
        "missed": missed,
        "unrest": accumulated(np.minimum(missed**2, _MOST_UNREST), _UNREST),
        **{f"spreads {place}": dispersions(run, length) for place, length in enumerate(windows.spreads)},
        **{f"level {weight}": accumulated(run, weight) for weight in _LEVELS},
        **{f"missed {weight}": accumulated(missed, weight) for weight in _MISSES},
    }
