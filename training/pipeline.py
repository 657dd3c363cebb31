"""The training run: gather, decide, apply. It is handed data and ports, and changes nothing until all partitions are in."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from industrial_brain.domain.errors import BundleError, NothingToTrainError
from industrial_brain.domain.forecasts import Failed, ModelVersion, Outcome, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Progress, Registry, no_progress
from models.forecasting.adapting import continued
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure
from models.forecasting.state import Array
from training.assemble import Fitted, assemble
from training.executors import Executor, InProcess
from training.fit import FittedPartition
from training.gates import Verdict, judge
from training.plan import ORIGINS, Partition, plan_training, simulated_ids
from training.report import summarise


class Checkpoints(Protocol):
    """Keeps finished partitions by key."""

    def get(self, key: str) -> dict[str, Array] | None: ...
    def put(self, key: str, arrays: Mapping[str, Array]) -> None: ...
    def forget(self, keys: list[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a run records of itself. `data` is `data_fingerprint` of its plan, filled in by the run."""

    seed: int
    code: str
    git_sha: str
    lock_hash: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a run did.

    Attributes:
        version: as registered, aliases included.
        verdict: the gate's.
        metrics: backtest figures by slice, see `training.report.summarise`.
        outcomes: one a series.
        resumed: partitions that an earlier, killed run had already done.
    """

    version: ModelVersion
    verdict: Verdict
    metrics: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    partitions: int
    resumed: int


def train_forecasting(
    *,
    panels: Sequence[Panel],
    infos: Mapping[str, SeriesInfo],
    vintage: dt.datetime,
    provenance: Provenance,
    executor: Executor,
    checkpoints: Checkpoints,
    registry: Registry,
    parents: Mapping[str, str | None] | None = None,
    promote: bool = True,
    progress: Progress = no_progress,
) -> TrainingReport:
    """Fit all series, register a version, judge it, and promote it if it passes and `promote` says so.

    Args:
        parents: region -> the region that contains it, for what adds up.

    A version whose vintage is older than the champion's is kept for `as_of` questions about the past; it is judged against
    the seasonal naive only, and becomes neither challenger nor champion. So is a first version, and one whose champion can't
    be read by this code. A champion that another run has put up meanwhile is not replaced: the version waits as challenger.

    Raises:
        NothingToTrainError: there is no series.
        UnavailableError: the executor was lost; finished partitions are kept, and the same call goes on from there.
    """
    if not panels:
        raise NothingToTrainError(
            f"No series has an observation that was known at {vintage:%Y-%m-%d}.",
            "Load a city with `brain init --profile DIR` or values with `brain import indicators FILE`.",
        )
    partitions = plan_training(panels, seed=provenance.seed, code=provenance.code, simulated=simulated_ids(infos))
    resumed, done, total = 0, 0, sum(len(panel) for panel in panels)
    fitted: list[Fitted] = []
    for part, was_kept in _fit_all(partitions, executor, checkpoints):
        fitted.append(part)
        resumed += was_kept
        done += len(part[0].panel)
        progress(done, total)
    provenance = replace(provenance, data=data_fingerprint(partitions))
    bundle, scores = assemble(
        _in_plan_order(partitions, fitted),
        infos,
        vintage=vintage,
        provenance=tags_of(provenance, vintage),
        parents=parents,
    )
    metrics = summarise(scores, infos)
    outcomes = tuple(outcomes_of(bundle))

    current = registry.current()
    historical = current is not None and vintage < current.vintage
    champion = None if historical else readable_bundle(registry, current)
    bundle = with_widths_of(champion, bundle)
    verdict = judge(bundle, champion)
    status = "refused" if not verdict.passed else "historical" if historical else "candidate"
    tags = {"refused_because": verdict.reason} if not verdict.passed else {}
    version = _register(registry, bundle, metrics, outcomes, verdict, status, tags_of(provenance, vintage) | tags)
    if status == "candidate":
        registry.set_challenger(version.version)
        if promote and same_version(
            registry.current(), current
        ):  # else another run has promoted since: judge again by hand
            registry.promote(version.version)
    checkpoints.forget([partition.spec.key for partition in partitions])
    registered = next(v for v in registry.history() if v.version == version.version)
    return TrainingReport(registered, verdict, metrics, outcomes, len(partitions), resumed)


def with_widths_of(champion: ForecastBundle | None, bundle: ForecastBundle) -> ForecastBundle:
    """The new bundle with intervals that go on adapting from where the champion's have got to."""
    if champion is None:
        return bundle
    panels = {
        freq: continued(champion.panels[freq], fresh) if freq in champion.panels else fresh
        for freq, fresh in bundle.panels.items()
    }
    return replace(bundle, panels=panels)


def data_fingerprint(partitions: Sequence[Partition]) -> str:
    """SHA-256 over the partitions' keys: equal data, specs and code, equal fingerprints."""
    return hashlib.sha256("".join(sorted(partition.spec.key for partition in partitions)).encode()).hexdigest()


