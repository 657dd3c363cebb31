"""What telemetry's addresses take and answer, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from serving.schemas import In, Out, Text

_Moment = Annotated[int | float | str, Field(description="RFC 3339 with a zone, or milliseconds since 1970.")]
_Value = Annotated[
    float | bool | str, Field(description="A number; true and false are 1 and 0; text must read as a number.")
]
_Quality = Literal["good", "uncertain", "bad"] | Annotated[int, Field(ge=0, le=2)]


class TelemetryQuery(In):
    site: Text | None = Field(
        default=None, description="The site that the devices belong to; a factory's key of one site may leave it out."
    )


class ReadingIn(In):
    """One reading of one device."""

    device: str = Field(min_length=1, description="Id of the device within its site, up to 255 bytes.")
    metric: str = Field(min_length=1, description="What was measured, up to 255 bytes.")
    ts: _Moment
    value: _Value
    unit: str | None = Field(default=None, max_length=64, description="UCUM.")
    quality: _Quality | None = None


class ReadingsIn(In):
    """Readings, row by row."""

    readings: list[ReadingIn]


class ColumnsIn(In):
    """Readings, column by column: arrays of one length; where a text stands instead, it is meant for every row."""

    device: str | list[str]
    metric: str | list[str]
    ts: list[_Moment]
    value: list[_Value]
    unit: str | list[str] | None = None
    quality: _Quality | list[_Quality | None] | None = None


class ItemErrorOut(Out):
    index: int = Field(description="Position of the item in the request, from 0.")
    code: str
    detail: str


class ReceiptOut(Out):
    accepted: int = Field(description="Durable now.")
    duplicate: int = Field(description="Equal to a reading that was accepted before; nothing changed.")
    late: int = Field(description="Of the accepted ones: older than the newest of their channel.")
    rejected: int
    errors: list[ItemErrorOut] = Field(description="Why items were rejected: the first 1,000 of them.")


class InfluxErrorOut(Out):
    """An error as InfluxDB v2 writes it."""

    code: str
    message: str
