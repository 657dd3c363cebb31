"""The peers: statsforecast's models as their authors ship them, one series after the other, with their own intervals.

statsforecast is an optional dependency and is imported when a peer first runs, in the process that measures it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.methods import PROBABILITIES, Answer
from features.gaps import bridged
from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Progress

#: central intervals whose ends, with the mean as the median, are our quantiles
_LEVELS = (20, 40, 60, 80, 95)

#: name of each peer -> statsforecast's class
PEERS = {
    "seasonal_naive": "SeasonalNaive",
    "theta": "DynamicOptimizedTheta",
    "ets": "AutoETS",
    "ces": "AutoCES",
    "arima": "AutoARIMA",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """One of `PEERS` as a `Method`. Gaps are bridged in a straight line: none of the peers takes them.

    `seed` is for the peers that simulate their intervals.
    """

    name: str
    seed: int = 0

    def __call__(self, panel: Panel, horizon: int, progress: Progress) -> Answer:
        from statsforecast import models  # heavy, and optional: loaded by the process that measures it

        build: Callable[..., Any] = getattr(models, PEERS[self.name])
        np.random.seed(self.seed)  # the only seed that these models know
        answer = Answer.blank(len(panel), horizon)
        refused: dict[int, str] = {}
        for row, values in enumerate(bridged(panel)):
            try:
                answer.mean[row], answer.quantiles[row] = _forecast_one(
                    build(season_length=panel.season), values, horizon
                )
            except Exception as error:  # noqa: BLE001 - statsforecast raises the bare class for "can't be fitted"
                refused[row] = f"{type(error).__name__}: {error}"
            progress(row + 1, len(panel))
        return Answer(answer.mean, answer.quantiles, refused)


def require_peers() -> None:
    """Raises `UnavailableError` where statsforecast is not installed."""
    if importlib.util.find_spec("statsforecast") is None:
        raise UnavailableError(
            "The peers are statsforecast's models, and statsforecast is not installed.",
            "Install the extra with `uv sync --extra peers`, or leave out --peers.",
        )


def average(one: Answer, other: Answer, names: tuple[str, str]) -> Answer:
    """The plain mean of two answers, quantile by quantile. Where one of them refused, the other answers alone."""
    mean = (one.mean + other.mean) / 2.0
    quantiles = (one.quantiles + other.quantiles) / 2.0
    alone = dict.fromkeys(one.refused, (other, names[1])) | dict.fromkeys(other.refused, (one, names[0]))
    refused = {row: reason for row, reason in one.refused.items() if row in other.refused}
    for row, (answer, _) in alone.items():
        mean[row], quantiles[row] = answer.mean[row], answer.quantiles[row]
    fallbacks = {row: f"{name} alone" for row, (_, name) in alone.items() if row not in refused}
    return Answer(mean, quantiles, refused, fallbacks)


def _forecast_one(model: Any, y: Floats, horizon: int) -> tuple[Floats, Floats]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of short or constant series; what comes of them is checked by the caller
        result = model.forecast(y=y, h=horizon, level=list(_LEVELS))
    mean = np.asarray(result["mean"], dtype=np.float64)
    columns = {0.5: mean}
    for level in _LEVELS:
        columns[round(0.5 - level / 200, 4)] = result[f"lo-{level}"]
        columns[round(0.5 + level / 200, 4)] = result[f"hi-{level}"]
    quantiles = np.stack([np.asarray(columns[p], dtype=np.float64) for p in PROBABILITIES], axis=1)
    # a simulated interval can lie wholly beside its mean; sorting keeps the quantiles a distribution
    return mean, np.sort(quantiles, axis=1)
