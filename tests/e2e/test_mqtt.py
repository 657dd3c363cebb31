"""Broker, bridge and server as a factory runs them, each a process of its own; two of them are killed on the way."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from industrial_brain.cli.terminal import now
from industrial_brain.composition import Brain
from industrial_brain.settings import Settings
from tests.e2e.conftest import ROOT, Installation
from tests.mosquitto import PATIENCE, Mosquitto, publish_all, running_mosquitto

COUNT = 1_000


@dataclass
class Processes:
    """The installation's server and bridge; they log into files."""

    home: Installation
    key: str
    broker: str
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        log = self.home.home / f"{len(self.started)}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                self.home.command(*words),
                cwd=ROOT,
                env={**self.home.environment(), "BRAIN_KEY": self.key},
                stdout=written,
                stderr=written,
            )
        self.started.append(process)
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        return (self.home.home / f"{self.started.index(process)}.log").read_text()

    def serve(self) -> subprocess.Popen[bytes]:
        server = self.start("serve", "--port", str(self.port))
        self.until(server, lambda: "Serving at" in self.log(server))
        return server

    def bridge(self, *more: str) -> subprocess.Popen[bytes]:
        address = f"http://127.0.0.1:{self.port}"
        return self.start("mqtt", "--broker", self.broker, "--server", address, "--batch", "100", *more)

    def until(self, process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert process.poll() is None, self.log(process)
            assert time.monotonic() < deadline, self.log(process)
            time.sleep(0.005)

    def has_taken(self, server: subprocess.Popen[bytes], requests: int) -> Callable[[], bool]:
        return lambda: len(re.findall(r'"path": "/v1/telemetry".*"status": 200', self.log(server))) >= requests


def test_neither_a_killed_server_nor_a_killed_bridge_loses_or_doubles_a_reading(tmp_path: Path) -> None:
    home = Installation(tmp_path / "home", "")
    home.run("init")
    key = home.run("keys", "create", "bridge", "--role", "factory", "--site", "plant").stdout.strip()
    (tmp_path / "broker").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_mosquitto(tmp_path / "broker") as broker:
        processes = Processes(home, key, broker.url, port)
        try:
            _carry(processes, broker)
        finally:
            for process in processes.started:
                process.kill()
                process.wait(PATIENCE)
    stream = Brain(Settings(home=home.home), now).telemetry  # the server is gone: what is on the disk
    stream.start()
    try:
        for device in ("timed", "untimed"):
            (channel,) = stream.channels.of_device("plant", device)
            stored = stream.readings(channel.key, 0, 2**62).value
            assert sorted(stored.tolist()) == list(range(COUNT))
    finally:
        stream.stop()


def _carry(processes: Processes, broker: Mosquitto) -> None:
    """Publish everything, and carry it: the server is killed, then the bridge, then the rest is carried in peace."""
    _finish(processes, processes.bridge("--until-idle", "0.2"))  # from now on, the broker keeps messages for the bridge
    first = time.time_ns() // 1_000_000 - 86_400_000
    messages: list[tuple[str, str | bytes, int]] = []
    for number in range(COUNT):
        messages.append(("ib/v1/plant/l1/timed/telemetry", json.dumps({"ts": first + number, "v": number}), 1))
        messages.append(("ib/v1/plant/l1/untimed/telemetry", json.dumps({"v": number}), 1))
    with broker.client("factory") as factory:
        publish_all(factory, messages)
    server = processes.serve()
    bridge = processes.bridge()
    processes.until(server, processes.has_taken(server, 3))
    server.kill()
    server.wait(PATIENCE)
    processes.until(bridge, lambda: "server not ready" in processes.log(bridge))
    server = processes.serve()
    processes.until(server, processes.has_taken(server, 3))
    bridge.kill()
    bridge.wait(PATIENCE)
    _finish(processes, processes.bridge("--until-idle", "0.5"))
    assert processes.has_taken(server, 8)()  # the kills came in the middle, and not at the end
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE) == 0


def _finish(processes: Processes, bridge: subprocess.Popen[bytes]) -> None:
    assert bridge.wait(PATIENCE) == 0, processes.log(bridge)
