"""The training run of a risk task: search on an executor, assemble, judge, register. See `training.pipeline`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from industrial_brain.domain.errors import BundleError, InputError, NothingToTrainError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.protocols import Progress, Registry, no_progress
from industrial_brain.domain.risks import RiskCases, RiskTask, Words
from models.risk.bundle import RiskBundle, Slice
from models.risk.engine import Piece, Prepared, RiskEngine, fit_piece
from models.risk.members import MEMBERS, Boosted, Member
from models.risk.reasons import place_grid
from models.risk.suspects import suspected_leaks
from training.executors import Mapper
from training.gates import Verdict
from training.pipeline import Provenance, same_version, tags_of
from training.risk.gate import judge_risk
from training.risk.scores import score_risks

#: configurations that a run searches; those whose word counts for nothing on unseen folds are dropped
SEARCHED: Mapping[str, Member] = MappingProxyType(
    {
        **MEMBERS,
        "deeper": Boosted(
            {
                "eta": 0.05,
                "max_depth": 8,
                "min_child_weight": 1.0,
                "colsample_bytree": 0.3,
                "subsample": 0.7,
                "max_bin": 128,
            },
            300,
        ),
        "stumps": Boosted({"eta": 0.1, "max_depth": 1, "min_child_weight": 1.0, "subsample": 0.8}, 300),
    }
)

#: weight below which a configuration is dropped
_NOTHING = 0.03


@dataclass(frozen=True, slots=True)
class FitTask:
    """One fit, with all that a worker needs."""

    prepared: Prepared
    member: Member
    piece: Piece


@dataclass(frozen=True, slots=True)
class RiskReport:
    """What a run did: the version as registered, the gate's verdict, held-out figures, and each configuration's weight."""

    version: ModelVersion
    verdict: Verdict
    metrics: Mapping[str, float]
    weights: Mapping[str, float]
    bundle: RiskBundle


def fit_task(task: FitTask) -> Member:
    return fit_piece(task.prepared, task.member, task.piece)


def train_risk(
    *,
    task: RiskTask,
    cases: RiskCases,
    vintage: dt.datetime,
    provenance: Provenance,
    executor: Mapper,
    registry: Registry,
    promote: bool = True,
    progress: Progress = no_progress,
) -> RiskReport:
    """Search configurations and folds on the executor, register a version, judge it, and promote it if it passes and `promote`
    says so. Which version becomes what is as in `train_forecasting`.

    Columns that know the answer are left out, and named in the version's notes.

    Raises:
        NothingToTrainError: too few cases came to harm, or did not.
        UnavailableError: the executor was lost.
    """
    suspects = suspected_leaks(cases.table, cases.harmed)
    table = cases.table.only([name for name in cases.table.columns if name not in suspects])
    engine = RiskEngine(
        {name: sign for name, sign in cases.monotone.items() if name in table.columns}, members=SEARCHED
    )
    try:
        prepared = engine.prepare(table, cases.harmed, provenance.seed)
    except InputError as error:
        raise NothingToTrainError(error.message, error.next_step) from error
    done: list[tuple[Piece, Member]] = []
    tasks = [FitTask(prepared, engine.members[piece.member], piece) for piece in prepared.pieces]
    for fitted, member in executor.each(fit_task, tasks):
        done.append((fitted.piece, member))
        progress(len(done), len(tasks))
    engine = _chosen(engine.assemble(prepared, done, table.group), prepared, done, table.group)

    data = cases_fingerprint(cases, provenance.code)
    tags = tags_of(replace(provenance, data=data), vintage)
    bundle = RiskBundle(
        task=task,
        vintage=vintage,
        engine=engine,
        grid=place_grid(prepared.features),
        keys=row_keys(cases),
        slices={name: _slice(words) for name, words in cases.slices.items()},
        simulated=cases.simulated,
        source=cases.source,
        most_missing=int(prepared.recipe.missing_in(table).max()),
        group=table.group,
        notes=tuple(suspects.values()),
        provenance=tags,
    )
    current = registry.current()
    historical = current is not None and vintage < current.vintage
    verdict = judge_risk(bundle, None if historical else readable_risk(registry, current))
    status = "refused" if not verdict.passed else "historical" if historical else "candidate"
    if not verdict.passed:
        tags["refused_because"] = verdict.reason
    version = _register(registry, bundle, verdict, status, tags)
    if status == "candidate":
        registry.set_challenger(version.version)
        if promote and same_version(registry.current(), current):
            registry.promote(version.version)
    registered = next(one for one in registry.history() if one.version == version.version)
    weights = dict(zip(engine.fits, engine.weights.tolist(), strict=False))
    return RiskReport(registered, verdict, metrics(bundle), weights, bundle)


def metrics(bundle: RiskBundle) -> dict[str, float]:
    """Held-out figures over all cases, and by part behind dots."""
    engine = bundle.engine
    found = {"cases": float(len(engine.harmed)), "harmed": float(engine.harmed.sum())}
    scored = score_risks(engine.harmed, {"it": engine.held_out}, "it")["it"]
    found |= {metric: figure.value for metric, figure in scored.figures.items()}
    found["ece_bound"] = scored.ece_bound
    for name, one in bundle.slices.items():
        for place, level in enumerate(one.levels):
            rows = one.code == place
            if 0 < engine.harmed[rows].sum() < rows.sum():
                part = score_risks(engine.harmed[rows], {"it": engine.held_out[rows]}, "it")["it"].figures
                found |= {f"{metric}.{name}.{level}": part[metric].value for metric in ("roc_auc", "brier")}
    return {_metric_name(name): value for name, value in found.items()}


def row_keys(cases: RiskCases) -> npt.NDArray[np.uint64]:
    """(n,) a hash of each case's name, columns and end: the same case has the same key in every version."""
    frame = pd.DataFrame({**cases.table.columns, "(name)": list(cases.names), "(harmed)": cases.harmed})
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def cases_fingerprint(cases: RiskCases, code: str) -> str:
    """SHA-256 of everything that decides a run but its seed: cases, parts, signs, code."""
    digest = hashlib.sha256(code.encode())
    digest.update(json.dumps([list(cases.table.columns), dict(cases.monotone), list(cases.slices)]).encode())
    digest.update(row_keys(cases).tobytes())
    return digest.hexdigest()


