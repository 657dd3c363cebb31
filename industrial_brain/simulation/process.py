"""The generating process: how one indicator's bottom series come about. docs/reference/simulator.md has the equations.

Everything that series share (temperature, festival, business cycle) lives on one daily clock and is averaged over each
frequency's periods, so that a week, a month and a year of the same city tell the same story.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.simulation.calendar import HISTORY_MONTHS, History, Timeline
from industrial_brain.simulation.streams import stream

#: log effect of each calendar month, before centring
PROFILES = {
    "flat": (0.0,) * 12,
    # the January-February dip, a push before the half-year and the year's end
    "industry": (-0.10, -0.13, 0.03, 0.0, 0.02, 0.07, -0.02, -0.01, 0.03, 0.02, 0.05, 0.12),
    "budget": (0.06, -0.20, 0.02, -0.05, -0.02, 0.14, -0.05, -0.08, 0.04, -0.08, 0.0, 0.35),
    "construction": (-0.35, -0.40, 0.05, 0.05, 0.08, 0.18, 0.0, 0.02, 0.10, 0.06, 0.08, 0.15),
    "shopping": (0.10, 0.02, -0.04, -0.05, 0.02, 0.03, -0.03, -0.01, 0.04, 0.07, 0.06, 0.08),
    "travel": (-0.18, 0.05, 0.0, 0.12, 0.12, -0.08, 0.15, 0.15, -0.05, 0.30, -0.12, -0.20),
    "office": (-0.05, -0.15, 0.06, 0.0, 0.0, 0.05, 0.0, 0.0, 0.03, -0.08, 0.06, 0.10),
    "study": (0.0, -0.20, 0.05, 0.02, 0.02, 0.06, 0.18, 0.16, 0.0, -0.04, 0.02, 0.02),
    "water": (-0.08, -0.09, -0.04, -0.02, 0.02, 0.05, 0.10, 0.12, 0.05, 0.0, -0.04, -0.06),
    "illness": (0.06, 0.02, 0.05, 0.03, 0.0, -0.02, -0.04, -0.05, -0.03, -0.01, 0.03, 0.08),
    "smog": (0.45, 0.30, 0.10, -0.05, -0.15, -0.25, -0.35, -0.30, -0.15, 0.0, 0.20, 0.40),
    "harvest": (0.12, 0.15, 0.08, 0.0, -0.08, -0.08, -0.02, 0.04, 0.04, 0.0, -0.06, 0.0),
}

_CITY_PERSISTENCE, _CITY_SD = 0.92, 0.010
_CLUSTER_PERSISTENCE, _CLUSTER_SD = 0.90, 0.018
_VOLATILITY_PERSISTENCE, _VOLATILITY_SD = 0.95, 0.12
_DRIFT_PERSISTENCE = 0.95  # a month
_ERROR_PERSISTENCE = 0.4  # a month


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Parameters of one indicator. Rates are log points (0.05 is about 5%); `a year` means annualised.

    Attributes:
        level: the city's value at the start for what adds up, the typical place's value for what does not.
        growth: long-run drift, a year; places scatter around it.
        wander: standard deviation of the local level's random walk, a year.
        noise: standard deviation of the monthly error of a place of median size.
        profile: name in `PROFILES`.
        festival: effect of a day fully inside the Spring Festival.
        heating, cooling: effect of a day 10 degrees under 12 °C, or over 26 °C.
        cycle: loading on the city's common factor.
        flow: whether a longer period has a higher value.
        count: whether values are events that happen independently, so that small places are noisier.
        spread: standard deviation of places around their share.
        part_of: code of the indicator of which this one is a share; then `level` is that share (0 to 1).
    """

    level: float
    growth: float = 0.0
    wander: float = 0.02
    noise: float = 0.03
    profile: str = "flat"
    festival: float = 0.0
    heating: float = 0.0
    cooling: float = 0.0
    cycle: float = 0.0
    flow: bool = False
    count: bool = False
    spread: float = 0.25
    part_of: str | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What all series share, by day (n days): the weather, the festival and the business cycle.

    Attributes:
        temperature: daily mean in degrees Celsius.
        cluster_factors: (clusters, n).
        volatility: log variance of the errors, around 0.
    """

    history: History
    temperature: Floats
    festival: Floats
    city_factor: Floats
    cluster_factors: Floats
    volatility: Floats

    @property
    def heating(self) -> Floats:
        """Tens of degrees under 12 °C, where people start to heat."""
        return np.maximum(12.0 - self.temperature, 0.0) / 10.0

    @property
    def cooling(self) -> Floats:
        """Tens of degrees over 26 °C, where people start to cool."""
        return np.maximum(self.temperature - 26.0, 0.0) / 10.0


def build_world(seed: int, history: History, clusters: int) -> World:
    days = len(history.days)
    day_of_year = (history.days - history.days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    weather = _autoregression(stream(seed, "weather").normal(0.0, 1.6, (1, days)), 0.8)[0]
    temperature = 18.5 - 10.5 * np.cos(2.0 * np.pi * (day_of_year - 20.0) / 365.25) + weather
    city = stream(seed, "city factor").normal(0.0, _CITY_SD, (1, HISTORY_MONTHS))
    groups = stream(seed, "cluster factors").normal(0.0, _CLUSTER_SD, (clusters, HISTORY_MONTHS))
    volatility = stream(seed, "volatility").normal(0.0, _VOLATILITY_SD, (1, HISTORY_MONTHS))
    return World(
        history=history,
        temperature=temperature,
        festival=history.festival(),
        city_factor=_by_day(_autoregression(city, _CITY_PERSISTENCE), days)[0],
        cluster_factors=_by_day(_autoregression(groups, _CLUSTER_PERSISTENCE), days),
        volatility=_by_day(_autoregression(volatility, _VOLATILITY_PERSISTENCE), days)[0],
    )


def simulate(
    process: Process,
    *,
    shares: Floats,
    clusters: npt.NDArray[np.int64] | None,
    timeline: Timeline,
    world: World,
    effects: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Values (n, periods) of `n` places, not rounded yet, in the indicator's unit.

    Args:
        shares: (n,) part of the city's level that each place has, or ones where values do not add up.
        clusters: (n,) position of each series' cluster, or None.
        effects: (n, periods) log effects of the planned events.
    """
    n, periods = effects.shape
    months = 12.0 / timeline.periods_per_year  # length of a period
    level = np.log(process.level * shares) + rng.normal(0.0, process.spread, n)
    log = level[:, None] + _trend(process, n, periods, months, rng) + effects
    log += _seasonality(process, n, timeline, world, rng)
    loading = process.cycle * rng.lognormal(0.0, 0.2, (n, 1))
    log += loading * timeline.mean(world.city_factor)
    if clusters is not None:
        log += loading * timeline.mean(world.cluster_factors)[clusters]
    size = (shares / np.median(shares)) ** -0.15  # small places are noisier
    deviation = process.noise * size[:, None] * np.exp(0.5 * timeline.mean(world.volatility))
    log += deviation * _error(n, periods, months, rng)
    values = np.exp(log)
    if process.count:
        # the normal approximation of a Poisson draw: unlike the draw, it answers an event with the event's own size
        values = np.maximum(values + np.sqrt(values) * rng.normal(size=(n, periods)), 0.0)
    return np.asarray(values)


