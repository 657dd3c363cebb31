"""The training run of targets: gather a cube, try the past, fit, resample, judge, register. See `training.pipeline`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from industrial_brain.domain.city import Region
from industrial_brain.domain.errors import BundleError, InputError, NothingToTrainError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Progress, Registry, no_progress
from industrial_brain.domain.targeting import ChainLink, LeadOutcome
from models.targeting.bundle import TargetBundle
from models.targeting.record import OURS, PERSISTENCE, WindowRecord, mean_precision, scored
from training.executors import Mapper
from training.gates import Verdict
from training.pipeline import Provenance, same_version, tags_of
from training.targeting.gate import judge_targets
from training.targeting.gather import Gathered, coverage, gather, intensity, pairs_of
from training.targeting.work import Fitted, Piece, do, half, plan_draws, plan_windows

#: values of some series as they were known at a moment
Reader = Callable[[dt.datetime, Sequence[str]], list[Panel]]

#: resamples of the regions: enough for the central 80%
DRAWS = 24

#: pairs above which fewer are drawn
_MANY = 100_000

LONGEST_HORIZON = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSeries:
    """Which indicators are looked at, by code.

    Attributes:
        output: whose location quotients are ranked.
        jobs, energy: what comes with it: persons (a level), and energy (a flow). Either may have no series.
    """

    output: str = "output"
    jobs: str = "employment"
    energy: str = "electricity"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What a run did: the version as registered, the gate's verdict, and the bundle."""

    version: ModelVersion
    verdict: Verdict
    bundle: TargetBundle


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from."""

    output: Gathered
    jobs: Floats
    energy: Floats
    energy_unit: str
    outcomes: tuple[LeadOutcome, ...]

    def fingerprint(self, code: str, horizon: int) -> str:
        """SHA-256 of everything that decides a run. Equal fingerprints, equal results."""
        cube = self.output.cube
        digest = hashlib.sha256(f"{code} {horizon} {cube.years} {cube.regions} {cube.activities}".encode())
        for array in (cube.values, self.jobs, self.energy, cube.supplies, cube.distance):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        digest.update(repr(self.outcomes).encode())
        return digest.hexdigest()


def gather_material(
    *,
    series: TargetSeries,
    read: Reader,
    infos: Mapping[str, SeriesInfo],
    regions: Mapping[str, Region],
    links: Sequence[ChainLink],
    outcomes: Sequence[LeadOutcome],
    vintage: dt.datetime,
) -> Material:
    """The cube of what was known at the vintage, and what comes with its values.

    Raises:
        NothingToTrainError: see `pairs_of` and `gather`.
    """
    output = _gathered(series.output, read, infos, regions, links, vintage)
    amounts = {}
    units = {}
    notes: list[str] = []
    simulated = output.simulated
    for name, code, stock in (("jobs", series.jobs, True), ("energy", series.energy, False)):
        try:
            other = _gathered(code, read, infos, regions, (), vintage)
        except NothingToTrainError:
            amounts[name], units[name] = np.full(len(output.cube.activities), np.nan), ""
        else:
            amounts[name], units[name] = intensity(output, other, stock=stock), other.unit
            simulated |= other.simulated and bool(np.isfinite(amounts[name]).any())
            notes += [note for note in (coverage(output, other),) if note]
            if output.cube.years[-1] not in other.cube.years:
                notes.append(
                    f"'{code}' is not known of {output.cube.years[-1]}: what comes with a unit of output isn't either."
                )
    output = replace(output, simulated=simulated, notes=(*output.notes, *notes))
    known = tuple(one for one in outcomes if one.end <= vintage.year)
    return Material(output, amounts["jobs"], amounts["energy"], units["energy"], known)


def train_targets(
    material: Material,
    *,
    horizon: int,
    vintage: dt.datetime,
    provenance: Provenance,
    executor: Mapper,
    registry: Registry,
    promote: bool = True,
    draws: int = DRAWS,
    progress: Progress = no_progress,
) -> TargetReport:
    """Try the windows of the past, fit on all years, resample, register a version, judge it, and promote it if it passes and
    `promote` says so.

    Which version becomes what is as in `train_forecasting`.

    Raises:
        InputError: a horizon that can't be trained.
        UnavailableError: the executor was lost.
    """
    if not 1 <= horizon <= LONGEST_HORIZON:
        raise InputError(
            f"A horizon of {horizon} years can't be trained.", f"Give whole years, 1 to {LONGEST_HORIZON}."
        )
    cube, seed = material.output.cube, provenance.seed
    tags = tags_of(replace(provenance, data=material.fingerprint(provenance.code, horizon)), vintage)
    tried = [Piece(cube, horizon, seed, window=one) for one in plan_windows(cube.years, horizon)]
    many = cube.values[0].size
    resamples = plan_draws(cube, horizon, draws if many <= _MANY else draws // 3, seed, material.outcomes)
    pieces = [Piece(cube, horizon, seed, outcomes=material.outcomes), *tried, *resamples]
    windows: list[WindowRecord] = []
    notes = list(material.output.notes)
    whole: Fitted | None = None
    resampled: list[tuple[int, Fitted]] = []
    for done, (piece, found) in enumerate(executor.each(do, pieces), 1):
        match found:
            case WindowRecord():
                windows.append(found)
            case Fitted():
                if piece.weights is None:
                    whole = found
                else:
                    resampled.append((piece.seed, found))
            case reason:
                notes.append(f"The window {piece.window} could not be tried: {reason}")
        progress(done, len(pieces))
    assert whole is not None, "an executor yields every piece"
    ordered = [one for _, one in sorted(resampled, key=lambda pair: pair[0])]
    shape = (0, horizon, *cube.values.shape[1:])
    bundle = TargetBundle(
        vintage=vintage,
        cube=cube,
        indicator=material.output.indicator,
        unit=material.output.unit,
        simulated=material.output.simulated,
        ranker=whole.ranker,
        above=whole.above,
        growth=whole.growth,
        draws_above=half(np.stack([one.above for one in ordered]) if ordered else np.empty(shape)),
        draws_growth=half(np.stack([one.growth for one in ordered]) if ordered else np.empty(shape)),
        jobs=material.jobs,
        energy=material.energy,
        energy_unit=material.energy_unit,
        windows=tuple(sorted(windows, key=lambda one: one.start)),
        notes=(*notes, *whole.ranker.notes),
        leads=_leads_in_words(material.outcomes),
        provenance=tags,
    )
    current = registry.current()
    historical = current is not None and vintage < current.vintage
    verdict = judge_targets(bundle, None if historical else readable_targets(registry, current))
    status = "refused" if not verdict.passed else "historical" if historical else "candidate"
    if not verdict.passed:
        tags["refused_because"] = verdict.reason
    version = _register(registry, bundle, verdict, status, tags)
    if status == "candidate":
        registry.set_challenger(version.version)
        if promote and same_version(registry.current(), current):
            registry.promote(version.version)
    registered = next(one for one in registry.history() if one.version == version.version)
    return TargetReport(registered, verdict, bundle)


def readable_targets(registry: Registry, version: ModelVersion | None) -> TargetBundle | None:
    """The version's bundle; None where there is none that this code can read."""
    if version is None:
        return None
    try:
        return TargetBundle.read(registry.load(version.version))
    except BundleError:
        return None


