"""The command of the MQTT bridge."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from industrial_brain.cli.terminal import err, now, out
from industrial_brain.domain.errors import InputError
from industrial_brain.settings import Settings

if TYPE_CHECKING:
    from serving.mqtt.bridge import Counters
    from serving.mqtt.broker import Broker

_LOG_SECONDS = 60.0


def add_to(app: typer.Typer) -> None:
    app.command()(mqtt)


def mqtt(
    broker: Annotated[str, typer.Option(help="Address of the broker: mqtt://HOST:1883, or mqtts://HOST for TLS.")],
    server: Annotated[str, typer.Option(help="Address of the server that readings are posted to.")],
    key: Annotated[
        str, typer.Option(envvar="BRAIN_KEY", help="API key; better in BRAIN_KEY than on the command line.")
    ],
    username: Annotated[
        str | None, typer.Option(help="User at the broker; the password is read from MQTT_PASSWORD.")
    ] = None,
    password: Annotated[str | None, typer.Option(envvar="MQTT_PASSWORD", help="Better in MQTT_PASSWORD.")] = None,
    tls: Annotated[bool, typer.Option("--tls", help="TLS, also where the address says mqtt://.")] = False,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority that signed the broker's certificate.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM file of a client certificate.")] = None,
    cert_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    client_id: Annotated[
        str, typer.Option(help="Name of the session at the broker: one bridge a name, and the same one each time.")
    ] = "industrial-brain",
    mqtt_version: Annotated[str, typer.Option(help="5 or 3.1.1.")] = "5",
    window: Annotated[int, typer.Option(min=1, max=65535, help="Messages under way, unacknowledged (MQTT 5).")] = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Messages that are posted together, at most.")] = 5000,
    site: Annotated[
        list[str] | None, typer.Option(metavar="GROUP=SITE", help="Site of a Sparkplug group; can be repeated.")
    ] = None,
    gateway_site: Annotated[
        str | None, typer.Option(help="Site of devices behind ThingsBoard gateways; without it these are not read.")
    ] = None,
    line_in_name: Annotated[
        bool, typer.Option("--line-in-name", help="Call devices of ib/v1/... line/device, not device.")
    ] = False,
    host_id: Annotated[
        str | None,
        typer.Option(help="Sparkplug host id: edge nodes that wait for it keep data while the bridge is away."),
    ] = None,
    until_idle: Annotated[
        float | None, typer.Option(help="End after so many seconds without a message, instead of never.")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Carry telemetry from an MQTT broker to a running server; acknowledge it only when the server has it on disk.

    Reads ib/v1/SITE/LINE/DEVICE/telemetry, Sparkplug B, and ThingsBoard's gateway topics. docs/how-to/mqtt.md shows all three.

    Example: `brain mqtt --broker mqtt://127.0.0.1:1883 --server http://127.0.0.1:8000`
    """
    from serving.logs import configure_logging
    from serving.mqtt.bridge import Bridge, Counters, Limits
    from serving.mqtt.broker import Address, Broker
    from serving.mqtt.dead_letters import DeadLetters
    from serving.mqtt.sparkplug import Sparkplug
    from serving.mqtt.stamps import Stamps
    from serving.mqtt.topics import Translator
    from serving.sending import TelemetryServer

    configure_logging(log_level)
    if mqtt_version not in ("5", "3.1.1"):
        raise InputError(f"MQTT {mqtt_version} is not spoken here.", "Give --mqtt-version 5 or 3.1.1.")
    address = Address.of(
        broker,
        tls=tls,
        ca=ca,
        certificate=cert,
        private_key=cert_key,
        username=username,
        password=password,
        client_id=client_id,
        version=mqtt_version,
        window=window,
    )
    folder = Settings().home.resolve() / "mqtt" / _file_name(client_id)
    counters, stopping = Counters(), threading.Event()
    reached = TelemetryServer(server, key)

    def publish(topic: str, payload: bytes) -> None:
        connection.publish(topic, payload)

    def lost() -> None:
        counters.lost += 1

    translator = Translator(
        Stamps(folder / "arrivals", lambda: time.time_ns() // 1000),
        Sparkplug(folder / "births", time.monotonic, publish),
        sites=_sites(site or []),
        gateway_site=gateway_site,
        line_in_name=line_in_name,
    )
    connection = Broker(address, translator.filters, host_id=host_id, now_ms=time.time_ns() // 1_000_000, lost=lost)
    dead = folder / "dead-letters.jsonl"
    letters = DeadLetters(dead, now)
    limits = Limits(messages=batch)
    bridge = Bridge(connection, translator, reached, letters, counters, wait=stopping.wait, limits=limits)
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    err.print(f"Carrying telemetry from {broker} to {server}; what can't be read is kept in {dead}.", soft_wrap=True)
    connection.start()
    try:
        with _status(connection, counters) as each:
            bridge.run(until_idle, each)
    finally:
        connection.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    _print_counters(counters)


@contextmanager
def _status(broker: Broker, counters: Counters) -> Iterator[Callable[[], None]]:
    """A line about the bridge: in place in a terminal, else a line of the log every minute."""
    log = structlog.get_logger(__name__)
    last = time.monotonic()

    def line() -> str:
        state = "connected" if broker.connected else "waiting for the broker"
        refused = sum(counters.refused.values())
        return (
            f"{state}: {counters.received:,} messages, {counters.accepted:,} readings accepted, "
            f"{counters.duplicate:,} duplicate, {counters.rejected:,} rejected, {refused:,} not taken, {counters.lost:,} lost"
        )

    def log_now_and_then() -> None:
        nonlocal last
        if time.monotonic() - last >= _LOG_SECONDS:
            last = time.monotonic()
            log.info("bridge", connected=broker.connected, **counters.told())

    if err.is_terminal:
        with err.status(line()) as status:
            yield lambda: status.update(line())
    else:
        yield log_now_and_then


def _print_counters(counters: Counters) -> None:
    out.print(
        f"{counters.received:,} messages, {counters.redelivered:,} of them again; {counters.acknowledged:,} acknowledged. "
        f"Readings: {counters.accepted:,} accepted ({counters.late:,} late), {counters.duplicate:,} duplicate, "
        f"{counters.rejected:,} rejected.",
        soft_wrap=True,
    )
    if counters.lost:
        err.print(f"{counters.lost:,} messages of QoS 0 found no room while the server was away; publish with QoS 1.")
    for reason, count in sorted(counters.refused.items()):
        err.print(f"not taken, {reason}: {count:,}", soft_wrap=True)


def _sites(given: list[str]) -> dict[str, str]:
    """Sites by Sparkplug group."""
    sites = {}
    for one in given:
        group, sign, name = one.partition("=")
        if not sign or not group or not name:
            raise InputError(f"'{one}' does not name a group and its site.", "Write --site GROUP=SITE.")
        sites[group] = name
    return sites


def _file_name(client_id: str) -> str:
    if not client_id or any(not (letter.isalnum() or letter in "-_.") for letter in client_id) or client_id[0] == ".":
        raise InputError(f"'{client_id}' is no client id.", "Use letters, digits, hyphens, underscores and dots.")
    return client_id
