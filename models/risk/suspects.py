"""Columns that tell the answer too well to have been known before it: named, and left out."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, RiskTable, Words

#: cases of each kind below which a perfect column may be luck
_ENOUGH = 20

#: rows that a level of text needs for its purity to mean something, and the share of rows that such levels hold
_ROWS, _SHARE = 5, 0.95


def suspected_leaks(table: RiskTable, harmed: Flags) -> dict[str, str]:
    """By column, why it is suspected: alone it parts all cases that came to harm from all that did not.

    Such a column is nearly always written after the event (a customer's class that was given with the finding), or its code is
    the answer's own. A column that truly parts them by law of nature should be a rule, not a model.
    """
    if min(harmed.sum(), (~harmed).sum()) < _ENOUGH:
        return {}
    found = {}
    for name, column in table.columns.items():
        parts = _parts_levels(column, harmed) if column.dtype == object else _parts_numbers(column, harmed)
        if parts:
            found[name] = (
                f"{name} alone parts all cases that came to harm from all others: it is suspected of knowing the answer."
            )
    return found


def _parts_levels(words: Words, harmed: Flags) -> bool:
    levels, place = np.unique([str(word) for word in words], return_inverse=True)
    rows, hits = np.bincount(place), np.bincount(place, harmed)
    large = rows >= _ROWS
    pure = (hits == 0) | (hits == rows)
    return bool(pure.all() and len(levels) > 1 and rows[large].sum() >= _SHARE * len(words))


def _parts_numbers(column: Floats, harmed: Flags) -> bool:
    missing = np.isnan(column)
    if missing.any():
        return bool((missing == harmed).all() or (missing != harmed).all())
    one, other = column[harmed], column[~harmed]
    return bool(one.min() > other.max() or one.max() < other.min())
