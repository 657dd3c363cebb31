"""A server that takes telemetry, killed and started at will, and what is on its disk afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.conftest import PATIENCE, ROOT, Installation

SITE = "plant"
#: one millisecond, in microseconds: event times of a device are so far apart
STEP = 1_000

Reading = tuple[str, int, float]


class Killable:
    """`brain serve` of an installation, in a process of its own."""

    def __init__(self, installation: Installation, folder: Path, before: Sequence[str] = (), **settings: str) -> None:
        self._installation, self._folder, self._before, self._settings = installation, folder, list(before), settings
        self._process: subprocess.Popen[bytes] | None = None
        self.key = installation.run("keys", "create", "works", "--role", "admin").stdout.strip()
        self.address = ""

    def start(self) -> None:
        log = self._folder / "serve.log"
        with log.open("w") as written:
            self._process = subprocess.Popen(
                [*self._before, *self._installation.command("serve", "--port", "0")],
                cwd=ROOT,
                env={**self._installation.environment(), **self._settings},
                stderr=written,
                stdout=written,
                start_new_session=True,
            )
        found = None
        while found is None:
            assert self._process.poll() is None, log.read_text()
            found = re.search(r"Serving at (http://\S+)", log.read_text())
            time.sleep(0.02)
        self.address = found[1]

    def kill(self) -> None:
        """`kill -9`: the process gets no chance to do anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Gently, as an operator would."""
        self._end(signal.SIGTERM)

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, how)  # the group that it leads: a tracer stands before the server
            self._process.wait(PATIENCE)
            self._process = None


@contextmanager
def running(server: Killable) -> Iterator[Killable]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


@dataclass
class Sender:
    """One device's sender, as a careful factory writes it: what was not acknowledged is sent again, to the letter.

    Attributes:
        acknowledged: readings whose request was answered with 200.
        sent: readings of requests that were begun.
    """

    device: str
    start: int
    acknowledged: list[Reading] = field(default_factory=list)
    sent: list[Reading] = field(default_factory=list)
    _unanswered: list[Reading] = field(default_factory=list)

    def run(self, client: httpx.Client, going_on: Callable[[], bool], rows: int = 40) -> None:
        """Send until told to stop, or until the server is gone."""
        while going_on():
            if not self._unanswered:
                first = len(self.sent)
                self._unanswered = [
                    (self.device, self.start + (first + i) * STEP, float(first + i)) for i in range(rows)
                ]
                self.sent += self._unanswered
            body = {
                "device": [device for device, _, _ in self._unanswered],
                "metric": ["t"] * rows,
                "ts": [ts // 1000 for _, ts, _ in self._unanswered],
                "value": [value for _, _, value in self._unanswered],
            }
            try:
                answer = client.post("/v1/telemetry", params={"site": SITE}, json=body)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                counts = answer.json()
                assert counts["accepted"] + counts["duplicate"] == rows, counts
                self.acknowledged += self._unanswered
                self._unanswered = []
            else:
                assert answer.status_code in (429, 503), answer.text
                time.sleep(0.05)


def send_together(server: Killable, senders: Sequence[Sender], until: Callable[[], bool]) -> list[threading.Thread]:
    """Have all senders send, each in a thread of its own, until a condition holds; they end when the server does."""

    def one(sender: Sender) -> None:
        with server.client() as client:
            sender.run(client, lambda: not until())

    threads = [threading.Thread(target=one, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    return threads
