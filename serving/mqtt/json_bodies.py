"""JSON as devices publish it: objects of metrics, our rows and columns, and ThingsBoard's gateway telemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from industrial_brain.domain.telemetry import Quality
from serving.mqtt.decoded import ONLINE, Refusals, Rows, UndecodableError, moment_of, number_of

_QUALITIES: Mapping[object, int] = {
    "good": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN,
    "bad": Quality.BAD,
    None: Quality.GOOD,
    **{int(quality): int(quality) for quality in Quality},
}

#: names in an object of metrics that are no metrics
_TIME, _DEVICE = "ts", "device"

_ROW_FIELDS = frozenset({"device", "metric", "ts", "value", "unit", "quality"})

#: what is told of a message that names no time: when it arrived
Arrival = Callable[[], int]


def decode_own(payload: bytes, device: str, rows: Rows, refusals: Refusals, arrival: Arrival) -> None:
    """Add the readings of one device.

    An object is a row or columns if it has both `metric` and `value`; else each of its names is a metric, but for `ts`. A
    metric's value is a number, a boolean, an array beside an equally long array `ts`, or an object `{value, unit, quality}`.

    Raises:
        UndecodableError: nothing of it can be read.
    """
    body = _json(payload)
    for one in body if isinstance(body, list) else [body]:
        if not isinstance(one, dict):
            raise UndecodableError("wrong-shape", "A message is an object of metrics, or an array of such objects.")
        if one.get(_DEVICE, device) != device:
            raise UndecodableError("wrong-device", f"The topic is of device '{device}', the body is of another.")
        try:
            for metric, ts, value in _parts(one, arrival):
                _add(rows, refusals, device, metric, ts, value)
        except UndecodableError as error:
            if not isinstance(body, list):
                raise
            refusals.add(error.reason, error.detail)


def decode_gateway(payload: bytes, rows: Rows, refusals: Refusals, arrival: Arrival) -> None:
    """Add the readings of a ThingsBoard gateway's message: `{device: [{ts, values: {...}} or {...}, ...], ...}`.

    Raises:
        UndecodableError: nothing of it can be read.
    """
    body = _json(payload)
    if not isinstance(body, dict):
        raise UndecodableError("wrong-shape", "A gateway's message is an object: a list of values for each device.")
    for device, entries in body.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, dict):
                refusals.add("wrong-shape", f"An entry of device '{device}' is no object.")
                continue
            values = entry.get("values") if "ts" in entry and isinstance(entry.get("values"), dict) else entry
            try:
                ts = moment_of(entry["ts"]) if "ts" in entry else arrival()
            except UndecodableError as error:
                refusals.add(error.reason, error.detail)
                continue
            for metric, value in (values or {}).items():
                if metric != _TIME:
                    _add(rows, refusals, device, metric, ts, value)


def decode_gateway_presence(payload: bytes, online: bool, rows: Rows, arrival: Arrival) -> None:
    """Add whether a device is connected behind a ThingsBoard gateway: `{"device": NAME}`. Raises UndecodableError."""
    body = _json(payload)
    device = body.get("device") if isinstance(body, dict) else None
    if not isinstance(device, str) or not device:
        raise UndecodableError("wrong-shape", "A gateway tells of a device by an object with its name as `device`.")
    rows.add(device, ONLINE, arrival(), float(online), "1")


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError("not-json", f"The payload is not JSON: {error}.") from error


def _parts(one: dict[str, Any], arrival: Arrival) -> Iterator[tuple[str, int, Any]]:
    """Metric, event time and value of each reading of an object. A value may still be an object with unit and quality."""
    if "metric" in one and "value" in one:
        yield from _rows(one, arrival)
        return
    given = one.get(_TIME)
    times = [moment_of(at) for at in given] if isinstance(given, list) else None
    for metric, value in one.items():
        if metric in (_TIME, _DEVICE):
            continue
        if isinstance(value, list):
            if times is None or len(times) != len(value):
                raise UndecodableError(
                    "lengths-differ", f"'{metric}' is an array; `ts` must be one of the same length."
                )
            yield from ((metric, ts, element) for ts, element in zip(times, value, strict=True))
        elif times is not None:
            raise UndecodableError("lengths-differ", f"`ts` is an array; '{metric}' must be one of the same length.")
        else:
            yield metric, arrival() if given is None else moment_of(given), value


def _rows(one: dict[str, Any], arrival: Arrival) -> Iterator[tuple[str, int, Any]]:
    """One of our rows, or our columns, in which a text stands for a whole column."""
    unknown = sorted(one.keys() - _ROW_FIELDS)
    if unknown:
        raise UndecodableError("unknown-field", f"A row has no field '{unknown[0]}'.")
    count = len(one["value"]) if isinstance(one["value"], list) else None
    if count is None:
        columns = {name: [value] for name, value in one.items()}
        count = 1
    else:
        columns = {name: value if isinstance(value, list) else [value] * count for name, value in one.items()}
    if any(len(column) != count for column in columns.values()):
        raise UndecodableError("lengths-differ", "The columns of a message have one length.")
    for row in range(count):
        metric, given = columns["metric"][row], columns[_TIME][row] if _TIME in columns else None
        if not isinstance(metric, str):
            raise UndecodableError("wrong-shape", "The name of a metric is a text.")
        told = {name: columns[name][row] for name in ("value", "unit", "quality") if name in columns}
        yield metric, arrival() if given is None else moment_of(given), told


def _add(rows: Rows, refusals: Refusals, device: str, metric: str, ts: int, value: Any) -> None:
    unit, quality = "", int(Quality.GOOD)
    if isinstance(value, dict):
        unit, told = value.get("unit") or "", value.get("quality")
        if "value" not in value or not isinstance(unit, str) or not isinstance(told, (str, int, type(None))):
            refusals.add("wrong-shape", f"'{metric}' is an object without a value, or with an odd unit or quality.")
            return
        if told not in _QUALITIES:
            refusals.add("bad-quality", f"'{metric}' has a quality that is none of good, uncertain, bad.")
            return
        value, quality = value["value"], _QUALITIES[told]
    if value is None:
        refusals.add("null", f"'{metric}' is null.")
        return
    number = number_of(value)
    if number is None:
        reason = "text" if isinstance(value, str) else "not-a-number"
        refusals.add(reason, f"'{metric}' is no number; nothing else is measured.")
        return
    rows.add(device, metric, ts, number, unit, quality)
