"""The bundle of one risk task: arrays, native XGBoost files and one text file. Never a pickle.

manifest.json         schema, task, vintage, provenance, recipe, members with their settings, calibration, slices
risk.npz              weights, held-out probabilities with what came and the rows' keys, grids, arrays of members
MEMBER-FOLD.ubj       XGBoost's binary JSON
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.risks import Grade, Integers, Outlook, RiskAnswer, RiskTable
from models.risk.calibration import Calibration
from models.risk.conformal import outlooks
from models.risk.engine import RiskEngine
from models.risk.logistic import Logistic
from models.risk.members import Boosted, Member
from models.risk.reasons import contributions, reasons_for
from models.risk.recipe import Recipe

SCHEMA = 1

AREA = "risk"

#: multiples of the known cases' rate of harm from which a grade is given
GRADES = ((Grade.RED, 10.0), (Grade.ORANGE, 5.0), (Grade.YELLOW, 2.0))

#: rates of harm above this grade as this one does: red from an even chance on, orange from one in four, yellow from one in ten
HIGHEST_RATE = 0.05

_DAMAGE = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the known cases that a gate looks at on its own: `code` is the place of each row's level, -1 without one."""

    levels: tuple[str, ...]
    code: Integers


@dataclass(frozen=True, slots=True)
class Worst:
    """Rows of a table with their answers, the highest probability first, and how many cases have each grade."""

    worst: tuple[tuple[int, RiskAnswer], ...]
    counts: Mapping[Grade, int]


