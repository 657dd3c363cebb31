"""The city's places and definitions in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from industrial_brain.domain.city import Cluster, ClusterClass, Enterprise, Region, Sector, Site, SiteKind, Tier
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.indicators import Aggregation, Indicator, SeriesInfo, read_covariates, write_covariates
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Page
from industrial_brain.storage import tables
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.statements import batches, contains, upsert


class SqlCatalogue:
    """`Catalogue` on SQLite or PostgreSQL. Every `put_` is one transaction; putting the same again changes nothing.

    Raises:
        UnknownIdError: a row refers to a region, cluster, indicator, enterprise or site that does not exist.
        NotInitialisedError, UnavailableError: as `storage.database` says.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put_regions(self, regions: Iterable[Region]) -> None:
        self._put(_REGION, regions)

    def put_clusters(self, clusters: Iterable[Cluster]) -> None:
        self._put(_CLUSTER, clusters)

    def put_indicators(self, indicators: Iterable[Indicator]) -> None:
        self._put(_INDICATOR, indicators)

    def put_enterprises(self, enterprises: Iterable[Enterprise]) -> None:
        self._put(_ENTERPRISE, enterprises)

    def put_sites(self, sites: Iterable[Site]) -> None:
        self._put(_SITE, sites)

    def put_series(self, series: Iterable[SeriesInfo]) -> None:
        """Besides: a series keeps its frequency (InputError), because its stored periods are counted in it."""
        given = {one.id: one for one in series}
        with _references_checked(), writing(self._engine) as connection:  # references are checked at the commit
            stored = _series(connection, list(given))
            for one in given.values():
                before = stored.get(one.id)
                if before and before.frequency is not one.frequency:
                    raise InputError(
                        f"Series '{one.id}' has a value a {before.frequency.noun} "
                        f"and can't get one a {one.frequency.noun}.",
                        "Give the other frequency another id.",
                    )
            upsert(connection, tables.series, [_SERIES.row(one) for one in given.values()], "id")

    def put_nowcasts(self, nowcasts: Iterable[NowcastTarget]) -> None:
        with writing(self._engine) as connection:
            upsert(connection, tables.nowcast, [_nowcast_row(one) for one in nowcasts], "series")

    def list_regions(
        self,
        *,
        tier: Tier | None = None,
        parent: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Region]:
        found = _equal(tables.region, tier=tier, parent=parent) + _searched(tables.region, search)
        return self._page(_REGION, found, after, limit)

    def list_clusters(
        self,
        *,
        cluster_class: ClusterClass | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Cluster]:
        found = _equal(tables.cluster, cluster_class=cluster_class) + _searched(tables.cluster, search)
        return self._page(_CLUSTER, found, after, limit)

    def list_series(
        self,
        *,
        indicator: str | None = None,
        region: str | None = None,
        tier: Tier | None = None,
        cluster: str | None = None,
        sector: Sector | None = None,
        frequency: Frequency | None = None,
        simulated: bool | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[SeriesInfo]:
        """`search` looks at the series' own id and name, and at the names of its indicator, region and cluster."""
        table = tables.series
        found = _equal(
            table,
            indicator=indicator,
            region=region,
            tier=tier,
            cluster=cluster,
            sector=sector,
            frequency=frequency,
            simulated=simulated,
        )
        if search is not None:
            own = contains(table.c.search, search)
            parts = [
                table.c[part.name].in_(sa.select(part.c.code).where(contains(part.c.search, search)))
                for part in (tables.indicator, tables.region, tables.cluster)
            ]
            found.append(sa.or_(own, *parts))
        return self._page(_SERIES, found, after, limit)

    def series_like(self, series: SeriesInfo, limit: int) -> list[str]:
        table = tables.series
        alike = [table.c[fact].is_not_distinct_from(getattr(series, fact)) for fact in ("sector", "tier", "frequency")]
        found = sa.select(table.c.id).where(*alike, table.c.simulated == series.simulated)
        with reading(self._engine) as connection:
            return list(connection.scalars(found.order_by(table.c.id).limit(limit)))

    def indicators(self) -> dict[str, Indicator]:
        return self._all(_INDICATOR)

    def enterprises(self) -> dict[str, Enterprise]:
        return self._all(_ENTERPRISE)

    def sites(self) -> dict[str, Site]:
        return self._all(_SITE)

    def nowcasts(self) -> dict[str, NowcastTarget]:
        table = tables.nowcast
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.series))
            return {row.series: _nowcast_of(row) for row in rows}

    def series(self, ids: Sequence[str] | None = None) -> dict[str, SeriesInfo]:
        with reading(self._engine) as connection:
            return _series(connection, ids)

    def counts(self) -> dict[str, int]:
        kinds = {
            "regions": tables.region,
            "clusters": tables.cluster,
            "indicators": tables.indicator,
            "series": tables.series,
            "enterprises": tables.enterprise,
            "sites": tables.site,
            "observations": tables.observation,
        }
        with reading(self._engine) as connection:
            return {
                name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for name, table in kinds.items()
            }

    def _put(self, kind: _Kind[T], records: Iterable[T]) -> None:
        with _references_checked(), writing(self._engine) as connection:  # references are checked at the commit
            upsert(connection, kind.table, [kind.row(one) for one in records], kind.key)

    def _all(self, kind: _Kind[T]) -> dict[str, T]:
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(*kind.columns).order_by(kind.table.c[kind.key]))
            return {getattr(row, kind.key): kind.record_of(row) for row in rows}

    def _page(self, kind: _Kind[T], found: list[sa.ColumnElement[bool]], after: str | None, limit: int) -> Page[T]:
        key = kind.table.c[kind.key]
        with reading(self._engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(kind.table).where(*found)) or 0
            behind = [key > after] if after is not None else []
            page = sa.select(*kind.columns).where(*found, *behind).order_by(key).limit(limit + 1)
            rows = connection.execute(page).all()
        items = tuple(kind.record_of(row) for row in rows[:limit])
        return Page(items, getattr(rows[limit - 1], kind.key) if len(rows) > limit else None, total)


