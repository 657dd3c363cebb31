"""The bundle of targets: one version's table, predictions, ranker and record, as arrays and native XGBoost files.

manifest.json       schema, vintage, provenance, names, the record of the windows that were tried
targets.npz         values, predictions and their bootstrap, the ranker's numbers
ranker-*.ubj        the ranker's trees
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BundleError, HorizonError, UnknownIdError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.targeting import parse_target
from models.targeting.cube import ActivityCube
from models.targeting.pairs import History
from models.targeting.ranker import CROSSINGS, NEWCOMERS, SHIFTS, Side, TargetRanker
from models.targeting.record import WindowRecord

SCHEMA = 1
AREA = "targeting"

#: of the bootstrap, the central part that intervals hold
LEVEL = 80.0

_DAMAGE = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, BadZipFile, zlib.error)
_Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class TargetBundle:
    """All pairs of one version. Immutable, and safe to share between threads.

    Attributes:
        vintage: the moment up to which data was known (UTC).
        cube: yearly values; its last year is the one that predictions start from.
        indicator, unit: what the values are of.
        ranker: fitted on the whole cube; its horizon is the longest that is answered.
        above: probability (horizons, regions, activities) to stand at the threshold or above; NaN where no quotient is known.
            Of a single year it is no probability: see `has_probability`.
        growth: log points a year above that of all values, the same shape.
        draws_above, draws_growth: the same for each resample of the regions, (draws, ...).
        jobs, energy: (activities,) persons, and units of the energy series, that come with a unit of a year's value; NaN.
        windows: what was tried on the past.
        leads: what closed leads said, in words; empty without any.
    """

    vintage: dt.datetime
    cube: ActivityCube
    indicator: str
    unit: str
    simulated: bool
    ranker: TargetRanker
    above: Floats
    growth: Floats
    draws_above: _Half
    draws_growth: _Half
    jobs: Floats
    energy: Floats
    energy_unit: str = ""
    windows: tuple[WindowRecord, ...] = ()
    notes: tuple[str, ...] = ()
    leads: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """Itself: targets are of whole years, and a new year asks for a new version."""
        return self

    @cached_property
    def history(self) -> History:
        return History(self.cube)

    @cached_property
    def quotient(self) -> Floats:
        """Location quotients of the last year, (regions, activities)."""
        return np.asarray(self.history.quotients[-1])

    @property
    def has_probability(self) -> bool:
        """Whether `above` is a probability: of a single year it is a score, which orders pairs and says no more."""
        return len(self.cube.years) > 1

    @property
    def resampled(self) -> bool:
        """Whether the resamples say how sure an answer is: they do where the order was learned."""
        return len(self.draws_above) > 0 and self.ranker.learned

    @property
    def horizon(self) -> int:
        return self.ranker.horizon

    def require_horizon(self, horizon: int | None) -> int:
        """The horizon asked for, or the longest. Raises HorizonError."""
        if horizon is None:
            return self.horizon
        if not 1 <= horizon <= self.horizon:
            raise HorizonError(
                f"A horizon of {horizon} years can't be answered.",
                f"This version answers 1 to {self.horizon}; train another with `brain train targeting --horizon`.",
                pointer="/horizon",
            )
        return horizon

    def place(self, target: str) -> tuple[int, int]:
        """Positions of a target's region and activity.

        Raises:
            InputError: it names no target.
            UnknownIdError: the version has no such region or activity.
        """
        region, activity = parse_target(target)
        for noun, code, known in (("region", region, self.cube.regions), ("cluster", activity, self.cube.activities)):
            if code not in known:
                raise UnknownIdError(
                    f"This version knows no {noun} '{code}'.",
                    f"It ranks {len(self.cube.regions)} regions and {len(self.cube.activities)} clusters that have values.",
                )
        return self.cube.regions.index(region), self.cube.activities.index(activity)

    def interval(self, horizon: int, row: int, column: int) -> tuple[float, float]:
        """Bounds of the probability: the central 80% of the bootstrap, and the estimate itself at least; NaN where resamples
        don't tell."""
        if not self.resampled:
            return float("nan"), float("nan")
        value = float(self.above[horizon - 1, row, column])
        draws = self.draws_above[:, horizon - 1, row, column].astype(np.float64)
        low, high = np.percentile(draws, [50.0 - LEVEL / 2.0, 50.0 + LEVEL / 2.0])
        return min(float(low), value), max(float(high), value)

    def answer_rows(self, series: Sequence[str], horizon: int) -> list[dict[str, object]]:
        """Targets as rows of a table, for whoever serves the version by itself. Raises HorizonError."""
        asked = self.require_horizon(horizon)
        rows: list[dict[str, object]] = []
        for target in series:
            try:
                row, column = self.place(target)
            except UnknownIdError as error:
                rows.append({"series": target, "failure": str(error)})
                continue
            low, high = self.interval(asked, row, column)
            quotient = float(self.quotient[row, column])
            mean = float(self.above[asked - 1, row, column]) if self.has_probability else float("nan")
            facts = {"quotient": quotient, "mean": mean, "low": low, "high": high}
            growth = float(self.growth[asked - 1, row, column])
            failure = None if np.isfinite(quotient) else "The region or the cluster has no value in the last year."
            rows.append({"series": target, "horizon": asked, **facts, "growth": growth, "failure": failure})
        return rows

    def write(self, folder: Path) -> None:
        """Write the bundle's files into a folder, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        cube = self.cube
        optional = {"distance": cube.distance, "supplies": cube.supplies}
        arrays: dict[str, Any] = {name: array for name, array in optional.items() if array is not None}
        names = ("above", "growth", "draws_above", "draws_growth", "jobs", "energy")
        arrays |= {"values": cube.values, **{name: getattr(self, name) for name in names}}
        sides: dict[str, dict[str, Any]] = {}
        for name, side in (("entry", self.ranker.entry), ("exit", self.ranker.exit), ("absent", self.ranker.absent)):
            if side is None:
                continue
            arrays |= {f"{name}/centre": side.centre, f"{name}/spread": side.spread}
            sides[name] = {"members": list(side.members), "slope": side.slope, "level": side.level}
            for member, fitted in side.members.items():
                for part, trees in fitted.arrays().items():
                    (folder / _file(name, member, part)).write_bytes(trees.tobytes())
                    sides[name].setdefault("parts", {}).setdefault(member, []).append(part)
        if self.ranker.trees_of_growth is not None:
            (folder / "ranker-growth.ubj").write_bytes(self.ranker.trees_of_growth)
        np.savez_compressed(folder / "targets.npz", allow_pickle=False, **arrays)
        manifest = {
            "schema": SCHEMA,
            "area": AREA,
            "vintage": self.vintage.isoformat(),
            "provenance": dict(self.provenance),
            "indicator": self.indicator,
            "unit": self.unit,
            "energy_unit": self.energy_unit,
            "simulated": self.simulated,
            "horizon": self.horizon,
            "years": list(cube.years),
            "regions": list(cube.regions),
            "activities": list(cube.activities),
            "sides": sides,
            "ranker_notes": list(self.ranker.notes),
            "windows": [one.to_json() for one in self.windows],
            "notes": list(self.notes),
            "leads": self.leads,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no bundle of targets, or one that this code can't read.
        """
        try:
            facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder} does not hold a bundle: {error}.", "Train a new version.") from error
        if not isinstance(facts, dict) or (facts.get("area"), facts.get("schema")) != (AREA, SCHEMA):
            raise BundleError(
                f"{folder} does not hold a bundle of targets of schema {SCHEMA}.",
                "Use the release that trained it, or train a new version.",
            )
        try:
            with (folder / "targets.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            return cls(
                vintage=dt.datetime.fromisoformat(facts["vintage"]),
                cube=ActivityCube(
                    arrays["values"],
                    tuple(facts["years"]),
                    tuple(facts["regions"]),
                    tuple(facts["activities"]),
                    distance=arrays.get("distance"),
                    supplies=arrays.get("supplies"),
                ),
                indicator=facts["indicator"],
                unit=facts["unit"],
                simulated=facts["simulated"],
                ranker=_ranker(folder, facts, arrays),
                **{name: arrays[name] for name in ("above", "growth", "draws_above", "draws_growth", "jobs", "energy")},
                energy_unit=facts["energy_unit"],
                windows=tuple(WindowRecord.from_json(one) for one in facts["windows"]),
                notes=tuple(facts["notes"]),
                leads=facts["leads"],
                provenance=dict(facts["provenance"]),
            )
        except _DAMAGE as error:
            raise BundleError(
                f"The bundle in {folder} is damaged: {type(error).__name__}: {error}.", "Train a new version."
            ) from error


def _file(side: str, member: str, part: str) -> str:
    """Members that learn crossings are fitted for each side, the others once for both."""
    return f"ranker-{side}-{member}-{part}.ubj" if member in CROSSINGS else f"ranker-{member}-{part}.ubj"


def _ranker(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> TargetRanker:
    known = {**SHIFTS, **CROSSINGS, **NEWCOMERS}
    sides = {}
    for name, of in facts["sides"].items():
        members = {}
        for member in of["members"]:
            parts = of.get("parts", {}).get(member, [])
            trees = {p: np.frombuffer((folder / _file(name, member, p)).read_bytes(), dtype=np.uint8) for p in parts}
            members[member] = known[member].with_arrays(trees)
        sides[name] = Side(members, arrays[f"{name}/centre"], arrays[f"{name}/spread"], of["slope"], of["level"])
    growth = folder / "ranker-growth.ubj"
    return TargetRanker(
        facts["horizon"],
        entry=sides["entry"],
        exit=sides["exit"],
        absent=sides.get("absent"),
        trees_of_growth=growth.read_bytes() if growth.is_file() else None,
        notes=tuple(facts["ranker_notes"]),
    )
