"""A line that follows a series: local regression."""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats

#: rounds of reweighting after which outliers no longer pull
_ROUNDS = 2


def local_line(values: Floats, reach: int) -> Floats:
    """Robust local linear regression (LOWESS: Cleveland 1979) with tricube weights over `reach` periods to both sides.

    Gaps (NaN) have no weight; where a window holds fewer than two values, the line is drawn straight on between its
    neighbours. At the ends the window is cut, not moved. A series without a value stays NaN.

    >>> local_line(np.array([1.0, 2.0, np.nan, 4.0, 5.0]), 3).round(6).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.full(len(values), values[known][0] if known.any() else np.nan)
    line = _local_line(np.ascontiguousarray(values, dtype=np.float64), reach)
    drawn = np.flatnonzero(np.isfinite(line))
    if len(drawn) == 0:  # every window holds one value
        drawn, line = np.flatnonzero(known), values
    bridged: Floats = np.interp(np.arange(len(values)), drawn, line[drawn])
    return bridged


@compiled
def _local_line(y: Floats, reach: int) -> Floats:
    n = len(y)
    out = np.full(n, np.nan)
    known = np.isfinite(y)
    trust = np.where(known, 1.0, 0.0)
    for repeat in range(_ROUNDS + 1):
        for t in range(n):
            s0 = s1 = s2 = r0 = r1 = 0.0
            for u in range(max(0, t - reach), min(n, t + reach + 1)):
                if trust[u] == 0.0:
                    continue
                x = float(u - t)
                w = trust[u] * (1.0 - (abs(x) / (reach + 1.0)) ** 3) ** 3
                s0 += w
                s1 += w * x
                s2 += w * x * x
                r0 += w * y[u]
                r1 += w * x * y[u]
            spread = s0 * s2 - s1 * s1
            out[t] = (s2 * r0 - s1 * r1) / spread if spread > 1e-12 * s0 * s2 else np.nan
        residual = np.abs(y - out)
        judged = np.isfinite(residual)
        if repeat == _ROUNDS or not judged.any():
            break
        cut = 6.0 * np.median(residual[judged])
        if not cut > 0.0:
            break
        for t in range(n):
            ratio = residual[t] / cut if judged[t] else 0.0
            trust[t] = (1.0 - ratio * ratio) ** 2 if known[t] and ratio < 1.0 else 0.0
    return out
