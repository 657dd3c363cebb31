"""A simulated bottled-gas network with a documented accident mechanism: all of it is made up, and its true risk is known.

A case is a service point in a month. The log odds of an incident in it are a sum of

    -6.2                                 a well-kept point in summer
    +0.055 x years since installation    materials age
    +0.45  x log(1 + months since the last inspection / 6)
    +1.1   x share of cylinders past their test date x 2
    +1.6   where the filling station overfills (share above 85%) more than 2% of its cylinders
    +0.9   with a rubber hose; +0.6 more if it is older than two years and it is freezing (in seed 0 it never is)
    +0.5   in months with a mean temperature below 5 degrees (closed windows, heaters)
    +0.35  x violations of the operator in the last year, up to 4
    +0.7   in a restaurant beyond 100 kg stored
    +N(0, 0.3)  a point's own luck, which no column tells

The columns are what an inspector would have: some are missing (an inspection's date at 6% of points), and two say nothing.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import RiskCases, RiskTable
from industrial_brain.simulation.streams import stream

_MONTHLY_TEMPERATURE = np.array(
    [8.0, 10.0, 14.5, 19.0, 22.5, 25.5, 28.9, 28.7, 24.5, 19.0, 14.0, 9.3]
)  # Chongqing, mean

STATIONS, POINTS, MONTHS = 72, 1364, 12

#: by law and physics: more of it can't lower the risk
MONOTONE = {
    "years since installation": 1,
    "months since inspection": 1,
    "share of cylinders past test date": 1,
    "share overfilled by station": 1,
    "violations in last year": 1,
    "stored kg": 1,
}


def simulated_gas_cases(
    seed: int, *, stations: int = STATIONS, points: int = POINTS, months: int = MONTHS
) -> tuple[RiskCases, Floats]:
    """The cases, and the true probability of each, (points x months,), months of a point in a row."""
    rng = stream(seed, "gas-risk")
    station = rng.integers(0, stations, points)
    overfills = np.where(
        rng.random(stations) < 0.15, rng.uniform(0.02, 0.08, stations), rng.uniform(0.0, 0.02, stations)
    )
    kind = rng.choice(np.array(["household block", "restaurant", "shop", "canteen"], dtype=object), points, p=_KINDS)
    years = rng.gamma(2.0, 4.0, points).clip(0.0, 35.0)
    rubber = rng.random(points) < 0.4
    hose_years = rng.uniform(0.0, 6.0, points)
    stored = np.where(kind == "restaurant", rng.gamma(4.0, 25.0, points), rng.gamma(2.0, 15.0, points))
    violations = rng.poisson(0.5 + 1.5 * (rng.random(points) < 0.1), points)
    expired = rng.beta(0.6, 8.0, points)
    luck = rng.normal(0.0, 0.3, points)
    first = rng.integers(0, 18, points)

    at = np.repeat(np.arange(points), months)
    month = np.tile(np.arange(months), points)
    temperature = _MONTHLY_TEMPERATURE[month % 12] + rng.normal(0.0, 1.5, months)[month] - 6.0 * (station[at] % 5 == 0)
    since = (first[at] + month) % 18 + np.where(violations[at] > 2, 12, 0)
    odds = (
        -6.2
        + 0.055 * (years[at] + month / 12.0)
        + 0.45 * np.log1p(since / 6.0)
        + 2.2 * expired[at]
        + 1.6 * (overfills[station[at]] > 0.02)
        + rubber[at] * (0.9 + 0.6 * ((hose_years[at] > 2.0) & (temperature < 0.0)))
        + 0.5 * (temperature < 5.0)
        + 0.35 * np.minimum(violations[at], 4)
        + 0.7 * ((kind[at] == "restaurant") & (stored[at] > 100.0))
        + luck[at]
    )
    true = expit(odds)
    harmed = rng.random(len(true)) < true
    inspected = np.where((rng.random(points) < 0.06)[at], np.nan, since.astype(np.float64))
    district = np.array([f"D{number % 38 + 1:02d}" for number in range(stations)], dtype=object)
    table = RiskTable(
        {
            "kind": kind[at],
            "district": district[station[at]],
            "years since installation": years[at] + month / 12.0,
            "months since inspection": inspected,
            "share of cylinders past test date": expired[at],
            "share overfilled by station": overfills[station[at]],
            "hose": np.where(rubber, "rubber", "metal").astype(object)[at],
            "hose years": hose_years[at] + month / 12.0,
            "mean temperature": temperature,
            "violations in last year": violations[at].astype(np.float64),
            "stored kg": stored[at],
            "floor": rng.integers(0, 30, points).astype(np.float64)[at],
            "meter reading": rng.normal(50.0, 20.0, len(at)),
        },
        group=at,
    )
    size = np.where(stored < np.quantile(stored, 1 / 3), "small site", "larger site").astype(object)
    cases = RiskCases(
        table=table,
        harmed=harmed,
        names=tuple(f"P{point + 1:04d}, month {m + 1}" for point, m in zip(at, month, strict=True)),
        slices={"kind": kind[at], "size": size[at]},
        monotone=MONOTONE,
        simulated=True,
        source="Simulated: a made-up gas network with a documented accident mechanism (simulation/gas_risk.py)",
    )
    return cases, np.asarray(true)


_KINDS = [0.55, 0.2, 0.2, 0.05]
