"""Forecasts of series that nobody keeps: the real worker process, the real server, the real command."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from industrial_brain.domain.errors import UnavailableError
from serving.problems import Fault, FieldsError
from serving.worker import SpawnedWorker
from tests.e2e.conftest import ROOT, Installation

PATIENCE = 60.0  # seconds after which a test gives up; none of them measures time


@pytest.fixture
def worker() -> Iterator[SpawnedWorker]:
    worker = SpawnedWorker(seconds=PATIENCE, line=1)
    yield worker
    worker.stop()


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    """A home of which nothing is known, and no Ray."""
    return Installation(tmp_path / "home", ray="")


def _refuse() -> None:
    raise FieldsError("Wrong.", "Mend it.", [Fault("body", "/y/0", "It is odd.")], slug="odd")


def _wait(folder: Path) -> None:
    (folder / "started").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)


def test_work_is_done_elsewhere_by_one_process_and_its_errors_arrive_whole(worker: SpawnedWorker) -> None:
    pid = worker.run(os.getpid)
    assert pid != os.getpid()
    with pytest.raises(FieldsError) as raised:
        worker.run(_refuse)
    assert (raised.value.slug, raised.value.next_step) == ("odd", "Mend it.")
    assert raised.value.faults == (Fault("body", "/y/0", "It is odd."),)
    assert worker.run(os.getpid) == pid


def test_a_worker_that_dies_or_hangs_is_named_and_the_next_one_works(worker: SpawnedWorker) -> None:
    with pytest.raises(UnavailableError, match="has ended"):
        worker.run(os._exit, 1)
    assert worker.run(os.getpid) != os.getpid()
    hasty = SpawnedWorker(seconds=2.0)
    first = hasty.run(os.getpid)
    with pytest.raises(UnavailableError, match="took too long"):
        hasty.run(time.sleep, 10 * PATIENCE)
    assert hasty.run(os.getpid) != first
    hasty.stop()


def test_who_comes_when_the_line_is_full_is_turned_away(worker: SpawnedWorker, tmp_path: Path) -> None:
    busy = threading.Thread(target=worker.run, args=(_wait, tmp_path))
    busy.start()
    while not (tmp_path / "started").exists():
        assert busy.is_alive()
        time.sleep(0.01)
    with pytest.raises(UnavailableError, match="waiting already"):
        worker.run(os.getpid)
    (tmp_path / "go").touch()
    busy.join(PATIENCE)
    assert worker.run(os.getpid) != os.getpid()


def test_a_server_without_any_version_forecasts_the_series_that_it_is_sent(empty: Installation) -> None:
    empty.run("init")
    secret = empty.run("keys", "create", "office", "--role", "planner").stdout.strip()
    with subprocess.Popen(
        empty.command("serve", "--port", "0"), cwd=ROOT, env=empty.environment(), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        try:
            address = next(line.split()[-1] for line in server.stderr if line.startswith("Serving at"))
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE) as client:
                long = {"freq": "D", "sizes": [1000] * 200, "y": [float(t % 7) for t in range(200_000)], "horizon": 7}
                answer = client.post("/v1/forecasts:adhoc", json=long)
                assert answer.status_code == 200, answer.text
                assert len(answer.json()["forecasts"]) == 200
                assert answer.json()["forecasts"][0]["mean"] == pytest.approx([6, 0, 1, 2, 3, 4, 5], abs=0.1)
                wrong = client.post("/v1/forecasts:adhoc", json={**long, "y": [1]})
                assert [fault["pointer"] for fault in wrong.json()["errors"]] == ["/sizes"]
                broken = client.post("/v1/forecasts:adhoc", content=b"[", headers={"Content-Type": "application/json"})
                assert (broken.status_code, broken.json()["title"]) == (400, "Malformed json")
        finally:
            server.terminate()
        rest = server.stderr.read()
    assert server.returncode == 0
    assert "Traceback" not in rest


def test_a_file_is_forecast_without_a_database_and_leaves_none(empty: Installation) -> None:
    text = empty.run("forecast", "--csv", "examples/indicators-long.csv", "--horizon", "3").stdout
    assert text.count("\n2026-0") == 6
    assert "fitted on the spot" in text
    assert not empty.home.exists()


def test_a_wide_file_in_gbk_is_read_its_bad_rows_are_told_and_its_forecasts_written(
    empty: Installation, tmp_path: Path
) -> None:
    file, forecasts = tmp_path / "宽.csv", tmp_path / "out.csv"
    months = [f"{2022 + m // 12}年{m % 12 + 1}月" for m in range(48)]
    names = ("电力", "供水", "燃气", "钢铁")
    lines = [f"{month},{m},{m * 2},{100 - m},{'缺' if m == 7 else 5}" for m, month in enumerate(months)]
    file.write_text("\n".join([",".join(("ds", *names)), *lines]), encoding="gbk")
    done = empty.run("forecast", "--csv", str(file), "--horizon", "2", "--level", "80", "--out", str(forecasts))
    assert "Forecast 4 of 4 series" in done.stdout
    assert "not_a_number" in done.stderr
    with forecasts.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == ["unique_id", "ds", "mean", "q0.1", "q0.5", "q0.9"]
    assert {(row["unique_id"], row["ds"]) for row in rows} == {
        (name, ds) for name in names for ds in ("2026-01-01", "2026-02-01")
    }


def test_json_of_a_file_says_what_is_simulated_and_holds_only_what_was_asked_for(
    empty: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    rows = [f"{name},{year},{year},{name == 'made-up'}" for name in ("real", "made-up") for year in range(2000, 2010)]
    file.write_text("\n".join(["unique_id,ds,y,simulated", *rows]))
    found = json.loads(empty.run("forecast", "made-up", "--csv", str(file), "--json").stdout)
    assert found["model"] == {"name": "ad-hoc", "version": None}
    assert [(one["series"], one["simulated"]) for one in found["answers"]] == [("made-up", True)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--csv", "no-such-file.csv"), "no-such-file.csv"),
        (("--csv", "examples/indicators-long.csv", "--horizon", "61"), "1 to 60 months"),
        (("nothing", "--csv", "examples/indicators-long.csv"), "no series 'nothing'"),
        (("--csv", "examples/indicators-long.csv", "--as-of", "2025-01-01"), "--as-of"),
        (("--csv", "examples/indicators-long.csv", "--out", "no/such/folder.csv"), "can't be written"),
        (("--csv", "examples/indicators-long.csv", "--freq", "O"), "holds no value"),
        (("a", "--out", "x.csv"), "go with --csv"),
        ((), "No series was named"),
    ],
    ids=" ".join,
)
def test_a_mistake_about_a_file_gets_one_sentence_and_a_next_step(
    empty: Installation, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in empty.run("forecast", *words, code=2).stderr


def test_a_column_of_a_file_is_a_covariate(empty: Installation, tmp_path: Path) -> None:
    """Rows behind the last `y` hold what is known ahead; they are no rejections."""
    file = tmp_path / "gas.csv"
    days = pd.date_range("2024-02-15", periods=400, freq="D")
    warmth = 12.0 - 9.0 * np.cos(2.0 * np.pi * np.arange(400) / 365.25) + np.random.default_rng(1).normal(0.0, 3.0, 400)
    gas = 100.0 - 2.0 * warmth
    table = pd.DataFrame({"unique_id": "gas", "ds": days.strftime("%Y-%m-%d"), "y": gas, "warmth": warmth})
    table.loc[396:, "y"] = np.nan
    table.to_csv(file, index=False)
    asked = ("forecast", "--csv", str(file), "--horizon", "4", "--covariate", "warmth", "--country", "CN")
    done = empty.run(*asked, "--json")
    assert "Rejected" not in done.stderr
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["mean"] == pytest.approx(gas[396:], abs=2.0)
    assert "has no further column 'warmt'" in empty.run(*asked[:-3], "warmt", code=2).stderr
    wide = tmp_path / "wide.csv"
    wide.write_text("ds,gas\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    refused = empty.run("forecast", "--csv", str(wide), "--covariate", "warmth", code=2)
    assert "no long table" in refused.stderr
    assert "--covariate" in empty.run("forecast", "gas", "--covariate", "warmth", code=2).stderr
