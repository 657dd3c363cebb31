"""`brain benchmark risk`: do our probabilities of harm rank, and do they mean what they say, beside peers on the same folds?"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from sklearn.metrics import roc_auc_score

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.risk_peers import PEERS, peer_lives, peer_risks
from benchmarks.risk_sets import RiskSet, known_flags, read_risk_set
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.risk.engine import RiskEngine
from models.risk.lifetime import RemainingLife
from training.risk.scores import METRICS, Interval, score_lives, score_risks

#: what is printed; the JSON file has the gains' ends too
_PRINTED = {
    "roc_auc": "AUC",
    "roc_auc_low": "low",
    "roc_auc_high": "high",
    "pr_auc": "PR AUC",
    "pr_auc_low": "low ",
    "pr_auc_high": "high ",
    "brier": "Brier",
    "ece": "ECE",
    "ece_bound": "bound",
    "rul_rmse": "RUL RMSE",
    "gain_roc_auc": "gain AUC",
    "gain_pr_auc": "gain PR AUC",
    "gain_brier": "gain Brier",
}

_SHORT = {"roc_auc": "AUC", "pr_auc": "PR AUC", "brier": "Brier", "ece": "ECE"}


@dataclass(frozen=True, slots=True)
class Told:
    """What one method says of the rows that are judged, in their order: probabilities, and remaining lives where asked."""

    prob: Floats
    life: Floats | None


def run_risk(
    directories: Sequence[Path],
    *,
    peers: bool = False,
    json_file: Path | None = None,
    predictions: Path | None = None,
    pictures: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure, print one table to `console` (as Markdown, on request) and return it.

    Args:
        directories: sets in the format of `benchmarks/RISK.md`; their folders' names tell them apart.
        peers: whether to run the peers too.
        json_file: where to write the figures; rewritten after each set.
        predictions: folder for `risk_SET.parquet`: `method, row, prob`.
        pictures: folder for `risk_SET.png`, reliability diagrams.

    Raises `FileFormatError` for a malformed set and `InputError` for arguments that make no sense. All sets are read before
    any is measured.
    """
    if not directories:
        raise InputError("No set was named.", "Name at least one folder.")
    sets = [read_risk_set(directory.resolve()) for directory in directories]
    twice = [name for name, times in Counter(one.name for one in sets).items() if times > 1]
    if twice:
        raise InputError(f"Two folders are named {twice[0]}.", "Give each set a name of its own.")
    console = console or Console()
    table = BenchmarkTable("risk", describe_machine(), describe_versions(), _PRINTED, (), rows=())
    for one in sets:
        answers, notes = tell(one, peers=peers)
        rows, words = ([], [f"{one.name}: blind: predictions, no scores."]) if one.blind else score(one, answers)
        table = replace(table, rows=table.rows + tuple(rows), notes=(*table.notes, *one.notes, *notes, *words))
        if json_file:
            table.write_json(json_file)
        if predictions:
            write_predictions(predictions / f"risk_{one.name}.parquet", one, answers)
        if pictures and not one.blind:
            from benchmarks.reliability import draw_reliability

            harmed = known_flags(one, one.judged)
            draw_reliability(
                pictures / f"risk_{one.name}.png", one.name, harmed, {m: t.prob for m, t in answers.items()}
            )
    if markdown:
        command = " ".join(["brain benchmark risk", *(one.name for one in sets), *(["--peers"] if peers else [])])
        console.print(table.markdown(command, dt.datetime.now(dt.UTC).date().isoformat()), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def tell(one: RiskSet, *, peers: bool) -> tuple[dict[str, Told], list[str]]:
    """Every method's answers for the judged rows, each by a fit on its fold's training rows, and what to know of them."""
    judged = one.judged
    place = np.full(len(one.target), -1)
    place[judged] = np.arange(len(judged))
    methods = (OURS, *(PEERS if peers else ()))
    prob = {method: np.empty(len(judged)) for method in methods}
    life = {method: np.empty(len(judged)) for method in methods}
    notes = []
    for number, fold in enumerate(one.folds):
        train, test = one.table.take(fold.train), one.table.take(fold.test)
        harmed, at = known_flags(one, fold.train), place[fold.test]
        engine = RiskEngine().fit(train, harmed)
        prob[OURS][at] = engine.predict(test)
        shares = ", ".join(f"{name} {w:.2f}" for name, w in zip(engine.members, engine.weights, strict=False))
        notes.append(f"{one.name}, fold {number + 1}: weights {shares}; calibration {engine.calibration.kind}.")
        for method in methods[1:]:
            prob[method][at] = peer_risks(PEERS[method], train, harmed, test)
        if one.life is not None:
            known = ~np.isnan(one.life[fold.train])
            lives = one.life[fold.train][known]
            life[OURS][at] = RemainingLife(one.cap).fit(train.take(known), lives).predict(test)
            for method in methods[1:]:
                told = peer_lives(PEERS[method], train.take(known), lives, test)
                life[method][at] = np.clip(told, 0.0, one.cap)
    return {m: Told(prob[m], life[m] if one.life is not None else None) for m in methods}, notes


def score(one: RiskSet, answers: Mapping[str, Told]) -> tuple[list[Row], list[str]]:
    """Rows for every method, and sentences on what was reached."""
    judged = one.judged
    harmed = known_flags(one, judged)
    group = None if one.group is None else one.group[judged]
    scored = score_risks(harmed, {m: told.prob for m, told in answers.items()}, OURS, group)
    rows: list[Row] = []
    words = [f"{one.name}: {int(harmed.sum()):,} of {len(harmed):,} judged rows came to harm."]
    for method, found in scored.items():
        for prefix, figures in (("", found.figures), ("gain_", found.gain)):
            for metric, figure in figures.items():
                rows += _rows(one.name, method, f"{prefix}{metric}", figure)
        rows.append(Row(one.name, method, "all", "ece_bound", found.ece_bound))
        worse = [_SHORT[m] for m in METRICS[:3] if method != OURS and found.gain[m].high < 0.0]
        if worse:
            words.append(f"{one.name}: {OURS} is significantly worse than {method} in {', '.join(worse)}.")
    if len(one.folds) > 1:
        place = np.full(len(one.target), -1)
        place[judged] = np.arange(len(judged))
        for method, told in answers.items():
            each = [roc_auc_score(known_flags(one, fold.test), told.prob[place[fold.test]]) for fold in one.folds]
            rows.append(Row(one.name, method, "mean_of_folds", "roc_auc", float(np.mean(each))))
    if one.life is not None:
        rows += _lives(one, answers)
    return rows, words


def write_predictions(path: Path, one: RiskSet, answers: Mapping[str, Told]) -> None:
    """Every method's probability of every judged row, by its position in data.parquet; with remaining lives, also `rul`."""
    judged = one.judged
    parts = []
    for method, told in answers.items():
        columns = {"method": [method] * len(judged), "row": judged, "prob": told.prob}
        if told.life is not None:
            columns["rul"] = told.life
        parts.append(pa.table(columns))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(parts), path)


def _lives(one: RiskSet, answers: Mapping[str, Told]) -> list[Row]:
    """Errors of remaining lives at the last row of each judged unit."""
    assert one.life is not None
    last = one.last_rows(one.judged)
    at = np.searchsorted(one.judged, last)
    told = {method: answer.life[at] for method, answer in answers.items() if answer.life is not None}
    rows: list[Row] = []
    for method, (error, less) in score_lives(one.life[last], told, OURS).items():
        rows += _rows(one.name, method, "rul_rmse", error)
        if less is not None:
            rows += _rows(one.name, method, "gain_rul_rmse", less)
    return rows


def _rows(name: str, method: str, metric: str, figure: Interval) -> list[Row]:
    cells = {"": figure.value, "_low": figure.low, "_high": figure.high}
    return [Row(name, method, "all", f"{metric}{side}", value) for side, value in cells.items() if np.isfinite(value)]
