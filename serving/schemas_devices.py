"""Devices, as the OpenAPI document shows them."""

from __future__ import annotations

from pydantic import Field

from serving.schemas import In, Moment, MomentIn, Out, PageOut, Paging, Text


class DevicesQuery(Paging):
    site: Text | None = None
    q: Text | None = Field(default=None, description="Part of an id, in any case.")
    equipment: Text | None = Field(default=None, description="Class of equipment; of declared devices alone.")
    silent_since: MomentIn | None = Field(default=None, description="Only devices without a newer reading.")
    declared: bool = Field(default=False, description="Declared devices, also those that never sent anything.")


class SiteQuery(In):
    site: Text | None = Field(
        default=None, description="The site of the device; a factory's key of one site may leave it out."
    )


class DeviceIn(In):
    """What an operator says of a device; it replaces what was said before."""

    seconds: float | None = Field(default=None, gt=0, description="Between two readings.")
    equipment: Text | None = Field(default=None, description="Class of equipment, such as pump.")
    parent: Text | None = Field(default=None, description="Device whose failure explains this one's silence.")


class MetricIn(In):
    """What an operator says of a metric of a device; it replaces what was said before."""

    unit: str | None = Field(default=None, min_length=1, max_length=64, description="UCUM.")
    low: float | None = Field(default=None, description="A reading below is an anomaly.")
    high: float | None = Field(default=None, description="A reading above is an anomaly.")
    counter: bool = Field(default=False, description="It only rises.")
    wraps_at: float | None = Field(
        default=None, gt=0, description="Where a counter begins again; null: it restarts at 0."
    )
    seconds: float | None = Field(default=None, gt=0, description="Between two readings.")
    watch: bool = Field(default=False, description="Look closer: a shape that it never made is an anomaly, too.")


class DeviceOut(Out):
    site: str
    device: str
    last: Moment | None = Field(description="Event time of its newest reading; null for one that never sent anything.")
    declared: bool
    seconds: float | None
    equipment: str | None
    parent: str | None


class DevicePage(PageOut[DeviceOut]):
    pass


class MetricOut(Out):
    metric: str
    unit: str | None
    low: float | None
    high: float | None
    counter: bool
    wraps_at: float | None
    seconds: float | None
    watch: bool


class DeviceInFull(DeviceOut):
    metrics: list[MetricOut] = Field(description="Those that it sent, and those that were declared, by name.")
