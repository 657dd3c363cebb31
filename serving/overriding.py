"""Making overrides and telling their value: gather the facts, decide by the domain's rules, store. For both doors."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from industrial_brain.domain.errors import StateError
from industrial_brain.domain.forecasts import Failed, ModelVersion
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.overrides import Override, RepeatableRequest
from industrial_brain.domain.overriding import (
    KEPT_LEVEL,
    OverrideRequest,
    decide_override,
    new_override_id,
)
from industrial_brain.domain.protocols import Catalogue, ObservationStore, OverrideStore
from industrial_brain.domain.value_added import Actual, Score, ValueAdded, direction, score, summarise, value_added
from serving.live import ForecastModel

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ValueReport:
    """What overrides were worth, over all and by group."""

    as_of: dt.datetime
    actual: Actual
    all: ValueAdded
    by_author: list[ValueAdded]
    by_sector: list[ValueAdded]
    by_direction: list[ValueAdded]


def place_override(
    asked: OverrideRequest,
    info: SeriesInfo,
    model: ForecastModel,
    version: ModelVersion,
    *,
    observations: ObservationStore,
    overrides: OverrideStore,
    author: str,
    now: dt.datetime,
    request: RepeatableRequest | None = None,
) -> Override:
    """Make an override of what this version forecasts, and keep it.

    Raises:
        InputError: a field makes no sense; with a pointer.
        StateError: the version can't forecast the series; another override holds it already; or overrides of its parts and
            wholes leave no room for it.
    """
    before = None if request is None else overrides.repeated(request, now)
    if before is not None:
        return before
    (statistical,) = model.forecast([info.id], info.frequency.longest_horizon, [KEPT_LEVEL])
    if isinstance(statistical, Failed):
        raise StateError(
            f"There is no forecast of {info.id} to override: {statistical.reason}", "Train a new version first."
        )
    published = {
        info.frequency.ordinal_of_label(one.period)
        for one in observations.read_vintages(info.id, now, since=asked.start)
    }
    made = decide_override(
        asked,
        statistical,
        info,
        version=version.version,
        published=published,
        author=author,
        override_id=new_override_id(now, secrets.token_hex(2)),
        now=now,
    )
    against = model.contradicted(made, [one for one in overrides.in_force(now) if one.series != info.id])
    if against is not None:
        named = " and ".join(f"{one.id} ({one.series}, by {one.author})" for one in against)
        raise StateError(
            f"{info.id} can't have these values beside {named}: its parts and wholes would not add up."
            if against
            else f"{info.id} can't have these values: what it adds up with can't be below zero.",
            f"Withdraw {'it' if len(against) == 1 else 'one of them'}, or give other values." if against else "",
        )
    return overrides.add(made, request)


def scores_of(override: Override, observations: ObservationStore, as_of: dt.datetime) -> dict[Actual, Score]:
    """An override's scores on what was known at a moment, by the actual that is meant; none before the first actual."""
    vintages = observations.read_vintages(override.series, as_of, since=override.start)
    found = {actual: score(override, vintages, actual) for actual in Actual}
    return {actual: one for actual, one in found.items() if one is not None}


def report_value_added(
    overrides: OverrideStore,
    observations: ObservationStore,
    catalogue: Catalogue,
    *,
    actual: Actual,
    as_of: dt.datetime,
) -> ValueReport:
    """What all overrides that had been made by a moment were worth, on what was known then."""
    scores = []
    for one in _all(overrides, as_of):
        found = scores_of(one, observations, as_of).get(actual)
        if found is not None:
            scores.append(found)
    infos = catalogue.series(sorted({one.override.series for one in scores}))

    def sector(one: Score) -> str:
        info = infos.get(one.override.series)
        return info.sector.value if info is not None and info.sector is not None else "none"

    return ValueReport(
        as_of=as_of,
        actual=actual,
        all=summarise("all", scores),
        by_author=value_added(scores, lambda one: one.override.author),
        by_sector=value_added(scores, sector),
        by_direction=value_added(scores, lambda one: direction(one.override).value),
    )


def _all(overrides: OverrideStore, as_of: dt.datetime) -> Iterator[Override]:
    after: str | None = None
    while True:
        page = overrides.list_overrides(as_of, after=after, limit=_PAGE)
        yield from page.items
        after = page.next_after
        if after is None:
            return