def simulate_shares(process: Process, n: int, timeline: Timeline, rng: np.random.Generator) -> Floats:
    """Shares (n, periods) strictly between 0 and 1, for an indicator that is a part of another one."""
    months = 12.0 / timeline.periods_per_year
    logit = np.log(process.level / (1.0 - process.level)) + rng.normal(0.0, process.spread, n)[:, None]
    logit = logit + _trend(process, n, len(timeline), months, rng)
    logit += process.noise * _error(n, len(timeline), months, rng)
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def periods_of(
    parts: Sequence[tuple[float, Floats]], level: Floats, months: Timeline, timeline: Timeline, error: Floats
) -> Floats:
    """What the months of each period add up to (n, periods): a place's activity is made of parts, each an index of its own
    first year times its share, and a period is the sum of its months, measured with an error.

    Args:
        parts: shares, which add up to 1, and monthly values (n, months); a part that a place has none of goes to the last one.
        level: (n,) a period's value at the start.
        error: (n, periods), logs.
    """
    own = _index(parts[-1][1])
    activity = np.zeros_like(own)
    for share, values in parts:
        index = _index(values)
        activity += share * np.where(np.isfinite(index), index, own)
    lengths = months.periods_per_year / timeline.periods_per_year
    of_month = np.searchsorted(timeline.starts, months.starts, side="right") - 1
    inside = (months.starts >= timeline.starts[0]) & (months.ends <= timeline.ends[-1])
    sums = np.zeros((len(own), len(timeline)))
    np.add.at(sums.T, of_month[inside], activity.T[inside])
    return np.asarray(level[:, None] / lengths * sums * np.exp(error))


