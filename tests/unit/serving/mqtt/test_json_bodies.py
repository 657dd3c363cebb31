"""JSON that devices publish, in the shapes that are read and in those that are refused."""

from __future__ import annotations

import json

import pytest

from serving.mqtt.decoded import Refusals, Rows, UndecodableError
from serving.mqtt.json_bodies import decode_gateway, decode_gateway_presence, decode_own

NOW = 1_800_000_000_000_000
AT = 1_700_000_000_000  # milliseconds


def own(body: object) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    rows, refusals = Rows(), Refusals()
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    decode_own(payload, "pump", rows, refusals, lambda: NOW)
    return _told(rows, refusals)


def gateway(body: object) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    rows, refusals = Rows(), Refusals()
    decode_gateway(json.dumps(body).encode(), rows, refusals, lambda: NOW)
    return _told(rows, refusals)


def _told(rows: Rows, refusals: Refusals) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    columns = (rows.device, rows.metric, rows.ts, rows.value, rows.unit, rows.quality)
    return list(zip(*columns, strict=True)), {reason: count for reason, (count, _) in refusals.found.items()}


def test_an_object_of_metrics_is_read_at_its_time() -> None:
    rows, refused = own({"ts": AT, "flow": 12.5, "running": True, "count": "7"})
    assert rows == [
        ("pump", "flow", AT * 1000, 12.5, "", 0),
        ("pump", "running", AT * 1000, 1.0, "", 0),
        ("pump", "count", AT * 1000, 7.0, "", 0),
    ]
    assert refused == {}


def test_without_a_time_the_message_has_that_of_its_arrival() -> None:
    assert own({"flow": 1})[0] == [("pump", "flow", NOW, 1.0, "", 0)]


def test_a_time_may_be_rfc_3339() -> None:
    assert own({"ts": "2026-01-31T08:00:00+08:00", "flow": 1})[0][0][2] == 1_769_817_600_000_000


def test_a_metric_may_bring_unit_and_quality() -> None:
    rows, _ = own({"ts": AT, "flow": {"value": 3, "unit": "m3/h", "quality": "uncertain"}})
    assert rows == [("pump", "flow", AT * 1000, 3.0, "m3/h", 1)]


def test_arrays_are_read_beside_their_times() -> None:
    rows, _ = own({"ts": [AT, AT + 1], "flow": [1, 2], "level": [3, 4]})
    assert [(row[1], row[2], row[3]) for row in rows] == [
        ("flow", AT * 1000, 1.0),
        ("flow", AT * 1000 + 1000, 2.0),
        ("level", AT * 1000, 3.0),
        ("level", AT * 1000 + 1000, 4.0),
    ]


def test_our_own_rows_and_columns_are_read() -> None:
    row = {"device": "pump", "metric": "flow", "ts": AT, "value": 1, "unit": "m3/h", "quality": "bad"}
    assert own([row])[0] == own(row)[0] == [("pump", "flow", AT * 1000, 1.0, "m3/h", 2)]
    columns = {"metric": "flow", "ts": [AT, AT + 1], "value": [1, 2]}
    assert [entry[1:4] for entry in own(columns)[0]] == [("flow", AT * 1000, 1.0), ("flow", AT * 1000 + 1000, 2.0)]


def test_what_is_no_number_is_left_out_and_told() -> None:
    rows, refused = own(
        {"ts": AT, "flow": 1, "state": "on", "none": None, "deep": {"value": [1]}, "odd": {"unit": "m"}}
    )
    assert [row[1] for row in rows] == ["flow"]
    assert refused == {"text": 1, "null": 1, "not-a-number": 1, "wrong-shape": 1}


def test_one_bad_entry_of_an_array_does_not_take_the_others_along() -> None:
    rows, refused = own([{"ts": AT, "flow": 1}, {"ts": "yesterday", "flow": 2}, {"ts": AT + 1, "flow": 3}])
    assert [row[3] for row in rows] == [1.0, 3.0]
    assert refused == {"bad-time": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not-json"),
        (b'{"flow": NaN}', "not-json"),
        (b"\xff\xfe", "not-json"),
        (b"[" * 5_000 + b"]" * 5_000, "not-json"),
        (b"12", "wrong-shape"),
        ({"ts": "noon", "flow": 1}, "bad-time"),
        ({"ts": True, "flow": 1}, "bad-time"),
        ({"ts": 10**30, "flow": 1}, "bad-time"),
        ({"ts": [AT], "flow": [1, 2]}, "lengths-differ"),
        ({"ts": [AT], "flow": 1}, "lengths-differ"),
        ({"flow": [1, 2]}, "lengths-differ"),
        ({"device": "other", "flow": 1}, "wrong-device"),
        ({"metric": "flow", "value": 1, "colour": "red"}, "unknown-field"),
        ({"metric": ["a", "b"], "value": [1]}, "lengths-differ"),
        ({"metric": 5, "value": 1}, "wrong-shape"),
    ],
    ids=str,
)
def test_what_can_not_be_read_says_why(body: object, reason: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        own(body)
    assert caught.value.reason == reason


def test_a_gateway_tells_of_many_devices() -> None:
    rows, refused = gateway(
        {
            "A": [{"ts": AT, "values": {"t": 1, "h": 2}}, {"ts": AT + 1, "values": {"t": 3}}],
            "B": [{"t": 4}],
            "C": {"ts": AT, "t": 5},
        }
    )
    assert [row[:4] for row in rows] == [
        ("A", "t", AT * 1000, 1.0),
        ("A", "h", AT * 1000, 2.0),
        ("A", "t", AT * 1000 + 1000, 3.0),
        ("B", "t", NOW, 4.0),
        ("C", "t", AT * 1000, 5.0),
    ]
    assert refused == {}


def test_a_gateways_odd_entries_are_told_one_by_one() -> None:
    rows, refused = gateway({"A": [5, {"ts": "noon", "values": {"t": 1}}, {"ts": AT, "values": {"t": "on", "h": 1}}]})
    assert [row[1] for row in rows] == ["h"]
    assert refused == {"wrong-shape": 1, "bad-time": 1, "text": 1}
    with pytest.raises(UndecodableError):
        gateway([1])


def test_a_gateway_tells_who_is_connected() -> None:
    rows = Rows()
    decode_gateway_presence(b'{"device": "A"}', True, rows, lambda: NOW)
    decode_gateway_presence(b'{"device": "A"}', False, rows, lambda: NOW + 1)
    assert list(zip(rows.device, rows.metric, rows.ts, rows.value, strict=True)) == [
        ("A", "mqtt.online", NOW, 1.0),
        ("A", "mqtt.online", NOW + 1, 0.0),
    ]
    for wrong in (b"{}", b'{"device": 5}', b'{"device": ""}', b"[]", b"x"):
        with pytest.raises(UndecodableError):
            decode_gateway_presence(wrong, True, rows, lambda: NOW)
