"""Devices: what the stream has seen, beside what operators declared."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.devices import DeclarationStore, DeviceId
from industrial_brain.domain.errors import PageTokenError, PermissionDeniedError, UnknownIdError
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Declaration
from serving.pages import whole_number
from serving.schemas_devices import DeviceInFull, DeviceOut, DevicesQuery, MetricOut
from streaming.census import matching
from streaming.runtime import Telemetry

#: declared devices that are read at a time
_CHUNK = 1_000


class DeviceDesk:
    """Answers questions about devices.

    Args:
        follow: carries new declarations into the stream, at once.
    """

    def __init__(self, stream: Telemetry, declarations: DeclarationStore, follow: Callable[[], None]) -> None:
        self._stream, self._declarations, self._follow = stream, declarations, follow

    def page(self, query: DevicesQuery, sites: Sequence[str] | None, after: str | None) -> Page[DeviceOut]:
        """Devices of these sites: those that were seen, in order of first sight; or those that were declared, by site and id.

        Raises:
            PageTokenError: `after` was not given by this listing.
        """
        if query.declared or query.equipment is not None:
            return self._declared_page(query, sites, after)
        return self._seen_page(query, sites, after)

    def in_full(self, device: DeviceId) -> DeviceInFull:
        """One device. Raises UnknownIdError for one that was neither seen nor declared."""
        channels = self._stream.channels.of_device(device.site, device.device)
        said = self._declarations.of_device(device)
        if not channels and not said:
            raise UnknownIdError("There is no device of this id at this site.", "GET /v1/devices lists them.")
        of_metric = {one.metric: one for one in said if one.metric is not None}
        units = {channel.metric: channel.unit for channel in channels}
        names = sorted(units.keys() | of_metric.keys())
        metrics = [_metric(name, of_metric.get(name), units.get(name, "")) for name in names]
        (shown,) = self._shown([device], {device: said})
        return DeviceInFull(**shown.model_dump(), metrics=metrics)

    def declare(self, declaration: Declaration) -> DeviceInFull:
        """Keep what an operator says, put it into the stream, and show the device."""
        self._declarations.put([declaration])
        self._follow()
        return self.in_full(DeviceId(declaration.site, declaration.device))

    def _seen_page(self, query: DevicesQuery, sites: Sequence[str] | None, after: str | None) -> Page[DeviceOut]:
        index = self._stream.channels
        found = matching(
            index, self._stream.last_heard(), sites=sites, search=query.q, silent_since=_micros(query.silent_since)
        )
        rest = found if after is None else found[found > whole_number(after)]
        numbers = rest[: query.page_size].tolist()
        devices = [index.device_id(number) for number in numbers]
        more = str(numbers[-1]) if len(rest) > query.page_size else None
        return Page(tuple(self._shown(devices, self._declarations.of_devices(devices))), more, len(found))

    def _declared_page(self, query: DevicesQuery, sites: Sequence[str] | None, after: str | None) -> Page[DeviceOut]:
        begin = None if after is None else _device_of(after)
        silent_since = _micros(query.silent_since)
        devices: list[DeviceId] = []
        for site in [None] if sites is None else sorted(sites):
            devices += self._declared(site, query)
        if silent_since is not None:
            devices = [device for device in devices if (self._last(device) or 0) <= silent_since]
        rest = [device for device in devices if begin is None or device > begin]
        shown = rest[: query.page_size]
        more = json.dumps([shown[-1].site, shown[-1].device]) if len(rest) > query.page_size else None
        return Page(tuple(self._shown(shown, self._declarations.of_devices(shown))), more, len(devices))

    def _declared(self, site: str | None, query: DevicesQuery) -> Iterable[DeviceId]:
        after = None
        while True:
            page = self._declarations.list_devices(
                site=site, equipment=query.equipment, search=query.q, after=after, limit=_CHUNK
            )
            yield from page.items
            if page.next_after is None:
                return
            after = page.items[-1]

    def _last(self, device: DeviceId) -> int | None:
        """Microseconds of the newest reading of any metric."""
        channels = self._stream.channels.of_device(device.site, device.device)
        newest = [self._stream.newest(channel.key) for channel in channels]
        return max((found[0] for found in newest if found is not None), default=None)

    def _shown(self, devices: Sequence[DeviceId], said: dict[DeviceId, list[Declaration]]) -> list[DeviceOut]:
        shown = []
        for device in devices:
            own = next((one for one in said.get(device, []) if one.metric is None), None)
            last = self._last(device)
            shown.append(
                DeviceOut(
                    site=device.site,
                    device=device.device,
                    last=None if last is None else dt.datetime.fromtimestamp(last / MICROS_PER_SECOND, dt.UTC),
                    declared=bool(said.get(device)),
                    seconds=own.seconds if own else None,
                    equipment=own.equipment if own else None,
                    parent=own.parent if own else None,
                )
            )
        return shown


def require_operator(key: ApiKey) -> None:
    """Raises PermissionDeniedError for a key that may look at devices, and not declare them."""
    if key.role is Role.PLANNER:
        raise PermissionDeniedError(
            "A key of role planner may not declare devices.", "Use a key of role factory, scientist or admin."
        )


def _metric(name: str, said: Declaration | None, unit: str) -> MetricOut:
    if said is None:
        return MetricOut(
            metric=name,
            unit=unit or None,
            low=None,
            high=None,
            counter=False,
            wraps_at=None,
            seconds=None,
            watch=False,
        )
    return MetricOut(
        metric=name,
        unit=said.unit or unit or None,
        low=said.low,
        high=said.high,
        counter=said.counter,
        wraps_at=said.wraps_at,
        seconds=said.seconds,
        watch=said.watch,
    )


def _micros(moment: dt.datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * MICROS_PER_SECOND)


def _device_of(after: str) -> DeviceId:
    try:
        site, device = json.loads(after)
    except (ValueError, TypeError) as error:
        raise PageTokenError("The page token does not belong to this listing.", "Begin again without it.") from error
    return DeviceId(str(site), str(device))