@dataclass(frozen=True, slots=True)
class RiskBundle:
    """One version. Immutable, and safe to share between threads.

    Attributes:
        vintage: the moment up to which its cases were known (UTC).
        engine: fitted; it holds the known cases' held-out probabilities and what came of them.
        grid: (p, points) percentiles of each feature over the known cases.
        keys: (n,) what names each known case, the same in every version.
        slices: by name.
        simulated: whether the cases were made up.
        source: where they are from.
        most_missing: columns that the emptiest known case lacks; of emptier ones the outlook is not known.
        group: (n,) which known cases share their luck; None where each stands alone.
        provenance: what the training run recorded of itself.
    """

    task: str
    vintage: dt.datetime
    engine: RiskEngine
    grid: Floats
    keys: npt.NDArray[np.uint64]
    slices: Mapping[str, Slice]
    simulated: bool
    source: str
    most_missing: int
    group: Integers | None = None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def learnt_from(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns of numbers, and of text, that a case must have."""
        recipe = self.engine.recipe
        assert recipe is not None
        return recipe.numbers, tuple(recipe.levels)

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """Itself: it keeps no state of its own."""
        return self

    @property
    def base_rate(self) -> float:
        """Share of the known cases that came to harm."""
        return float(self.engine.harmed.mean())

    def answer(
        self, table: RiskTable, *, level: float = 90.0, reasons: int = 3, prob: Floats | None = None
    ) -> list[RiskAnswer]:
        """Probability, grade, outlook and reasons of each case.

        Args:
            level: of the outlooks, in percent.
            reasons: how many are given; none saves most of the time.
            prob: what the probabilities are known to be, (n,), as those of known cases are by `held_out_of`.

        Raises:
            InputError: a column is missing, is text where numbers were learnt from, or has a number beyond float32.
            LevelError: the level can't be answered.
        """
        engine = self.engine
        assert engine.recipe is not None
        features = engine.recipe.build(table)
        if prob is None:
            prob = engine.calibration.apply(engine.log_odds(features.values))
        told = outlooks(engine.held_out, engine.harmed, prob, level)
        empty = engine.recipe.missing_in(table) > self.most_missing
        told = [Outlook.UNKNOWN if gone else outlook for gone, outlook in zip(empty, told, strict=True)]
        why: list[Any] = [()] * len(prob)
        if reasons:
            why = reasons_for(features, contributions(engine, features.values)[:, :-1], self.grid, reasons)
        return [
            RiskAnswer(float(p), self.grade(float(p)), outlook, tuple(some))
            for p, outlook, some in zip(prob, told, why, strict=True)
        ]

    def held_out_of(self, keys: npt.NDArray[np.uint64]) -> Floats | None:
        """(n,) the probabilities of known cases by fits that had not seen them; None where any of the cases is not known."""
        order = np.argsort(self.keys)
        at = np.minimum(np.searchsorted(self.keys, keys, sorter=order), len(order) - 1)
        rows = order[at]
        return self.engine.held_out[rows] if bool((self.keys[rows] == keys).all()) else None

    def worst(
        self, table: RiskTable, top: int, *, level: float = 90.0, reasons: int = 3, prob: Floats | None = None
    ) -> Worst:
        """The cases with the highest probabilities, with reasons, and how many there are of each grade. See `answer`."""
        engine = self.engine
        if prob is None:
            prob = engine.predict(table)
        rows = np.argsort(-prob, kind="stable")[:top]
        grades = [self.grade(float(one)) for one in prob]
        if engine.recipe is not None and engine.recipe.sequence:  # a unit's past has to stay in the table
            answers = self.answer(table, level=level, reasons=reasons, prob=prob)
            found = [answers[row] for row in rows]
        else:
            found = self.answer(table.take(rows), level=level, reasons=reasons, prob=prob[rows])
        counts = {grade: grades.count(grade) for grade in Grade}
        return Worst(tuple(zip(rows.tolist(), found, strict=True)), counts)

    def grade(self, prob: float) -> Grade:
        """Red, orange, yellow or blue, by how many times the known rate of harm it is, or `HIGHEST_RATE` where that is less."""
        for grade, multiple in GRADES:
            if prob >= multiple * min(self.base_rate, HIGHEST_RATE):
                return grade
        return Grade.BLUE

    def write(self, folder: Path) -> None:
        """Write the bundle's files into a folder, which is made if it is not there."""
        engine = self.engine
        assert engine.recipe is not None
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            "weights": engine.weights,
            "calibration": engine.calibration.values,
            "held_out": engine.held_out,
            "harmed": engine.harmed,
            "grid": self.grid,
            "keys": self.keys,
            **{f"slice/{name}": one.code for name, one in self.slices.items()},
            **({} if self.group is None else {"group": self.group}),
        }
        for name, fits in engine.fits.items():
            for number, fit in enumerate(fits):
                if isinstance(fit, Boosted):
                    (folder / f"{name}-{number}.ubj").write_bytes(fit.model or b"")
                else:
                    arrays |= {f"{name}/{number}/{key}": array for key, array in fit.arrays().items()}
        np.savez_compressed(folder / "risk.npz", allow_pickle=False, **arrays)
        manifest = {
            "schema": SCHEMA,
            "area": AREA,
            "task": self.task,
            "vintage": self.vintage.isoformat(),
            "simulated": self.simulated,
            "source": self.source,
            "most_missing": self.most_missing,
            "notes": list(self.notes),
            "provenance": dict(self.provenance),
            "recipe": engine.recipe.as_json(),
            "monotone": dict(engine.monotone),
            "members": {name: _facts(fits) for name, fits in engine.fits.items()},
            "calibration": engine.calibration.kind,
            "slices": {name: list(one.levels) for name, one in self.slices.items()},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no bundle of a risk, or one that this code can't read.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder} does not hold a bundle: {error}.", "Train a new version.") from error
        known = isinstance(manifest, dict) and (manifest.get("area"), manifest.get("schema")) == (AREA, SCHEMA)
        if not known:
            raise BundleError(
                f"{folder} does not hold a risk bundle of schema {SCHEMA}.",
                "Use the release that trained it, or train a new version.",
            )
        try:
            with (folder / "risk.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            fits = {name: _read_fits(folder, name, facts, arrays) for name, facts in manifest["members"].items()}
            engine = RiskEngine(
                monotone=dict(manifest["monotone"]),
                members={},
                recipe=Recipe.from_json(manifest["recipe"]),
                fits=fits,
                weights=arrays["weights"],
                calibration=Calibration(manifest["calibration"], arrays["calibration"]),
                held_out=arrays["held_out"],
                harmed=arrays["harmed"],
            )
            if len(engine.weights) != len(fits) + 1 or len(engine.held_out) != len(engine.harmed):
                raise ValueError("its arrays do not fit together")
            recipe = engine.recipe
            assert recipe is not None
            return cls(
                task=manifest["task"],
                vintage=dt.datetime.fromisoformat(manifest["vintage"]),
                engine=engine,
                grid=arrays["grid"],
                keys=arrays["keys"],
                slices={name: Slice(tuple(s), arrays[f"slice/{name}"]) for name, s in manifest["slices"].items()},
                simulated=manifest["simulated"],
                source=manifest["source"],
                # versions of before did not say: of them, a case that lacks everything is too empty
                most_missing=int(manifest.get("most_missing", len(recipe.numbers) + len(recipe.levels) - 1)),
                group=arrays.get("group"),
                notes=tuple(manifest["notes"]),
                provenance=dict(manifest["provenance"]),
            )
        except _DAMAGE as error:
            raise BundleError(
                f"The bundle in {folder} is damaged: {type(error).__name__}: {error}.", "Train a new version."
            ) from error


def _facts(fits: tuple[Member, ...]) -> dict[str, Any]:
    first = fits[0]
    if isinstance(first, Boosted):
        return {"kind": "boosted", "fits": len(fits), "settings": dict(first.settings), "rounds": first.rounds}
    return {"kind": "logistic", "fits": len(fits)}


def _read_fits(
    folder: Path, name: str, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> tuple[Member, ...]:
    fits: list[Member] = []
    for number in range(facts["fits"]):
        if facts["kind"] == "boosted":
            model = (folder / f"{name}-{number}.ubj").read_bytes()
            fits.append(Boosted(facts["settings"], facts["rounds"], model))
        else:
            own = f"{name}/{number}/"
            fits.append(
                Logistic().with_arrays({k.removeprefix(own): a for k, a in arrays.items() if k.startswith(own)})
            )
    return tuple(fits)
