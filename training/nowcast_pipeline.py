"""The training run of nowcasts: gather each target's vintages, fit on an executor, judge, register. See `training.pipeline`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.errors import BundleError, NothingToTrainError
from industrial_brain.domain.forecasts import Failed, ModelVersion, Outcome, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.nowcasts import NowcastTarget
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Progress, Registry, no_progress
from models.nowcast.bundle import NowcastBundle
from models.nowcast.fitted import FittedNowcast
from models.nowcast.table import MonthTable, future_dated, month_table
from training.executors import Mapper
from training.gates import Verdict
from training.nowcast_gate import coverage, judge_nowcasts, judged, ratio
from training.nowcasting import REPLAYED, NowcastPiece, fit_nowcast
from training.pipeline import Provenance, outcomes_csv, same_version, tags_of

#: values of some series as they were known at a moment
Reader = Callable[[dt.datetime, Sequence[str]], list[Panel]]

#: what a version's outcomes call the method
METHOD = "dynamic factor model"


@dataclass(frozen=True, slots=True)
class NowcastReport:
    """What a run did: the version as registered, the gate's verdict, figures, and one outcome a target."""

    version: ModelVersion
    verdict: Verdict
    metrics: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    bundle: NowcastBundle


def train_nowcasts(
    *,
    targets: Sequence[NowcastTarget],
    read: Reader,
    infos: Mapping[str, SeriesInfo],
    calendar: Calendar,
    vintage: dt.datetime,
    provenance: Provenance,
    executor: Mapper,
    registry: Registry,
    promote: bool = True,
    progress: Progress = no_progress,
) -> NowcastReport:
    """Fit all declared targets, register a version, judge it, and promote it if it passes and `promote` says so.

    Which version becomes what is as in `train_forecasting`.

    Args:
        read: the store; it is asked for today, and for the end of each month that is replayed.
        calendar: of the installation's country; its moving festival is taken out.

    Raises:
        NothingToTrainError: no target is declared, or none could be fitted.
        UnavailableError: the executor was lost.
    """
    pieces, failed = gather(targets, read, infos, calendar, vintage)
    fitted: dict[str, FittedNowcast] = {}
    for piece, found in executor.each(fit_nowcast, pieces):
        if isinstance(found, Failed):
            failed.append(found)
        else:
            fitted[piece.target.series] = found
        progress(len(fitted) + len(failed), len(targets))
    if not fitted:
        raise NothingToTrainError(
            f"No nowcast could be fitted: {failed[0].reason}", "Correct the declaration, or import more history."
        )
    tags = tags_of(replace(provenance, data=nowcast_fingerprint(pieces, provenance.code)), vintage)
    ordered = {target.series: fitted[target.series] for target in targets if target.series in fitted}
    bundle = NowcastBundle(vintage, ordered, tuple(failed), tags)

    current = registry.current()
    historical = current is not None and vintage < current.vintage
    verdict = judge_nowcasts(bundle, None if historical else readable_nowcasts(registry, current))
    status = "refused" if not verdict.passed else "historical" if historical else "candidate"
    if not verdict.passed:
        tags["refused_because"] = verdict.reason
    version = _register(registry, bundle, verdict, status, tags)
    if status == "candidate":
        registry.set_challenger(version.version)
        if promote and same_version(registry.current(), current):
            registry.promote(version.version)
    registered = next(one for one in registry.history() if one.version == version.version)
    return NowcastReport(registered, verdict, metrics(bundle), tuple(outcomes(bundle)), bundle)


def gather(
    targets: Sequence[NowcastTarget],
    read: Reader,
    infos: Mapping[str, SeriesInfo],
    calendar: Calendar,
    vintage: dt.datetime,
) -> tuple[list[NowcastPiece], list[Failed]]:
    """A piece of work a target, with what was known at the end of each month that is replayed.

    Raises:
        NothingToTrainError: no target is declared.
    """
    if not targets:
        raise NothingToTrainError(
            "No nowcast is declared.", "Declare one in a city profile: see docs/reference/city-profile.md."
        )
    month = Frequency.MONTHLY.ordinal(vintage)
    series = _series_of(targets, infos)
    past = {at: read(_end_of(at), series) for at in range(month - REPLAYED, month)}
    return _pieces(targets, read(vintage, series), past, infos, calendar, month)


def gather_today(
    targets: Sequence[NowcastTarget],
    read: Reader,
    infos: Mapping[str, SeriesInfo],
    calendar: Calendar,
    vintage: dt.datetime,
) -> list[NowcastPiece]:
    """The pieces without the past: enough for a fingerprint."""
    today = read(vintage, _series_of(targets, infos))
    return _pieces(targets, today, {}, infos, calendar, Frequency.MONTHLY.ordinal(vintage))[0]


