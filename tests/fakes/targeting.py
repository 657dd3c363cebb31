"""The chain and the leads in memory, which pass the same contract suite as the SQL adapters; and a small version of targets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Catalogue, Page
from industrial_brain.domain.targeting import ChainLink, Lead, LeadEvent, LeadStatus, require_same, require_step
from models.targeting.bundle import TargetBundle
from tests.cubes import random_cube
from training.targeting.work import Fitted, Piece, do, half, plan_draws, plan_windows


@cache
def small_targets(vintage: dt.datetime, horizon: int = 2) -> TargetBundle:
    """Twelve districts, eight clusters, seven years up to 2025; three resamples."""
    return _version(vintage, horizon, 7)


@cache
def few_years(vintage: dt.datetime, years: int) -> TargetBundle:
    """The same of one or two years up to 2025, which are too few to learn from."""
    return _version(vintage, 2, years)


def _version(vintage: dt.datetime, horizon: int, years: int) -> TargetBundle:
    cube = random_cube(regions=12, activities=8, years=years, first=2026 - years, seed=3, volatility=0.2)
    names = ("C01", "C04", *(f"C{number:02d}" for number in range(5, 11)))
    supplies = np.zeros((8, 8))
    supplies[0, 1], supplies[2, 0], supplies[1, 3] = 2.0, 1.0, 1.0
    regions = ("500103", *(f"5001{number:02d}" for number in range(4, 15)))
    cube = replace(cube, regions=regions, activities=names, supplies=supplies)
    whole = do(Piece(cube, horizon, 0))
    drawn = [do(piece) for piece in plan_draws(cube, horizon, 3, 0, ())]
    tried = [do(Piece(cube, horizon, 0, window=window)) for window in plan_windows(cube.years, horizon)]
    assert isinstance(whole, Fitted)
    return TargetBundle(
        vintage=vintage,
        cube=cube,
        indicator="output",
        unit="{CNY}",
        simulated=True,
        ranker=whole.ranker,
        above=whole.above,
        growth=whole.growth,
        draws_above=half(np.stack([one.above for one in drawn if isinstance(one, Fitted)])),
        draws_growth=half(np.stack([one.growth for one in drawn if isinstance(one, Fitted)])),
        jobs=np.linspace(1.0, 8.0, 8),
        energy=np.linspace(9.0, 2.0, 8),
        energy_unit="kW.h",
        notes=whole.ranker.notes,
        windows=tuple(one for one in tried if not isinstance(one, (Fitted, str))),
    )


class FakeChainStore:
    """`ChainStore` over a dictionary."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._links: dict[tuple[str, str], ChainLink] = {}

    def put_links(self, links: Sequence[ChainLink], *, replace: bool = False) -> None:
        known = {one.code for one in self._catalogue.list_clusters(limit=1000).items}
        for one in links:
            for code in (one.supplier, one.customer):
                if code not in known:
                    raise UnknownIdError(f"There is no cluster '{code}'.")
        if replace:
            self._links.clear()
        self._links |= {(one.supplier, one.customer): one for one in links}

    def links(self) -> list[ChainLink]:
        return [self._links[key] for key in sorted(self._links)]


class FakeLeadStore:
    """`LeadStore` over a dictionary."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], dt.datetime]) -> None:
        self._catalogue, self._clock = catalogue, clock
        self._leads: dict[str, Lead] = {}
        self._requests: dict[str, tuple[str, str]] = {}

    def propose(
        self, region: str, cluster: str, author: str, note: str = "", request: RepeatableRequest | None = None
    ) -> Lead:
        if request is not None and request.key in self._requests:
            digest, name = self._requests[request.key]
            require_same(request, digest)
            return self._leads[name]
        regions = {one.code for one in self._catalogue.list_regions(limit=1000).items}
        clusters = {one.code for one in self._catalogue.list_clusters(limit=1000).items}
        if region not in regions or cluster not in clusters:
            raise UnknownIdError(f"Nothing is called '{region}:{cluster}'.")
        event = LeadEvent(LeadStatus.PROPOSED, author, self._clock(), note)
        made = Lead(f"L{len(self._leads) + 1:06d}", region, cluster, (event,))
        self._leads[made.id] = made
        if request is not None:
            self._requests[request.key] = request.digest, made.id
        return made

    def advance(self, lead: str, status: LeadStatus, author: str, note: str = "") -> Lead:
        found = self.get(lead)
        require_step(found, status)
        self._leads[lead] = replace(found, history=(*found.history, LeadEvent(status, author, self._clock(), note)))
        return self._leads[lead]

    def get(self, lead: str) -> Lead:
        if lead not in self._leads:
            raise UnknownIdError(f"There is no lead '{lead}'.")
        return self._leads[lead]

    def list_leads(
        self,
        *,
        status: LeadStatus | None = None,
        region: str | None = None,
        cluster: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Lead]:
        found = [
            one
            for one in self._leads.values()
            if status in (None, one.status) and region in (None, one.region) and cluster in (None, one.cluster)
        ]
        left = [one for one in found if after is None or one.id > after]
        return Page(tuple(left[:limit]), left[limit - 1].id if len(left) > limit else None, len(found))