def metrics(bundle: TargetBundle) -> dict[str, float]:
    """Figures of the windows that were tried: over all, and by window behind a dot."""
    tried = scored(bundle.windows)
    found = {"targets": float(np.isfinite(bundle.quotient).sum()), "windows": float(len(tried))}
    if tried:
        found |= {
            "precision": mean_precision(tried),
            "precision_nearest": mean_precision(tried, PERSISTENCE),
            "precision_worst": min(one.precision() for one in tried),
            "chance": float(np.mean([one.chance for one in tried])),
            "expected_entries": sum(one.expected for one in tried),
            "entries": float(sum(one.entered for one in tried)),
        }
        for one in tried:
            found[f"precision.{one.start}_{one.end}"] = one.precision()
            found[f"roc_auc.{one.start}_{one.end}"] = one.figures[OURS]["roc_auc"].value
    return found


def _gathered(
    code: str,
    read: Reader,
    infos: Mapping[str, SeriesInfo],
    regions: Mapping[str, Region],
    links: Sequence[ChainLink],
    vintage: dt.datetime,
) -> Gathered:
    found = pairs_of(infos, code)
    return gather(read(vintage, [info.id for info in found]), found, regions, links, vintage.year)


def _leads_in_words(outcomes: Sequence[LeadOutcome]) -> str:
    if not outcomes:
        return ""
    built = sum(one.built for one in outcomes)
    return (
        f"{built} of {len(outcomes)} closed leads were built; the ranker learned from those whose years the data have."
    )


def _register(
    registry: Registry, bundle: TargetBundle, verdict: Verdict, status: str, tags: Mapping[str, str]
) -> ModelVersion:
    known = int(np.isfinite(bundle.quotient).sum())
    counts = {
        "series": known,
        "failed": 0,
        "simulated": known if bundle.simulated else 0,
        "indicator": bundle.indicator,
    }
    artifacts = {
        "windows.json": json.dumps([one.to_json() for one in bundle.windows], indent=1),
        "gate.json": json.dumps([{"check": c.name, "passed": c.passed, "detail": c.detail} for c in verdict.checks]),
    }
    with tempfile.TemporaryDirectory(prefix="brain-bundle-") as folder:
        bundle.write(Path(folder))
        return registry.save(
            Path(folder),
            vintage=bundle.vintage,
            metrics=metrics(bundle),
            tags={**tags, **{name: str(count) for name, count in counts.items()}},
            artifacts=artifacts,
            status=status,
        )
