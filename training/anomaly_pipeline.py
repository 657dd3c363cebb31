"""The training run of equipment's detectors: gather each class' machines, fit on an executor, judge, register."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from industrial_brain.domain.equipment import EquipmentStore, Labels, Machine
from industrial_brain.domain.errors import BundleError, NothingToTrainError
from industrial_brain.domain.forecasts import Failed, ModelVersion, Outcome, Trained
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.protocols import Progress, Registry, no_progress
from industrial_brain.domain.telemetry import MICROS_PER_SECOND
from models.anomaly.equipment.bundle import AnomalyBundle, TrainedClass, Trial
from models.anomaly.equipment.classes import (
    EquipmentClass,
    FittedMachine,
    MachinePiece,
    common_runs,
    fit_machine,
    pieces_of,
)
from models.anomaly.equipment.detector import FEWEST_ROWS
from models.anomaly.equipment.trial import CONTEXT, Case, mark
from training.anomaly_gate import judge_anomalies, shortcomings
from training.executors import Mapper
from training.gates import Verdict
from training.machines import ClassRows, class_rows
from training.pipeline import Provenance, outcomes_csv, same_version, tags_of

#: history that is learnt from
DAYS = 28

METHOD = "equipment detector"

#: share of each machine's rows that a trial holds out, the newest ones; and the most of them, and of cases
_HELD_OUT, _MOST_ROWS, _MOST_CASES = 0.2, 1_000, 40

#: what the piece of the common detector is called: no machine can be
_COMMON = ""


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """What a run did: the version as registered, the gate's verdict, figures, and one outcome a machine."""

    version: ModelVersion
    verdict: Verdict
    metrics: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    bundle: AnomalyBundle


def train_anomalies(
    *,
    store: EquipmentStore,
    labels: Labels,
    equipment: str | None,
    vintage: dt.datetime,
    provenance: Provenance,
    executor: Mapper,
    registry: Registry,
    promote: bool = True,
    progress: Progress = no_progress,
) -> AnomalyReport:
    """Fit the machines of one class, or of all, register a version, judge it, and promote it if it passes.

    Classes that are not asked for are carried over from the champion, and so is one whose new detectors fail in their trial:
    every version has all that there are. Which version becomes what is as in `train_forecasting`.

    Raises:
        NothingToTrainError: no machine is declared, or none could be fitted.
        UnavailableError: the executor was lost.
    """
    rows = gather(store, labels, equipment, vintage)
    current = registry.current()
    champion = readable_anomalies(registry, current)
    tags = tags_of(replace(provenance, data=anomaly_fingerprint(rows, provenance.code)), vintage)
    classes: dict[str, TrainedClass] = dict(champion.classes) if champion is not None else {}
    failed = [Failed(name, reason) for one in rows for name, reason in one.failed.items()]
    done = 0
    total = sum(2 * len(one.machines) for one in rows)
    for one in rows:
        if not one.machines:
            continue
        trained, lost = _train_class(one, vintage, provenance.seed, executor)
        done += 2 * len(one.machines)
        progress(done, total)
        failed += lost
        if trained is None:
            continue
        blind = shortcomings(one.name, trained)
        if blind:  # of this class alone: the others need not wait for it
            failed += [Failed(name, blind) for name in one.machines]
        else:
            classes[one.name] = trained
    if not any(trained.vintage == vintage for trained in classes.values()):
        reason = failed[0].reason if failed else "No machine has readings."
        raise NothingToTrainError(
            f"No machine could be trained: {reason}",
            "Declare the class of devices (`equipment`), and send a few hundred readings of each of their sensors.",
        )
    bundle = AnomalyBundle(vintage, classes, tuple(failed), tags)
    historical = current is not None and vintage < current.vintage
    verdict = judge_anomalies(bundle, None if historical else champion)
    status = "refused" if not verdict.passed else "historical" if historical else "candidate"
    if not verdict.passed:
        tags["refused_because"] = verdict.reason
    version = _register(registry, bundle, verdict, status, tags)
    if status == "candidate":
        registry.set_challenger(version.version)
        if promote and same_version(registry.current(), current):
            registry.promote(version.version)
    registered = next(one for one in registry.history() if one.version == version.version)
    return AnomalyReport(registered, verdict, metrics(bundle), tuple(outcomes(bundle)), bundle)


def gather(store: EquipmentStore, labels: Labels, equipment: str | None, vintage: dt.datetime) -> list[ClassRows]:
    """The rows of each class on its grid. Raises NothingToTrainError where no machine is declared."""
    machines = store.machines(equipment)
    if not machines:
        what = f"of class '{equipment}'" if equipment else "of a class of equipment"
        raise NothingToTrainError(
            f"No device {what} has sent anything.",
            "Declare devices with their `equipment`: see docs/reference/telemetry.md, Declared devices.",
        )
    by_class: dict[str, list[Machine]] = {}
    for machine in machines:
        by_class.setdefault(machine.equipment, []).append(machine)
    end = int(vintage.timestamp() * MICROS_PER_SECOND)
    start = end - DAYS * 86_400 * MICROS_PER_SECOND
    return [class_rows(name, some, store, labels, start, end) for name, some in sorted(by_class.items())]


