"""Every model that can be trained, by name. Conformance tests run over this list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from models.forecasting.damped_trend import DampedTrend
from models.forecasting.deseasonalised import Deseasonalised
from models.forecasting.seasonal_naive import LastValue, SeasonalNaive
from models.forecasting.state import ArrayForecaster
from models.forecasting.theta import DynamicOptimisedTheta

#: forecasters that are fitted to every series, unfitted
FORECASTERS: Mapping[str, ArrayForecaster] = MappingProxyType(
    {
        "seasonal_naive": SeasonalNaive(),
        "theta": Deseasonalised(DynamicOptimisedTheta()),
        "damped_trend": Deseasonalised(DampedTrend()),
        "last_value": LastValue(),
    }
)

#: candidates that a backtest chooses from: a name and its weights over the forecasters
CANDIDATES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "average": {"theta": 0.5, "damped_trend": 0.5},
        "theta": {"theta": 1.0},
        "damped_trend": {"damped_trend": 1.0},
        "seasonal_naive": {"seasonal_naive": 1.0},
    }
)

#: what answers until a backtest has spoken
DEFAULT_CANDIDATE = "average"

#: what answers, as a named fallback, where a history is too short for any candidate
FALLBACK_FORECASTER = "last_value"
