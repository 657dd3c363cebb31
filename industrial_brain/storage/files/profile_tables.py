"""The table files of a city profile, read and checked line by line."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

from industrial_brain.domain.city import (
    PARENT_TIER,
    Cluster,
    ClusterClass,
    Enterprise,
    Region,
    Sector,
    Site,
    SiteKind,
    Tier,
)
from industrial_brain.domain.errors import InputError, ProfileError
from industrial_brain.domain.indicators import Aggregation, CovariateUse, Indicator, read_covariates
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue
from industrial_brain.storage.listing import all_clusters, all_regions

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CityTables:
    """The records of a profile by code or id, all references resolved."""

    regions: Mapping[str, Region]
    clusters: Mapping[str, Cluster]
    indicators: Mapping[str, Indicator]
    enterprises: Mapping[str, Enterprise]
    sites: Mapping[str, Site]


def read_tables(directory: Path, catalogue: Catalogue, *, simulated: bool) -> CityTables:
    """Read and check every table file of a profile; a missing file is an empty one.

    Args:
        catalogue: what is stored already; references may point there.
        simulated: what an empty cell in a column `simulated` means.

    Raises:
        ProfileError: the first contradiction, by file and line.
    """
    regions = _read(directory / "regions.csv", _REGIONS, lambda row: _region(row, simulated))
    clusters = _read(directory / "clusters.csv", _CLUSTERS, _cluster)
    indicators = _read(directory / "indicators.csv", _INDICATORS, _indicator)
    enterprises = _read(directory / "enterprises.csv", _ENTERPRISES, lambda row: _enterprise(row, simulated))
    sites = _read(directory / "sites.csv", _SITES, lambda row: _site(row, simulated))

    stored_indicators = catalogue.indicators()
    every_indicator = stored_indicators | _records(indicators)
    every_region = all_regions(catalogue) | _records(regions)
    every_cluster = all_clusters(catalogue) | _records(clusters)
    every_enterprise = catalogue.enterprises() | _records(enterprises)
    every_site = catalogue.sites() | _records(sites)
    for row, region in regions.values():
        _check_parent(row, region, every_region)
    for row, indicator in indicators.values():
        _check_parts(row, indicator, every_indicator)
        _check_covariates(row, indicator, every_indicator)
        stored = stored_indicators.get(indicator.code)
        if stored is not None and stored.frequency is not indicator.frequency:
            row.refuse(f"indicator '{indicator.code}' is stored with one value a {stored.frequency.noun}")
    for row, enterprise in enterprises.values():
        row.refer("region", enterprise.region, every_region)
        row.refer("cluster", enterprise.cluster, every_cluster)
    for row, site in sites.values():
        row.refer("region", site.region, every_region)
        row.refer("enterprise", site.enterprise, every_enterprise)
        row.refer("parent", site.parent, every_site)
        if site.parent is not None and every_site[site.parent].kind is not SiteKind.GAS_STATION:
            row.refuse(f"parent '{site.parent}' is no gas station")
    return CityTables(
        _records(regions), _records(clusters), _records(indicators), _records(enterprises), _records(sites)
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a file: its key, those that need a value in every row, and those that may be empty or absent."""

    key: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


_REGIONS = Columns("code", ("name", "tier"), ("name_en", "parent", "longitude", "latitude", "simulated"))
_CLUSTERS = Columns("code", ("name", "class"), ("name_en",))
_INDICATORS = Columns(
    "code",
    ("name", "unit", "frequency", "sector"),
    ("name_en", "aggregation", "weight", "numerator", "denominator", "nonnegative", "covariates"),
)
_ENTERPRISES = Columns("id", ("name", "region", "cluster", "employees"), ("simulated",))
_SITES = Columns("id", ("name", "kind", "region"), ("enterprise", "parent", "longitude", "latitude", "simulated"))

