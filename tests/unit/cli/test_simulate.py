"""`brain simulate telemetry`, against a server that keeps what it is given."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from industrial_brain.cli.app import app
from industrial_brain.cli.feeding import Format, Pace, Tally, feed
from industrial_brain.domain.errors import BrainError, InputError
from industrial_brain.domain.protocols import no_progress
from industrial_brain.simulation.faults import Kind
from industrial_brain.simulation.labels import Label, Truth, read_truth, write_truth, written
from industrial_brain.simulation.plant import Plant
from serving.sending import TelemetryServer
from tests.fakes.door import Door, opened

MINUTE = 60_000_000
NOW = 1_764_000_000_000_000


@pytest.fixture
def door() -> Iterator[Door]:
    with opened(Door()) as door:
        yield door


def simulate(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "telemetry", "--devices", "20", "--faults", "2", *words])


def plant(start: int | None = None, minutes: int = 30) -> Plant:
    start = Pace(NOW).start(minutes) if start is None else start
    return Plant.of(seed=1, sites=2, devices=20, start=start, minutes=minutes)


@pytest.mark.parametrize("shape", list(Format))
def test_what_is_sent_arrives_in_every_format(door: Door, shape: Format, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    done = simulate("--server", door.url, "--key", "k", "--minutes", "60", "--format", shape, "--labels", str(labels))
    assert done.exit_code == 0, done.output
    truth = read_truth(labels)
    assert truth.history_until == truth.end  # it was sent at once
    assert {site for site, *_ in door.readings} == {"sim-F0001", "sim-G001"} == set(truth.sites)
    assert len(truth.labels) == 2
    assert f"{len(door.readings):,} accepted" in done.output
    times = [ts for *_, ts in door.readings]
    assert truth.start / 1e6 <= min(times) <= max(times) <= truth.end / 1e6 <= time.time()


def test_equal_plants_send_equal_readings_in_all_formats() -> None:
    sent = []
    for shape in Format:
        with opened(Door()) as door:
            feed_all(plant(), door, shape)
            sent.append(door.readings)
    assert sent[0] == sent[1] == sent[2]


def feed_all(plant: Plant, door: Door, shape: Format = Format.ARROW) -> Tally:
    tally = Tally()
    server = TelemetryServer(door.url, "k", connections=4)
    feed(plant, server, Pace(NOW), shape, tally=tally, progress=no_progress, told=lambda error, seconds: None)
    return tally


def test_a_busy_server_is_waited_for(door: Door) -> None:
    door.refusals = [429, 503]
    told: list[BrainError] = []
    tally = Tally()
    server = TelemetryServer(door.url, "k", connections=4)
    feed(
        plant(),
        server,
        Pace(NOW),
        Format.ARROW,
        tally=tally,
        progress=no_progress,
        told=lambda error, seconds: told.append(error),
    )
    assert len(told) == 2
    assert tally.accepted == tally.sent == len(door.readings)


def test_stopped_in_the_middle_it_has_counted_what_was_taken(door: Door) -> None:
    seen: list[int] = []

    def stop(done: int, total: int | None) -> None:
        seen.append(done)
        if len(seen) == 2:
            raise KeyboardInterrupt

    tally = Tally()
    slow = plant(minutes=600)
    with pytest.raises(KeyboardInterrupt):
        feed(
            slow,
            TelemetryServer(door.url, "k", connections=4),
            Pace(NOW, rate=1e9),
            Format.ARROW,
            tally=tally,
            progress=stop,
            told=lambda error, seconds: None,
        )
    assert tally.sent == seen[-1] == len(door.readings)
    assert tally.until == slow.time_of(480)


def test_the_pace_of_history_of_real_time_and_of_fast_time() -> None:
    history, live, fast = Pace(NOW), Pace(NOW, live=10.0), Pace(NOW, speedup=60.0)
    for pace, ahead in ((history, 0.0), (live, 10.0), (fast, 0.5)):
        made = plant(start=pace.start(30))
        assert made.time_of(30) == NOW + round(ahead * MINUTE)  # the last reading is fresh when it is sent
        assert pace.due(made, made.time_of(30), 0) == pytest.approx(ahead * 60)
    made = plant(start=live.start(30))
    assert live.due(made, made.time_of(15), 0) <= 0  # the past needs no waiting
    assert [len(block) for block in live.blocks(made)] == [2] * 11
    assert Pace(NOW, rate=100.0).due(made, made.time_of(1), 500) == 5.0


@pytest.mark.parametrize(
    "pace",
    [
        lambda: Pace(NOW, live=-1.0),
        lambda: Pace(NOW, speedup=0.0),
        lambda: Pace(NOW, rate=-1.0),
        lambda: Pace(NOW, live=1.0, speedup=2.0),
    ],
)
def test_a_pace_that_can_not_be_is_refused(pace: type[Pace]) -> None:
    with pytest.raises(InputError):
        pace()  # type: ignore[call-arg]  # a lambda


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_says_of_every_reading_that_it_is_simulated(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"readings.{suffix}"
    done = simulate("--out", str(file), "--minutes", "60")
    assert done.exit_code == 0, done.output
    table = pyarrow.csv.read_csv(file) if suffix == "csv" else pyarrow.parquet.read_table(file)
    assert table.column_names == ["site", "device", "metric", "ts", "value", "unit", "simulated"]
    assert set(table["simulated"].to_pylist()) == {True}
    assert len(table) > 2_000


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--server", "http://127.0.0.1:1", "--out", "x.csv"),
        ("--out", "x.txt"),
        ("--out", "/nowhere/x.csv"),
        ("--server", "nonsense"),
        ("--server", "http://127.0.0.1:1", "--format", "xml"),
        ("--server", "http://127.0.0.1:1", "--kind", "earthquake"),
        ("--server", "http://127.0.0.1:1", "--labels", "/nowhere/labels.json"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(words: tuple[str, ...]) -> None:
    assert isinstance(simulate("--minutes", "60", *words).exception, InputError)


def test_what_a_server_has_found_is_held_against_the_labels(door: Door, tmp_path: Path) -> None:
    start, minute = NOW, MINUTE
    label = Label(
        "a", Kind.LEAK, "sim-G001", "sim-line", frozenset({"sim-line"}), ("flow",), start, start + 60 * minute
    )
    silence = replace(label, id="b", kind=Kind.DROPOUT, start=start + 80 * minute, end=start + 90 * minute)
    end = start + 200 * minute
    truth = Truth(1, ("sim-G001",), start - 100 * minute, end, 60.0, 10, 30, (label, silence), end)
    write_truth(tmp_path / "labels.json", truth)

    def page(device: str | None, at: int, token: str | None) -> dict[str, object]:
        moment = written(start + at * minute)
        one = {
            "site": "sim-G001",
            "device": device,
            "start": moment,
            "end": None,
            "last_point": moment,
            "cause": "level",
        }
        return {"items": [one], "next_page_token": token}

    path = "/v1/anomalies?" + urlencode({"site": "sim-G001", "start": written(truth.start), "page_size": 500})
    door.pages = {path: page("sim-line", 6, "more"), path + "&page_token=more": page(None, -50, None)}
    done = CliRunner().invoke(
        app, ["simulate", "score", str(tmp_path / "labels.json"), "--server", door.url, "--key", "k"]
    )
    assert done.exit_code == 0, done.output
    assert ["leak", "1", "1", "6.0", "level"] in [line.split() for line in done.output.splitlines()]
    assert "1 not to be found in a history" in done.output
    assert "1 of 1 found (recall 100%); 1 of 2 episodes belong to one (precision 50%)" in " ".join(done.output.split())


def test_declarations_are_written_as_operators_write_them(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    assert simulate("--server", door.url, "--key", "k", "--minutes", "60", "--declarations", str(file)).exit_code == 0
    with file.open(encoding="utf-8", newline="") as written_to:
        rows = list(csv.DictReader(written_to))
    assert len({(row["site"], row["device"]) for row in rows if not row["metric"]}) == 20
    (pump,) = [row for row in rows if row["device"] == "sim-l01-pump-01" and not row["metric"]]
    assert (pump["equipment"], pump["parent"], pump["seconds"]) == ("pump", "sim-l01-gateway", "60.0")
    energy = next(row for row in rows if row["metric"] == "energy")
    assert (energy["counter"], energy["wraps_at"], energy["unit"]) == ("true", "10000.0", "kW.h")
