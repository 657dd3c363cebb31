"""Cases made here, with a risk that is known."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, RiskCases, RiskTable


def made_cases(rows: int = 600, seed: int = 0) -> tuple[RiskTable, Flags, Floats]:
    """A table, who came to harm, and the true probabilities: age and load raise the risk together, one kind is worse."""
    rng = np.random.default_rng(seed)
    age, load = rng.uniform(0.0, 30.0, rows), rng.normal(0.0, 1.0, rows)
    kind = rng.choice(np.array(["valve", "hose", "meter"], dtype=object), rows, p=[0.5, 0.4, 0.1])
    noise = rng.normal(size=rows)
    true = expit(-4.0 + 0.1 * age + 1.2 * load + 1.5 * (kind == "meter"))
    noise[rng.random(rows) < 0.2] = np.nan
    table = RiskTable({"age": age, "load": load, "kind": kind, "noise": noise})
    return table, rng.random(rows) < true, true


def made_units(units: int = 24, seed: int = 0) -> tuple[RiskTable, Floats]:
    """Machines that wear out, and the rows that each has left: a sensor drifts the faster the nearer the end is."""
    rng = np.random.default_rng(seed)
    group, order, sensor, life = [], [], [], []
    for unit in range(units):
        length = int(rng.integers(40, 90))
        left = np.arange(length)[::-1].astype(np.float64)
        group.append(np.full(length, unit))
        order.append(np.arange(length, dtype=np.float64))
        sensor.append(rng.normal(0.0, 1.0) + 6.0 * np.exp(-left / 12.0) + rng.normal(0.0, 0.2, length))
        life.append(left)
    table = RiskTable(
        {"sensor": np.concatenate(sensor), "idle": np.zeros(sum(map(len, group)))},
        np.concatenate(group),
        np.concatenate(order),
    )
    return table, np.concatenate(life)


def known_cases(rows: int = 500) -> RiskCases:
    table, harmed, _ = made_cases(rows)
    names = tuple(f"case {row}" for row in range(rows))
    return RiskCases(
        table, harmed, names, {"kind": table.columns["kind"]}, {"age": 1}, simulated=True, source="made here"
    )
