"""The file that a forecasting score can be recomputed from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.forecasting_sets import ForecastingSet
from benchmarks.methods import PROBABILITIES, Answer
from industrial_brain.domain.forecasts import quantile_key


def write_predictions(path: Path, one: ForecastingSet, answers: Mapping[str, Answer]) -> None:
    """Write `method, unique_id, step, mean, q0.025, q0.1 ... q0.9, q0.975`: the forecasts of the set's test rows.

    `step` counts from 1 to the series' own horizon. A method has no rows for series that it was not asked for.
    """
    horizons = np.repeat([group.horizon for group in one.groups], [len(group.train) for group in one.groups])
    steps = np.arange(1, horizons.max() + 1)
    tables = []
    for method, answer in answers.items():
        row, column = np.nonzero((steps <= horizons[:, None]) & ~np.isnan(answer.mean))
        columns: dict[str, object] = {
            "method": [method] * len(row),
            "unique_id": [one.ids[i] for i in row],
            "step": steps[column],
            "mean": answer.mean[row, column],
        }
        for i, probability in enumerate(PROBABILITIES):
            columns[f"q{quantile_key(probability)}"] = answer.quantiles[row, column, i]
        tables.append(pa.table(columns))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(tables), path)
