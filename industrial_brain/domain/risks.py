"""What a risk model reads: named columns of numbers or words, one row a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import ModelVersion
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


def word_of(value: object) -> str | None:
    """A value of a column of text as all doors read it: stripped, a whole number without its zeros; None where it is empty.

    >>> word_of(3.0), word_of(" 3.0 "), word_of("03"), word_of("A "), word_of(" ")
    ('3', '3', '03', 'A', None)
    """
    text = str(value).strip()
    whole, point, zeros = text.partition(".")
    digits = whole.removeprefix("-")
    if point and zeros and not zeros.strip("0") and digits.isdecimal() and (digits == "0" or digits[0] != "0"):
        text = whole
    return text or None


class RiskTask(StrEnum):
    """What `brain train risk` trains; each task has versions of its own."""

    ENTERPRISE = "enterprise"
    GAS = "gas"
    CLUSTER = "cluster"


class Grade(StrEnum):
    """Four colours, red worst."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


class Outlook(StrEnum):
    """What may come of a case, at a level: `UNKNOWN` where both may, `NEITHER` where it is like no known case."""

    HARM = "harm"
    NO_HARM = "no_harm"
    UNKNOWN = "unknown"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Reason:
    """What a feature adds to a risk.

    Attributes:
        feature: its name, which says how it is made of the columns `sources`.
        value: None where it is missing.
        share: of the known cases that are below the value; None where it is missing.
        added: to the log odds, before calibration.
        words: all of it in a sentence.
    """

    feature: str
    sources: tuple[str, ...]
    value: float | None
    share: float | None
    added: float
    words: str


@dataclass(frozen=True, slots=True)
class RiskAnswer:
    """What is told of a case: the probability of harm, its grade, what may come, and why."""

    prob: float
    grade: Grade
    outlook: Outlook
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class RiskCases:
    """Cases whose end is known, to learn from.

    Attributes:
        harmed: (n,) what came of each.
        names: (n,) what each is called.
        slices: by name, the level of each case that a gate looks at on its own: its tier, cluster, size.
        monotone: by column, +1 where more of it can't lower the risk, -1 where it can't raise it: by physics, or by law.
        simulated: whether they were made up.
        source: where they are from, with the licence.
    """

    table: RiskTable
    harmed: Flags
    names: tuple[str, ...]
    slices: Mapping[str, Words]
    monotone: Mapping[str, int]
    simulated: bool
    source: str


@dataclass(frozen=True, slots=True)
class RiskListing:
    """The worst of some cases, by one version.

    Attributes:
        worst: names and answers, the highest probability first.
        counts: cases by grade, of all.
        learnt_from: whether these are the cases that the version learnt from, told by fits that had not seen them.
    """

    version: ModelVersion
    worst: tuple[tuple[str, RiskAnswer], ...]
    counts: Mapping[Grade, int]
    total: int
    simulated: bool
    learnt_from: bool

    def as_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "model": {"name": self.version.name, "version": self.version.version},
            "simulated": self.simulated,
            "learnt_from": self.learnt_from,
            "total": self.total,
            "counts": {str(grade): count for grade, count in self.counts.items()},
            "worst": [
                {
                    "case": name,
                    "probability": answer.prob,
                    "grade": str(answer.grade),
                    "outlook": str(answer.outlook),
                    "reasons": [asdict(reason) for reason in answer.reasons],
                }
                for name, answer in self.worst
            ],
        }
