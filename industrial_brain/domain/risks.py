"""What a risk model reads: named columns of numbers or words, one row a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats

Words = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RiskTable:
    """Cases and what is known of each.

    Attributes:
        columns: by name, (n,) float64 with NaN where a value is missing, or objects: a text, or None where it is missing.
        group: (n,) whose rows belong together (a machine's, a firm's); None where each row stands alone.
        order: (n,) the time of a row within its group; None where rows of a group have no order.

    >>> table = RiskTable({"age": np.array([3.0, np.nan]), "kind": np.array(["a", None], dtype=object)})
    >>> len(table), len(table.take([1]))
    (2, 1)
    """

    columns: Mapping[str, npt.NDArray[Any]]
    group: Integers | None = None
    order: Floats | None = None

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        lengths |= {len(extra) for extra in (self.group, self.order) if extra is not None}
        if len(lengths) > 1:
            raise InputError("Columns of a table have different lengths.", "Give each case a value, or NaN, in each.")
        if not self.columns:
            raise InputError("A table has no columns.", "Name at least one.")
        if self.order is not None and self.group is None:
            raise InputError("Rows have an order, but no group that it is in.", "Say which rows belong together.")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the columns of numbers, in their order."""
        return tuple(name for name, column in self.columns.items() if column.dtype != object)

    def take(self, rows: npt.NDArray[Any] | Sequence[int]) -> Self:
        """These rows (places, or flags), in the order given."""
        at = np.asarray(rows)
        return type(self)(
            {name: column[at] for name, column in self.columns.items()},
            None if self.group is None else self.group[at],
            None if self.order is None else self.order[at],
        )

    def only(self, names: Sequence[str]) -> Self:
        """These columns."""
        return type(self)({name: self.columns[name] for name in names}, self.group, self.order)
