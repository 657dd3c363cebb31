"""What-if scenarios: what is to be different about a covariate while a forecast is made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from industrial_brain.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Change:
    """How a covariate differs from what is expected of it: times `multiply`, plus `add`; or `values`, one a period ahead."""

    add: float = 0.0
    multiply: float = 1.0
    values: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        numbers = (self.add, self.multiply, *(self.values or ()))
        if not all(map(math.isfinite, numbers)):
            raise InputError(
                "A scenario holds a number that is not finite.", "Give finite numbers.", pointer="/scenario"
            )


#: covariate to what is to be different about it
Scenario: TypeAlias = Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Assumption:
    """One covariate of an answer: what was expected of it, and what the scenario makes of it, one value a period.

    The first `known` of the expected values are known; `basis` says what the others rest on, `normal` (for the time of the
    year) or `last value`, and is `known` where there are no others.
    """

    basis: str
    known: int
    expected: tuple[float, ...]
    assumed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ScenarioAnswer:
    """What a forecast would be without the scenario, and what the scenario assumes."""

    baseline: tuple[float, ...]
    covariates: Mapping[str, Assumption]


_NUMBER = r"\d+(?:\.\d+)?"
_CHANGE = re.compile(
    rf"(?P<name>[^\s=*+]+?)\s*(?:(?P<sign>[+-])\s*(?P<size>{_NUMBER})(?P<percent>%?)|\*\s*(?P<factor>{_NUMBER})"
    rf"|=\s*(?P<values>-?{_NUMBER}(?:\s*,\s*-?{_NUMBER})*))"
)


def read_scenario(texts: Iterable[str]) -> dict[str, Change]:
    """Read `temperature+2`, `temperature-2`, `price-10%`, `price*0.9`, `temperature=3,4,5` (one value a period).

    Raises:
        InputError: a text has another shape, or two are about the same covariate.

    >>> read_scenario(["temperature+2", "price-10%"])["price"].multiply
    0.9
    """
    scenario: dict[str, Change] = {}
    for text in texts:
        found = _CHANGE.fullmatch(text.strip())
        if found is None:
            raise InputError(
                f"'{text}' is no change of a covariate.",
                "Write temperature+2, price-10%, price*0.9, or temperature=3,4,5 with a value for every period.",
            )
        name = found["name"]
        if name in scenario:
            raise InputError(f"'{name}' is changed twice.", "Change each covariate once.")
        if found["values"] is not None:
            scenario[name] = Change(values=tuple(float(part) for part in found["values"].split(",")))
        elif found["factor"] is not None:
            scenario[name] = Change(multiply=float(found["factor"]))
        else:
            size = float(found["size"]) * (-1.0 if found["sign"] == "-" else 1.0)
            scenario[name] = Change(multiply=1.0 + size / 100.0) if found["percent"] else Change(add=size)
    return scenario
