"""The members' bench: what each costs, weighs and is worth, on a set of two frequencies."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.member_costs import PHASES, REST, Measured, Tried, profiled
from benchmarks.members import overall, run_members, score
from benchmarks.origins import Origin
from industrial_brain.domain.errors import InputError
from tests.unit.benchmarks.folders import Written, wavy, write_set

NAN = float("nan")
Figures = Mapping[tuple[str, str], Mapping[str, float]]


def _split(values: list[float], horizon: int, freq: str, season: int) -> Written:
    return Written(values[:-horizon], values[-horizon:], freq, season)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    folder = tmp_path_factory.mktemp("sets")
    months = {f"m{i}": _split(wavy(90, seed=i), 12, "M", 12) for i in range(3)}
    years = {"y": _split(wavy(30, seed=9), 2, "Y", 1)}
    file = folder / "out.json"
    run_members(
        [write_set(folder / "mixed", months | years)], profile=True, json_file=file, console=Console(file=io.StringIO())
    )
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in json.loads(file.read_text(encoding="utf-8"))["rows"]:
        found.setdefault((row["slice"], row["method"]), {})[row["metric"]] = row["value"]
    return found


def test_each_ensemble_is_scored_beside_ours_and_costs_something(figures: Figures) -> None:
    ensembles = {name: found for (part, name), found in figures.items() if part == "ensemble"}
    assert list(ensembles) == ["brain", "all members fitted", "by past errors alone"]
    for found in ensembles.values():
        assert found["cpu_ms_per_series"] > 0.0
        assert found["relative"] == pytest.approx(found["mase"] / ensembles["brain"]["mase"])


def test_weights_add_up_over_the_members_and_a_member_of_one_frequency_is_fitted_there_alone(figures: Figures) -> None:
    members = {name: found for (part, name), found in figures.items() if part == "member"}
    assert sum(found["weight"] for found in members.values()) == pytest.approx(100.0)
    assert members["seasonal_naive"]["fitted"] == 100.0
    assert members["holt_winters"]["fitted"] <= 75.0  # it needs a season, and the yearly series has none
    assert members["theta"]["mase"] > 0.0
    assert "mase" not in members["regression"]  # without a calendar it answers for none


def test_the_phases_share_out_the_whole_time(figures: Figures) -> None:
    phases = {name: found["share"] for (part, name), found in figures.items() if part == "phase"}
    assert set(phases) == {*PHASES, REST}
    assert sum(phases.values()) == pytest.approx(100.0)
    assert all(phases[name] > 0.0 for name in PHASES)


def test_what_is_no_phase_is_the_rest() -> None:
    spent = profiled(lambda: math.fsum(range(200_000)))
    assert spent[REST] > 0.0
    assert all(spent[name] == 0.0 for name in PHASES)


def test_a_blind_set_is_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "blind", {"m": Written(wavy(40, seed=1), [NAN] * 12)})
    with pytest.raises(InputError, match="blind is blind"):
        run_members([folder])


def test_sets_are_told_together_by_the_geometric_mean_of_their_ratios() -> None:
    nothing = np.zeros(1)
    origin = Origin((), actual=np.array([[1.0]]), scale=np.ones(1))

    def tried(mean: float, seconds: float) -> Tried:
        return Tried(np.array([[mean]]), np.ones(1, dtype=np.bool_), nothing, cpu_seconds=seconds, series=1)

    sets = {
        name: Measured({"brain": tried(2.0, 1.0)}, {"theta": tried(mean, seconds)})
        for name, mean, seconds in (("one", 3.0, 0.002), ("two", 9.0, 0.004))
    }
    rows = [row for name, one in sets.items() for row in score(name, origin, one)]
    theta = {row.metric: row.value for row in overall(sets, rows) if row.method == "theta"}
    assert theta == pytest.approx({"relative": 4.0, "fitted": 100.0, "weight": 0.0, "cpu_ms_per_series": 3.0})