def anomaly_fingerprint(rows: Sequence[ClassRows], code: str) -> str:
    """SHA-256 of everything that decides a run: classes, sensors, rows, code. Equal fingerprints, equal results."""
    digest = hashlib.sha256(code.encode())
    for one in rows:
        digest.update(json.dumps([one.name, one.sensors, one.step, sorted(one.failed)]).encode())
        for name, runs in one.machines.items():
            digest.update(name.encode())
            for run in (*runs, *one.labelled.get(name, ())):
                digest.update(np.ascontiguousarray(run).tobytes())
    return digest.hexdigest()


def readable_anomalies(registry: Registry, version: ModelVersion | None) -> AnomalyBundle | None:
    """The version's bundle; None where there is none that this code can read."""
    if version is None:
        return None
    try:
        return AnomalyBundle.read(registry.load(version.version))
    except BundleError:
        return None


def metrics(bundle: AnomalyBundle) -> dict[str, float]:
    """Figures of the trials: by class behind a dot, and over all."""
    found: dict[str, float] = {"machines": float(sum(len(c.equipment.detectors) for c in bundle.classes.values()))}
    false, hits = [], []
    for name, one in bundle.classes.items():
        if one.trial is not None and len(one.trial.marks.false):
            false.append(float(one.trial.marks.false.mean()))
            hits.append(float(one.trial.marks.found.mean()))
            found[f"false_alarms.{name}"], found[f"found.{name}"] = false[-1], hits[-1]
    if false:
        found["false_alarms"], found["found"] = float(np.mean(false)), float(np.mean(hits))
    return found


def outcomes(bundle: AnomalyBundle) -> list[Outcome]:
    """What became of each machine."""
    done: list[Outcome] = [Trained(name, METHOD) for one in bundle.classes.values() for name in one.equipment.detectors]
    return [*done, *bundle.failed]


def _train_class(
    rows: ClassRows, vintage: dt.datetime, seed: int, executor: Mapper
) -> tuple[TrainedClass | None, list[Failed]]:
    """The class, fitted on all rows; its trial, fitted on those before the held-out ones."""
    fitted = _fit(rows.sensors, rows.machines, seed, executor)
    if isinstance(fitted, list):
        return None, fitted
    equipment, failed = fitted
    before, cases = _held_out(rows)
    trial = None
    if cases:
        tried = _fit(rows.sensors, before, seed, executor)
        if not isinstance(tried, list):
            trial = Trial(cases, mark(tried[0], cases, seed), seed)
    return TrainedClass(equipment, rows.step, vintage, trial), failed


def _fit(
    sensors: Sequence[str], machines: Mapping[str, Sequence[Floats]], seed: int, executor: Mapper
) -> tuple[EquipmentClass, list[Failed]] | list[Failed]:
    """The class with the machines that failed; those alone, where nothing could be fitted."""
    pieces = [*pieces_of(machines, seed), MachinePiece(_COMMON, tuple(common_runs(machines)), (0, 0), seed)]
    found = dict(_fitted(executor.each(fit_machine, pieces)))
    common = found.pop(_COMMON)
    parts = [found[name] for name in machines]  # in order, in whichever they came
    failed = [Failed(part.name, part.reason) for part in parts if part.reason is not None]
    if common.detector is None:
        return failed or [Failed(_COMMON, common.reason or "Nothing could be fitted.")]
    return EquipmentClass.assemble(sensors, parts, common.detector), failed


def _fitted(pieces: Iterator[tuple[MachinePiece, FittedMachine]]) -> Iterator[tuple[str, FittedMachine]]:
    for piece, fitted in pieces:
        yield piece.name, fitted


def _held_out(rows: ClassRows) -> tuple[dict[str, list[Floats]], tuple[Case, ...]]:
    """Rows that a trial learns from, and cases out of the newest run of each machine, and of labelled faults."""
    before: dict[str, list[Floats]] = {}
    normal, labelled = [], []
    for name, runs in rows.machines.items():
        *early, last = runs
        cut = len(last) - min(int(len(last) * _HELD_OUT), _MOST_ROWS)
        known = [*early, last[:cut]]
        if cut <= CONTEXT or len(last) - cut < FEWEST_ROWS // 4 or sum(map(len, known)) < FEWEST_ROWS:
            before[name] = list(runs)
            continue
        before[name] = known
        normal.append(Case(name, last[cut - CONTEXT :]))
        labelled += [Case(name, run, labelled=True) for run in rows.labelled.get(name, ())]
    return before, (*normal[:_MOST_CASES], *labelled[:_MOST_CASES])


def _register(
    registry: Registry, bundle: AnomalyBundle, verdict: Verdict, status: str, tags: Mapping[str, str]
) -> ModelVersion:
    machines = sum(len(one.equipment.detectors) for one in bundle.classes.values())
    counts = {"series": machines + len(bundle.failed), "failed": len(bundle.failed), "classes": len(bundle.classes)}
    artifacts = {
        "outcomes.csv": outcomes_csv(outcomes(bundle)),
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
