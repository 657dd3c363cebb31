"""Made-up regions x activities x years, of which it is known what moves them."""

from __future__ import annotations

import numpy as np

from models.targeting.cube import ActivityCube


def random_cube(
    *,
    regions: int = 20,
    activities: int = 15,
    years: int = 8,
    seed: int = 0,
    first: int = 2000,
    volatility: float = 0.07,
) -> ActivityCube:
    """Every pair's log value walks at random; half of the activities are four times as restless as the others."""
    rng = np.random.default_rng(seed)
    start = rng.normal(0.0, 0.8, (1, regions, activities)) + rng.normal(0.0, 1.0, (1, regions, 1))
    restless = np.where(np.arange(activities) % 2, 4.0, 1.0)
    steps = rng.normal(0.0, volatility, (years - 1, regions, activities)) * restless
    values = np.exp(np.concatenate([start, steps]).cumsum(axis=0))
    return ActivityCube(
        values,
        tuple(range(first, first + years)),
        tuple(f"R{i:02d}" for i in range(regions)),
        tuple(f"A{i:02d}" for i in range(activities)),
    )