def fit_panels(
    panels: Sequence[Panel],
    *,
    seed: int = 0,
    origins: int = ORIGINS,
    horizons: Mapping[Frequency, int] | None = None,
    executor: Executor | None = None,
    structures: Mapping[Frequency, Structure] | None = None,
) -> ForecastBundle:
    """The same fit without stores or versions, for measuring and for series that nobody keeps. Ids are free."""
    partitions = plan_training(panels, seed=seed, code="", origins=origins, horizons=horizons)
    infos = {name: SeriesInfo(id=name, frequency=p.freq, unit="1", name=name) for p in panels for name in p.ids}
    fitted = list((executor or InProcess()).run(partitions))
    parts = _in_plan_order(partitions, fitted)
    start = dt.datetime.fromtimestamp(0, dt.UTC)
    bundle, _ = assemble(parts, infos, vintage=start, provenance={}, structures=structures)
    return bundle


def outcomes_of(bundle: ForecastBundle) -> Iterator[Outcome]:
    """What became of each series of a version."""
    for fitted in bundle.panels.values():
        for row, name in enumerate(fitted.panel.ids):
            if fitted.failure[row]:
                yield Failed(name, str(fitted.failure[row]))
            else:
                notes = tuple(str(fitted.notes[row]).splitlines())
                yield Trained(name, str(fitted.method[row]), str(fitted.fallback[row]) or None, notes)


def _fit_all(
    partitions: Sequence[Partition], executor: Executor, checkpoints: Checkpoints
) -> Iterator[tuple[Fitted, bool]]:
    """Each partition with its fit, as it arrives, and whether an earlier run had left it."""
    missing = []
    for partition in partitions:
        kept = checkpoints.get(partition.spec.key)
        if kept is None:
            missing.append(partition)
        else:
            yield (partition, FittedPartition.from_arrays(kept, partition.panel.freq, partition.panel.season)), True
    for partition, fitted in executor.run(missing):
        checkpoints.put(partition.spec.key, fitted.arrays())
        yield (partition, fitted), False


def _in_plan_order(partitions: Sequence[Partition], fitted: Sequence[Fitted]) -> list[Fitted]:
    by_key = {partition.spec.key: (partition, fit) for partition, fit in fitted}
    return [by_key[partition.spec.key] for partition in partitions]


def readable_bundle(registry: Registry, version: ModelVersion | None) -> ForecastBundle | None:
    """The champion's bundle; None where there is none that this code can read, and that can therefore be served by it."""
    if version is None:
        return None
    try:
        return ForecastBundle.read(registry.load(version.version))
    except BundleError:
        return None


def same_version(one: ModelVersion | None, other: ModelVersion | None) -> bool:
    """Whether both are the same version, or both none."""
    return (one and one.version) == (other and other.version)


def _register(
    registry: Registry,
    bundle: ForecastBundle,
    metrics: Mapping[str, float],
    outcomes: Sequence[Outcome],
    verdict: Verdict,
    status: str,
    tags: Mapping[str, str],
) -> ModelVersion:
    failed = [o for o in outcomes if isinstance(o, Failed)]
    fallbacks = [o for o in outcomes if isinstance(o, Trained) and o.fallback]
    simulated = int(sum(np.count_nonzero(p.simulated) for p in bundle.panels.values()))
    counts = {"series": len(outcomes), "failed": len(failed), "fallbacks": len(fallbacks), "simulated": simulated}
    artifacts = {
        "outcomes.csv": outcomes_csv(outcomes),
        "gate.json": json.dumps([{"check": c.name, "passed": c.passed, "detail": c.detail} for c in verdict.checks]),
    }
    with tempfile.TemporaryDirectory(prefix="brain-bundle-") as folder:
        bundle.write(Path(folder))
        return registry.save(
            Path(folder),
            vintage=bundle.vintage,
            metrics=metrics,
            tags={**tags, **{name: str(count) for name, count in counts.items()}},
            artifacts=artifacts,
            status=status,
        )


def tags_of(provenance: Provenance, vintage: dt.datetime) -> dict[str, str]:
    """What a version says of its making."""
    return {
        "vintage": vintage.isoformat(),
        "seed": str(provenance.seed),
        "git_sha": provenance.git_sha,
        "lock_hash": provenance.lock_hash,
        "code": provenance.code,
        "data": provenance.data,
    }


def outcomes_csv(outcomes: Sequence[Outcome]) -> str:
    """One row a series."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["series", "outcome", "method", "fallback", "notes", "reason"])
    for outcome in outcomes:
        match outcome:
            case Trained(series, method, fallback, notes):
                rows.writerow([series, "trained", method, fallback or "", "; ".join(notes), ""])
            case Failed(series, reason):
                rows.writerow([series, "failed", "", "", "", reason])
    return text.getvalue()
