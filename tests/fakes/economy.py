"""Small economies whose truth is known: one factor, some months that show it, and quarters made of months."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from industrial_brain.domain.nowcasts import NowcastTarget
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.nowcast.table import MonthTable, month_table

TARGET = "gdp:1"
#: January 2018
START = 576


@dataclass(frozen=True)
class Economy:
    """`monthly` (n, t) and `quarterly` levels; quarter k ends with month 3k + 2."""

    monthly: Floats
    quarterly: Floats

    @property
    def ids(self) -> list[str]:
        return [f"i{row}:1" for row in range(len(self.monthly))]

    @property
    def target(self) -> NowcastTarget:
        return NowcastTarget(TARGET, tuple(self.ids))

    def panels(self) -> list[Panel]:
        months = Panel.of(list(self.monthly), ids=self.ids, start=[START] * len(self.monthly))
        quarters = Panel.of([self.quarterly], freq=Frequency.QUARTERLY, ids=[TARGET], start=[START // 3])
        return [months, quarters]

    def table(self, *, months: int, quarters: int) -> MonthTable:
        """What is known when so many months and quarters have been published."""
        known = replace(self, monthly=self.monthly[:, :months], quarterly=self.quarterly[:quarters])
        return month_table(known.panels(), [TARGET, *self.ids], START + months)


def economy(series: int = 4, months: int = 96, seed: int = 0, noise: float = 0.003) -> Economy:
    """Growth of each month is a common factor (autoregressive, 0.7) and noise; the target is the factor's quarters."""
    rng = np.random.default_rng(seed)
    factor = np.zeros(months)
    for t in range(1, months):
        factor[t] = 0.7 * factor[t - 1] + rng.normal(0.0, 0.006)
    growth = 0.004 + factor + rng.normal(0.0, noise, (series, months))
    own = 0.004 + factor
    whole = 100.0 * np.exp(np.cumsum(own))
    quarters = whole.reshape(-1, 3).mean(axis=1) * np.exp(rng.normal(0.0, 0.0005, months // 3))
    return Economy(100.0 * np.exp(np.cumsum(growth, axis=1)), quarters)
