"""The bundle as an MLflow pyfunc model, logged as code: `mlflow models serve` runs this file beside copies of our packages.

Our own server does not come here: two versions loaded this way would share one `sys.modules`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.risks import RiskAnswer, RiskTable


class _Forecasts(Protocol):
    def forecast(
        self, series: Sequence[str], horizon: int | None, levels: Sequence[float]
    ) -> list[Forecast | Failed]: ...


@runtime_checkable
class _Detectors(Protocol):
    def score_frame(self, frame: pd.DataFrame) -> pd.DataFrame: ...


@runtime_checkable
class _Targets(Protocol):
    def answer_rows(self, series: Sequence[str], horizon: int) -> list[dict[str, object]]: ...


@runtime_checkable
class _Risks(Protocol):
    def answer(self, table: RiskTable) -> list[RiskAnswer]: ...


def _read(folder: Path) -> _Forecasts | _Detectors | _Targets | _Risks:
    """The bundle of whatever area the folder holds; what the other areas import is not needed for it."""
    area = json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("area")
    if area == "anomaly":
        from models.anomaly.equipment.frames import FrameScorer

        return FrameScorer.read(folder)
    if area == "risk":
        from models.risk.bundle import RiskBundle

        return RiskBundle.read(folder)
    if area == "nowcast":
        from models.nowcast.bundle import NowcastBundle

        return NowcastBundle.read(folder)
    if area == "targeting":
        from models.targeting.bundle import TargetBundle

        return TargetBundle.read(folder)
    from models.forecasting.bundle import ForecastBundle

    return ForecastBundle.read(folder)


class BundleModel(PythonModel):
    """Of forecasts: rows of (series, horizon) in, one row a series and step out.

    Input columns: `series` (text), and `horizon` (whole number), which says how far each row's series is forecast.
    Parameter `levels`: central intervals in percent. Output columns: `series`, `step` (1 is the first period ahead), `start`
    (of the first period forecast), `mean`, one `qP` a quantile, `method`, `fallback`, `failure`; a series without a forecast
    has one row, with its failure.

    Of equipment's detectors: readings in, one row a device, moment and sensor out; see `FrameScorer`.

    A version of investment targets takes target ids (`region:cluster`) for `series` and years for `horizon`, and answers one
    row each: `series`, `horizon`, `quotient` (now), `mean` (probability to stand at the threshold or above it), `low` and
    `high` (of it, 80%), `growth` (log points a year above all), `failure`.

    Of a risk: rows of cases in, with the columns that it was learnt from; one row each out: `probability`, `grade`, `outlook`
    (at 90 percent), `reasons`.
    """

    def load_context(self, context: PythonModelContext) -> None:
        self._bundle = _read(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Raises our HorizonError or LevelError, which MLflow's server reports as a bad request."""
        if isinstance(self._bundle, _Detectors):
            return self._bundle.score_frame(model_input)
        if isinstance(self._bundle, _Risks):
            return _risks(self._bundle, model_input)
        levels = list((params or {}).get("levels", (80.0, 95.0)))
        rows: list[dict[str, object]] = []
        for series, horizon in zip(model_input["series"], model_input["horizon"], strict=True):
            if isinstance(self._bundle, _Targets):
                rows.extend(self._bundle.answer_rows([str(series)], int(horizon)))
                continue
            for answer in self._bundle.forecast([str(series)], int(horizon), levels):
                rows.extend(_rows(answer))
        return pd.DataFrame(rows)


def _risks(bundle: _Risks, frame: pd.DataFrame) -> pd.DataFrame:
    columns = {
        str(name): frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_numeric_dtype(frame[name])
        else np.array(
            [None if missing else str(v) for v, missing in zip(frame[name], frame[name].isna(), strict=True)], object
        )
        for name in frame
    }
    return pd.DataFrame(
        {
            "probability": answer.prob,
            "grade": str(answer.grade),
            "outlook": str(answer.outlook),
            "reasons": [reason.words for reason in answer.reasons],
        }
        for answer in bundle.answer(RiskTable(columns))
    )


def _rows(answer: Forecast | Failed) -> list[dict[str, object]]:
    if isinstance(answer, Failed):
        return [{"series": answer.series, "failure": answer.reason}]
    return [
        {
            "series": answer.series,
            "step": step + 1,
            "start": answer.start,
            "mean": mean,
            **{f"q{key}": values[step] for key, values in answer.quantiles.items()},
            "method": answer.method,
            "fallback": answer.fallback,
            "failure": None,
        }
        for step, mean in enumerate(answer.mean)
    ]


set_model(BundleModel())
