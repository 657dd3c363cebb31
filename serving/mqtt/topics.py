"""Which topics are read, and what becomes of a message of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serving.mqtt.decoded import Refusals, Rows, UndecodableError
from serving.mqtt.json_bodies import decode_gateway, decode_gateway_presence, decode_own
from serving.mqtt.sparkplug import DEVICE_KINDS, NODE_KINDS, Sparkplug
from serving.mqtt.stamps import Stamps

_OWN = "ib/v1/+/+/+/telemetry"
_GATEWAY = ("v1/gateway/telemetry", "v1/gateway/connect", "v1/gateway/disconnect")
_SPARKPLUG = (
    *(f"spBv1.0/+/{kind}/+" for kind in sorted(NODE_KINDS)),
    *(f"spBv1.0/+/{kind}/+/+" for kind in sorted(DEVICE_KINDS)),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came from the broker.

    Attributes:
        mid: packet identifier; means something with `qos` 1 and within the session.
        again: whether it has been delivered before.
        retained: whether it is one that the broker keeps for new subscribers: nobody knows how old it is.
        connection: number of the connection that brought it.
    """

    topic: str
    payload: bytes
    qos: int
    mid: int
    again: bool
    retained: bool
    connection: int


class Translator:
    """Messages in, readings by site out.

    Args:
        sites: of Sparkplug groups; a group that is not named here is a site of its own name.
        gateway_site: of devices behind ThingsBoard gateways, whose topics name none; None: these are not read.
        line_in_name: whether devices of our own topics are called `line/device`, for sites where each line numbers its own.
    """

    def __init__(
        self,
        stamps: Stamps,
        sparkplug: Sparkplug,
        *,
        sites: Mapping[str, str],
        gateway_site: str | None = None,
        line_in_name: bool = False,
    ) -> None:
        self._stamps, self._sparkplug, self._sites = stamps, sparkplug, sites
        self._gateway_site, self._line_in_name = gateway_site, line_in_name
        self._lines: dict[tuple[str, str], str] = {}

    @property
    def filters(self) -> tuple[str, ...]:
        """Topic filters to subscribe to."""
        return (_OWN, *(_GATEWAY if self._gateway_site else ()), *_SPARKPLUG)

    def reconnected(self) -> None:
        """A new connection: what was under way is delivered again, so order says nothing at first."""
        self._sparkplug.forget_order()

    def take(self, message: Message, number: int, batch: dict[str, Rows], refusals: Refusals) -> None:
        """Add the readings of a message to the rows of its site in `batch`, as those of message `number`.

        Raises:
            UndecodableError: nothing of it can be read, and nothing was added.
        """
        site = self._site_of(message.topic)
        rows = batch.setdefault(site, Rows())
        before = len(rows)

        def arrival() -> int:
            if message.retained:
                raise UndecodableError("retained-without-time", "A retained message without a time is of unknown age.")
            return self._stamps.arrival(message.mid, message.topic, message.payload, again=message.again)

        try:
            self._decode(message, rows, refusals, _Once(arrival))
        except BaseException:
            rows.cut(before)
            raise
        rows.belong_to(number)

    def _site_of(self, topic: str) -> str:
        levels = topic.split("/")
        if levels[0] == "ib":
            return levels[2]
        if levels[0] == "spBv1.0":
            return self._sites.get(levels[1], levels[1])
        return self._gateway_site or ""

    def _decode(self, message: Message, rows: Rows, refusals: Refusals, arrival: _Once) -> None:
        levels, payload = message.topic.split("/"), message.payload
        match levels:
            case ["ib", "v1", site, line, device, "telemetry"]:
                decode_own(payload, self._device(site, line, device), rows, refusals, arrival)
            case ["spBv1.0", group, kind, edge]:
                self._sparkplug.take((group, kind, edge, ""), payload, rows, refusals, arrival, again=message.again)
            case ["spBv1.0", group, kind, edge, device]:
                self._sparkplug.take((group, kind, edge, device), payload, rows, refusals, arrival, again=message.again)
            case ["v1", "gateway", "telemetry"]:
                decode_gateway(payload, rows, refusals, arrival)
            case ["v1", "gateway", "connect" | "disconnect" as presence]:
                decode_gateway_presence(payload, presence == "connect", rows, arrival)
            case _:
                raise UndecodableError("unknown-topic", "Messages of this topic are not read.")

    def _device(self, site: str, line: str, device: str) -> str:
        if self._line_in_name:
            return f"{line}/{device}"
        if self._lines.setdefault((site, device), line) != line:
            raise UndecodableError(
                "ambiguous-device",
                f"Lines '{self._lines[site, device]}' and '{line}' of site '{site}' both have a device '{device}', and their "
                "readings would become one. Start the bridge with --line-in-name.",
            )
        return device


class _Once:
    """The arrival of one message: asked for once, however many readings it has."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask, self._known = ask, 0

    def __call__(self) -> int:
        self._known = self._known or self._ask()
        return self._known
