"""The ports: what the product needs from models, stores and the registry. Adapters are chosen in `composition.py`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.city import Cluster, ClusterClass, Enterprise, Region, Sector, Site, Tier
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.indicators import Indicator, SeriesInfo, Source
from industrial_brain.domain.nowcasts import NowcastTarget
from industrial_brain.domain.observations import Observation, ObservationBatch
from industrial_brain.domain.overrides import Override, OverrideState, RepeatableRequest
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.risks import Flags, RiskTable

T = TypeVar("T")

#: name of a covariate -> float64 values aligned with `Panel.values` (past) or of shape (n, horizon) (future)
Covariates = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Forecasts of `n` series over `horizon` periods: float64 arrays of shape (n, horizon), in the series' own unit.

    `scale` is the model's own standard deviation of the forecast error; calibration turns it into quantiles.
    """

    mean: Floats
    scale: Floats


class Forecaster(Protocol):
    """Fits many series at once. A fitted forecaster is immutable: each call returns a new one."""

    @property
    def name(self) -> str: ...

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        """Estimate parameters and states. The panel is left as it was; gaps (NaN) are the model's to treat."""
        ...

    def update(self, panel: Panel) -> Self:
        """States after this panel's last period, parameters unchanged. The panel holds the same series, in order."""
        ...

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        """The next `horizon` periods of every series."""
        ...


class RiskModel(Protocol):
    """Learns which cases come to harm. A fitted model is immutable; a high risk is bad."""

    def fit(self, table: RiskTable, harmed: Flags, seed: int = 0) -> Self:
        """Learn from cases whose end is known. The table is left as it was.

        Raises:
            InputError: the cases teach nothing, because all or none of them came to harm.
        """
        ...

    def predict(self, table: RiskTable) -> Floats:
        """(n,) probability that a case comes to harm, of cases with the columns that the model was fitted on.

        Raises:
            InputError: a column is missing, or is text where numbers were learnt from.
        """
        ...


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A stretch of a listing. `next_after` continues it, and is None on the last page. `total` counts all matches."""

    items: tuple[T, ...]
    next_after: str | None
    total: int


class Catalogue(Protocol):
    """The city's places and definitions. Listings are ordered by code (or id) and start after `after`."""

    def put_regions(self, regions: Iterable[Region]) -> None: ...
    def put_clusters(self, clusters: Iterable[Cluster]) -> None: ...
    def put_indicators(self, indicators: Iterable[Indicator]) -> None: ...
    def put_enterprises(self, enterprises: Iterable[Enterprise]) -> None: ...
    def put_sites(self, sites: Iterable[Site]) -> None: ...
    def put_series(self, series: Iterable[SeriesInfo]) -> None: ...
    def put_nowcasts(self, nowcasts: Iterable[NowcastTarget]) -> None: ...

    def list_regions(
        self,
        *,
        tier: Tier | None = None,
        parent: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Region]: ...
    def list_clusters(
        self,
        *,
        cluster_class: ClusterClass | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Cluster]: ...
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
    ) -> Page[SeriesInfo]: ...
    def series_like(self, series: SeriesInfo, limit: int) -> list[str]:
        """Ids of the first series of the same sector, tier and frequency that are simulated or real as this one is."""
        ...

    def indicators(self) -> dict[str, Indicator]:
        """All definitions by code."""
        ...

    def enterprises(self) -> dict[str, Enterprise]:
        """All enterprises by id."""
        ...

    def sites(self) -> dict[str, Site]:
        """All sites by id."""
        ...

    def nowcasts(self) -> dict[str, NowcastTarget]:
        """All declared nowcasts by the id of their series, in its order."""
        ...

    def series(self, ids: Sequence[str] | None = None) -> dict[str, SeriesInfo]:
        """The named series that exist (all, without names), by id."""
        ...

    def counts(self) -> dict[str, int]:
        """Rows of each kind: regions, clusters, indicators, series, enterprises, sites, observations."""
        ...


