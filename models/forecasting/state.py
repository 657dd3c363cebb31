"""State as arrays: what makes a fitted forecaster a few named arrays that can be saved, cut and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.protocols import Forecaster

#: observations below which a model of level and trend has more parameters than evidence
SHORTEST_HISTORY = 6

#: how the names of arrays begin that all series share, and that have no row a series
SHARED = "shared_"

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]


class ArrayForecaster(Forecaster, Protocol):
    """A forecaster whose state is arrays: it can be saved, cut to some series, and joined with others of its kind."""

    def arrays(self) -> dict[str, Array]: ...
    def with_arrays(self, arrays: Mapping[str, Array]) -> Self: ...
    def take(self, rows: Rows) -> Self: ...


@dataclass(frozen=True, slots=True)
class ArrayState:
    """Base of forecasters whose dataclass fields are all arrays with one leading row a series, or `SHARED`.

    An unfitted forecaster has empty arrays. Rows of series that could not be fitted hold NaN, and forecast NaN.
    """

    name: ClassVar[str]

    def arrays(self) -> dict[str, Array]:
        """The whole state, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        """A forecaster with this state instead."""
        return replace(self, **{field.name: arrays[field.name] for field in fields(self)})

    def take(self, rows: Rows) -> Self:
        """The forecaster of these series alone, in this order."""
        arrays = self.arrays()
        return self.with_arrays({name: array if is_shared(name) else array[rows] for name, array in arrays.items()})


def is_shared(name: str) -> bool:
    """Whether the array of this name, a member's name before it or not, has no row a series."""
    return name.rpartition("/")[2].startswith(SHARED)


def join(states: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """One state of all series of `states`, which have the same names."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def no_rows() -> Floats:
    """The state of a forecaster that has not been fitted."""
    return np.empty(0)
