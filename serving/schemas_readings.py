"""Shapes of stored readings."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from serving.schemas import In, Moment, MomentIn, Out

#: what names a device, a site or a metric
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
QualityOut = Literal["good", "uncertain", "bad"]


class Method(StrEnum):
    """How many points become few: LTTB keeps the shape, min-max keeps every extreme."""

    LTTB = "lttb"
    MINMAX = "minmax"


class OfDevice(In):
    site: Name | None = Field(
        default=None, description="The device's site; not needed where one site alone has a device of this id."
    )


class ReadingsQuery(OfDevice):
    metric: Name | None = Field(default=None, description="Not needed where the device has one metric.")
    start: MomentIn | None = Field(default=None, description="First moment; a day before `end`, unless given.")
    end: MomentIn | None = Field(default=None, description="Moment behind the last; now, unless given.")
    points: int = Field(default=1000, ge=2, le=10_000, description="Most points of the answer.")
    method: Method = Field(default=Method.LTTB, description="How points are chosen where there are more.")


class ReadingOut(Out):
    ts: Moment
    value: float
    quality: QualityOut
    received_at: Moment


class ReadingsOut(Out):
    site: str
    device: str
    metric: str
    unit: str = Field(description="UCUM; empty where the device never named one.")
    start: Moment
    end: Moment
    stored: int = Field(description="Readings stored in the range; each moment counts once.")
    method: Method | None = Field(description="How the points were chosen; null: they are all that is stored.")
    items: list[ReadingOut] = Field(description="By event time; of each moment the value that was received last.")


class LatestOut(Out):
    metric: str
    unit: str
    ts: Moment
    value: float
    quality: QualityOut


class LatestPage(Out):
    site: str
    device: str
    items: list[LatestOut] = Field(description="The newest reading of each metric, by event time.")
