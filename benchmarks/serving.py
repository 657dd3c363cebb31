"""`brain benchmark serving`: how long a question waits for its answer, at the real server, over loopback."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import InputError, UnavailableError
from industrial_brain.domain.panel import Floats

METRICS = {"p50_ms": "p50 ms", "p99_ms": "p99 ms", "requests_per_second": "requests/s", "kb": "KB/answer"}

#: requests of each kind that are counted, and clients that ask at once, by default
REQUESTS, CLIENTS = 500, (1, 4)

#: series that one request of the larger kind names, at most
MANY = 100

#: requests before the clock starts, by each client
_WARM_UP = 10

_START_SECONDS, _ANSWER_SECONDS = 120.0, 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request: a name for the table, where it goes, and bodies that take turns."""

    name: str
    path: str
    bodies: tuple[Mapping[str, Any], ...]


def questions_about(series: Sequence[str], seed: int = 0) -> tuple[Question, ...]:
    """The forecast of one series, of `MANY` (or all), and why one is what it is: of different series in turn."""
    if not series:
        raise InputError("The version answers for no series.", "Train one with `brain train forecasting`.")
    chosen = np.random.default_rng(seed).permutation(len(series))
    ids = [series[i] for i in chosen.tolist()]
    together = [ids[first : first + MANY] for first in range(0, max(1, len(ids) - MANY + 1), MANY)][:20]
    one = tuple({"series": [name]} for name in ids[:500])
    return (
        Question("POST /v1/forecasts, 1 series", "/v1/forecasts", one),
        Question(
            f"POST /v1/forecasts, {len(together[0])} series",
            "/v1/forecasts",
            tuple({"series": some} for some in together),
        ),
        Question("POST /v1/forecasts:explain", "/v1/forecasts:explain", tuple({"series": name} for name in ids[:500])),
    )


def run_serving(
    address: str,
    secret: str,
    questions: Sequence[Question],
    *,
    requests: int = REQUESTS,
    clients: Sequence[int] = CLIENTS,
    json_file: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Ask every question with every number of clients, each on a connection that is kept; print one table and return it.

    Args:
        address: of the server, such as `http://127.0.0.1:8000`. secret: a key that may ask.
        requests: how many are counted for each line, shared out among the clients.

    Raises:
        InputError: numbers that make no sense.
        UnavailableError: the server does not answer, or not with 200.
    """
    if not clients or min(clients) < 1 or requests < max(clients):
        raise InputError("There is nothing to measure.", "Give --clients from 1 up, and --requests no fewer than that.")
    console, err = console or Console(), Console(stderr=True)
    rows: list[Row] = []
    for question in questions:
        for number in clients:
            with err.status(f"{question.name}, {number} at once"):
                milliseconds, seconds, size = ask(address, secret, question, requests, number)
            figures = {
                "p50_ms": float(np.quantile(milliseconds, 0.5)),
                "p99_ms": float(np.quantile(milliseconds, 0.99)),
                "requests_per_second": len(milliseconds) / seconds,
                "kb": size / 1e3,
            }
            rows += [Row(question.name, OURS, f"{number} at once", name, value) for name, value in figures.items()]
    table = BenchmarkTable(
        "serving",
        describe_machine(),
        describe_versions(),
        METRICS,
        compared=(),
        rows=tuple(rows),
        notes=(
            f"{requests} requests a line after {_WARM_UP} of each client, over loopback; clients and server share the machine, "
            "and a client waits for its answer before it asks again.",
        ),
    )
    if json_file:
        table.write_json(json_file)
    if markdown:
        at_once = "".join(f" --clients {number}" for number in clients)
        command = f"brain benchmark serving --requests {requests}{at_once}"
        console.print(table.markdown(command, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def ask(address: str, secret: str, question: Question, requests: int, clients: int) -> tuple[Floats, float, float]:
    """Milliseconds of each answer, seconds from the first request to the last answer, and bytes of an answer on average."""
    asking = [_Client(address, secret, question) for _ in range(clients)]
    turns = [range(number, requests, clients) for number in range(clients)]
    try:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(_Client.ask, asking, [range(_WARM_UP)] * clients))
            start = time.perf_counter()
            answers = np.concatenate(list(pool.map(_Client.ask, asking, turns)))
            seconds = time.perf_counter() - start
    finally:
        for client in asking:
            client.line.close()
    return 1e3 * answers[:, 0], seconds, float(answers[:, 1].mean())


class _Client:
    """One connection, kept, over which a question is asked again and again."""

    def __init__(self, address: str, secret: str, question: Question) -> None:
        where = urlsplit(address)
        self.line = HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=_ANSWER_SECONDS)
        self._address = address
        self._question = question
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._bodies = [json.dumps(body).encode() for body in question.bodies]

    def ask(self, turns: range) -> Floats:
        """Seconds and bytes of each answer: float64 (turns, 2)."""
        try:
            return np.array([self._answer(turn) for turn in turns])
        except (OSError, HTTPException) as error:
            raise UnavailableError(f"The server at {self._address} broke off: {error!r}.", "See its log.") from error

    def _answer(self, turn: int) -> tuple[float, int]:
        start = time.perf_counter()
        self.line.request("POST", self._question.path, self._bodies[turn % len(self._bodies)], self._headers)
        reply = self.line.getresponse()
        content = reply.read()
        if reply.status != 200:
            said = content[:300].decode(errors="replace")
            raise UnavailableError(
                f"{self._question.name} was answered with {reply.status}: {said}", "See the server's log."
            )
        return time.perf_counter() - start, len(content)


@contextmanager
def started_server() -> Iterator[str]:
    """The address of `brain serve` in a process of its own, on a free port of this machine; stopped gently afterwards.

    Raises:
        UnavailableError: it did not come up.
    """
    with started_process() as (address, _):
        yield address


@contextmanager
def started_process(environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """The same with an environment of its own, or this process'; its address and its process id.

    Raises:
        UnavailableError: it did not come up.
    """
    command = [sys.executable, "-c", "from industrial_brain.cli import main; main()", "serve", "--port", "0"]
    command += ["--log-level", "warning"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        stuck = threading.Timer(_START_SECONDS, server.kill)
        stuck.start()
        try:
            assert server.stderr is not None
            address, told = _address(server.stderr)
            stuck.cancel()
            if address is None:
                raise UnavailableError(
                    f"The server did not start: {told.strip() or 'it said nothing'}", "Run `brain doctor`."
                )
            threading.Thread(target=server.stderr.read, daemon=True).start()  # so that a full pipe never stops it
            yield address, server.pid
        finally:
            stuck.cancel()
            server.terminate()


def _address(lines: IO[str]) -> tuple[str | None, str]:
    """The address that a server tells when it is ready, and everything that it said before."""
    told = ""
    for line in lines:
        found = re.search(r"Serving at (\S+)", line)
        if found:
            return found[1], told
        told += line
    return None, told
