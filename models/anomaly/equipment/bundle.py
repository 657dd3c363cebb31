"""The bundle: all classes of equipment of one version, as arrays and one text file. Never a pickle.

manifest.json       schema, vintage, provenance, classes with their sensors and machines, failures
class-N.npz         the arrays of the manifest's N-th class
trial-N.npz         its trial: rows that were held out, and what was found in them
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.panel import Panel
from models.anomaly.equipment.classes import EquipmentClass
from models.anomaly.equipment.trial import Case, Marks

SCHEMA = 1

AREA = "anomaly"

_DAMAGE = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the gate judges by: cases that were held out, and how detectors did that were trained on what came before them."""

    cases: tuple[Case, ...]
    marks: Marks
    seed: int


@dataclass(frozen=True, slots=True)
class TrainedClass:
    """A class of equipment in a version.

    Attributes:
        step: of its grid, in microseconds.
        vintage: the moment up to which this class has seen data; that of the version, or older if it was carried over.
        trial: None where there were too few rows to hold some out.
    """

    equipment: EquipmentClass
    step: int
    vintage: dt.datetime
    trial: Trial | None


@dataclass(frozen=True, slots=True)
class AnomalyBundle:
    """All classes of one version. Immutable, and safe to share between threads.

    Attributes:
        classes: by name.
        failed: machines (and whole classes) that could not be trained, and why.
    """

    vintage: dt.datetime
    classes: Mapping[str, TrainedClass]
    failed: tuple[Failed, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """Itself: its states follow the readings, and belong to who scores them."""
        return self

    def failures(self) -> Iterator[Failed]:
        yield from self.failed

    def write(self, folder: Path) -> None:
        """Write the bundle's files into a folder, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(self.classes.values()):
            np.savez_compressed(folder / f"class-{number}.npz", allow_pickle=False, **one.equipment.arrays())
            if one.trial is not None:
                np.savez_compressed(folder / f"trial-{number}.npz", allow_pickle=False, **_trial_arrays(one.trial))
        manifest = {
            "schema": SCHEMA,
            "area": AREA,
            "vintage": self.vintage.isoformat(),
            "provenance": dict(self.provenance),
            "classes": [_facts(name, one) for name, one in self.classes.items()],
            "failed": [{"series": one.series, "reason": one.reason} for one in self.failed],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no bundle of this area, or one that this code can't read.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder} does not hold a bundle: {error}.", "Train a new version.") from error
        known = isinstance(manifest, dict) and (manifest.get("area"), manifest.get("schema")) == (AREA, SCHEMA)
        if not known:
            raise BundleError(
                f"{folder} does not hold detectors of equipment of schema {SCHEMA}.",
                "Use the release that trained it, or train a new version.",
            )
        try:
            return cls(
                vintage=dt.datetime.fromisoformat(manifest["vintage"]),
                classes={facts["name"]: _read(folder, k, facts) for k, facts in enumerate(manifest["classes"])},
                failed=tuple(Failed(one["series"], one["reason"]) for one in manifest["failed"]),
                provenance=dict(manifest["provenance"]),
            )
        except _DAMAGE as error:
            raise BundleError(
                f"The bundle in {folder} is damaged: {type(error).__name__}: {error}.", "Train a new version."
            ) from error


def _facts(name: str, one: TrainedClass) -> dict[str, Any]:
    return {
        "name": name,
        "step": one.step,
        "vintage": one.vintage.isoformat(),
        "sensors": list(one.equipment.sensors),
        "machines": list(one.equipment.detectors),
        "cases": None if one.trial is None else [[case.machine, case.labelled] for case in one.trial.cases],
        "seed": None if one.trial is None else one.trial.seed,
    }


def _trial_arrays(trial: Trial) -> dict[str, Any]:
    marks = trial.marks
    rows = {f"rows/{number}": case.rows for number, case in enumerate(trial.cases)}
    return {"false": marks.false, "found": marks.found, "labelled": marks.labelled, **rows}


def _read(folder: Path, number: int, facts: Mapping[str, Any]) -> TrainedClass:
    equipment = EquipmentClass.of_arrays(facts["sensors"], facts["machines"], _arrays(folder / f"class-{number}.npz"))
    trial = None
    if facts["cases"] is not None:
        arrays = _arrays(folder / f"trial-{number}.npz")
        cases = tuple(Case(m, arrays[f"rows/{k}"], labelled) for k, (m, labelled) in enumerate(facts["cases"]))
        marks = Marks(arrays["false"], arrays["found"], arrays["labelled"])
        trial = Trial(cases, marks, int(facts["seed"]))
    return TrainedClass(equipment, int(facts["step"]), dt.datetime.fromisoformat(facts["vintage"]), trial)


def _arrays(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return dict(archive)
