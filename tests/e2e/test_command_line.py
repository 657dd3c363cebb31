"""The commands, in processes of their own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Installation


def test_help_names_every_command_and_reads_without_a_home(new_home: Installation) -> None:
    text = new_home.run("--help").stdout
    for command in ("init", "import", "simulate", "indicators", "train", "forecast", "models", "promote", "rollback"):
        assert command in text
    assert list(new_home.home.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("forecast", "CEU0500000001:US"),
        ("train", "forecasting"),
        ("keys", "list"),
        ("indicators",),
        ("import", "indicators", "examples/indicators-long.csv"),
    ],
    ids=" ".join,
)
def test_before_init_every_command_says_what_to_do_first(new_home: Installation, words: tuple[str, ...]) -> None:
    done = new_home.run(*words, code=1)
    assert "brain init" in done.stderr


def test_a_forecast_prints_a_table_its_model_and_its_unit(trained: Installation) -> None:
    text = trained.run("forecast", "CEU0500000001:US", "--horizon", "12").stdout
    assert "Total Private" in text
    assert "10*3.{persons}" in text
    assert text.count("\n20") == 12
    assert "version 2 of ib-forecasting" in text
    assert "Simulated" not in text


def test_a_forecast_of_simulated_data_says_so_and_draws_a_chart_when_asked(trained: Installation) -> None:
    text = trained.run("forecast", "output:990000", "--chart").stdout
    assert "Simulated data" in text
    assert "⠉" in text or "⣀" in text


def test_json_holds_what_the_contract_names(trained: Installation) -> None:
    found = json.loads(trained.run("forecast", "CEU0500000001:US", "--json", "--level", "50").stdout)
    (answer,) = found["answers"]
    assert list(answer["quantiles"]) == ["0.25", "0.5", "0.75"]
    assert {"series", "freq", "unit", "start", "mean", "method", "fallback", "vintage", "simulated"} <= set(answer)


def test_a_forecast_as_of_uses_the_version_of_then(trained: Installation) -> None:
    assert "version 1 of" in trained.run("forecast", "CEU0500000001:US", "--as-of", "2025-12-31").stdout
    early = trained.run("forecast", "CEU0500000001:US", "--as-of", "2020-01-01", code=1)
    assert "brain train forecasting --as-of 2020-01-01" in early.stderr


@pytest.mark.parametrize(
    ("words", "complaint", "code"),
    [
        (("forecast", "nothing:here"), "There is no series 'nothing:here'", 2),
        (("forecast", "CEU0500000001:US", "--horizon", "100000"), "1 to 60 months", 2),
        (("forecast", "CEU0500000001:US", "--horizon", "-3"), "1 to 60 months", 2),
        (("forecast", "CEU0500000001:US", "--level", "120"), "above 0 and up to 99", 2),
        (("forecast", "CEU0500000001:US", "--as-of", "yesterday"), "not a date", 2),
        (("promote", "77"), "There is no version 77", 2),
        (("keys", "revoke", "nobody"), "nobody", 2),
        (("keys", "create", "x", "--role", "factory"), "--site", 2),
        (("import", "indicators", "no-such-file.csv"), "no-such-file.csv", 2),
        (("init", "--profile", "no-such-folder"), "no-such-folder", 2),
        (("benchmark", "forecasting", "examples"), "info.json is missing", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_gets_one_sentence_and_a_next_step(
    trained: Installation, words: tuple[str, ...], complaint: str, code: int
) -> None:
    done = trained.run(*words, code=code)
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4  # beside what a command says of its progress


def test_an_import_reports_rows_by_line_and_a_second_one_changes_nothing(trained: Installation, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("unique_id,ds,y\nmine,2025-01,1\nmine,2025-02,two\nmine,2025-03,3\nmine,2025-04,inf\n")
    first = trained.run("import", "indicators", str(file), "--freq", "M")
    assert "2 accepted, 0 duplicate, 0 revised, 2 rejected" in first.stdout
    assert "3  not_a_number" in first.stderr
    assert "5  not_finite" in first.stderr
    again = trained.run("import", "indicators", str(file), "--freq", "M")
    assert "0 accepted, 2 duplicate, 0 revised, 2 rejected" in again.stdout


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(trained: Installation) -> None:
    secret = trained.run("keys", "create", "office", "--role", "planner").stdout.strip()
    listed = trained.run("keys", "list").stdout
    assert "office" in listed
    assert secret not in listed
    key_id = next(line.split()[0] for line in listed.splitlines() if "office" in line)
    assert "revoked" in trained.run("keys", "revoke", key_id).stdout


def test_the_doctor_finds_nothing_wrong_with_a_sound_installation(trained: Installation) -> None:
    text = trained.run("doctor").stdout
    assert "fail" not in text
    assert "Telemetry inbox: " in text
    assert "Anomaly champion: none" in text
    assert "version 2" in text


def test_the_doctor_says_what_a_new_home_lacks(new_home: Installation) -> None:
    assert "brain init" in new_home.run("doctor", code=1).stdout


def test_the_serving_bench_starts_a_server_and_leaves_no_key(trained: Installation) -> None:
    text = trained.run("benchmark", "serving", "--requests", "4", "--clients", "2").stdout
    assert "POST /v1/forecasts:explain" in text
    (key,) = [line for line in trained.run("keys", "list").stdout.splitlines() if "benchmark" in line]
    assert len(re.findall(r"\d{4}-\d{2}-\d{2}", key)) == 2  # made, and revoked


def test_versions_are_listed_promoted_and_rolled_back(tmp_path: Path, ray_address: str) -> None:
    home = Installation(tmp_path, ray_address)
    home.run("init", "--profile", "examples/small-city")
    home.run("train", "forecasting", "--as-of", "2026-01-31")
    assert "challenger" in home.run("train", "forecasting", "--no-promote", "--anyway").stdout
    assert "is champion" in home.run("promote", "2").stdout
    assert "Version 1 is champion again" in home.run("rollback").stdout
    assert "rolled back" in home.run("promote", "2", code=1).stderr
    listing = home.run("models").stdout
    assert "withdrawn" in listing
    assert "champion" in listing


def test_a_killed_training_leaves_no_version_and_goes_on_where_it_stopped(tmp_path: Path, ray_address: str) -> None:
    home = Installation(tmp_path, ray_address)
    rows = (f"s{i},{2000 + t // 12}-{t % 12 + 1:02},{100 + i + (i * t) % 7}\n" for i in range(1600) for t in range(60))
    file = tmp_path / "many.csv"
    file.write_text("unique_id,ds,y\n" + "".join(rows))
    home.run("init")
    home.run("import", "indicators", str(file))
    train = subprocess.Popen(home.command("train", "forecasting"), cwd=ROOT, env=home.environment())
    kept = tmp_path / "checkpoints"
    while train.poll() is None and not list(kept.glob("*.npz")):  # ends with the process at the latest
        time.sleep(0.001)
    train.send_signal(signal.SIGKILL)
    train.wait(timeout=60)
    if train.returncode == 0:
        pytest.fail("the training ended before it could be killed")
    assert "No version yet" in home.run("models").stderr
    text = home.run("train", "forecasting").stdout
    assert "kept from a run that was stopped" in text
    assert "Version 1 of ib-forecasting is champion" in text
    assert list(kept.glob("*.npz")) == []
