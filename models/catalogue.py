"""Every model that can be trained, by name. Conformance tests run over this list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from features.seasonality import LONG_SEASON
from industrial_brain.domain.periods import Frequency
from models.forecasting.autoregression import Autoregression, LongAutoregression, SeasonalAutoregression
from models.forecasting.damped_trend import DampedTrend
from models.forecasting.deseasonalised import Deseasonalised
from models.forecasting.double_seasonal import DoubleSeasonal
from models.forecasting.drift import Drift
from models.forecasting.dynamic_regression import DynamicRegression
from models.forecasting.global_trees import GlobalTrees
from models.forecasting.harmonic_regression import CYCLES, HarmonicRegression
from models.forecasting.holt_winters import HoltWinters
from models.forecasting.intermittent import TSB, CrostonSBA
from models.forecasting.logged import Logged
from models.forecasting.reseasoned import Reseasoned
from models.forecasting.seasonal_naive import LastValue, SeasonalNaive
from models.forecasting.state import ArrayForecaster
from models.forecasting.theta import DynamicOptimisedTheta

#: forecasters by name, unfitted
FORECASTERS: Mapping[str, ArrayForecaster] = MappingProxyType(
    {
        "theta": Deseasonalised(DynamicOptimisedTheta()),
        "damped_trend": Deseasonalised(DampedTrend()),
        "holt_winters": HoltWinters(),
        "autoregression": Autoregression(),
        "log_autoregression": Logged(LongAutoregression()),
        "seasonal_autoregression": SeasonalAutoregression(),
        "log_seasonal_autoregression": Logged(SeasonalAutoregression()),
        "double_seasonal": DoubleSeasonal(),
        "regression": DynamicRegression(),
        "harmonic_regression": HarmonicRegression(),
        "log_harmonic_regression": Logged(HarmonicRegression()),
        "global_trees": GlobalTrees(),
        "croston_sba": CrostonSBA(),
        "tsb": TSB(),
        "drift": Deseasonalised(Drift()),
        "seasonal_naive": SeasonalNaive(),
        "last_value": LastValue(),
    }
)

#: what answers, as a named fallback, where a history is too short for anything else
FALLBACK = "last_value"

#: the yardstick
NAIVE = "seasonal_naive"

#: what the ensemble weighs
MEMBERS = tuple(name for name in FORECASTERS if name != FALLBACK)

#: members that know one season, and come a second time where there is a longer one
ONE_SEASON = ("theta", "damped_trend", "holt_winters", "seasonal_naive")

#: members that are costly, and are left out where they are not expected to be worth their fit
COSTLY = ("theta", "damped_trend", "holt_winters", "double_seasonal")

#: members whose parameters lean on the series that are fitted beside one
POOLED = (
    "autoregression",
    "log_autoregression",
    "seasonal_autoregression",
    "log_seasonal_autoregression",
    "global_trees",
)

#: members that read covariates; the others forecast as if there were none
READERS = frozenset({"regression"})

#: members that need a season
SEASONAL = ("holt_winters", "seasonal_autoregression", "log_seasonal_autoregression", "double_seasonal")

#: frequencies of the members that are not for all: what the model can't answer for, and what it was not worth its place in
PLACES: Mapping[str, tuple[Frequency, ...]] = MappingProxyType(
    {
        "seasonal_autoregression": (Frequency.HOURLY,),
        "log_seasonal_autoregression": (Frequency.HOURLY, Frequency.MONTHLY, Frequency.QUARTERLY),
        "double_seasonal": (Frequency.HOURLY,),
        "drift": (Frequency.YEARLY, Frequency.QUARTERLY),
        "regression": (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.QUARTERLY),
        "harmonic_regression": tuple(CYCLES),
        "log_harmonic_regression": tuple(CYCLES),
    }
)


def forecaster(name: str) -> ArrayForecaster:
    """The unfitted forecaster of this name; `theta@168` is theta with a season of 168 periods. Raises KeyError."""
    base, _, season = name.partition("@")
    return Reseasoned(FORECASTERS[base], int(season)) if season else FORECASTERS[base]


def members_for(freq: Frequency, season: int) -> tuple[str, ...]:
    """Names of the ensemble's members for panels of this frequency and season, and of the fallback, which is the last."""
    members = [name for name in MEMBERS if freq in PLACES.get(name, (freq,)) and (season > 1 or name not in SEASONAL)]
    longer = LONG_SEASON.get(freq, 0)
    if longer > season:
        members += [f"{name}@{longer}" for name in ONE_SEASON]
    return (*members, FALLBACK)
