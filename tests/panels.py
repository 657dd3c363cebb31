"""Panels for tests: small, seeded, and made to be awkward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.countries import country_calendar
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency


def seasonal_panel(n: int = 12, months: int = 72, seed: int = 0) -> Panel:
    """Monthly series with a trend, a multiplicative season and noise; all positive. Of a country: every model answers."""
    rng = np.random.default_rng(seed)
    t = np.arange(months)
    season = 1.0 + 0.2 * np.sin(2 * np.pi * t / 12)
    panel = Panel.of([(100.0 + rng.normal(0.5, 0.3) * t) * season + rng.normal(0, 2.0, months) for _ in range(n)])
    return replace(panel, calendar=country_calendar("CN"))


def daily_panel(n: int = 12, days: int = 900, seed: int = 0) -> Panel:
    """Daily series with a year, a week, and a noise that lasts; all positive."""
    rng = np.random.default_rng(seed)
    t = np.arange(days)
    shape = 100.0 + 30.0 * np.cos(2 * np.pi * t / 365.25) - 10.0 * (t % 7 >= 5)
    lasting = np.exp(-0.3 * np.arange(40))
    noise = [np.convolve(rng.normal(0.0, 2.0, days), lasting)[:days] for _ in range(n)]
    return Panel.of([shape + one for one in noise], freq=Frequency.DAILY)


def walk_panel(n: int = 12, months: int = 72, seed: int = 0) -> Panel:
    """Monthly random walks with drift, no season; any sign."""
    rng = np.random.default_rng(seed)
    panel = Panel.of([np.cumsum(rng.normal(0.2, 1.0, months)) for _ in range(n)])
    return replace(panel, calendar=country_calendar("CN"))


def hourly_panel(n: int = 12, hours: int = 24 * 7 * 5, seed: int = 0) -> Panel:
    """Hourly series with a day, a weekend, and a noise that lasts; all positive."""
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    shape = 50.0 + 10.0 * np.sin(2 * np.pi * t / 24) + 15.0 * ((t // 24) % 7 >= 5)
    lasting = np.exp(-0.3 * np.arange(40))
    noise = [np.convolve(rng.normal(0.0, 1.0, hours), lasting)[:hours] for _ in range(n)]
    return Panel.of([shape + one for one in noise], freq=Frequency.HOURLY)


def demand_panel(n: int = 12, months: int = 72, seed: int = 0, often: float = 0.3) -> Panel:
    """Monthly counts, mostly zero: a demand comes with a constant probability, of one piece and a Poisson number more."""
    rng = np.random.default_rng(seed)
    return Panel.of([(rng.random(months) < often) * (1.0 + rng.poisson(3.0, months)) for _ in range(n)])


#: series that break forecasters, by what is wrong with them
AWKWARD: dict[str, Floats] = {
    "empty": np.empty(0),
    "all missing": np.full(40, np.nan),
    "one point": np.array([7.0]),
    "two points": np.array([7.0, 9.0]),
    "five points": np.array([7.0, 9.0, 8.0, 9.0, 11.0]),
    "constant": np.full(60, 5.0),
    "zeros": np.zeros(60),
    "gaps": np.where(np.arange(60) % 7 == 3, np.nan, 50.0 + np.arange(60)),
    "ends missing": np.concatenate([[np.nan] * 5, 10.0 + np.arange(50), [np.nan] * 5]),
    "one huge outlier": np.where(np.arange(60) == 30, 1e12, 10.0 + np.arange(60) % 12),
    "level shift": np.concatenate([np.full(30, 10.0), np.full(30, 1000.0)]) + np.arange(60) % 5,
    "negative with season": 10.0 * np.sin(2 * np.pi * np.arange(60) / 12) - 3.0,
    "tiny": np.array([1e-12 * (1 + t % 12) for t in range(60)]),
    "huge": np.array([1e300 * (1 + t % 12) for t in range(60)]),
}


def awkward_panel() -> Panel:
    return Panel.of(list(AWKWARD.values()), ids=list(AWKWARD), freq=Frequency.MONTHLY)
