"""Synthetic series for pretraining: many kinds of process, and above all frequencies of which public sets are few.

A series is a level, plus a season or two, plus noise, and mishaps:

- *level*: a random walk, a walk with a drift that itself walks (a local linear trend), a damped trend, a stationary AR(1)
  around a constant or a line, or an ARIMA(1,1,1);
- *season*: a smooth or a spiky shape, fixed or wandering, additive or growing with the level; hours have a week beside the day,
  weeks a year, days a year beside the week;
- *noise*: normal or Student's t with 4 degrees of freedom;
- *mishaps*: now and then a shift of the level; a tenth of the series are counts with many zeros.

Every choice and every parameter is drawn; nothing is fitted to anybody's data.
"""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency

#: shortest and longest series by frequency, and further seasons beside the main one
_KINDS: dict[Frequency, tuple[int, int, tuple[int, ...]]] = {
    Frequency.YEARLY: (12, 60, ()),
    Frequency.QUARTERLY: (20, 160, ()),
    Frequency.MONTHLY: (36, 400, ()),
    Frequency.WEEKLY: (60, 900, (52,)),
    Frequency.DAILY: (100, 1200, (365,)),
    Frequency.HOURLY: (400, 1000, (168,)),
}

#: of all frequencies, the one whose main season is often left undeclared in practice: M4's weekly series have season 1
_WEEKLY_SEASONS = (1, 52)


def synthetic_panels(series: int, seed: int) -> list[tuple[Panel, int]]:
    """About `series` series, as many of each frequency, with the horizon that each panel is forecast for."""
    rng = np.random.default_rng(seed)
    panels = []
    for freq in _KINDS:
        for season in _WEEKLY_SEASONS if freq is Frequency.WEEKLY else (freq.season,):
            share = series // len(_KINDS) // (2 if freq is Frequency.WEEKLY else 1)
            many = [_series(freq, rng) for _ in range(share)]
            panels.append((Panel.of(many, freq=freq, season=season), freq.default_horizon))
    return panels


def _series(freq: Frequency, rng: np.random.Generator) -> Floats:
    shortest, longest, further = _KINDS[freq]
    n = int(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
    noise = rng.normal(size=n) if rng.random() < 0.5 else rng.standard_t(4, n) / np.sqrt(2.0)
    level = _level(n, rng)
    for season in (freq.season, *further):
        if season > 1 and rng.random() < 0.8:
            wave = _season(n, season, rng) * np.exp(rng.normal(0.5, 1.0))
            level = level * (1.0 + 0.1 * wave) if rng.random() < 0.4 else level + wave
    if rng.random() < 0.15:
        level[rng.integers(n // 4, n) :] += rng.normal(0.0, 8.0)
    y = level + noise * np.exp(rng.normal(-0.3, 0.8))
    if rng.random() < 0.1:
        rate = np.exp(np.clip((y - y.mean()) / (y.std() + 1e-9) - rng.uniform(0.0, 2.0), -8.0, 4.0))
        return np.asarray(rng.poisson(rate), dtype=np.float64)
    return np.asarray(y + np.abs(y).max() * rng.choice([0.0, 1.1, 3.0]))


def _level(n: int, rng: np.random.Generator) -> Floats:
    kind, steps = rng.integers(6), rng.normal(size=n)
    if kind == 0:
        return np.asarray(np.cumsum(steps))
    if kind == 1:
        return np.asarray(np.cumsum(steps + np.cumsum(rng.normal(0.0, 0.05, n)) + rng.normal(0.0, 0.2)))
    if kind == 2:
        return np.asarray(np.cumsum(steps * 0.5 + _autoregressive(rng.normal(0.0, 0.3, n), rng.uniform(0.8, 0.98))))
    if kind == 3:
        return _autoregressive(steps, rng.uniform(0.2, 0.95))
    if kind == 4:
        return np.asarray(_autoregressive(steps, rng.uniform(0.2, 0.95)) + rng.normal(0.0, 0.1) * np.arange(n))
    moved = steps[1:] + rng.uniform(-0.8, 0.8) * steps[:-1]
    return np.asarray(np.cumsum(_autoregressive(np.concatenate([steps[:1], moved]), rng.uniform(-0.5, 0.8))))


def _autoregressive(shocks: Floats, phi: float) -> Floats:
    out = np.empty(len(shocks))
    state = 0.0
    for t, shock in enumerate(shocks):
        state = phi * state + shock
        out[t] = state
    return out


def _season(n: int, season: int, rng: np.random.Generator) -> Floats:
    slots = np.arange(season)
    if rng.random() < 0.6:
        k = np.arange(1, 4)[:, None]
        waves = np.sin(2.0 * np.pi * k * slots / season + rng.uniform(0.0, 6.3, (3, 1)))
        shape = np.asarray((rng.normal(size=(3, 1)) / k * waves).sum(axis=0))
    else:
        shape = rng.standard_t(3, season)
    shape = (shape - shape.mean()) / (np.std(shape) + 1e-9)
    seasons = n // season + 1
    wander = rng.choice([0.0, 0.0, 0.05, 0.2])
    shapes = shape[None, :] + wander * np.cumsum(rng.normal(size=(seasons, season)), axis=0)
    return np.asarray(shapes.reshape(-1)[:n])
