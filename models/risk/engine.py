"""The risk engine: features by a recipe, members stacked on unseen cases, probabilities calibrated on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Integers, RiskTable
from models.risk.calibration import Calibration
from models.risk.members import MEMBERS, Member
from models.risk.recipe import Matrix, Recipe
from models.risk.stacking import stack_weights, stacked

#: folds of the training rows; a member has a fit a fold, and the fits answer together
FOLDS = 5

#: rows from which fewer folds will do
_MANY, _FEWER = 15_000, 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One fit: a member on all folds but one."""

    member: str
    fold: int
    seed: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all pieces of a fit share."""

    recipe: Recipe
    features: Matrix
    harmed: Flags
    fold: Integers
    monotone: tuple[int, ...]
    pieces: tuple[Piece, ...]


#: does the pieces of a fit, in any order: one after the other here, on Ray elsewhere
Doer = Callable[[Prepared], Iterable[tuple[Piece, Member]]]


@dataclass(frozen=True, slots=True)
class RiskEngine:
    """Probabilities of harm.

    Each member is fitted once a fold of the training rows, on the others; what it tells of the fold that it has not seen
    decides how much it counts, and calibrates the whole. What is told of a known case is by weights and a calibration that had
    not seen its fold either. A new case is told by all fits, averaged in log odds.

    Attributes:
        monotone: sign by column of the table: +1 where more can't lower the risk, -1 where it can't raise it.
        members: unfitted, by name.
        recipe, fits, weights, calibration: what was learnt.
        held_out: (n,) each training row's probability by fits, weights and a calibration that had not seen it, in the table's
            order.
        harmed: (n,) whether it came to harm.

    Not for fewer than ten cases of either kind. It raises no class's weight: probabilities stay those of the data.
    """

    monotone: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=lambda: MEMBERS)
    recipe: Recipe | None = None
    fits: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    weights: Floats = field(default_factory=lambda: np.empty(0))
    calibration: Calibration = field(default_factory=lambda: Calibration("none", np.empty(0)))
    held_out: Floats = field(default_factory=lambda: np.empty(0))
    harmed: Flags = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def fit(self, table: RiskTable, harmed: Flags, seed: int = 0, do: Doer | None = None) -> Self:
        """Learn from cases whose end is known. Whole groups go into one fold.

        Raises:
            InputError: fewer than ten cases came to harm, or did not.
        """
        prepared = self.prepare(table, harmed, seed)
        return self.assemble(prepared, (do or self.do)(prepared), table.group)

    def prepare(self, table: RiskTable, harmed: Flags, seed: int) -> Prepared:
        """The matrix, the folds, and what has to be fitted."""
        _require_cases(harmed)
        recipe = Recipe.of(table, self.monotone)
        features = recipe.build(table)
        signs = tuple(
            self.monotone.get(made_of[0], 0) if len(made_of) == 1 and name == made_of[0] else 0
            for name, made_of in zip(features.names, features.sources, strict=True)
        )
        fold = _folds(harmed, table.group, seed)
        pieces = tuple(
            Piece(name, number, 1000 * seed + number) for name in self.members for number in range(int(fold.max()) + 1)
        )
        return Prepared(recipe, features.values, harmed, fold, signs, pieces)

    def do(self, prepared: Prepared) -> Iterable[tuple[Piece, Member]]:
        """All pieces, one after the other."""
        for piece in prepared.pieces:
            yield piece, fit_piece(prepared, self.members[piece.member], piece)

    def assemble(self, prepared: Prepared, done: Iterable[tuple[Piece, Member]], group: Integers | None = None) -> Self:
        """Weights and calibration from what each fit tells of the fold that it has not seen."""
        fitted = {(piece.member, piece.fold): member for piece, member in done}
        names, folds = tuple(self.members), int(prepared.fold.max()) + 1
        told = np.empty((len(prepared.harmed), len(names)))
        for column, name in enumerate(names):
            for number in range(folds):
                rows = prepared.fold == number
                told[rows, column] = fitted[name, number].log_odds(prepared.features[rows])
        weights = stack_weights(told, prepared.harmed)
        total = stacked(told, weights)
        calibration = Calibration.choose(total, prepared.harmed, group)
        held_out = np.empty(len(total))
        for number in range(folds):  # told by weights and a calibration that had not seen the fold either
            own = prepared.fold == number
            fewer = stack_weights(told[~own], prepared.harmed[~own])
            rest = None if group is None else group[~own]
            chosen = Calibration.choose(stacked(told[~own], fewer), prepared.harmed[~own], rest)
            held_out[own] = chosen.apply(stacked(told[own], fewer))
        return replace(
            self,
            recipe=prepared.recipe,
            fits={name: tuple(fitted[name, number] for number in range(folds)) for name in names},
            weights=weights,
            calibration=calibration,
            held_out=held_out,
            harmed=prepared.harmed,
        )

    def predict(self, table: RiskTable) -> Floats:
        """(n,) probabilities. Raises InputError for missing columns, or text where numbers were learnt from."""
        return self.calibration.apply(self.log_odds(self.matrix(table)))

    def matrix(self, table: RiskTable) -> Matrix:
        if self.recipe is None:
            raise InputError("This model has not learnt from anything yet.", "Call fit first.")
        return self.recipe.build(table).values

    def log_odds(self, features: Matrix) -> Floats:
        """(n,) before calibration."""
        told = [np.mean([fit.log_odds(features) for fit in fits], axis=0) for fits in self.fits.values()]
        return stacked(np.column_stack(told), self.weights)


def fit_piece(prepared: Prepared, member: Member, piece: Piece) -> Member:
    rows = prepared.fold != piece.fold
    return member.fit(prepared.features[rows], prepared.harmed[rows], piece.seed, prepared.monotone)


def _folds(harmed: Flags, group: Integers | None, seed: int) -> Integers:
    """(n,) a fold a row, both kinds in each, whole groups in one."""
    count = min(FOLDS if len(harmed) < _MANY else _FEWER, int(min(harmed.sum(), (~harmed).sum())))
    fold = np.zeros(len(harmed), dtype=np.int64)
    if group is not None:
        splits: Sequence[tuple[Integers, Integers]] = list(
            StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(fold, harmed, group)
        )
    else:
        splits = list(StratifiedKFold(count, shuffle=True, random_state=seed).split(fold, harmed))
    for number, split in enumerate(splits):
        fold[split[1]] = number
    return fold


def _require_cases(harmed: Flags) -> None:
    fewest = min(int(harmed.sum()), int((~harmed).sum()))
    if fewest < 10:
        kind = "came to harm" if harmed.sum() == fewest else "did not come to harm"
        raise InputError(
            f"Only {fewest} cases {kind}: nothing can be learnt from them.", "Give ten of each kind, or more."
        )
