"""The bridge as a process of its own between a real broker and a server that keeps what it is given."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from industrial_brain.domain.errors import AuthenticationError, InputError
from serving.mqtt.broker import Address, Broker
from serving.mqtt.sparkplug_schema import DataType, Payload
from tests.fakes.door import Door, opened
from tests.mosquitto import PATIENCE, Mosquitto, password_file, publish, publish_all, running_mosquitto, self_signed

TOPIC = "ib/v1/plant/l1/{}/telemetry"


@dataclass
class Bridging:
    """`brain mqtt` with a home of its own."""

    home: Path
    broker: Mosquitto
    door: Door

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = [str(Path(sys.executable).parent / "brain"), "mqtt", "--broker", self.broker.url]
        environment = {**os.environ, "BRAIN_HOME": str(self.home), "BRAIN_KEY": "a-key"}
        return subprocess.Popen(
            [*command, "--server", self.door.url, *more],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def drain(self, *more: str) -> str:
        """Carry everything that is there; what it said."""
        process = self.start("--until-idle", "0.5", *more)
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out
        assert "Traceback" not in out, out
        return out


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with running_mosquitto(folder, "upgrade_outgoing_qos true\n") as broker:
        yield broker


@pytest.fixture
def bridging(broker: Mosquitto, tmp_path: Path) -> Iterator[Bridging]:
    with opened(Door()) as door:
        yield Bridging(tmp_path / "home", broker, door)


def _node(seq: int, *values: float, born: bool = False) -> bytes:
    """A Sparkplug message of an edge node with one metric, by name when it is born, else by alias."""
    payload = Payload(timestamp=1_800_000_000_000, seq=seq % 256)
    if born:
        payload.metrics.add(name="bdSeq", datatype=DataType.INT64, long_value=0)
    for value in values:
        metric = payload.metrics.add(alias=3, double_value=value, timestamp=1_700_000_000_000 + round(value))
        if born:
            metric.name, metric.datatype = "load", DataType.DOUBLE
    return bytes(payload.SerializeToString())


def test_killed_at_the_worst_moments_it_loses_nothing_and_doubles_nothing(bridging: Bridging) -> None:
    """The server has a batch on disk, and the bridge dies before it hears of it: twice, in the middle of the stream."""
    bridging.drain()  # from now on, the broker keeps what comes while the bridge is away
    door, count = bridging.door, 1_500
    victims: list[subprocess.Popen[str]] = []

    def kill() -> bool:
        if len(door.readings) < 300 * len(victims):
            return False
        victims[-1].kill()
        return True

    messages: list[tuple[str, str | bytes, int]] = [("spBv1.0/works/NBIRTH/edge", _node(0, 0.0, born=True), 0)]
    for number in range(count):
        timed = {"ts": 1_700_000_000_000 + number, "flow": number}
        messages.append((TOPIC.format("timed"), json.dumps(timed), 1))
        messages.append((TOPIC.format("untimed"), json.dumps({"flow": number}), 1))
        messages.append(("spBv1.0/works/NDATA/edge", _node(number + 1, number + 1.0), 0))
    with bridging.broker.client("factory") as factory:
        publish_all(factory, messages)
    door.before_answer = kill
    for _ in range(2):
        victims.append(bridging.start())
        assert victims[-1].wait(PATIENCE) == -signal.SIGKILL
        victims[-1].communicate()
    door.before_answer = lambda: False
    bridging.drain()
    found = Counter((site, device, metric) for site, device, metric, _ in door.readings)
    assert found == {
        ("plant", "timed", "flow"): count,
        ("plant", "untimed", "flow"): count,
        ("works", "edge", "load"): count + 1,
        ("works", "edge", "mqtt.online"): 1,
    }
    assert door.duplicates > 0  # the kills hit: something came again, and was known
    untimed = [value for (_, device, _, _), value in door.readings.items() if device == "untimed"]
    assert sorted(untimed) == list(range(count))
    again = bridging.drain()
    assert again.endswith("rejected.\n")
    assert "0 messages" in again


def test_a_busy_server_is_waited_for_and_then_has_everything(bridging: Bridging) -> None:
    bridging.drain()
    bridging.door.refusals = [429, 503, 429]
    with bridging.broker.client() as factory:
        publish(
            factory, TOPIC.format("pump"), *(json.dumps({"ts": 1_700_000_000_000 + n, "flow": n}) for n in range(50))
        )
    said = bridging.drain()
    assert len(bridging.door.readings) == 50
    assert said.count("server not ready") == 3


def test_all_three_dialects_arrive_and_what_can_not_be_read_is_kept_aside(bridging: Bridging) -> None:
    options = ("--gateway-site", "campus", "--site", "works=mill")
    bridging.drain(*options)
    with bridging.broker.client() as factory:
        publish(factory, TOPIC.format("pump"), '{"ts": 1700000000000, "flow": 1}', "broken", b"\xff")
        publish(factory, "v1/gateway/connect", '{"device": "A"}')
        publish(factory, "v1/gateway/telemetry", '{"A": [{"ts": 1700000000000, "values": {"t": 1}}]}')
        publish(factory, "spBv1.0/works/NBIRTH/edge", _node(0, 5.0, born=True))
        publish(factory, "spBv1.0/works/NCMD/edge", b"a command is not for us")
    said = bridging.drain(*options)
    assert {key[:3] for key in bridging.door.readings} == {
        ("plant", "pump", "flow"),
        ("campus", "A", "mqtt.online"),
        ("campus", "A", "t"),
        ("mill", "edge", "load"),
        ("mill", "edge", "mqtt.online"),
    }
    assert "not taken, not-json: 2" in said
    (file,) = bridging.home.rglob("dead-letters.jsonl")
    assert [json.loads(line)["reason"] for line in file.read_text().splitlines()] == ["not-json", "not-json"]
    assert "0 messages" in bridging.drain(*options)


def test_a_lost_edge_node_is_told_and_a_gap_asks_it_to_be_born_again(bridging: Bridging) -> None:
    """The bridge is there first; the node is born, skips a number, is asked, is born again, and is then cut off."""
    asked = threading.Event()
    process = bridging.start("--host-id", "brain")
    states: list[bool] = []
    with bridging.broker.client("watcher") as watcher:
        watcher.on_message = lambda client, _, message: states.append(json.loads(message.payload)["online"])
        watcher.subscribe("spBv1.0/STATE/brain", qos=1)
        _until(lambda: True in states)
        death = Payload(timestamp=0)
        death.metrics.add(name="bdSeq", datatype=DataType.INT64, long_value=0)
        with bridging.broker.client("edge", ("spBv1.0/works/NDEATH/edge", death.SerializeToString())) as edge:
            edge.on_message = lambda client, _, message: asked.set()
            edge.subscribe("spBv1.0/works/NCMD/edge")
            publish(edge, "spBv1.0/works/NBIRTH/edge", _node(0, 1.0, born=True))
            publish(edge, "spBv1.0/works/NDATA/edge", _node(1, 2.0), _node(3, 3.0))
            assert asked.wait(PATIENCE)
            publish(edge, "spBv1.0/works/NBIRTH/edge", _node(0, 4.0, born=True))
            edge.loop_stop()
            line: Any = edge.socket()
            line.shutdown(socket.SHUT_RDWR)  # without goodbye: the broker sends the node's will
        readings = bridging.door.readings
        _until(lambda: 0.0 in [value for key, value in readings.items() if key[2] == "mqtt.online"])
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out
        _until(lambda: states[-1] is False)
    assert sorted(value for key, value in readings.items() if key[2] == "load") == [1.0, 2.0, 3.0, 4.0]
    assert "sequence-gap: 1" in out


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def _listening(address: Address) -> Broker:
    return Broker(address, ("a/#",), host_id=None, now_ms=0, lost=lambda: None)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_that_will_never_let_us_in_is_not_asked_for_ever(tmp_path: Path, version: str) -> None:
    with running_mosquitto(tmp_path, anonymous=False) as broker:
        connection = _listening(Address.of(broker.url, version=version))
        connection.start()
        try:
            with pytest.raises(AuthenticationError, match="refuses the connection"):
                _until(lambda: connection.next(0.05) is not None)
        finally:
            connection.stop()


# paho forgets to close a socket whose handshake failed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_with_a_password_and_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority, key = self_signed(tmp_path)
    passwords = password_file(tmp_path, "bridge", "secret")
    more = f"password_file {passwords}\ncafile {authority}\ncertfile {authority}\nkeyfile {key}\n"
    with running_mosquitto(tmp_path, more, anonymous=False) as broker:
        url = broker.url.replace("mqtt://127.0.0.1", "mqtts://localhost")
        connection = _listening(Address.of(url, ca=authority, username="bridge", password="secret"))
        connection.start()
        try:
            _until(lambda: connection.connected)
            connection.publish("a/b", b"to myself")
            assert (message := connection.next(PATIENCE)) is not None
            assert message.payload == b"to myself"
        finally:
            connection.stop()
        stranger = _listening(Address.of(url, username="bridge", password="secret"))
        stranger.start()
        try:
            with pytest.raises(InputError, match="certificate"):
                _until(lambda: stranger.next(0.05) is not None)
        finally:
            stranger.stop()


@pytest.mark.parametrize(
    "url", ["http://h", "mqtt://", "mqtt://h:0", "mqtt://h:x", "mqtt://u:p@h", "mqtt://h/path", "h"]
)
def test_what_is_no_address_of_a_broker_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        Address.of(url)
