"""Indicators, and the series that are published for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from industrial_brain.domain.city import Sector, Tier
from industrial_brain.domain.covariates import Knowledge
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.periods import Frequency


class Aggregation(StrEnum):
    """How the children's values make the parent's."""

    SUM = "sum"
    WEIGHTED_MEAN = "weighted_mean"  # weights are another indicator's values
    RATIO = "ratio"  # numerator and denominator are indicators that add up
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CovariateUse:
    """That the series of an indicator depend on those of another one.

    Attributes:
        name: what scenarios call it.
        indicator: code of the indicator whose series in the same region, or the nearest one around it, is read.
        knowledge: how far ahead its values are known.
    """

    name: str
    indicator: str
    knowledge: Knowledge

    @classmethod
    def parse(cls, text: str) -> CovariateUse:
        """Read `CODE:KIND` or `NAME=CODE:KIND`.

        Raises:
            InputError: the text has another shape.

        >>> CovariateUse.parse("temperature=temperature_daily:past_only").indicator
        'temperature_daily'
        """
        found = _COVARIATE.fullmatch(text.strip())
        if found is None or found["kind"] not in tuple(Knowledge):
            raise InputError(
                f"'{text}' declares no covariate.",
                "Write CODE:past_only or CODE:known_ahead, with NAME= before it where scenarios shall call it otherwise.",
            )
        return cls(found["name"] or found["code"], found["code"], Knowledge(found["kind"]))

    def __str__(self) -> str:
        named = "" if self.name == self.indicator else f"{self.name}="
        return f"{named}{self.indicator}:{self.knowledge}"


_COVARIATE = re.compile(r"(?:(?P<name>[A-Za-z0-9_.-]+)\s*=\s*)?(?P<code>[A-Za-z0-9_.-]+)\s*:\s*(?P<kind>\w+)")


def read_covariates(text: str) -> tuple[CovariateUse, ...]:
    """Declarations apart by semicolons, as a profile and the database have them. Raises InputError."""
    return tuple(CovariateUse.parse(part) for part in text.split(";") if part.strip())


def write_covariates(uses: Iterable[CovariateUse]) -> str:
    """The inverse of `read_covariates`."""
    return "; ".join(map(str, uses))


@dataclass(frozen=True, slots=True)
class Indicator:
    """The definition of what is measured, apart from where.

    Attributes:
        code: letters, digits, `_`, `-` and `.`; never a colon.
        unit: UCUM; money as ISO 4217 codes inside annotations, for instance `10*8.{CNY}`.
        weight: code of the weighting indicator, for `WEIGHTED_MEAN`.
        numerator, denominator: codes of the parts, for `RATIO`.
        nonnegative: whether a value below zero is impossible.
        covariates: what its series depend on.
    """

    code: str
    name: str
    name_en: str
    unit: str
    frequency: Frequency
    sector: Sector
    aggregation: Aggregation = Aggregation.NONE
    weight: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    nonnegative: bool = False
    covariates: tuple[CovariateUse, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Name of one series: `indicator:region` or `indicator:region:cluster`."""

    indicator: str
    region: str
    cluster: str | None = None

    @classmethod
    def parse(cls, text: str) -> SeriesKey:
        """Read `indicator:region[:cluster]`.

        Raises:
            InputError: the text has another shape.

        >>> SeriesKey.parse("output:500103:C01").cluster
        'C01'
        """
        parts = text.split(":")
        if len(parts) not in (2, 3) or not all(parts):
            raise InputError(
                f"'{text}' does not name a series.", "Series are written indicator:region or indicator:region:cluster."
            )
        return cls(*parts)

    def __str__(self) -> str:
        return ":".join(part for part in (self.indicator, self.region, self.cluster) if part)


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """A series with the facts that a reader needs beside its numbers.

    `id` is a `SeriesKey` in text where the series is part of the city, and whatever the user's file called it where it
    is not (a *free* series: no indicator, no region). `tier` is the region's.
    """

    id: str
    frequency: Frequency
    unit: str
    name: str
    indicator: str | None = None
    region: str | None = None
    tier: Tier | None = None
    cluster: str | None = None
    sector: Sector | None = None
    aggregation: Aggregation = Aggregation.NONE
    nonnegative: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where values came from. Every stored value names one; `simulated` sources are called so wherever shown."""

    name: str
    licence: str
    url: str = ""
    simulated: bool = False