_CODES = {
    Tier.MUNICIPALITY: re.compile("[0-9]{6}"),
    Tier.DISTRICT: re.compile("[0-9]{6}"),
    Tier.TOWN: re.compile("[0-9]{9}"),
    Tier.EXTERNAL: re.compile("[^:]+"),
}
_INDICATOR_CODE = re.compile("[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: cells by column, and errors that say where they are."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def refuse(self, problem: str) -> NoReturn:
        raise ProfileError(f"{self.path.name} line {self.line}: {problem}.", f"Correct {self.path}.")

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def maybe(self, column: str) -> str | None:
        return self.cells.get(column) or None

    def one_of(self, column: str, kind: type[E]) -> E:
        text = self.text(column)
        try:
            return kind(text)
        except ValueError:
            self.refuse(f"{column} '{text}' is none of {', '.join(kind)}")

    def flag(self, column: str, default: bool) -> bool:
        text = self.text(column).lower()
        if text not in ("true", "false", ""):
            self.refuse(f"{column} '{text}' is neither true nor false")
        return text == "true" if text else default

    def degrees(self, column: str, limit: float) -> float | None:
        text = self.text(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= limit:
            self.refuse(f"{column} '{text}' is not a number of degrees up to {limit:.0f}")
        return value

    def refer(self, column: str, code: str | None, known: Mapping[str, object]) -> None:
        if code is not None and code not in known:
            self.refuse(f"{column} '{code}' does not exist")


def _read(path: Path, columns: Columns, record: Callable[[Row], T]) -> dict[str, tuple[Row, T]]:
    found: dict[str, tuple[Row, T]] = {}
    for row in read_rows(path, columns):
        key = row.text(columns.key)
        if key in found:
            row.refuse(f"{columns.key} '{key}' stands in line {found[key][0].line} already")
        found[key] = (row, record(row))
    return found


def read_rows(path: Path, columns: Columns) -> Iterator[Row]:
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header, columns)
            before = reader.line_num
            for cells in reader:
                line, before = before + 1, reader.line_num
                if not cells:
                    continue  # a blank line
                row = Row(path, line, dict(zip(header, (cell.strip() for cell in cells), strict=False)))
                if len(cells) != len(header):
                    row.refuse(f"{len(cells)} columns where the header has {len(header)}")
                empty = next((name for name in (columns.key, *columns.needed) if not row.text(name)), None)
                if empty is not None:
                    row.refuse(f"{empty} is empty")
                yield row
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path} is not UTF-8.", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise ProfileError(f"{path} line {reader.line_num}: {error}.", "Look for a stray quote.") from error


def _check_header(path: Path, header: list[str], columns: Columns) -> None:
    known = (columns.key, *columns.needed, *columns.optional)
    problems = [f"has the unknown column '{name}'" for name in header if name not in known]
    problems += [f"has the column '{name}' twice" for name in header if header.count(name) > 1]
    problems += [f"lacks the column '{name}'" for name in (columns.key, *columns.needed) if name not in header]
    if problems:
        raise ProfileError(f"{path.name} line 1: the file {problems[0]}.", f"Its columns are {', '.join(known)}.")


def _records(table: Mapping[str, tuple[Row, T]]) -> dict[str, T]:
    return {key: record for key, (_, record) in table.items()}


def _region(row: Row, simulated: bool) -> Region:
    tier = row.one_of("tier", Tier)
    if not _CODES[tier].fullmatch(row.text("code")):
        row.refuse(f"'{row.text('code')}' is not the code of a {tier} (GB/T 2260: 6 digits, 9 for towns)")
    return Region(
        code=row.text("code"),
        name=row.text("name"),
        name_en=row.text("name_en"),
        tier=tier,
        parent=row.maybe("parent"),
        longitude=row.degrees("longitude", 180),
        latitude=row.degrees("latitude", 90),
        simulated=row.flag("simulated", simulated),
    )


def _cluster(row: Row) -> Cluster:
    if ":" in row.text("code"):
        row.refuse("a code holds no colon")
    return Cluster(row.text("code"), row.text("name"), row.text("name_en"), row.one_of("class", ClusterClass))


