"""The storage ports in memory. They pass the same contract suites as the SQL adapters (`tests/contract/`)."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.city import Cluster, ClusterClass, Enterprise, Region, Sector, Site, Tier
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.indicators import Indicator, SeriesInfo, Source
from industrial_brain.domain.nowcasts import NowcastTarget
from industrial_brain.domain.observations import Observation, ObservationBatch, Verdict
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Page

T = TypeVar("T")


class FakeCatalogue:
    """`Catalogue` over dictionaries."""

    def __init__(self) -> None:
        self._regions: dict[str, Region] = {}
        self._clusters: dict[str, Cluster] = {}
        self._indicators: dict[str, Indicator] = {}
        self._enterprises: dict[str, Enterprise] = {}
        self._sites: dict[str, Site] = {}
        self._series: dict[str, SeriesInfo] = {}
        self._nowcasts: dict[str, NowcastTarget] = {}
        self.observations = 0  # kept by FakeObservationStore

    def put_regions(self, regions: Iterable[Region]) -> None:
        added = {one.code: one for one in regions}
        _require(self._regions | added, (one.parent for one in added.values()))
        self._regions |= added

    def put_clusters(self, clusters: Iterable[Cluster]) -> None:
        self._clusters |= {one.code: one for one in clusters}

    def put_indicators(self, indicators: Iterable[Indicator]) -> None:
        added = {one.code: one for one in indicators}
        known = self._indicators | added
        _require(known, (code for one in added.values() for code in (one.weight, one.numerator, one.denominator)))
        self._indicators = known

    def put_enterprises(self, enterprises: Iterable[Enterprise]) -> None:
        added = {one.id: one for one in enterprises}
        _require(self._regions, (one.region for one in added.values()))
        _require(self._clusters, (one.cluster for one in added.values()))
        self._enterprises |= added

    def put_sites(self, sites: Iterable[Site]) -> None:
        added = {one.id: one for one in sites}
        _require(self._regions, (one.region for one in added.values()))
        _require(self._enterprises, (one.enterprise for one in added.values()))
        _require(self._sites | added, (one.parent for one in added.values()))
        self._sites |= added

    def put_series(self, series: Iterable[SeriesInfo]) -> None:
        added = {one.id: one for one in series}
        _require(self._indicators, (one.indicator for one in added.values()))
        _require(self._regions, (one.region for one in added.values()))
        _require(self._clusters, (one.cluster for one in added.values()))
        for one in added.values():
            if one.id in self._series and self._series[one.id].frequency != one.frequency:
                raise InputError(f"The frequency of series '{one.id}' can't change.")
        self._series |= added

    def put_nowcasts(self, nowcasts: Iterable[NowcastTarget]) -> None:
        self._nowcasts |= {one.series: one for one in nowcasts}

    def nowcasts(self) -> dict[str, NowcastTarget]:
        return dict(sorted(self._nowcasts.items()))

    def list_regions(
        self,
        *,
        tier: Tier | None = None,
        parent: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Region]:
        found = {
            code: one
            for code, one in self._regions.items()
            if tier in (None, one.tier) and parent in (None, one.parent) and _matches(search, _named(one))
        }
        return _page(found, after, limit)

    def list_clusters(
        self,
        *,
        cluster_class: ClusterClass | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Cluster]:
        found = {
            code: one
            for code, one in self._clusters.items()
            if cluster_class in (None, one.cluster_class) and _matches(search, _named(one))
        }
        return _page(found, after, limit)

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
        wanted = {
            "indicator": indicator,
            "region": region,
            "tier": tier,
            "cluster": cluster,
            "sector": sector,
            "frequency": frequency,
            "simulated": simulated,
        }
        found = {
            name: one
            for name, one in self._series.items()
            if all(value is None or getattr(one, fact) == value for fact, value in wanted.items())
            and _matches(search, self._texts(one))
        }
        return _page(found, after, limit)

    def series_like(self, series: SeriesInfo, limit: int) -> list[str]:
        facts = ("sector", "tier", "frequency", "simulated")
        alike = [
            name for name, one in self._series.items() if all(getattr(one, f) == getattr(series, f) for f in facts)
        ]
        return sorted(alike)[:limit]

    def indicators(self) -> dict[str, Indicator]:
        return dict(sorted(self._indicators.items()))

    def enterprises(self) -> dict[str, Enterprise]:
        return dict(sorted(self._enterprises.items()))

    def sites(self) -> dict[str, Site]:
        return dict(sorted(self._sites.items()))

    def series(self, ids: Sequence[str] | None = None) -> dict[str, SeriesInfo]:
        names = sorted(self._series) if ids is None else sorted(set(ids) & set(self._series))
        return {name: self._series[name] for name in names}

    def counts(self) -> dict[str, int]:
        return {
            "regions": len(self._regions),
            "clusters": len(self._clusters),
            "indicators": len(self._indicators),
            "series": len(self._series),
            "enterprises": len(self._enterprises),
            "sites": len(self._sites),
            "observations": self.observations,
        }

    def _texts(self, series: SeriesInfo) -> list[str]:
        texts = [series.id, series.name]
        parts = (
            self._indicators.get(series.indicator or ""),
            self._regions.get(series.region or ""),
            self._clusters.get(series.cluster or ""),
        )
        return texts + [text for part in parts if part for text in _named(part)]


class FakeObservationStore:
    """`ObservationStore` over dictionaries: series to period to moment (microseconds) to value and source."""

    def __init__(self, catalogue: FakeCatalogue) -> None:
        self._catalogue = catalogue
        self._rows: dict[str, dict[int, dict[int, tuple[float, Source]]]] = {}
        self._revisions: dict[str, int] = {}

    def append(self, batch: ObservationBatch, source: Source) -> npt.NDArray[np.int8]:
        known = self._catalogue.series(list(batch.series))
        unknown = next((name for name in batch.series if name not in known), None)
        if unknown is not None:
            raise UnknownIdError(f"No series is called '{unknown}'.")
        if not np.isfinite(batch.values).all():
            raise InputError("An observation is not a finite number.")
        verdicts = np.zeros(len(batch), dtype=np.int8)
        moments = batch.known_at.astype("datetime64[us]").astype(np.int64)
        following = self.revision() + 1
        claims: dict[tuple[str, int, int], float] = {}  # the first value that the batch gives for a cell and a moment
        for row in np.argsort(moments, kind="stable"):
            name, period, moment = str(batch.series[row]), int(batch.periods[row]), int(moments[row])
            value, key = float(batch.values[row]), (name, period, moment)
            before = self._history(name, period, moment)
            stored = self._rows.get(name, {}).get(period, {}).get(moment)
            claim = stored[0] if stored else claims.get(key)
            if claim is not None:
                verdict = Verdict.DUPLICATE if claim == value else Verdict.CONFLICT
            elif not before:
                verdict = Verdict.ACCEPTED
            else:
                verdict = Verdict.DUPLICATE if before[-1][1] == value else Verdict.REVISED
            claims.setdefault(key, value)
            if verdict in (Verdict.ACCEPTED, Verdict.REVISED):
                self._rows.setdefault(name, {}).setdefault(period, {})[moment] = (value, source)
                self._catalogue.observations += 1
                self._revisions[name] = following
            verdicts[row] = verdict
        return verdicts

    def read_panels(self, as_of: dt.datetime, series: Sequence[str] | None = None) -> list[Panel]:
        known = self._catalogue.series()
        _require(known, series or ())
        names = sorted(known) if series is None else sorted(set(series))
        cells: dict[str, dict[int, float]] = {}
        for name in names:
            visible = {period: self._history(name, period, _micros(as_of)) for period in self._rows.get(name, {})}
            cells[name] = {period: history[-1][1] for period, history in visible.items() if history}
        panels = []
        for frequency in Frequency:
            ids = [name for name in names if cells[name] and known[name].frequency is frequency]
            if ids:
                rows = [
                    [cells[name].get(period, np.nan) for period in range(min(cells[name]), max(cells[name]) + 1)]
                    for name in ids
                ]
                panels.append(Panel.of(rows, freq=frequency, ids=ids, start=[min(cells[name]) for name in ids]))
        return panels

    def read_one(
        self, series: str, as_of: dt.datetime, *, after: int | None = None, limit: int | None = None
    ) -> list[Observation]:
        info = self._catalogue.series([series])
        _require(info, [series])
        found = []
        for period in sorted(self._rows.get(series, {})):
            history = self._history(series, period, _micros(as_of))
            if history and (after is None or period > after):
                moment, value = history[-1]
                source = self._rows[series][period][moment][1]
                found.append(
                    Observation(
                        period=info[series].frequency.label(period),
                        value=value,
                        known_at=_EPOCH + dt.timedelta(microseconds=moment),
                        source=source.name,
                        simulated=source.simulated,
                        revised=any(older != value for _, older in history),
                    )
                )
        return found[:limit]

    def read_vintages(self, series: str, as_of: dt.datetime, *, since: int | None = None) -> list[Observation]:
        info = self._catalogue.series([series])
        _require(info, [series])
        return [
            Observation(
                period=info[series].frequency.label(period),
                value=value,
                known_at=_EPOCH + dt.timedelta(microseconds=moment),
                source=self._rows[series][period][moment][1].name,
                simulated=self._rows[series][period][moment][1].simulated,
                revised=place > 0,
            )
            for period in sorted(self._rows.get(series, {}))
            if since is None or period >= since
            for place, (moment, value) in enumerate(self._history(series, period, _micros(as_of)))
        ]

    def revision(self) -> int:
        return max(self._revisions.values(), default=0)

    def changed_since(self, revision: int) -> list[str]:
        return sorted(name for name, changed in self._revisions.items() if changed > revision)

    def newest_knowledge(self) -> dt.datetime | None:
        moments = [moment for cells in self._rows.values() for vintages in cells.values() for moment in vintages]
        newest = max(moments, default=None)
        return None if newest is None else _EPOCH + dt.timedelta(microseconds=newest)

    def _history(self, series: str, period: int, until: int) -> list[tuple[int, float]]:
        """Vintages of one period, oldest first: (known_at, value)."""
        vintages = self._rows.get(series, {}).get(period, {})
        return sorted((moment, value) for moment, (value, _) in vintages.items() if moment <= until)


class FakeKeyStore:
    """`KeyStore` that remembers its secrets."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._secrets: dict[str, str] = {}

    def create(self, name: str, role: Role, sites: Sequence[str] = ()) -> tuple[ApiKey, str]:
        secret = f"ib_{secrets.token_urlsafe(32)}"
        key = ApiKey(id=secrets.token_hex(4), name=name, role=role, sites=tuple(sites), created_at=self._clock())
        self._keys[key.id] = key
        self._secrets[secret] = key.id
        return key, secret

    def authenticate(self, secret: str) -> ApiKey | None:
        key = self._keys.get(self._secrets.get(secret, ""))
        return key if key and key.revoked_at is None else None

    def list_keys(self) -> list[ApiKey]:
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str) -> ApiKey:
        _require(self._keys, [key_id])
        key = self._keys[key_id]
        self._keys[key_id] = key if key.revoked_at else replace(key, revoked_at=self._clock())
        return self._keys[key_id]


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _micros(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // dt.timedelta(microseconds=1)


def _require(known: Mapping[str, object], ids: Iterable[str | None]) -> None:
    for one in ids:
        if one is not None and one not in known:
            raise UnknownIdError(f"Nothing is called '{one}'.")


def _named(one: Region | Cluster | Indicator) -> list[str]:
    return [one.code, one.name, one.name_en]


def _matches(search: str | None, texts: Iterable[str]) -> bool:
    return search is None or any(search.casefold() in text.casefold() for text in texts)


def _page(found: Mapping[str, T], after: str | None, limit: int) -> Page[T]:
    keys = [key for key in sorted(found) if after is None or key > after]
    shown = keys[:limit]
    more = len(keys) > limit
    return Page(items=tuple(found[key] for key in shown), next_after=shown[-1] if more else None, total=len(found))