class _Record(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Record)


@dataclass(frozen=True)
class _Kind(Generic[T]):
    """How one domain type lies in its table: fields and columns share their names.

    Attributes:
        enums: the fields that are kept as an enum's value.
        texts: the fields that `search` looks at; none where the kind is never searched.
        written: the fields that are kept as a text, with its writer and its reader.
    """

    record: type[T]
    table: sa.Table
    key: str
    enums: Mapping[str, type[StrEnum]]
    texts: tuple[str, ...] = ()
    written: Mapping[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = field(default_factory=dict)

    @cached_property
    def _enum_places(self) -> list[tuple[int, type[StrEnum]]]:
        names = [one.name for one in fields(self.record)]
        return [(names.index(name), enum) for name, enum in self.enums.items()]

    @cached_property
    def _written_places(self) -> list[tuple[int, Callable[[str], Any]]]:
        names = [one.name for one in fields(self.record)]
        return [(names.index(name), read) for name, (_, read) in self.written.items()]

    @property
    def columns(self) -> list[sa.ColumnElement[Any]]:
        return [self.table.c[one.name] for one in fields(self.record)]

    def row(self, record: T) -> dict[str, Any]:
        row = {one.name: getattr(record, one.name) for one in fields(record)}
        row |= {name: row[name].value for name in self.enums if row[name] is not None}
        row |= {name: write(row[name]) for name, (write, _) in self.written.items()}
        if self.texts:
            row["search"] = "\n".join(row[name] for name in self.texts).casefold()
        return row

    def record_of(self, row: sa.Row[Any]) -> T:
        facts = list(row)  # `columns` stand in the order of the record's fields
        for place, enum in self._enum_places:
            if facts[place] is not None:
                facts[place] = enum(facts[place])
        for place, read in self._written_places:
            facts[place] = read(facts[place])
        return self.record(*facts)


_NAMES = ("code", "name", "name_en")
_REGION = _Kind(Region, tables.region, "code", {"tier": Tier}, _NAMES)
_CLUSTER = _Kind(Cluster, tables.cluster, "code", {"cluster_class": ClusterClass}, _NAMES)
_INDICATOR = _Kind(
    Indicator,
    tables.indicator,
    "code",
    {"frequency": Frequency, "sector": Sector, "aggregation": Aggregation},
    _NAMES,
    {"covariates": (write_covariates, read_covariates)},
)
_ENTERPRISE = _Kind(Enterprise, tables.enterprise, "id", {})
_SITE = _Kind(Site, tables.site, "id", {"kind": SiteKind})
_SERIES = _Kind(
    SeriesInfo,
    tables.series,
    "id",
    {"frequency": Frequency, "tier": Tier, "sector": Sector, "aggregation": Aggregation},
    ("id", "name"),
)

_DANGLING = (
    "A row refers to something that does not exist.",
    "Put regions, clusters and indicators first, then enterprises, then sites and series.",
)


def _series(connection: sa.Connection, ids: Sequence[str] | None) -> dict[str, SeriesInfo]:
    table = tables.series
    chosen = [table.c.id.in_(some) for some in batches(sorted(set(ids)))] if ids is not None else [sa.true()]
    return {
        row.id: _SERIES.record_of(row)
        for condition in chosen
        for row in connection.execute(sa.select(*_SERIES.columns).where(condition).order_by(table.c.id))
    }


def _nowcast_row(target: NowcastTarget) -> dict[str, Any]:
    return {
        "series": target.series,
        "indicators": list(target.indicators),
        "most_related": target.most_related,
        "transformations": {name: int(code) for name, code in target.transformations.items()},
        "blocks": {name: list(ids) for name, ids in target.blocks.items()},
        "factor_order": target.factor_order,
    }


def _nowcast_of(row: sa.Row[Any]) -> NowcastTarget:
    return NowcastTarget(
        series=row.series,
        indicators=tuple(row.indicators),
        most_related=row.most_related,
        transformations={name: Transformation(code) for name, code in row.transformations.items()},
        blocks={name: tuple(ids) for name, ids in row.blocks.items()},
        factor_order=row.factor_order,
    )


def _equal(table: sa.Table, **facts: str | bool | None) -> list[sa.ColumnElement[bool]]:
    return [
        table.c[name] == (fact.value if isinstance(fact, StrEnum) else fact)
        for name, fact in facts.items()
        if fact is not None
    ]


def _searched(table: sa.Table, search: str | None) -> list[sa.ColumnElement[bool]]:
    return [contains(table.c.search, search)] if search is not None else []


@contextmanager
def _references_checked() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise UnknownIdError(*_DANGLING) from error
