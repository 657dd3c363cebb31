"""Sparkplug B, version 3.0, as a host application reads it: births name metrics, data refers to them by alias, deaths end them.

One `Sparkplug` follows all edge nodes. What births told is kept on disk, so that a bridge that starts again can read what is
delivered again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from industrial_brain.domain.telemetry import Quality
from serving.mqtt.decoded import ONLINE, Refusals, Rows, UndecodableError
from serving.mqtt.sparkplug_schema import DataType, Payload

#: kinds of messages that tell something of an edge node, or of a device behind it
NODE_KINDS, DEVICE_KINDS = frozenset({"NBIRTH", "NDATA", "NDEATH"}), frozenset({"DBIRTH", "DDATA", "DDEATH"})

#: between the name of an edge node and that of a device behind it; no topic level holds it
SEPARATOR = "/"

#: names of a birth's property that holds the unit, as the common edge software writes them
_UNIT_KEYS = ("engUnit", "engineeringUnits", "Engineering Units", "EngUnit", "unit", "Unit", "units")

_QUALITY_KEY = "Quality"
_QUALITIES = {192: Quality.GOOD, 500: Quality.UNCERTAIN, 0: Quality.BAD}

#: metrics that steer, and measure nothing
_CONTROL = ("bdSeq", "Node Control/", "Device Control/")

_SIGN_BITS: Mapping[int, int] = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}

_REBIRTH = "Node Control/Rebirth"

#: seconds between two requests for rebirth of the same node
_PATIENCE = 10.0


class Named(msgspec.Struct, frozen=True):
    """What a birth told of a metric."""

    name: str
    datatype: int
    unit: str


class Scope(msgspec.Struct):
    """Metrics of an edge node itself, or of one device, by their names and aliases."""

    names: dict[str, Named] = {}
    aliases: dict[int, Named] = {}


class Node(msgspec.Struct):
    """An edge node.

    Attributes:
        bd_seq: of its last birth; its death has the same number.
        scopes: by device, the node's own under the empty name; none while it is not born.
        seq: number of its last message; None if the next one may have any.
    """

    bd_seq: int | None = None
    scopes: dict[str, Scope] = {}
    seq: int | None = None


class Sparkplug:
    """The edge nodes, as far as they were heard.

    Args:
        folder: for what births told.
        monotonic: seconds of a clock that never goes back.
        request: publishes a command: topic and payload.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float], request: Callable[[str, bytes], None]) -> None:
        self._folder, self._monotonic, self._request = folder, monotonic, request
        self._nodes: dict[tuple[str, str], Node] = {}
        self._asked: dict[tuple[str, str], float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def forget_order(self) -> None:
        """After a new connection: the next message of each node may have any sequence number."""
        for node in self._nodes.values():
            node.seq = None

    def take(
        self,
        levels: tuple[str, str, str, str],
        payload: bytes,
        rows: Rows,
        refusals: Refusals,
        arrival: Callable[[], int],
        *,
        again: bool = False,
    ) -> None:
        """Add the readings of one message.

        Args:
            levels: of its topic: group, kind, edge node, and device (empty for the node's own).
            again: whether it has been delivered before; its place in the sequence then says nothing.

        Raises:
            UndecodableError: nothing of it can be read.
        """
        group, kind, edge, device = levels
        if kind not in (DEVICE_KINDS if device else NODE_KINDS):
            raise UndecodableError("unknown-topic", f"A topic of this form does not carry {kind} messages.")
        told = Payload()
        try:
            told.ParseFromString(payload)
        except DecodeError as error:
            raise UndecodableError("not-sparkplug", "The payload is not a Sparkplug B protobuf message.") from error
        key = (group, edge)
        node = self._nodes.get(key) or self._nodes.setdefault(key, self._recalled(key))
        if kind == "NDEATH":
            self._end_node(key, node, told, rows, refusals, arrival)
            return
        if kind == "NBIRTH":
            node.bd_seq, node.scopes = _bd_seq(told), {}
        elif not again and not _follows(node, told):
            self._ask(key, "sequence-gap", f"Messages of edge node '{edge}' are missing before this one.", refusals)
        node.seq = told.seq if told.HasField("seq") and not again else node.seq
        if kind in ("NBIRTH", "DBIRTH"):
            node.scopes[device] = _scope(told)
        name = edge + SEPARATOR + device if device else edge
        moment = told.timestamp * 1000 if told.HasField("timestamp") else None
        if kind == "DDEATH":
            node.scopes.pop(device, None)
        else:
            self._measure(key, node.scopes.get(device), name, told, moment, rows, refusals, arrival)
        if kind in ("NBIRTH", "DBIRTH", "DDEATH"):
            rows.add(name, ONLINE, arrival() if moment is None else moment, float(kind != "DDEATH"), "1")
            self._keep(key, node)

    def _end_node(
        self,
        key: tuple[str, str],
        node: Node,
        told: Any,
        rows: Rows,
        refusals: Refusals,
        arrival: Callable[[], int],
    ) -> None:
        """The broker tells that a node is gone. The message is as old as the node's connection: its time is that of arrival."""
        bd_seq = _bd_seq(told)
        if node.bd_seq is not None and bd_seq is not None and bd_seq != node.bd_seq:
            refusals.add("stale-death", f"The death of '{key[1]}' belongs to an earlier birth; it lives.")
            return
        for device in node.scopes or {"": Scope()}:
            rows.add(key[1] + SEPARATOR + device if device else key[1], ONLINE, arrival(), 0.0, "1")
        node.scopes, node.seq = {}, None
        self._keep(key, node)

    def _measure(
        self,
        key: tuple[str, str],
        scope: Scope | None,
        device: str,
        told: Any,
        moment: int | None,
        rows: Rows,
        refusals: Refusals,
        arrival: Callable[[], int],
    ) -> None:
        if scope is None:
            self._ask(key, "no-birth", f"'{device}' sends data, and was not heard to be born.", refusals)
        for metric in told.metrics:
            named = _named(metric, scope)
            if named is None:
                self._ask(key, "unknown-alias", f"'{device}' has no metric of alias {metric.alias}.", refusals)
                continue
            if named.name.startswith(_CONTROL):
                continue
            try:
                value = _value(metric, named)
            except UndecodableError as error:
                refusals.add(error.reason, error.detail)
                continue
            ts = metric.timestamp * 1000 if metric.HasField("timestamp") else moment
            rows.add(device, named.name, arrival() if ts is None else ts, value, named.unit, _quality(metric))

    def _ask(self, key: tuple[str, str], reason: str, detail: str, refusals: Refusals) -> None:
        """Ask a node for a rebirth, not too often, and note why."""
        refusals.add(reason, detail)
        now = self._monotonic()
        if now - self._asked.get(key, -_PATIENCE) < _PATIENCE:
            return
        self._asked[key] = now
        command = Payload()
        command.metrics.add(name=_REBIRTH, datatype=DataType.BOOLEAN, boolean_value=True)
        self._request(f"spBv1.0/{key[0]}/NCMD/{key[1]}", command.SerializeToString())

    def _file(self, key: tuple[str, str]) -> Path:
        return self._folder / f"{hashlib.blake2b(repr(key).encode(), digest_size=12).hexdigest()}.json"

    def _keep(self, key: tuple[str, str], node: Node) -> None:
        file = self._file(key)
        partial = file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(node))
        partial.replace(file)

    def _recalled(self, key: tuple[str, str]) -> Node:
        """The node as it was kept; its sequence starts anew."""
        try:
            node = msgspec.json.decode(self._file(key).read_bytes(), type=Node)
        except (FileNotFoundError, msgspec.DecodeError):
            return Node()
        node.seq = None
        return node