class ObservationStore(Protocol):
    """Bitemporal values. Every read says `as_of`: the newest value of each period known at that moment (inclusive)."""

    def append(self, batch: ObservationBatch, source: Source) -> npt.NDArray[np.int8]:
        """Store a batch in one transaction; one `Verdict` a row. Unknown series raise `UnknownIdError`."""
        ...

    def read_panels(self, as_of: dt.datetime, series: Sequence[str] | None = None) -> list[Panel]:
        """The named series (all, without names) that have a value: one panel a frequency, ids in order, gaps NaN."""
        ...

    def read_one(
        self, series: str, as_of: dt.datetime, *, after: int | None = None, limit: int | None = None
    ) -> list[Observation]:
        """One series, oldest period first, from the period behind ordinal `after` on."""
        ...

    def read_vintages(self, series: str, as_of: dt.datetime, *, since: int | None = None) -> list[Observation]:
        """Every value published of each period from ordinal `since` on, ordered by period, then by when it became known."""
        ...

    def revision(self) -> int:
        """A number that rises with every append that stores something, whenever that became known."""
        ...

    def changed_since(self, revision: int) -> list[str]:
        """Ids of the series that have got values since then, in order."""
        ...

    def newest_knowledge(self) -> dt.datetime | None:
        """When the newest stored value became known; None in an empty store."""
        ...


class KeyStore(Protocol):
    """API keys. Only a secret's hash is stored."""

    def create(self, name: str, role: Role, sites: Sequence[str] = ()) -> tuple[ApiKey, str]:
        """A new key and its secret, which can't be read again."""
        ...

    def authenticate(self, secret: str) -> ApiKey | None:
        """The key that this secret opens, unless it is unknown or revoked."""
        ...

    def list_keys(self) -> list[ApiKey]: ...

    def revoke(self, key_id: str) -> ApiKey:
        """End a key. Unknown ids raise `UnknownIdError`; a revoked key stays as it was."""
        ...


class OverrideStore(Protocol):
    """Planners' overrides, bitemporal: every read says `as_of`, and sees those that had been made by then, as they stood."""

    def add(self, override: Override, request: RepeatableRequest | None = None) -> Override:
        """Keep an override; a request that came before gets what it got then.

        Raises:
            UnknownIdError: there is no such series.
            StateError: another override in force holds the series in one of the periods.
            InputError: the request's key came with another digest.
        """
        ...

    def repeated(self, request: RepeatableRequest, as_of: dt.datetime) -> Override | None:
        """What a request got that came before; None for a new one. Raises InputError as `add` does."""
        ...

    def withdraw(self, override_id: str, by: str, at: dt.datetime) -> Override:
        """Take an override back. Unknown ids raise `UnknownIdError`; a withdrawn one stays as it was."""
        ...

    def get(self, override_id: str, as_of: dt.datetime) -> Override:
        """One override. Ids that are unknown, or were then, raise `UnknownIdError`."""
        ...

    def in_force(self, as_of: dt.datetime) -> list[Override]:
        """Those that forecasts followed at that moment, oldest first."""
        ...

    def list_overrides(
        self,
        as_of: dt.datetime,
        *,
        series: str | None = None,
        author: str | None = None,
        state: OverrideState | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Override]:
        """Newest first."""
        ...


class Registry(Protocol):
    """Versions of one task's bundle. A version is a folder of arrays and text files."""

    def save(
        self,
        bundle: Path,
        *,
        vintage: dt.datetime,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Mapping[str, str],
        status: str = "candidate",
    ) -> ModelVersion:
        """Register the folder as a new version. `artifacts` are further text files for the run's page."""
        ...

    def load(self, version: int) -> Path:
        """A local folder with the version's bundle, read-only by convention."""
        ...

    def set_challenger(self, version: int) -> None: ...

    def promote(self, version: int) -> None:
        """Make a version champion; the champion of until now becomes `previous`."""
        ...

    def rollback(self) -> ModelVersion:
        """Make `previous` champion again and mark the withdrawn one."""
        ...

    def current(self, alias: str = "champion") -> ModelVersion | None: ...

    def history(self) -> list[ModelVersion]:
        """All versions, newest first."""
        ...


class Progress(Protocol):
    """How long work tells that it lives: `done` of `total` units so far (`total` is None when it can't be known)."""

    def __call__(self, done: int, total: int | None) -> None: ...


def no_progress(done: int, total: int | None) -> None:
    """A `Progress` for callers who don't watch."""