def _series_of(targets: Sequence[NowcastTarget], infos: Mapping[str, SeriesInfo]) -> list[str]:
    return sorted({name for target in targets for name in (target.series, *target.indicators) if name in infos})


def _pieces(
    targets: Sequence[NowcastTarget],
    today: Sequence[Panel],
    past: Mapping[int, Sequence[Panel]],
    infos: Mapping[str, SeriesInfo],
    calendar: Calendar,
    month: int,
) -> tuple[list[NowcastPiece], list[Failed]]:
    late = set(future_dated(today, month))
    pieces: list[NowcastPiece] = []
    failed: list[Failed] = []
    for target in targets:
        found = _piece(target, infos, today, past, calendar, month, late)
        if isinstance(found, Failed):
            failed.append(found)
        else:
            pieces.append(found)
    return pieces, failed


def nowcast_fingerprint(pieces: Sequence[NowcastPiece], code: str) -> str:
    """SHA-256 of everything that decides a run: declarations, today's data, code. Equal fingerprints, equal results."""
    digest = hashlib.sha256(code.encode())
    for piece in pieces:
        digest.update(json.dumps(asdict(piece.target), sort_keys=True, default=str).encode())
        for array in (
            piece.festivals,
            piece.table.quarterly,
            np.array([piece.table.start, piece.month]),
            piece.table.values,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def readable_nowcasts(registry: Registry, version: ModelVersion | None) -> NowcastBundle | None:
    """The version's bundle; None where there is none that this code can read."""
    if version is None:
        return None
    try:
        return NowcastBundle.read(registry.load(version.version))
    except BundleError:
        return None


def metrics(bundle: NowcastBundle) -> dict[str, float]:
    """Replay figures: over all targets, and by target behind a dot."""
    found: dict[str, float] = {"targets": float(len(bundle.targets))}
    ratios, covers = [], []
    for name, fitted in bundle.targets.items():
        key = name.replace(":", "_")
        found[f"replayed.{key}"] = float(len(fitted.record.month))
        if judged(fitted).any():
            ratios.append(ratio(fitted))
            covers.append(coverage(fitted, 80))
            found[f"rmse_ratio.{key}"], found[f"coverage80.{key}"] = ratios[-1], covers[-1]
    if ratios:
        found["rmse_ratio"] = float(np.exp(np.mean(np.log(ratios))))
        found["coverage80"] = float(np.mean(covers))
    return found


def outcomes(bundle: NowcastBundle) -> list[Outcome]:
    """What became of each declared target."""
    done: list[Outcome] = [Trained(name, METHOD, None, fitted.notes) for name, fitted in bundle.targets.items()]
    return [*done, *bundle.failed]


def _piece(
    target: NowcastTarget,
    infos: Mapping[str, SeriesInfo],
    today: Sequence[Panel],
    past: Mapping[int, Sequence[Panel]],
    calendar: Calendar,
    month: int,
    late: set[str],
) -> NowcastPiece | Failed:
    info = infos.get(target.series)
    if info is None:
        return Failed(target.series, f"There is no series '{target.series}'.")
    if info.frequency not in (Frequency.QUARTERLY, Frequency.MONTHLY):
        return Failed(
            target.series, f"A nowcast is of quarters or months, and '{info.id}' has a {info.frequency.noun}."
        )
    series = [target.series, *(name for name in target.indicators if name in infos and name != target.series)]
    notes = [f"{name} is left out: there is no such series." for name in target.indicators if name not in infos]
    notes += [f"{name} has values of the future: they are left out." for name in series if name in late]
    return NowcastPiece(
        target=target,
        freq=info.frequency,
        unit=info.unit,
        simulated=any(infos[name].simulated for name in series),
        units={name: infos[name].unit for name in series},
        table=_table(today, series, month),
        month=month,
        vintages={at: _table(panels, series, at) for at, panels in past.items() if panels},
        festivals=calendar.festivals,
        notes=tuple(notes),
    )


def _table(panels: Sequence[Panel], series: Sequence[str], month: int) -> MonthTable:
    return month_table(panels, series, month)


def _end_of(month: int) -> dt.datetime:
    """The last microsecond of a month, UTC."""
    first = Frequency.MONTHLY.starts(np.array([month + 1], dtype=np.int64))[0]
    behind = dt.datetime.fromisoformat(str(first)).replace(tzinfo=dt.UTC)
    return behind - dt.timedelta(microseconds=1)


def _register(
    registry: Registry, bundle: NowcastBundle, verdict: Verdict, status: str, tags: Mapping[str, str]
) -> ModelVersion:
    counts = {
        "series": len(bundle.targets) + len(bundle.failed),
        "failed": len(bundle.failed),
        "simulated": sum(fitted.simulated for fitted in bundle.targets.values()),
    }
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
