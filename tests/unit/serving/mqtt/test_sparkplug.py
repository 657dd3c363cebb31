"""Sparkplug B: births, data by alias, deaths, gaps; read from bytes that others encoded too."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from serving.mqtt.decoded import Refusals, Rows, UndecodableError
from serving.mqtt.sparkplug import Sparkplug
from serving.mqtt.sparkplug_schema import DataType, Payload

AT = 1_700_000_000_000  # milliseconds

#: as the package pysparkplug 0.6.1 (Apache-2.0) encodes a birth of every basic type, and data that refers to it by alias
FOREIGN_BIRTH = bytes.fromhex(
    "0880d095ffbc3112120a0562645365711880d095ffbc312004580312130a017410011881d095ffbc312009650000ac4112120a026e381002"
    "1881d095ffbc31200150fb0112140a036e313610031881d095ffbc312002508cfc0312160a036e333210041881d095ffbc31200350b0f9fc"
    "ff0f121b0a036e363410051881d095ffbc31200458809ce8afedffffffff0112170a0375363410061881d095ffbc31200858808080808020"
    "12100a016210071881d095ffbc31200b700112100a016410081881d095ffbc31200a380112110a017310091881d095ffbc31200c7a017812"
    "160a03753332100a1881d095ffbc3120075080d0acf30e1800"
)
FOREIGN_DATA = bytes.fromhex("08e8d795ffbc31120e100118e8d795ffbc31650000b441120e100218e8d795ffbc31280150fa011801")


@dataclass
class Listener:
    """A host application that keeps what it heard."""

    folder: Path
    now: float = 0.0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    refusals: Refusals = field(default_factory=Refusals)
    arrivals: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.sparkplug = Sparkplug(self.folder, lambda: self.now, lambda topic, body: self.asked.append((topic, body)))

    def hear(self, kind: str, payload: Any, device: str = "", *, again: bool = False) -> None:
        body = payload if isinstance(payload, bytes) else payload.SerializeToString()
        levels = ("g", kind, "edge", device)
        self.sparkplug.take(levels, body, self.rows, self.refusals, lambda: next(self.arrivals), again=again)

    @property
    def reasons(self) -> dict[str, int]:
        return {reason: number for reason, (number, _) in self.refusals.found.items()}

    @property
    def heard(self) -> list[tuple[str, str, int, float]]:
        columns = (self.rows.device, self.rows.metric, self.rows.ts, self.rows.value)
        return list(zip(*columns, strict=True))

    def values(self, metric: str) -> list[float]:
        return [value for _, name, _, value in self.heard if name == metric]


@pytest.fixture
def listener(tmp_path: Path) -> Listener:
    return Listener(tmp_path)


def told(seq: int | None, *metrics: dict[str, Any], at: int = AT) -> Any:
    payload = Payload(timestamp=at)
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        payload.metrics.add(**metric)
    return payload


def birth(seq: int = 0, bd_seq: int = 1, **extra: Any) -> Any:
    bd = {"name": "bdSeq", "datatype": DataType.INT64, "long_value": bd_seq}
    flow = {"name": "flow", "alias": 7, "datatype": DataType.DOUBLE, "double_value": 1.5, **extra}
    return told(seq, bd, flow)


def data(seq: int, value: float = 2.5, alias: int = 7, at: int = AT + 1000) -> Any:
    return told(seq, {"alias": alias, "double_value": value}, at=at)


def test_what_another_implementation_encodes_is_read(listener: Listener) -> None:
    listener.hear("NBIRTH", FOREIGN_BIRTH)
    listener.hear("NDATA", FOREIGN_DATA)
    assert [entry[1:] for entry in listener.heard] == [
        ("t", AT * 1000 + 1000, 21.5),
        ("n8", AT * 1000 + 1000, -5.0),
        ("n16", AT * 1000 + 1000, -500.0),
        ("n32", AT * 1000 + 1000, -50_000.0),
        ("n64", AT * 1000 + 1000, -5_000_000_000.0),
        ("u64", AT * 1000 + 1000, 1_099_511_627_776.0),
        ("b", AT * 1000 + 1000, 1.0),
        ("u32", AT * 1000 + 1000, 4_000_000_000.0),
        ("mqtt.online", AT * 1000, 1.0),
        ("t", AT * 1000 + 1_000_000, 22.5),
        ("n8", AT * 1000 + 1_000_000, -6.0),
    ]
    assert listener.reasons == {"null": 1, "text": 1}
    assert listener.asked == []


def test_a_negative_int8_is_read_however_wide_it_was_written(listener: Listener) -> None:
    for written in (0xFB, 0xFFFFFFFB):
        listener.hear("NBIRTH", told(0, {"name": "n", "datatype": DataType.INT8, "int_value": written}))
    assert listener.values("n") == [-5.0, -5.0]


def test_a_device_is_named_after_its_edge_node_and_has_the_units_of_its_birth(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    payload = told(1, {"name": "pressure", "alias": 9, "datatype": DataType.FLOAT, "float_value": 2.0})
    payload.metrics[0].properties.keys.append("engUnit")
    payload.metrics[0].properties.values.add(type=DataType.STRING, string_value="bar")
    listener.hear("DBIRTH", payload, "pump")
    listener.hear("DDATA", told(2, {"alias": 9, "float_value": 3.0}), "pump")
    at = listener.rows.metric.index("pressure")
    last = len(listener.rows) - 1
    assert [listener.rows.device[at], listener.rows.unit[at]] == ["edge/pump", "bar"]
    assert [listener.rows.metric[last], listener.rows.unit[last], listener.rows.value[last]] == ["pressure", "bar", 3.0]


@pytest.mark.parametrize(("code", "quality"), [(192, 0), (500, 1), (0, 2), (77, 1)])
def test_the_quality_property_is_kept(listener: Listener, code: int, quality: int) -> None:
    payload = birth()
    payload.metrics[1].properties.keys.append("Quality")
    payload.metrics[1].properties.values.add(type=DataType.INT32, int_value=code)
    listener.hear("NBIRTH", payload)
    assert listener.rows.quality[listener.rows.metric.index("flow")] == quality


def test_a_gap_in_the_sequence_asks_for_a_rebirth_once_and_keeps_the_data(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    listener.hear("NDATA", data(2))
    listener.hear("NDATA", data(5))
    ((topic, body),) = listener.asked
    assert topic == "spBv1.0/g/NCMD/edge"
    command = Payload.FromString(body)
    assert [(one.name, one.boolean_value) for one in command.metrics] == [("Node Control/Rebirth", True)]
    assert listener.values("flow") == [1.5, 2.5, 2.5]
    assert listener.reasons == {"sequence-gap": 2}
    listener.now = 60.0
    listener.hear("NDATA", data(9))
    assert len(listener.asked) == 2


def test_the_sequence_goes_round_at_256(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    for number in range(1, 600):
        listener.hear("NDATA", data(number % 256))
    assert listener.asked == []


def test_after_a_new_connection_and_in_what_comes_again_order_says_nothing(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    listener.hear("NDATA", data(1))
    listener.sparkplug.forget_order()
    listener.hear("NDATA", data(1), again=True)
    listener.hear("NDATA", data(2))
    listener.hear("NDATA", data(3))
    assert listener.asked == []


def test_an_unknown_alias_asks_for_a_rebirth_and_is_not_guessed(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    listener.hear("NDATA", data(1, alias=99))
    assert listener.values("flow") == [1.5]
    assert listener.reasons == {"unknown-alias": 1}
    assert len(listener.asked) == 1


def test_data_without_a_birth_asks_for_one_and_is_read_where_it_names_itself(listener: Listener) -> None:
    listener.hear("NDATA", told(4, {"name": "flow", "datatype": DataType.DOUBLE, "double_value": 3.5}, {"alias": 7}))
    assert listener.values("flow") == [3.5]
    assert listener.reasons == {"no-birth": 1, "unknown-alias": 1}
    assert len(listener.asked) == 1


def test_a_bridge_that_starts_again_knows_what_births_told(tmp_path: Path) -> None:
    Listener(tmp_path).hear("NBIRTH", birth())
    later = Listener(tmp_path)
    later.hear("NDATA", data(200))
    assert later.values("flow") == [2.5]
    assert later.asked == []


def test_a_death_ends_the_node_and_its_devices_at_its_arrival(listener: Listener) -> None:
    listener.hear("NBIRTH", birth(bd_seq=3))
    listener.hear("DBIRTH", told(1, {"name": "p", "datatype": DataType.FLOAT, "float_value": 1.0}), "pump")
    listener.hear("NDEATH", told(None, {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 3}))
    assert listener.heard[-2:] == [("edge", "mqtt.online", 1, 0.0), ("edge/pump", "mqtt.online", 2, 0.0)]
    listener.hear("NDATA", data(2))
    assert listener.reasons == {"no-birth": 1, "unknown-alias": 1}


def test_a_death_of_an_earlier_birth_ends_nothing(listener: Listener) -> None:
    listener.hear("NBIRTH", birth(bd_seq=4))
    listener.hear("NDEATH", told(None, {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 3}))
    listener.hear("NDATA", data(1))
    assert listener.values("mqtt.online") == [1.0]
    assert listener.values("flow") == [1.5, 2.5]
    assert listener.reasons == {"stale-death": 1}


def test_a_devices_death_is_a_reading_of_its_state(listener: Listener) -> None:
    listener.hear("NBIRTH", birth())
    listener.hear("DBIRTH", told(1, {"name": "p", "alias": 8, "datatype": DataType.FLOAT, "float_value": 1.0}), "pump")
    listener.hear("DDEATH", told(2, at=AT + 5000), "pump")
    assert listener.heard[-1] == ("edge/pump", "mqtt.online", (AT + 5000) * 1000, 0.0)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ({"is_null": True}, "null"),
        ({}, "null"),
        ({"string_value": "on"}, "text"),
        ({"bytes_value": b"on"}, "text"),
        ({"datatype": DataType.DATETIME, "long_value": AT}, "text"),
        ({"dataset_value": b"\x08\x01"}, "not-measured"),
        ({"template_value": b"\x0a\x01x"}, "not-measured"),
    ],
    ids=str,
)
def test_what_is_not_measured_says_why(listener: Listener, metric: dict[str, Any], reason: str) -> None:
    listener.hear("NBIRTH", told(0, {"name": "x", **metric}))
    assert listener.values("x") == []
    assert listener.reasons == {reason: 1}


def test_control_metrics_are_no_readings(listener: Listener) -> None:
    control = {"name": "Node Control/Rebirth", "datatype": DataType.BOOLEAN, "boolean_value": False}
    listener.hear("NBIRTH", told(0, control, {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 1}))
    assert [metric for _, metric, _, _ in listener.heard] == ["mqtt.online"]


@pytest.mark.parametrize(("kind", "device"), [("NCMD", ""), ("DDATA", ""), ("NDATA", "pump"), ("STATE", "")])
def test_other_kinds_are_not_read(listener: Listener, kind: str, device: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        listener.hear(kind, data(1), device)
    assert caught.value.reason == "unknown-topic"


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{}", FOREIGN_BIRTH[:-30]], ids=["noise", "json", "cut off"])
def test_what_is_no_payload_is_refused(listener: Listener, body: bytes) -> None:
    with pytest.raises(UndecodableError) as caught:
        listener.hear("NBIRTH", body)
    assert caught.value.reason == "not-sparkplug"


def test_a_damaged_memory_of_births_is_like_none(tmp_path: Path) -> None:
    Listener(tmp_path).hear("NBIRTH", birth())
    (kept,) = tmp_path.glob("*.json")
    kept.write_bytes(b"{")
    later = Listener(tmp_path)
    later.hear("NDATA", data(1))
    assert later.reasons == {"no-birth": 1, "unknown-alias": 1}
