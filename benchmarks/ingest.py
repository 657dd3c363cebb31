"""`brain benchmark ingest`: readings a second that the real server makes durable, how long each waits, and if all are there.

The server has a home of its own and a process of its own; so has the load. Afterwards the server is stopped and its inbox and
its lake are read: every acknowledged reading has to be there, once.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks.ingest_load import Generator, Load, Posted, Target, generator
from benchmarks.ingest_points import Format, Points, value_of
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.serving import started_process
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.composition import Brain
from industrial_brain.domain.access import Role
from industrial_brain.domain.errors import InputError, UnavailableError
from industrial_brain.settings import Settings

METRICS = {
    "readings_per_second": "readings/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "rss_gb": "RSS GB",
    "lost": "lost",
    "doubled": "doubled",
    "scored": "scored",
    "behind_s": "behind s",
    "refusals": "told later",
    "ratio": "x peer",
}

PEER = "peer"
DEVICES, SECONDS, BATCH, CLIENTS = 1_000_000, 60, 5_000, 4

#: so long the server may take to score what it has acknowledged
_SCORING_SECONDS = 120.0

#: flat out, minutes pass faster than on the clock; they begin this long ago, so that none lies in the future
_PAST_HOURS = 6


@dataclass(frozen=True, slots=True)
class Ingest:
    """One run.

    Attributes:
        devices: that send once a minute. seconds: of their time.
        paced: whether they send in real time, or as fast as they are taken.
    """

    devices: int = DEVICES
    seconds: int = SECONDS
    form: Format = Format.COLUMNS
    batch: int = BATCH
    clients: int = CLIENTS
    paced: bool = True

    @property
    def rate(self) -> float | None:
        return self.devices / 60 if self.paced else None

    @property
    def slice(self) -> str:
        return f"{self.form}, {'in real time' if self.paced else 'flat out'}"

    def points(self, now: dt.datetime) -> Points:
        start = now.replace(second=0, microsecond=0) - dt.timedelta(hours=0 if self.paced else _PAST_HOURS)
        return Points(self.devices, self.batch, round(start.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of what was acknowledged."""

    lost: int
    doubled: int


def run_ingest(
    asked: Ingest,
    *,
    peer: str | None = None,
    json_file: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure, print one table and return it.

    Args:
        peer: the write URL of an InfluxDB (`http://127.0.0.1:8086/write?db=bench`) that is given the same points
            afterwards, flat out, in line protocol, by the same clients.

    Raises:
        InputError: numbers that make no sense.
        UnavailableError: a server does not start, or does not answer.
    """
    if asked.devices < 1 or asked.seconds < 1 or asked.batch < 1 or asked.clients < 1:
        raise InputError("There is nothing to measure.", "Give numbers from 1 up.")
    console, err = console or Console(), Console(stderr=True)
    name = f"{asked.devices:,} devices"
    with tempfile.TemporaryDirectory(prefix="brain-ingest-") as folder, generator() as load:
        figures = _measure(asked, Path(folder), load, err)
        rows = [Row(name, OURS, asked.slice, metric, value) for metric, value in figures.items()]
        if peer is not None:
            theirs = _measure_peer(asked, peer, load, err)
            rows += [Row(name, PEER, "line, flat out", metric, value) for metric, value in theirs.items()]
            ratio = figures["readings_per_second"] / theirs["readings_per_second"]
            rows.append(Row(name, OURS, asked.slice, "ratio", ratio))
    table = BenchmarkTable(
        "ingest",
        describe_machine(),
        describe_versions(),
        METRICS,
        compared=(),
        rows=tuple(rows),
        notes=(
            f"{asked.batch:,} readings a request, {asked.clients} clients on kept connections, over loopback; load and server "
            "share the machine. A minute that introduces the devices comes first and is not timed.",
            "Simulated readings. Lost and doubled: what the stopped server's inbox and lake hold of what was acknowledged.",
        ),
    )
    if json_file:
        table.write_json(json_file)
    if markdown:
        flags = f"--devices {asked.devices} --seconds {asked.seconds} --format {asked.form}"
        command = f"brain benchmark ingest {flags}{'' if asked.paced else ' --flat-out'}"
        console.print(table.markdown(command, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def _measure(asked: Ingest, home: Path, load: Generator, err: Console) -> dict[str, float]:
    settings = Settings(home=home)
    brain = Brain(settings, lambda: dt.datetime.now(dt.UTC))
    brain.initialise()
    _, secret = brain.keys.create("benchmark", Role.ADMIN)
    environment = {"BRAIN_HOME": str(home), "BRAIN_TELEMETRY_NEW_CHANNELS": str(100 * asked.devices)}
    with err.status("Starting the server"), started_process(_alone(environment)) as (address, process):
        points = asked.points(brain.clock())
        target = Target(address, secret, asked.form)
        minute = points.requests_a_minute
        total = -(-minute * asked.seconds // 60)
        err.print(f"Introducing {asked.devices:,} devices ...")
        introduced = load.post(Load(_earlier(points), target, 0, minute, asked.clients))
        err.print(f"Posting for {asked.seconds} seconds ..." if asked.paced else "Posting flat out ...")
        posted = load.post(Load(points, target, 0, total, asked.clients, asked.rate))
        memory = _resident_gb(process)
        waited = time.monotonic()
        scored = _all_scored(address, secret)
        waited = time.monotonic() - waited
    err.print("Reading back ...")
    kept = read_back(settings, [(_earlier(points), introduced), (points, posted)])
    figures = _figures(posted) | {"lost": float(kept.lost), "doubled": float(kept.doubled)}
    if memory is not None:
        figures["rss_gb"] = memory
    if scored:  # the sequence holds what was acknowledged and nothing else
        figures |= {"scored": float(introduced.readings + posted.readings), "behind_s": waited}
    return figures


def _earlier(points: Points) -> Points:
    """The minute before."""
    return Points(points.devices, points.batch, points.start_ms - 60_000)


def _measure_peer(asked: Ingest, url: str, load: Generator, err: Console) -> dict[str, float]:
    err.print("Posting the same points to the peer ...")
    points = Ingest(asked.devices, paced=False).points(dt.datetime.now(dt.UTC))
    points = Points(asked.devices, asked.batch, points.start_ms)
    target = Target(url, os.environ.get("BRAIN_PEER_KEY", ""), Format.LINE, peer=True)
    minute = points.requests_a_minute
    load.post(Load(_earlier(points), target, 0, minute, asked.clients))
    return _figures(load.post(Load(points, target, 0, -(-minute * asked.seconds // 60), asked.clients)))


def _figures(posted: Posted) -> dict[str, float]:
    if posted.rejected:
        raise UnavailableError(f"{posted.rejected:,} readings were rejected.", "The figures would mean nothing.")
    return {
        "readings_per_second": posted.readings / posted.elapsed,
        "p50_ms": 1e3 * float(np.quantile(posted.seconds, 0.5)),
        "p99_ms": 1e3 * float(np.quantile(posted.seconds, 0.99)),
        "refusals": float(posted.refusals),
    }


def _alone(environment: Mapping[str, str]) -> dict[str, str]:
    """This process' environment, without its own installation's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BRAIN_")}
    return {**kept, **environment}


def _resident_gb(process: int) -> float | None:
    try:
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), flags=re.MULTILINE)
    except OSError:
        return None  # not Linux
    return None if found is None else int(found[1]) / 1e6


