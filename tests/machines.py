"""Simulated machines for tests: a few sensors that follow two hidden causes, each with a memory."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from industrial_brain.domain.panel import Floats


def normal_run(rows: int, *, sensors: int = 4, seed: int = 0) -> Floats:
    """Shape (rows, sensors): levels and spreads differ, the sensors hang together."""
    rng = np.random.default_rng(seed)
    causes = lfilter([1.0], [1.0, -0.7], rng.normal(size=(rows + 50, 2)), axis=0)[50:]
    mixed = causes @ np.random.default_rng(99).normal(size=(2, sensors)) + 0.3 * rng.normal(size=(rows, sensors))
    run: Floats = mixed * 10.0 ** np.arange(sensors) / 10.0 + 100.0 * np.arange(sensors)
    return run
