"""What was stored of a device: found by its name, its readings thinned out for a picture."""

from __future__ import annotations

import datetime as dt

from features.downsampling import extremes, largest_triangles
from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.errors import InputError, PermissionDeniedError, UnknownIdError
from industrial_brain.domain.telemetry import ChannelName, Quality
from serving.deps import Services
from serving.schemas_readings import LatestOut, LatestPage, Method, QualityOut, ReadingOut, ReadingsOut, ReadingsQuery

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_WORDS: dict[int, QualityOut] = {Quality.GOOD: "good", Quality.UNCERTAIN: "uncertain", Quality.BAD: "bad"}


def readings(services: Services, key: ApiKey, device: str, query: ReadingsQuery) -> ReadingsOut:
    """Readings of one metric of a device.

    Raises:
        UnknownIdError: the key's sites have no such device, or it has no such metric.
        PermissionDeniedError: the key is not of that site.
        InputError: several sites have such a device, or it has several metrics; or the range is none.
    """
    channel = _metric(find_device(services, key, query.site, device), query.metric)
    end = query.end or services.clock()
    start = query.start or end - dt.timedelta(days=1)
    if start >= end:
        raise InputError("The range ends before it begins.", "Give a `start` before `end`.")
    rows = services.telemetry.readings(channel.key, _micros(start), _micros(end))
    stored = len(rows)
    if stored > query.points:
        choose = largest_triangles if query.method is Method.LTTB else extremes
        rows = rows.take(choose(rows.ts, rows.value, query.points))
    items = [
        ReadingOut(ts=_moment(ts), value=value, quality=_WORDS[quality], received_at=_moment(received))
        for ts, value, quality, received in zip(
            rows.ts.tolist(), rows.value.tolist(), rows.quality.tolist(), rows.received_at.tolist(), strict=True
        )
    ]
    return ReadingsOut(
        site=channel.site,
        device=channel.device,
        metric=channel.metric,
        unit=channel.unit,
        start=start,
        end=end,
        stored=stored,
        method=query.method if stored > len(items) else None,
        items=items,
    )


def latest(services: Services, key: ApiKey, device: str, site: str | None) -> LatestPage:
    """The newest reading of each metric of a device, by event time. Raises as `readings`."""
    channels = find_device(services, key, site, device)
    items = []
    for channel in channels:
        newest = services.telemetry.newest(channel.key)
        if newest is not None:
            ts, value, quality = newest
            items.append(
                LatestOut(
                    metric=channel.metric,
                    unit=channel.unit,
                    ts=_moment(ts),
                    value=value,
                    quality=_WORDS[quality],
                )
            )
    return LatestPage(site=channels[0].site, device=device, items=items)


def find_device(services: Services, key: ApiKey, site: str | None, device: str) -> list[ChannelName]:
    """The channels of a device that a key may see; at least one. Raises as `readings`."""
    own = key.sites if key.role is Role.FACTORY else None
    if site is not None and own is not None and site not in own:
        raise PermissionDeniedError(f"The key does not speak for the site '{site}'.", "Ask for a key of that site.")
    channels = services.telemetry.channels
    sites = [site] if site is not None else list(own if own is not None else channels.sites())
    found = {name: those for name in sites if (those := channels.of_device(name, device))}
    if not found:
        raise UnknownIdError(f"No reading ever came from a device '{device}'.", "Check its id, and its site.")
    if len(found) > 1:
        raise InputError(
            f"{len(found)} sites have a device '{device}': {', '.join(sorted(found)[:5])}.", "Name one as `site`."
        )
    return next(iter(found.values()))


def _metric(channels: list[ChannelName], metric: str | None) -> ChannelName:
    names = [channel.metric for channel in channels]
    if metric is None and len(channels) > 1:
        raise InputError(f"The device has {len(names)} metrics: {', '.join(names[:10])}.", "Name one as `metric`.")
    for channel in channels:
        if metric in (None, channel.metric):
            return channel
    raise UnknownIdError(f"The device has no metric '{metric}'.", f"It has: {', '.join(names[:10])}.")


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> dt.datetime:
    return _EPOCH + micros * _MICROSECOND
