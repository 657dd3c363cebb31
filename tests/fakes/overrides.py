"""`OverrideStore` in memory, over a fake observation store."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.overrides import Override, OverrideState, RepeatableRequest
from industrial_brain.domain.protocols import Page
from tests.fakes.stores import FakeCatalogue, FakeObservationStore


class FakeOverrideStore:
    """Passes the same contract suite as the SQL adapter."""

    def __init__(self, catalogue: FakeCatalogue, observations: FakeObservationStore) -> None:
        self._catalogue = catalogue
        self._observations = observations
        self._kept: dict[str, Override] = {}
        self._requests: dict[str, tuple[str, str]] = {}

    def add(self, override: Override, request: RepeatableRequest | None = None) -> Override:
        before = None if request is None else self.repeated(request, override.created_at)
        if before is not None:
            return before
        if override.series not in self._catalogue.series([override.series]):
            raise UnknownIdError(f"There is no series '{override.series}'.")
        overlapping = [
            one.id
            for one in self._kept.values()
            if one.series == override.series
            and one.withdrawn_at is None
            and one.expires_at > override.created_at
            and one.start <= override.last
            and one.last >= override.start
        ]
        if overlapping:
            raise StateError(f"{' and '.join(overlapping)} already hold {override.series} in some of these periods.")
        self._kept[override.id] = override
        if request is not None:
            self._requests[request.key] = (request.digest, override.id)
        return override

    def repeated(self, request: RepeatableRequest, as_of: dt.datetime) -> Override | None:
        if request.key not in self._requests:
            return None
        digest, known = self._requests[request.key]
        if digest != request.digest:
            raise InputError("The Idempotency-Key was used for another request.")
        return self.get(known, as_of)

    def withdraw(self, override_id: str, by: str, at: dt.datetime) -> Override:
        found = self._kept.get(override_id)
        if found is None:
            raise UnknownIdError(f"There is no override '{override_id}'.")
        if found.withdrawn_at is None:
            self._kept[override_id] = replace(found, withdrawn_at=at, withdrawn_by=by)
        return self.get(override_id, at)

    def get(self, override_id: str, as_of: dt.datetime) -> Override:
        found = self._kept.get(override_id)
        if found is None or found.created_at > as_of:
            raise UnknownIdError(f"There is no override '{override_id}'.")
        return self._as_it_stood(found, as_of)

    def in_force(self, as_of: dt.datetime) -> list[Override]:
        known = [self._as_it_stood(one, as_of) for one in self._kept.values() if one.created_at <= as_of]
        return sorted((one for one in known if one.in_force(as_of)), key=lambda one: one.id)

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
        known = [self._as_it_stood(one, as_of) for one in self._kept.values() if one.created_at <= as_of]
        matching = [
            one
            for one in sorted(known, key=lambda one: one.id, reverse=True)
            if series in (None, one.series) and author in (None, one.author) and state in (None, one.state(as_of))
        ]
        left = [one for one in matching if after is None or one.id < after]
        items = tuple(left[:limit])
        return Page(items, items[-1].id if len(left) > limit else None, len(matching))

    def _as_it_stood(self, override: Override, as_of: dt.datetime) -> Override:
        vintages = self._observations.read_vintages(override.series, as_of, since=override.last)
        label = override.freq.label(override.last)
        first = min((one.known_at for one in vintages if one.period == label), default=None)
        if override.withdrawn_at is not None and override.withdrawn_at > as_of:
            override = replace(override, withdrawn_at=None, withdrawn_by=None)
        return replace(override, actual_at=first)
