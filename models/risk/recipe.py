"""From a table's columns to the matrix that models read: numbers, levels of text, and what is made of them.

Everything that is made follows from the columns alone, never from who came to harm: it is decided once for all folds.


- numbers stay as they are, missing ones NaN; with any missing, how many of a row are;
- text becomes one flag a level, rare ones pooled, and how common the row's level is; a level never seen is none of them;
- few columns: differences, ratios and products of each pair, as physics makes its quantities (power is torque times speed);
- near-duplicates (rank correlation above 0.85): their difference and ratio, which is all that the second adds to the first;
- families (`h00 ... h23`: numbered columns on one scale): what is known of profiles, see `features.profiles`;
- rows of units in time: what their past says, see `features.windows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from features.profiles import families, profile_features
from features.windows import age, departure, rolling_mean, rolling_slope, sorted_rows, unit_starts
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Integers, RiskTable, Words, word_of

Matrix = npt.NDArray[np.float32]

#: columns of numbers up to which every pair is made
FEW_COLUMNS = 8

#: absolute rank correlation from which two columns are near-duplicates
TWIN = 0.85

#: most pairs of near-duplicates, the closest first
MOST_TWINS = 120

#: most levels of a text column that get a flag, and rows that a level needs
MOST_LEVELS, FEWEST_ROWS = 30, 8

#: mean rows a unit from which its past is looked at
LONG = 10

#: largest number that the matrix holds
LARGEST = float(np.finfo(np.float32).max)

#: windows of the past, in rows
MEANS, SLOPES, FIRST = (5, 15, 30), (15, 30, 60), 10


@dataclass(frozen=True, slots=True)
class Pair:
    """A quantity made of two columns: `difference`, `ratio` or `product`."""

    one: str
    other: str
    kind: str

    @property
    def name(self) -> str:
        sign = {"difference": "-", "ratio": "/", "product": "*"}[self.kind]
        return f"{self.one} {sign} {self.other}"


@dataclass(frozen=True, slots=True)
class Features:
    """The matrix (n, p), the name of each column, and the table's columns that each is made of."""

    values: Matrix
    names: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is made of which columns.

    Attributes:
        numbers: columns of numbers that vary.
        levels: of each column of text, the levels that get a flag, with their share of the rows.
        missing: whether missing numbers are counted.
        sequence: whether the past of a unit is looked at.
    """

    numbers: tuple[str, ...]
    levels: Mapping[str, Mapping[str, float]]
    pairs: tuple[Pair, ...]
    families: tuple[tuple[str, ...], ...]
    missing: bool
    sequence: bool

    @classmethod
    def of(cls, table: RiskTable, alone: Collection[str] = ()) -> Self:
        """Decide on these rows.

        Args:
            alone: columns of which nothing else is made, because their sign is to be kept.

        Raises:
            InputError: no column varies.
        """
        block = _numbers(table, table.numeric)
        with np.errstate(invalid="ignore"):
            varies = [np.nanmax(c) > np.nanmin(c) if np.isfinite(c).any() else False for c in block.T]
        numbers = tuple(name for name, kept in zip(table.numeric, varies, strict=True) if kept)
        levels = {}
        for name in table.columns:
            if name not in table.numeric:
                found = _levels(table.columns[name])
                if found:
                    levels[name] = found
        if not numbers and not levels:
            raise InputError("No column of the table varies.", "Give columns that differ between cases.")
        block = _numbers(table, numbers)
        units = len(table) if table.group is None else len(np.unique(table.group))
        sequence = table.order is not None and len(table) >= LONG * units
        kin = tuple(family for family in families(numbers, block) if not set(family) & set(alone))
        return cls(
            numbers=numbers,
            levels=levels,
            pairs=() if sequence else _pairs(numbers, block, {name for family in kin for name in family} | set(alone)),
            families=kin,
            missing=bool(np.isnan(block).any()),
            sequence=sequence,
        )

    def build(self, table: RiskTable) -> Features:
        """The matrix of these rows. A unit's past is looked for among them.

        Raises:
            InputError: a column is missing, is text where numbers were learnt from, or has a number beyond float32.
        """
        self._check(table)
        columns: list[Floats] = []
        names: list[str] = []
        sources: list[tuple[str, ...]] = []

        def add(name: str, values: Floats, *made_of: str) -> None:
            names.append(name)
            columns.append(values)
            sources.append(made_of)

        block = _numbers(table, self.numbers)
        place = {name: at for at, name in enumerate(self.numbers)}
        for name in self.numbers:
            add(name, block[:, place[name]], name)
        if self.missing:
            add("missing values", np.isnan(block).sum(axis=1).astype(np.float64), *self.numbers)
        for name, shares in self.levels.items():
            words = _words(table.columns[name])
            known = {word_of(level): share for level, share in shares.items()}
            add(f"{name}, how common", np.array([known.get(word, 0.0) for word in words]), name)
            for level in shares:
                add(f"{name} = {level}", (words == word_of(level)).astype(np.float64), name)
        for pair in self.pairs:
            add(
                pair.name,
                _combine(block[:, place[pair.one]], block[:, place[pair.other]], pair.kind),
                pair.one,
                pair.other,
            )
        for family in self.families:
            for name, values in profile_features(block[:, [place[one] for one in family]]).items():
                add(f"{name} of {family[0]} to {family[-1]}", values, *family)
        if self.sequence:
            for name, made, source in _past(table, self.numbers, block):
                add(name, made, *source)
        values = np.column_stack(columns)
        with np.errstate(invalid="ignore"):
            held = np.where(np.abs(values) <= LARGEST, values, np.nan)  # a product of two large numbers is not known
        return Features(held.astype(np.float32), tuple(names), tuple(sources))

    def missing_in(self, table: RiskTable) -> Integers:
        """(n,) how many of the columns each row lacks."""
        self._check(table)
        gone = np.isnan(_numbers(table, self.numbers)).sum(axis=1)
        for name in self.levels:
            gone += np.array([word is None for word in _words(table.columns[name])], dtype=np.int64)
        return np.asarray(gone, dtype=np.int64)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        return cls(
            numbers=tuple(facts["numbers"]),
            levels={name: dict(shares) for name, shares in facts["levels"].items()},
            pairs=tuple(Pair(**pair) for pair in facts["pairs"]),
            families=tuple(tuple(family) for family in facts["families"]),
            missing=bool(facts["missing"]),
            sequence=bool(facts["sequence"]),
        )

    def _check(self, table: RiskTable) -> None:
        missing = [name for name in (*self.numbers, *self.levels) if name not in table.columns]
        if missing:
            raise InputError(f"The cases have no column {', '.join(missing[:5])}.", "Give it; a value may be missing.")
        words = [name for name in self.numbers if table.columns[name].dtype == object]
        if words:
            raise InputError(f"Column {words[0]} is text; the model learnt from numbers.", "Give numbers.")
        for name in self.numbers:
            beyond = np.flatnonzero(np.abs(table.columns[name]) > LARGEST)
            if len(beyond):
                raise InputError(
                    f"{name} of case {beyond[0]} is {table.columns[name][beyond[0]]:g}: numbers end at {LARGEST:.3g}.",
                    "Give a smaller number, or leave it missing.",
                )
        if self.sequence and table.order is None:
            raise InputError(
                "The model looks at units' past, and the cases have no order.", "Give their group and order."
            )


def _numbers(table: RiskTable, names: tuple[str, ...]) -> Floats:
    if not names:
        return np.empty((len(table), 0))
    block = np.column_stack([table.columns[name].astype(np.float64) for name in names])
    return np.where(np.isfinite(block), block, np.nan)


def _words(column: npt.NDArray[Any]) -> Words:
    """A column of text, whatever door it came through; numbers in it are read as levels."""
    words = np.full(len(column), None, dtype=object)
    words[:] = [None if word is None or word != word else word_of(word) for word in column]
    return words


def _levels(words: Words) -> dict[str, float]:
    """The most common levels with their shares, in order; none where all rows have the same."""
    counts = Counter(word for word in _words(words) if word is not None)
    if len(counts) < 2 and counts.total() in (0, len(words)):
        return {}
    common = [(level, n) for level, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if n >= FEWEST_ROWS]
    return {str(level): n / len(words) for level, n in common[:MOST_LEVELS]}


def _pairs(numbers: tuple[str, ...], block: Floats, taken: set[str]) -> tuple[Pair, ...]:
    """Every pair of few columns; of many, the near-duplicates. Flags and those that are taken make none."""
    wide = [
        at
        for at, name in enumerate(numbers)
        if name not in taken and len(np.unique(block[np.isfinite(block[:, at]), at])) > 2
    ]
    found = []
    if len(wide) <= FEW_COLUMNS:
        for place, at in enumerate(wide):
            for other in wide[:place]:
                found += [Pair(numbers[at], numbers[other], kind) for kind in ("difference", "ratio", "product")]
        return tuple(found)
    corr = np.abs(_rank_correlation(block[:, wide]))
    rows, cols = np.nonzero(np.tril(corr >= TWIN, -1))
    closest = np.argsort(-corr[rows, cols], kind="stable")[:MOST_TWINS]
    for at, other in sorted(zip(rows[closest], cols[closest], strict=True)):
        found += [Pair(numbers[wide[at]], numbers[wide[other]], kind) for kind in ("difference", "ratio")]
    return tuple(found)


def _rank_correlation(block: Floats) -> Floats:
    """(p, p) of ranks (Spearman), a missing value in the middle."""
    ranks = np.empty_like(block)
    for at in range(block.shape[1]):
        known = np.isfinite(block[:, at])
        ranks[~known, at] = 0.0
        ranks[known, at] = rankdata(block[known, at]) - (known.sum() + 1) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(np.corrcoef(ranks, rowvar=False)))


def _combine(one: Floats, other: Floats, kind: str) -> Floats:
    if kind == "difference":
        return one - other
    if kind == "product":
        return one * other
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = one / other
    return np.where(np.abs(ratio) < 1e30, ratio, np.nan)


def _past(table: RiskTable, numbers: tuple[str, ...], block: Floats) -> list[tuple[str, Floats, tuple[str, ...]]]:
    assert table.group is not None and table.order is not None
    rows = sorted_rows(table.group, table.order)
    back = np.empty_like(rows)
    back[rows] = np.arange(len(rows))
    values, starts = np.ascontiguousarray(block[rows]), unit_starts(table.group[rows])
    made = [(f"mean of {{}} over {width} rows", rolling_mean(values, starts, width)) for width in MEANS]
    made += [(f"slope of {{}} over {width} rows", rolling_slope(values, starts, width)) for width in SLOPES]
    made += [("{} since the unit's first rows", departure(rolling_mean(values, starts, FIRST), starts, FIRST))]
    found = [(words.format(name), array[back, at], (name,)) for words, array in made for at, name in enumerate(numbers)]
    return [*found, ("rows of the unit so far", age(starts)[back], ("rows",))]
