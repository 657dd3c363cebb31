"""The load of the ingest benchmark: a process of its own that posts bodies made beforehand over kept connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import quote, urlsplit

import numpy as np
import numpy.typing as npt

from benchmarks.ingest_points import Format, Points, body_of, site_name
from industrial_brain.domain.errors import UnavailableError

_ANSWER_SECONDS = 120.0

#: a request that is refused this often ends the run
_MOST_REFUSALS = 100

_TYPES = {Format.ARROW: "application/vnd.apache.arrow.stream", Format.LINE: "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where readings go.

    Attributes:
        address: of the server, such as `http://127.0.0.1:8000`; of a peer the whole write URL.
        key: what opens it; empty for a peer without one.
        peer: whether the same points go to one database in line protocol, whatever their site.
    """

    address: str
    key: str
    form: Format
    peer: bool = False

    def url(self, site: int) -> str:
        if self.peer:
            return self.address
        if self.form is Format.LINE:
            return f"{self.address}/api/v2/write?bucket={quote(site_name(site))}"
        return f"{self.address}/v1/telemetry?site={quote(site_name(site))}"

    def headers(self) -> dict[str, str]:
        scheme = "Token" if self.form is Format.LINE else "Bearer"
        key = {"Authorization": f"{scheme} {self.key}"} if self.key else {}
        return {"Content-Type": _TYPES.get(self.form, "application/json"), **key}


@dataclass(frozen=True, slots=True)
class Load:
    """What one call of the generator does: requests `first` to `last`, shared out among clients.

    Attributes:
        rate: readings a second; None for as fast as they are taken.
    """

    points: Points
    target: Target
    first: int
    last: int
    clients: int
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it.

    Attributes:
        seconds: of each request, from the moment when it was due (or sent, without a rate) to its acknowledgement.
        readings: how many were acknowledged; requests: which requests were.
        rejected: readings that were refused for good.
        refusals: how often the server said "later", and was asked again.
        elapsed: seconds from the first to the last.
    """

    seconds: npt.NDArray[np.float64]
    readings: int
    requests: npt.NDArray[np.int64]
    rejected: int
    refusals: int
    elapsed: float


class Generator:
    """The generator's process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def post(self, load: Load) -> Posted:
        """Make the bodies, then post them. Raises UnavailableError for a server that breaks off or refuses."""
        self._pipe.send(load)
        found = self._pipe.recv()
        if isinstance(found, Posted):
            return found
        raise UnavailableError(str(found), "See the server's log.")


@contextmanager
def generator() -> Iterator[Generator]:
    """A generator in a process of its own, ended afterwards."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Generator(ours)
    finally:
        ours.close()
        process.join()


def _work(pipe: Connection) -> None:
    while True:
        try:
            load: Load = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(post(load))
        except (OSError, HTTPException, UnavailableError) as error:
            pipe.send(f"{load.target.address} broke off: {error!r}.")


def post(load: Load) -> Posted:
    """Post in this process: bodies first, then the clock starts."""
    bodies = []
    for number in range(load.first, load.last):
        site, devices, ms = load.points.request(number)
        bodies.append((load.target.url(site), body_of(load.target.form, devices, ms), len(devices)))
    due = np.zeros(len(bodies))
    if load.rate is not None:
        due[1:] = np.cumsum([count for _, _, count in bodies])[:-1] / load.rate
    clients = [_Client(load.target) for _ in range(load.clients)]
    next_one, lock = iter(range(len(bodies))), threading.Lock()
    seconds = np.full(len(bodies), np.nan)
    counts = np.zeros(len(bodies), np.int64)
    start = time.perf_counter()

    def run(client: _Client) -> None:
        while True:
            with lock:
                number = next(next_one, None)
            if number is None:
                return
            wait = start + due[number] - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            began = start + due[number] if load.rate is not None else time.perf_counter()
            counts[number] = client.post(*bodies[number])
            seconds[number] = time.perf_counter() - began

    try:
        with ThreadPoolExecutor(load.clients) as pool:
            list(pool.map(run, clients))
    finally:
        for client in clients:
            client.close()
    elapsed = time.perf_counter() - start
    return Posted(
        seconds,
        int(counts.sum()),
        np.arange(load.first, load.last)[counts > 0],
        sum(client.rejected for client in clients),
        sum(client.refusals for client in clients),
        elapsed,
    )


class _Client:
    """One connection, kept."""

    def __init__(self, target: Target) -> None:
        where = urlsplit(target.address)
        self._line = HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=_ANSWER_SECONDS)
        self._headers = target.headers()
        self.rejected = self.refusals = 0

    def post(self, url: str, body: bytes, count: int) -> int:
        """Post until it is acknowledged; returns how many readings were."""
        where = urlsplit(url)
        path = f"{where.path}?{where.query}" if where.query else where.path
        for _ in range(_MOST_REFUSALS):
            self._line.request("POST", path, body, self._headers)
            reply = self._line.getresponse()
            content = reply.read()
            if reply.status in (429, 503):
                self.refusals += 1
                time.sleep(float(reply.headers.get("Retry-After", "1")))
                continue
            if reply.status == 204:
                return count
            if reply.status == 200:
                told = json.loads(content)
                self.rejected += told["rejected"]
                return int(told["accepted"] + told["duplicate"])
            raise UnavailableError(f"{url} answered {reply.status}: {content[:300].decode(errors='replace')}")
        raise UnavailableError(f"{url} refused {_MOST_REFUSALS} times.")

    def close(self) -> None:
        self._line.close()
