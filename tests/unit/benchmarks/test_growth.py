"""The growth bench: every size is measured in processes of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.growth import LENGTH, METRICS, run_growth, synthetic_panel
from industrial_brain.domain.errors import InputError


def test_each_size_has_each_figure(tmp_path: Path) -> None:
    file = tmp_path / "growth.json"
    run_growth([64, 128], json_file=file)
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert {(row["slice"], row["metric"]) for row in rows} == {(n, m) for n in ("64", "128") for m in METRICS}
    assert all(row["value"] > 0.0 for row in rows)


def test_a_size_too_small_to_measure_is_refused() -> None:
    with pytest.raises(InputError):
        run_growth([10])


def test_synthetic_series_are_positive_and_repeatable() -> None:
    panel = synthetic_panel(5)
    assert panel.lengths.tolist() == [LENGTH] * 5
    assert panel.values.min() > 0.0
    assert (panel.values == synthetic_panel(5).values).all()