def _follows(node: Node, told: Any) -> bool:
    """Whether a message comes right after the node's last one, as far as that can be told."""
    return node.seq is None or not told.HasField("seq") or told.seq == (node.seq + 1) % 256


def _bd_seq(told: Any) -> int | None:
    for metric in told.metrics:
        if metric.name == "bdSeq":
            return int(getattr(metric, metric.WhichOneof("value") or "long_value"))
    return None


def _scope(told: Any) -> Scope:
    scope = Scope()
    for metric in told.metrics:
        named = Named(metric.name, metric.datatype, _property(metric, _UNIT_KEYS) or "")
        scope.names[metric.name] = named
        if metric.HasField("alias"):
            scope.aliases[metric.alias] = named
    return scope


def _named(metric: Any, scope: Scope | None) -> Named | None:
    """Which metric is meant. One that brings its own name and type needs no birth."""
    known = None
    if scope is not None:
        known = scope.names.get(metric.name) if metric.name else scope.aliases.get(metric.alias)
    if known is not None or not metric.name:
        return known
    return Named(metric.name, metric.datatype, _property(metric, _UNIT_KEYS) or "")


def _property(metric: Any, keys: tuple[str, ...]) -> str | None:
    found: Mapping[str, Any] = dict(zip(metric.properties.keys, metric.properties.values, strict=False))
    for key in keys:
        if key in found and found[key].string_value:
            return str(found[key].string_value)
    return None


def _quality(metric: Any) -> int:
    """Good unless the property says otherwise; codes that Sparkplug does not name are uncertain."""
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key == _QUALITY_KEY:
            code = value.long_value if value.HasField("long_value") else value.int_value
            return int(_QUALITIES.get(int(code), Quality.UNCERTAIN))
    return int(Quality.GOOD)


def _value(metric: Any, named: Named) -> float:
    """The number that a metric has. Raises UndecodableError for what is none."""
    which = metric.WhichOneof("value")
    if metric.is_null or which is None:
        raise UndecodableError("null", f"'{named.name}' is null.")
    datatype = metric.datatype or named.datatype
    if which in ("dataset_value", "template_value"):
        kind = "a data set" if which == "dataset_value" else "a template"
        raise UndecodableError("not-measured", f"'{named.name}' is {kind}; publish its parts as metrics of their own.")
    if which in ("string_value", "bytes_value") or datatype == DataType.DATETIME:
        raise UndecodableError("text", f"'{named.name}' is text, bytes or a date; none of them is measured.")
    value = getattr(metric, which)
    bits = _SIGN_BITS.get(datatype)
    if bits is not None and which in ("int_value", "long_value"):
        value &= (1 << bits) - 1
        value -= (value >> (bits - 1)) << bits
    return float(value)