def _all_scored(address: str, secret: str) -> bool:
    """Whether everything durable is scored before time is up."""
    until = time.monotonic() + _SCORING_SECONDS
    while True:
        told = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {secret}"}, timeout=60.0).text
        found = re.search(r"^brain_telemetry_unscored_entries (\S+)", told, flags=re.MULTILINE)
        if found is not None and float(found[1]) == 0:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)


def read_back(settings: Settings, runs: list[tuple[Points, Posted]]) -> Kept:
    """Compare what a stopped server's inbox and lake hold with what it acknowledged."""
    names, parts = _stored(settings)
    stored = np.concatenate([_identity(names[channel], ts // 1000) for channel, ts, _ in parts])
    value = np.concatenate([value for _, _, value in parts])
    order = np.argsort(stored, kind="stable")
    stored, value = stored[order], value[order]
    lost = 0
    for points, posted in runs:
        for number in posted.requests.tolist():
            _, devices, ms = points.request(number)
            wanted = _identity(devices, ms)
            at = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
            lost += int(((stored[at] != wanted) | (value[at] != value_of(devices, ms) / 1000)).sum())
    return Kept(lost, len(stored) - len(np.unique(stored)))


def _identity(devices: npt.NDArray[np.int64], ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One number for a device and a moment: 2 to the 27th devices, 2 to the 36th milliseconds of them."""
    return (devices << 36) | (ms & ((1 << 36) - 1))


_Part = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float64]]


def _stored(settings: Settings) -> tuple[npt.NDArray[np.int64], list[_Part]]:
    """The device of each channel; and all that is stored: channels, times, values."""
    from industrial_brain.domain.telemetry import Batch
    from industrial_brain.storage.database import open_database
    from industrial_brain.storage.inbox import SqlInbox
    from industrial_brain.storage.lake import DeltaLake
    from industrial_brain.storage.lake_places import place_at

    inbox = SqlInbox(open_database(settings.telemetry_database))
    inbox.open()
    try:
        names = np.zeros(0, np.int64)
        for block in inbox.names():
            found = np.array([int(block.device[row][1:]) for row in range(len(block))], np.int64)
            names = np.pad(names, (0, max(0, int(block.channel.max(initial=-1)) + 1 - len(names))))
            names[block.channel] = found
        lake = DeltaLake(place_at(settings.lake, "shard-0"), "shard-0")
        lake.open()
        until = lake.stored_until()
        parts: list[_Part] = [(rows.channel, rows.ts, rows.value) for rows in lake.replay(0, until)]
        batches = (entry for entry in inbox.entries(until) if isinstance(entry, Batch))
        parts += [(batch.channel, batch.ts, batch.value) for batch in batches]
    finally:
        inbox.close()
    return names, parts
