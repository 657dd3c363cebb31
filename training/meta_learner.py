"""The meta-learner: from what a series is like, and how the members have done, to how they are to be weighed.

FFORMA's idea (Montero-Manso, Athanasopoulos, Hyndman and Talagala 2020), with two changes. A row is a member of a series, not
a series, so one model serves any list of members: one that it has not met is judged by its evidence alone. And it does not
replace the rule of `training.weighing` but corrects it: its trees start from the rule's weights, and no tree leaves the rule.

Two boosters, native XGBoost files of a few hundred kB, trained by `training.pretraining` on public and synthetic series:

- *before* reads what a series is like, and says what to expect of each member before any has been fitted;
- *after* reads the members' errors at past origins and their present forecasts, too, and corrects the weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import xgboost as xgb

from features.descriptors import DESCRIPTORS
from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.panel import Floats
from training.evidence import EVIDENCE
from training.weighing import STEEPNESS

#: where the shipped files lie
SHIPPED = Path(__file__).parent / "pretrained"

_MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class MetaLearner:
    """Boosters that speak of any list of members.

    Attributes:
        before, after: trained with the columns that `rows` makes, without and with evidence; one thread each.
        known: base names of the members that both had met, in the order of their columns. Of others, nothing is expected
            beforehand, and the rule's weights stay as they are.
    """

    before: xgb.Booster
    after: xgb.Booster
    known: tuple[str, ...]

    def expect(self, descriptors: Floats, members: Sequence[str], rule: Floats) -> Floats:
        """Logarithms of the relative errors to expect: float64 (n, members).

        Args:
            descriptors: float64 (n, len(DESCRIPTORS)).
            rule: float64 (n, members), what is expected without us; infinite for a member that is not to be weighed.
        """
        return rule - self._correction(self.before, rows(descriptors, members, self.known), members, rule) / STEEPNESS

    def correct(self, logarithms: Floats, descriptors: Floats, evidence: Floats, members: Sequence[str]) -> Floats:
        """Logarithms of unscaled weights, corrected: float64 (n, members); minus infinity stays.

        Args:
            logarithms: float64 (n, members), the rule's.
            evidence: float64 (n, members, len(EVIDENCE)).
        """
        table = rows(descriptors, members, self.known, logarithms, evidence)
        return logarithms + self._correction(self.after, table, members, logarithms)

    def _correction(self, booster: xgb.Booster, table: Floats, members: Sequence[str], like: Floats) -> Floats:
        """What the trees add, centred over the members that they know; nothing for the others."""
        counted = np.isfinite(like) & np.array([_base(name) in self.known for name in members])
        raw = np.zeros(like.shape)
        if counted.any():  # the trees are the costliest part of a decision: they are asked about these alone
            raw[counted] = booster.inplace_predict(table[counted.reshape(-1)], predict_type="margin")
        number = counted.sum(axis=1, keepdims=True)
        mean = np.divide(
            np.where(counted, raw, 0.0).sum(axis=1, keepdims=True),
            number,
            where=number > 0,
            out=np.zeros((len(raw), 1)),
        )
        return np.where(counted, raw - mean, 0.0)

    def write(self, folder: Path) -> None:
        """Two UBJ files into a folder, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("before", "after"):
            booster: xgb.Booster = getattr(self, name)
            booster.set_attr(**{_MEMBERS: json.dumps(self.known)})
            booster.save_model(folder / f"{name}.ubj")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote. Raises BundleError for files that are missing, damaged, or of other columns."""
        boosters = {name: _read(folder / f"{name}.ubj", names) for name, names in COLUMNS.items()}
        known = tuple(json.loads(boosters["after"].attr(_MEMBERS) or "[]"))
        for name, booster in boosters.items():
            expected = [*DESCRIPTORS, *identities(known), *COLUMNS[name]]
            if booster.feature_names != expected:
                raise BundleError(
                    f"{folder / name}.ubj was trained on other columns.", "Run `brain pretrain forecasting`."
                )
        return cls(boosters["before"], boosters["after"], known)


#: the columns of each booster behind the descriptors and the member's identity
COLUMNS: dict[str, tuple[str, ...]] = {"before": (), "after": ("rule", *EVIDENCE)}


def identities(known: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns that say which member a row is about."""
    return (*(f"is_{name}" for name in known), "long_season")


def rows(
    descriptors: Floats,
    members: Sequence[str],
    known: Sequence[str],
    logarithms: Floats | None = None,
    evidence: Floats | None = None,
) -> Floats:
    """The table that a booster reads: float64 (n * members, columns), a series' members side by side.

    `theta@168` is theta with a longer season. The rule's logarithm is told as it stands below the best member's.
    """
    n, m = len(descriptors), len(members)
    identity = np.array([[float(_base(name) == other) for other in known] + [float("@" in name)] for name in members])
    parts = [np.repeat(descriptors, m, axis=0), np.tile(identity.reshape(m, -1), (n, 1))]
    if logarithms is not None and evidence is not None:
        highest = logarithms.max(axis=1, keepdims=True, initial=-np.inf)
        below = logarithms - np.where(np.isfinite(highest), highest, 0.0)
        parts += [np.where(np.isfinite(below), below, np.nan).reshape(-1, 1), evidence.reshape(n * m, -1)]
    return np.concatenate(parts, axis=1)


@cache
def shipped_learner() -> MetaLearner:
    """The one that comes with the product; read once a process."""
    return MetaLearner.read(SHIPPED)


def _base(name: str) -> str:
    return name.partition("@")[0]


def _read(file: Path, columns: Sequence[str]) -> xgb.Booster:
    booster = xgb.Booster({"nthread": 1})
    try:
        booster.load_model(file)
    except (xgb.core.XGBoostError, OSError) as error:
        raise BundleError(
            f"{file} can't be read as an XGBoost model: {error}.", "Run `brain pretrain forecasting`."
        ) from error
    booster.set_param({"nthread": 1})
    return booster
