"""What users send that is not a well-behaved series, and what is promised for each. Monthly; a season is twelve months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats


@dataclass(frozen=True, slots=True)
class Awkward:
    """A series, and what becomes of it.

    Attributes:
        says: part of the reason of its failure or fallback, or of one of its notes; empty for a series that needs no words.
        outcome: `answered`, `fallback` or `failed`.
        spread: how far its believable values lie apart; intervals are measured in it.
        flat: an interval may have no width, since its believable values never changed.
    """

    y: Floats
    outcome: str = "answered"
    says: str = ""
    spread: float | None = None
    flat: bool = False

    @property
    def believed(self) -> float:
        known = self.y[np.isfinite(self.y)]
        return float(np.ptp(known)) if self.spread is None else self.spread


def _of(values: npt.ArrayLike, outcome: str = "answered", says: str = "", *, spread: float | None = None) -> Awkward:
    return Awkward(np.asarray(values, dtype=np.float64), outcome, says, spread)


_rng = np.random.default_rng(20)
_t = np.arange(60)
_wave = 10.0 * np.sin(2 * np.pi * _t / 12)
_noise = _rng.normal(0.0, 1.0, 60)
_usual = 100.0 + _wave + _noise
_counts = np.where(_rng.random(60) < 0.3, _rng.integers(1, 6, 60).astype(np.float64), 0.0)


def _with(values: Floats, places: Sequence[int], what: float) -> Floats:
    out = values.astype(np.float64)
    out[list(places)] = what
    return out


_FEW = "too few for a trend or a season"
_SLIP = "absurdly far from the neighbours"
_UNIT = "give them in another unit"

AWKWARD_SERIES: dict[str, Awkward] = {
    "ordinary": _of(_usual),
    "no value": _of([np.nan] * 30, "failed", "There is no observation"),
    "1 value": _of([7.0], "fallback", _FEW, spread=7.0),
    "2 values": _of([7.0, 9.0], "fallback", _FEW),
    "3 values": _of([7.0, 9.0, 8.0], "fallback", _FEW),
    "4 values": _of([7.0, 9.0, 8.0, 9.0], "fallback", _FEW),
    "5 values": _of([7.0, 9.0, 8.0, 9.0, 11.0], "fallback", _FEW),
    "2 equal values": Awkward(np.array([7.0, 7.0]), "fallback", _FEW, flat=True),
    "6 values": _of([7.0, 9.0, 8.0, 9.0, 11.0, 10.0], says="too short to backtest"),
    "one season": _of(_usual[:12], says="too short to backtest"),
    "a period over one season": _of(_usual[:13], says="under 3 seasons"),
    "two seasons": _of(_usual[:25], says="under 3 seasons"),
    "constant": Awkward(np.full(60, 5.0), says="constant", flat=True),
    "negative constant": Awkward(np.full(60, -5.0), says="constant", flat=True),
    "zeros": Awkward(np.zeros(60), says="constant", flat=True),
    "zeros, then something": _of(_with(np.zeros(60), [59], 5.0)),
    "constant but for rounding": _of(_with(np.full(60, 5.0), [30], 5.0 + 1e-6)),
    "line without an error": _of(_t, says="without an error"),
    "two values in turn": _of(_t % 2),
    "negative season": _of(_wave - 30.0 + _noise),
    "season through zero": _of(5.0 * _wave + _noise),
    "one negative in a growing season": _of(_with((100.0 + _t) * (1.0 + _wave / 40.0), [20], -50.0)),
    "level shift up": _of(np.where(_t < 30, 10.0, 1000.0) + _noise),
    "level shift at the end": _of(np.where(_t < 58, 10.0, 1000.0) + _noise),
    "shift to zero": _of(np.where(_t < 40, 100.0, 0.0)),
    "growth without bounds": _of(np.exp(_t / 4.0), spread=float(np.exp(119 / 4.0))),  # if it goes on
    "decay": _of(100.0 * np.exp(-_t / 6.0)),
    "counts": _of(_counts),
    "slip inside": _of(_with(_usual, [30], 1e12), says=_SLIP, spread=20.0),
    "slip at the start": _of(_with(_usual, [0], 1e12), says=_SLIP, spread=20.0),
    "slip at the end": _of(_with(_usual, [59], 1e12), says=_SLIP, spread=20.0),
    "negative slip": _of(_with(_usual, [30], -1e12), says=_SLIP, spread=20.0),
    "slip in ten values": _of(_with(_usual[:10], [5], 1e12), says=_SLIP, spread=20.0),
    "slip in counts": _of(_with(_counts, [30], 1e12), says=_SLIP, spread=5.0),
    "slip in a constant": Awkward(_with(np.full(60, 5.0), [30], 1e12), says=_SLIP, spread=5.0, flat=True),
    "slip of 1e300": _of(_with(_usual, [30], 1e300), says=_SLIP, spread=20.0),
    "missing stretch": _of(_with(_usual, range(20, 35), np.nan), says="15 of 60 periods have no value"),
    "more gaps than values": _of(np.where(_t % 3 == 0, _usual, np.nan), "fallback", "only 20 of "),
    "huge": _of(1e300 * (2.0 + _noise), "failed", _UNIT),
    "largest there are": _of(np.where(_t % 2 == 0, 1.7e308, -1.7e308), "failed", _UNIT),
    "denormal": _of(5e-324 * (1 + _t % 12), "failed", _UNIT),
    "tiny": _of(1e-12 * (100.0 + _wave + _noise)),
    "large": _of(1e15 * (100.0 + _wave + _noise)),
    "large with a small season": _of(1e9 + _wave + _noise),
}