def _indicator(row: Row) -> Indicator:
    if not _INDICATOR_CODE.fullmatch(row.text("code")):
        row.refuse(f"'{row.text('code')}' is not a code of letters, digits, '_', '-' and '.'")
    return Indicator(
        code=row.text("code"),
        name=row.text("name"),
        name_en=row.text("name_en"),
        unit=row.text("unit"),
        frequency=row.one_of("frequency", Frequency),
        sector=row.one_of("sector", Sector),
        aggregation=row.one_of("aggregation", Aggregation) if row.maybe("aggregation") else Aggregation.NONE,
        weight=row.maybe("weight"),
        numerator=row.maybe("numerator"),
        denominator=row.maybe("denominator"),
        nonnegative=row.flag("nonnegative", False),
        covariates=_covariates(row),
    )


def _covariates(row: Row) -> tuple[CovariateUse, ...]:
    try:
        uses = read_covariates(row.text("covariates"))
    except InputError as error:
        row.refuse(f"covariates: {error.message} {error.next_step}".rstrip(". "))
    twice = next((use.name for use in uses if sum(one.name == use.name for one in uses) > 1), None)
    if twice is not None:
        row.refuse(f"covariates names '{twice}' twice")
    return uses


def _enterprise(row: Row, simulated: bool) -> Enterprise:
    employees = row.text("employees")
    if not re.fullmatch("[0-9]{1,9}", employees):
        row.refuse(f"employees '{employees}' is not a head count")
    return Enterprise(
        id=row.text("id"),
        name=row.text("name"),
        region=row.text("region"),
        cluster=row.text("cluster"),
        employees=int(employees),
        simulated=row.flag("simulated", simulated),
    )


def _site(row: Row, simulated: bool) -> Site:
    return Site(
        id=row.text("id"),
        name=row.text("name"),
        kind=row.one_of("kind", SiteKind),
        region=row.text("region"),
        enterprise=row.maybe("enterprise"),
        parent=row.maybe("parent"),
        longitude=row.degrees("longitude", 180),
        latitude=row.degrees("latitude", 90),
        simulated=row.flag("simulated", simulated),
    )


def _check_parent(row: Row, region: Region, known: Mapping[str, Region]) -> None:
    wanted = PARENT_TIER.get(region.tier)
    if wanted is None:
        if region.parent is not None:
            row.refuse(f"a region of tier {region.tier} has no parent")
        return
    if region.parent is None:
        row.refuse(f"a {region.tier} needs a {wanted} as parent")
    row.refer("parent", region.parent, known)
    if known[region.parent].tier is not wanted:
        row.refuse(f"parent '{region.parent}' is a {known[region.parent].tier}; a {region.tier} needs a {wanted}")


def _check_covariates(row: Row, indicator: Indicator, known: Mapping[str, Indicator]) -> None:
    for use in indicator.covariates:
        row.refer("covariates", use.indicator, known)
        if use.indicator == indicator.code:
            row.refuse(f"covariates: '{indicator.code}' can't depend on itself")
        if known[use.indicator].frequency is not indicator.frequency:
            row.refuse(f"covariates: '{use.indicator}' is published by another frequency")


#: the columns that each aggregation needs; the other ones stay empty
_PARTS = {
    Aggregation.SUM: (),
    Aggregation.WEIGHTED_MEAN: ("weight",),
    Aggregation.RATIO: ("numerator", "denominator"),
    Aggregation.NONE: (),
}


def _check_parts(row: Row, indicator: Indicator, known: Mapping[str, Indicator]) -> None:
    needed = _PARTS[indicator.aggregation]
    for column in ("weight", "numerator", "denominator"):
        code = row.maybe(column)
        if (code is not None) != (column in needed):
            verb = "needs a" if column in needed else "has no"
            row.refuse(f"aggregation {indicator.aggregation} {verb} {column}")
        row.refer(column, code, known)
        if code is not None and known[code].frequency is not indicator.frequency:
            row.refuse(f"{column} '{code}' is published by another frequency")
