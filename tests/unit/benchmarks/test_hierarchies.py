from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.progress import Progress

from benchmarks.forecasting_sets import read_forecasting_set
from benchmarks.hierarchies import measure_hierarchy
from tests.unit.benchmarks.folders import Written, wavy, write_set


def _set(folder: Path, *, blind: bool = False) -> Path:
    """A total and its two parts, three steps ahead."""
    a, b = (np.array(wavy(63, seed=seed)) for seed in (0, 1))
    ahead = np.full(3, np.nan) if blind else None
    series = {
        name: Written(y[:60].tolist(), (y[60:] if ahead is None else ahead).tolist())
        for name, y in {"t": a + b, "a": a, "b": b}.items()
    }
    summing = pd.DataFrame(
        [[1, 1], [1, 0], [0, 1]], index=pd.Index(["t", "a", "b"], name="unique_id"), columns=["a", "b"]
    )
    return write_set(folder, series, summing=summing)


def _figures(folder: Path, origins: int = 1) -> dict[str, float]:
    with Progress(console=Console(file=io.StringIO())) as bar:
        rows = measure_hierarchy(read_forecasting_set(folder), origins, bar)
    assert {(row.set, row.method, row.slice) for row in rows} == {(folder.name, "brain", "all")}
    return {row.metric: row.value for row in rows}


@pytest.mark.parametrize("origins", [1, 2])
def test_every_path_adds_up_and_the_crps_before_reconciliation_is_told(tmp_path: Path, origins: int) -> None:
    found = _figures(_set(tmp_path / "h"), origins)
    assert 0.0 <= found["path_incoherence"] < 1e-9
    assert 0.0 < found["crps_base"] < 1.0


def test_of_a_blind_set_only_the_paths_are_judged(tmp_path: Path) -> None:
    assert set(_figures(_set(tmp_path / "h", blind=True))) == {"path_incoherence"}