def readable_risk(registry: Registry, version: ModelVersion | None) -> RiskBundle | None:
    """The version's bundle; None where there is none that this code can read."""
    if version is None:
        return None
    try:
        return RiskBundle.read(registry.load(version.version))
    except BundleError:
        return None


def _chosen(
    engine: RiskEngine, prepared: Prepared, done: list[tuple[Piece, Member]], group: npt.NDArray[np.int64] | None
) -> RiskEngine:
    """The engine without the configurations that count for nothing, weighed anew."""
    shares = dict(zip(engine.members, engine.weights.tolist(), strict=False))
    best = max(shares, key=lambda name: shares[name])
    kept = {name: one for name, one in engine.members.items() if shares[name] >= _NOTHING or name == best}
    chosen = replace(engine, members=kept)
    return chosen.assemble(prepared, [(piece, fit) for piece, fit in done if piece.member in kept], group)


def _slice(words: Words) -> Slice:
    levels = sorted({str(word) for word in words if word is not None})
    place = {level: at for at, level in enumerate(levels)}
    return Slice(tuple(levels), np.array([place.get(str(word), -1) for word in words], dtype=np.int64))


def _metric_name(name: str) -> str:
    """What MLflow takes: letters, digits and a few signs."""
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in name)


def _register(
    registry: Registry, bundle: RiskBundle, verdict: Verdict, status: str, tags: Mapping[str, str]
) -> ModelVersion:
    counts = {"series": len(bundle.engine.harmed), "simulated": len(bundle.engine.harmed) if bundle.simulated else 0}
    gate = [{"check": c.name, "passed": c.passed, "detail": c.detail} for c in verdict.checks]
    with tempfile.TemporaryDirectory(prefix="brain-bundle-") as folder:
        bundle.write(Path(folder))
        return registry.save(
            Path(folder),
            vintage=bundle.vintage,
            metrics=metrics(bundle),
            tags={**tags, **{name: str(count) for name, count in counts.items()}},
            artifacts={"gate.json": json.dumps(gate)},
            status=status,
        )
