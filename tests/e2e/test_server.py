"""A real server on the loopback: what no test client shows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from industrial_brain.domain.access import Role
from industrial_brain.domain.city import Region
from industrial_brain.domain.errors import InputError, UnavailableError
from industrial_brain.domain.protocols import Page
from serving.app import create_app
from serving.run import listen, server_for
from tests.fakes.city import SmallCity

QUESTION = {"series": ["output:500000", "output:500103"], "horizon": 3}
PATIENCE = 30.0  # seconds after which a test gives up; none of them measures time


@dataclass(frozen=True)
class Running:
    city: SmallCity
    port: int
    server: uvicorn.Server

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.city.secrets[Role.PLANNER]}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=self.headers, timeout=PATIENCE)

    @contextmanager
    def line(self) -> Iterator[socket.socket]:
        """A bare connection, for requests that no HTTP library would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            yield line

    def head(self, *fields: str) -> bytes:
        key = f"Authorization: {self.headers['Authorization']}"
        lines = ["POST /v1/forecasts HTTP/1.1", "Host: x", key, "Content-Type: application/json", *fields, "", ""]
        return "\r\n".join(lines).encode()


@contextmanager
def _running(city: SmallCity, **limits: float) -> Iterator[Running]:
    app = create_app(city.services(**limits))
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = server_for(app, listener, lambda _: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(PATIENCE)
            yield Running(city, listener.getsockname()[1], server)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def city(tmp_path: Path) -> SmallCity:
    city = SmallCity(tmp_path)
    city.release("2026-01-15", {"output:500000": 1.0, "output:500103": 1.0})
    return city


@pytest.fixture
def running(city: SmallCity) -> Iterator[Running]:
    with _running(city, stall_seconds=0.3) as running:
        yield running


def _answer(line: socket.socket) -> bytes:
    """Everything that comes until the server closes, or has sent one whole problem document."""
    received = b""
    while not received.endswith(b"}"):
        part = line.recv(65536)
        if not part:
            break
        received += part
    return received


def test_a_new_champion_is_picked_up_under_load_without_a_failed_or_mixed_answer(city: SmallCity) -> None:
    with _running(city, poll_seconds=0.01) as running, running.client() as client:

        def ask(_: int) -> int:
            answer = client.post("/v1/forecasts", json=QUESTION)
            assert answer.status_code == 200
            seen = {(one["model"]["version"], *one["mean"]) for one in answer.json()["forecasts"]}
            assert len(seen) == 1  # one version throughout
            version, *means = seen.pop()
            assert means == [float(version)] * 3  # and its own numbers
            return int(version)

        versions: Counter[int] = Counter()
        with ThreadPoolExecutor(4) as pool:
            for number in (2, 3, 4):
                asked = pool.map(ask, range(40))
                city.release("2026-01-15", {"output:500000": number, "output:500103": number})
                versions.update(asked)
                assert any(ask(0) == number for _ in range(5_000))
        assert sum(versions.values()) == 120
        assert ask(0) == 4


def test_half_a_request_is_given_up_with_408(running: Running) -> None:
    with running.line() as line:
        line.sendall(running.head("Content-Length: 100") + b'{"series": [')
        answer = _answer(line)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body-too-slow" in answer


def test_a_caller_who_leaves_in_the_middle_disturbs_nobody(running: Running) -> None:
    for _ in range(20):
        with running.line() as line:
            line.sendall(running.head("Content-Length: 100") + b"{")
    with running.client() as client:
        assert client.get("/v1/regions").status_code == 200


def test_a_huge_body_is_refused_before_it_is_sent(running: Running) -> None:
    with running.line() as line:
        line.sendall(running.head("Content-Length: 10000000000"))
        answer = _answer(line)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body-too-large" in answer


def test_a_body_without_a_length_is_cut_at_the_limit(running: Running) -> None:
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    with running.line() as line:
        line.sendall(running.head("Transfer-Encoding: chunked") + chunk * 3)
        assert _answer(line).startswith(b"HTTP/1.1 413")


def test_broken_utf_8_is_named(running: Running) -> None:
    with running.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/forecasts", content=b'{"series": ["\xc3("]}', headers=headers)
    assert answer.status_code == 400
    assert "not UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize(
    "start", [b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"]
)
def test_what_is_not_http_is_refused_and_the_server_lives(running: Running, start: bytes) -> None:
    with running.line() as line:
        line.sendall(start)
        assert line.recv(100).startswith(b"HTTP/1.1 400")
    with running.client() as client:
        assert client.get("/health/live").status_code == 200


def test_a_request_under_way_is_answered_although_the_server_stops(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    listing = city.catalogue.list_regions

    def slow(**_: object) -> Page[Region]:
        begun.set()
        assert go_on.wait(PATIENCE)
        return listing()

    monkeypatch.setattr(city.catalogue, "list_regions", slow)
    with ThreadPoolExecutor(1) as pool, _running(city) as running, running.client() as client:
        answer = pool.submit(client.get, "/v1/regions")
        assert begun.wait(PATIENCE)
        running.server.should_exit = True
        while _accepts(running.port):  # until the server has begun to stop
            pass
        go_on.set()
        assert answer.result(PATIENCE).status_code == 200


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionError:
        return False
    return True


_PROGRAM = """
import sys
from pathlib import Path
from industrial_brain.domain.protocols import Page
from serving.app import create_app
from serving.run import serve
from tests.fakes.city import SmallCity

serve(create_app(SmallCity(Path(sys.argv[1])).services()), "127.0.0.1", 0, on_ready=lambda at: print(at, flush=True))
print("returned")
"""


_REFUSED = """
import sys
from pathlib import Path

from industrial_brain.domain.errors import StateError
from serving.app import create_app
from serving.run import serve
from tests.fakes.city import SmallCity


def taken():
    raise StateError("Another server has the telemetry.", "Stop it first.")


if __name__ == "__main__":
    city = SmallCity(Path(sys.argv[1]))
    city.inbox.open = taken
    try:
        serve(create_app(city.services()), "127.0.0.1", 0)
    except StateError as error:
        print(error)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_tells_its_address_logs_json_and_returns_when_told_to_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/health/live", timeout=PATIENCE).status_code == 200
        process.send_signal(number)
        out, log = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "returned\n")
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/health/live"]


def test_a_server_whose_telemetry_another_one_has_says_so_in_a_sentence(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", _REFUSED, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Another server has the telemetry. Stop it first.\n"), done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_at_once(running: Running) -> None:
    with pytest.raises(UnavailableError, match="Can't listen"):
        listen("127.0.0.1", running.port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InputError):
        listen("127.0.0.1", port)
