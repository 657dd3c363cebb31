"""The other side of the telemetry door: posts readings to a running server, and is patient with it.

For programs of ours that bring readings from elsewhere, each in a process of its own: the MQTT bridge, the simulator.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import urllib3

from industrial_brain.domain.errors import (
    AuthenticationError,
    BrainError,
    InputError,
    PermissionDeniedError,
    UnavailableError,
)
from industrial_brain.domain.telemetry import BackPressureError, ItemError, Receipt

#: seconds until a server that does not answer is given up, for one attempt
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0

#: between attempts at a server that does not say when to come back: doubled each time, up to the second
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0

ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"


def table_of(
    *,
    device: pa.Array,
    metric: pa.Array,
    ts: pa.Array,
    value: pa.Array,
    unit: pa.Array,
    quality: pa.Array | None = None,
) -> pa.Table:
    """Readings as columns: texts plain or dictionary-encoded, `ts` int64 microseconds since 1970."""
    columns = {
        "device": device,
        "metric": metric,
        "ts": pa.compute.cast(ts, pa.timestamp("us", "UTC")),
        "value": value,
        "unit": unit,
    }
    return pa.table(columns if quality is None else columns | {"quality": quality})


def arrow_body(readings: pa.Table) -> bytes:
    """The readings as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, readings.schema) as stream:
        stream.write_table(readings)
    return bytes(sink.getvalue())


def columns_body(readings: pa.Table) -> bytes:
    """The readings as columnar JSON."""
    return json.dumps(_plain(readings).to_pydict(), ensure_ascii=False, separators=(",", ":")).encode()


def rows_body(readings: pa.Table) -> bytes:
    """The readings as JSON, an object each."""
    return json.dumps(_plain(readings).to_pylist(), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(readings: pa.Table) -> pa.Table:
    """Times as milliseconds since 1970, as JSON bodies have them."""
    micros = readings["ts"].cast(pa.int64()).to_numpy()
    whole = micros // 1000 if not (micros % 1000).any() else micros / 1000
    return readings.set_column(readings.schema.get_field_index("ts"), "ts", pa.array(whole))


class TelemetryServer:
    """A running server, seen by a sender. May be used by several threads.

    Args:
        url: such as `http://127.0.0.1:8000`.
        key: an API key that may write.
        connections: how many threads will post at once.

    Raises:
        InputError: the URL is not one of HTTP.
    """

    def __init__(self, url: str, key: str, *, connections: int = 1) -> None:
        parsed = urllib3.util.parse_url(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InputError(f"'{url}' is not the address of a server.", "Write it like http://127.0.0.1:8000.")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=timeout)

    def post(self, site: str, body: bytes, media_type: str = ARROW) -> Receipt:
        """Hand in readings of one site; what is acknowledged is durable.

        Raises:
            BackPressureError: not now: its `seconds` say when to come back.
            UnavailableError: it does not answer, or failed.
            AuthenticationError, PermissionDeniedError: the key does not open this site.
            InputError: the request as a whole was refused, and would be again.
        """
        answer = self._ask("POST", "/v1/telemetry", {"site": site}, body, media_type)
        return Receipt(
            answer["accepted"],
            answer["duplicate"],
            answer["late"],
            answer["rejected"],
            tuple(ItemError(error["index"], error["code"], error["detail"]) for error in answer["errors"]),
        )

    def get(self, path: str, **parameters: str) -> Any:
        """What an address answers. Raises as `post`."""
        return self._ask("GET", path, parameters)

    def _ask(
        self, method: str, path: str, parameters: dict[str, str], body: bytes | None = None, media_type: str = JSON
    ) -> Any:
        address = f"{self._url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        headers = self._headers if body is None else {**self._headers, "Content-Type": media_type}
        try:
            response = self._pool.request(method, address, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"{self._url} does not answer.", "Is `brain serve` running there?") from error
        return _told(response)


def _told(response: urllib3.BaseHTTPResponse) -> Any:
    try:
        answer = response.json()
    except ValueError as error:
        raise UnavailableError(f"The server answered {response.status}, not in JSON.", "Is it ours?") from error
    if response.status < 300:
        return answer
    told = answer if isinstance(answer, dict) else {}
    message = str(told.get("detail") or told.get("title") or f"The server answered {response.status}.")
    next_step = str(told.get("next_step") or "")
    if response.status in (429, 503):
        seconds = _seconds(response.headers.get("Retry-After"))
        raise BackPressureError(message, next_step, seconds, full=response.status == 503)
    kinds: dict[int, type[BrainError]] = {401: AuthenticationError, 403: PermissionDeniedError}
    raise kinds.get(response.status, UnavailableError if response.status >= 500 else InputError)(message, next_step)


def _seconds(header: str | None) -> float:
    try:
        return max(float(header or 1.0), 0.05)
    except ValueError:
        return 1.0


def patiently(
    attempt: Callable[[], Receipt],
    wait: Callable[[float], bool],
    told: Callable[[BrainError, float], None] = lambda error, seconds: None,
) -> Receipt | None:
    """The receipt of the first attempt that gets one; None if told to stop before.

    Args:
        wait: sleeps so many seconds, and says whether to stop.
        told: hears of each attempt that failed, and how long the pause is.

    Raises:
        AuthenticationError, PermissionDeniedError, InputError: trying again would not help.
    """
    pause = _FIRST_PAUSE
    while True:
        reason: BrainError
        try:
            return attempt()
        except BackPressureError as error:
            seconds, pause, reason = error.seconds, _FIRST_PAUSE, error
        except UnavailableError as error:
            seconds, pause, reason = pause, min(2 * pause, _LONGEST_PAUSE), error
        seconds *= 1 + 0.2 * random.random()  # many senders do not come back at the same moment
        told(reason, seconds)
        if wait(seconds):
            return None
