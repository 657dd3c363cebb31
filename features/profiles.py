"""What is known of a profile: numbered columns on one scale, such as the 24 hours of a day."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from industrial_brain.domain.panel import Floats

#: columns that make a family
FEWEST = 6

#: largest over smallest mean magnitude within a family
_ONE_SCALE = 30.0


def families(names: Sequence[str], block: Floats) -> tuple[tuple[str, ...], ...]:
    """Groups of columns that share a name but for consecutive numbers, and a scale, in the order of their numbers.

    >>> families([f"h{hour:02d}" for hour in range(6)], np.ones((2, 6)))
    (('h00', 'h01', 'h02', 'h03', 'h04', 'h05'),)
    """
    found: dict[str, list[tuple[int, str, int]]] = {}
    for place, name in enumerate(names):
        match = re.fullmatch(r"(.*?)(\d+)", name)
        if match:
            found.setdefault(match.group(1), []).append((int(match.group(2)), name, place))
    kept = []
    for members in found.values():
        members.sort()
        numbers = [number for number, _, _ in members]
        if len(members) < FEWEST or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            continue
        size = np.nanmean(np.abs(block[:, [place for _, _, place in members]]), axis=0)
        spread = np.nanstd(block[:, [place for _, _, place in members]], axis=0)
        if min(size.min(), spread.min() * _ONE_SCALE) * _ONE_SCALE >= size.max() > 0.0:
            kept.append(tuple(name for _, name, _ in members))
    return tuple(kept)


def profile_features(profile: Floats) -> dict[str, Floats]:
    """(n,) each: level, extremes, spread, shape and quiet of profiles (n, places), missing places left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quarters = np.nanquantile(profile, [0.25, 0.5, 0.75], axis=1)
        mean, spread = np.nanmean(profile, axis=1), np.nanstd(profile, axis=1)
        first = np.nanmean(profile[:, : profile.shape[1] // 4], axis=1)
        steps = np.nanmean(np.abs(np.diff(profile, axis=1)), axis=1)
        found = {
            "mean": mean,
            "minimum": np.nanmin(profile, axis=1),
            "lower quartile": quarters[0],
            "median": quarters[1],
            "upper quartile": quarters[2],
            "maximum": np.nanmax(profile, axis=1),
            "variation": spread / np.abs(mean),
            "mean step": steps / np.abs(mean),
            "zeros": (profile == 0.0).sum(axis=1).astype(np.float64),
            "first quarter's share": first / mean,
            "longest run of zeros": longest_run(profile == 0.0),
            "longest run above zero": longest_run(profile > 0.0),
        }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def longest_run(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """(n,) places of the longest unbroken run of true flags in each row of (n, places)."""
    run = np.zeros(len(flags))
    best = np.zeros(len(flags))
    for place in range(flags.shape[1]):
        run = np.where(flags[:, place], run + 1.0, 0.0)
        best = np.maximum(best, run)
    return best