def _index(values: Floats) -> Floats:
    """Values over the mean of their first year; NaN for what is zero there."""
    base = values[:, :12].mean(axis=1, keepdims=True)
    return np.asarray(np.divide(values, base, out=np.full(values.shape, np.nan), where=base > 0.0))


def split_by_day(totals: npt.NDArray[np.int64], timeline: Timeline, weights: Floats) -> npt.NDArray[np.int64]:
    """Whole days (n, days) that sum to whole periods (n, periods) exactly, in proportion to positive weights (n, days).

    The running total is rounded, not the day: no remainder is left at a period's end.
    """
    running = np.cumsum(weights, axis=1)
    before = np.concatenate([np.zeros((len(weights), 1)), running[:, timeline.offsets[1:-1] - 1]], axis=1)
    whole = running[:, timeline.offsets[1:] - 1] - before
    period = np.repeat(np.arange(len(timeline)), np.diff(timeline.offsets))
    reached = np.rint((running - before[:, period]) / whole[:, period] * totals[:, period]).astype(np.int64)
    reached[:, timeline.offsets[1:] - 1] = totals  # rounding of the division must not move a period's end
    daily = np.diff(reached, axis=1, prepend=0)
    daily[:, timeline.offsets[1:-1]] = reached[:, timeline.offsets[1:-1]]
    return np.asarray(daily)


def gas_weights(world: World, n: int, rng: np.random.Generator) -> Floats:
    """How piped gas spreads over days (n, days): cold days and the week's shape; factories rest on Sundays."""
    days = world.history.days
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    week = np.array([0.01, 0.02, 0.02, 0.02, 0.01, -0.03, -0.05])[weekday]
    shared = 0.5 * world.heating + week - 0.08 * world.festival
    return np.asarray(np.exp(shared + _autoregression(rng.normal(0.0, 0.02, (n, len(days))), 0.6)))


def _trend(process: Process, n: int, periods: int, months: float, rng: np.random.Generator) -> Floats:
    """A local level with a damped drift that returns to the place's long-run growth; 0 at the start."""
    years = months / 12.0
    growth = rng.normal(process.growth, 0.3 * abs(process.growth) + 0.002, (n, 1))
    persistence = _DRIFT_PERSISTENCE**months
    shocks = rng.normal(0.0, 0.25 * process.wander * np.sqrt(years) * years, (n, periods))
    drift = growth * years + _autoregression(shocks, persistence)
    steps = drift + rng.normal(0.0, process.wander * np.sqrt(years), (n, periods))
    steps[:, 0] = 0.0
    return np.asarray(np.cumsum(steps, axis=1))


def _seasonality(process: Process, n: int, timeline: Timeline, world: World, rng: np.random.Generator) -> Floats:
    profile = np.array(PROFILES[process.profile])
    month = timeline.mean((profile - profile.mean())[world.history.months])
    # people go home to small places and leave big ones: places feel the same season with different strength
    strength = rng.lognormal(0.0, 0.15, (3, n, 1))
    seasonal = strength[0] * month + strength[1] * process.festival * timeline.mean(world.festival)
    seasonal += strength[2] * (
        process.heating * timeline.mean(world.heating) + process.cooling * timeline.mean(world.cooling)
    )
    if process.flow:
        seasonal += np.log(timeline.lengths / timeline.lengths.mean())
    return np.asarray(seasonal)


def _error(n: int, periods: int, months: float, rng: np.random.Generator) -> Floats:
    """Autoregressive errors of unit variance; a longer period averages more of them away."""
    persistence = _ERROR_PERSISTENCE**months
    innovations = rng.normal(0.0, np.sqrt((1.0 - persistence**2) / max(months, 1.0)), (n, periods))
    return _autoregression(innovations, persistence)


def _autoregression(innovations: Floats, persistence: float) -> Floats:
    """x[t] = persistence * x[t-1] + innovations[t] along the last axis, started in its stationary state."""
    out = np.empty_like(innovations)
    state = innovations[:, 0] / np.sqrt(1.0 - persistence**2)
    out[:, 0] = state
    for t in range(1, innovations.shape[1]):
        state = persistence * state + innovations[:, t]
        out[:, t] = state
    return out


def _by_day(monthly: Floats, days: int) -> Floats:
    """Straight lines between the middles of months."""
    middles = (np.arange(monthly.shape[1]) + 0.5) * days / monthly.shape[1]
    return np.stack([np.interp(np.arange(days), middles, row) for row in monthly])
