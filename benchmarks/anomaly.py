"""`brain benchmark anomaly`: our shipped detectors, and on request their peers, over anomaly sets in folders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.anomaly_clean import CLEAN_NOTE, clean_rows
from benchmarks.anomaly_methods import Answer, Method
from benchmarks.anomaly_ours import METHODS
from benchmarks.anomaly_peers import peers as all_peers
from benchmarks.anomaly_scores import HIDDEN_FAULTS, METRICS, final_answers, score_set
from benchmarks.anomaly_sets import AnomalySet, read_anomaly_sets
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import OURS, BenchmarkTable


def run_anomaly(
    directories: Sequence[Path],
    *,
    peers: bool = False,
    json_file: Path | None = None,
    predictions: Path | None = None,
    markdown: bool = False,
    clean: int | None = None,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure, print one table to `console` (as Markdown, on request) and return it.

    Args:
        directories: sets in the format of `benchmarks/ANOMALY.md`; their folders' names tell them apart.
        peers: run the peers of `anomaly_peers` beside us.
        json_file: where to write the figures; rewritten after each set.
        clean: count false alarms, too, on so many simulated devices where nothing is wrong; then sets may be left out.
        predictions: folder for `anomaly_SET.parquet`: `method, series, row, score, alarm` of every row that was asked about.

    Raises `FileFormatError` for a malformed set and `InputError` for arguments that make no sense. All sets are read before
    any is measured.
    """
    sets = read_anomaly_sets(directories) if directories or not clean else []
    console = console or Console()
    table = BenchmarkTable("anomaly", describe_machine(), describe_versions(), METRICS, (), rows=())
    for one in sets:
        methods: dict[str, Method] = {OURS: METHODS[one.protocol], **(all_peers() if peers else {})}
        answers: dict[str, Answer] = {}
        for name, method in methods.items():
            answers |= final_answers(one, name, method(one))
        rows = [row for name, answer in answers.items() for row in score_set(one, name, answer)]
        notes = tuple(f"{one.name}: {note}" for answer in answers.values() for note in answer.notes)
        table = replace(
            table,
            rows=table.rows + tuple(rows),
            folded=table.folded | {(one.name, series.name) for series in one.series},
            notes=(*table.notes, *dict.fromkeys(notes), *_about(one)),
        )
        if json_file:
            table.write_json(json_file)
        if predictions:
            write_predictions(predictions / f"anomaly_{one.name}.parquet", one, answers)
    if clean:
        table = replace(table, rows=table.rows + clean_rows(clean), notes=(*table.notes, CLEAN_NOTE))
        if json_file:
            table.write_json(json_file)
    if markdown:
        flags = (["--peers"] if peers else []) + ([f"--clean {clean}"] if clean else [])
        command = " ".join(["brain benchmark anomaly", *(one.name for one in sets), *flags])
        console.print(table.markdown(command, dt.datetime.now(dt.UTC).date().isoformat()), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def write_predictions(path: Path, one: AnomalySet, answers: Mapping[str, Answer]) -> None:
    """What the figures come from: `row` counts from 0 within the series, rows for learning included."""
    parts = []
    for method, answer in answers.items():
        for series, score, alarm in zip(one.series, answer.scores, answer.alarms, strict=True):
            rows = np.flatnonzero(series.asked)
            columns = {
                "method": pa.array([method] * len(rows), pa.string()),
                "series": pa.array([series.name] * len(rows), pa.string()),
                "row": rows,
                "score": score[rows],
                "alarm": alarm[rows],
            }
            parts.append(pa.table(columns))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(parts), path)


def _about(one: AnomalySet) -> list[str]:
    if one.blind:
        return [f"{one.name}: blind: predictions, no scores."]
    hidden = [series.name for series in one.series if series.name in HIDDEN_FAULTS]
    if hidden:
        return [
            f"{one.name}: {', '.join(hidden)} hardly show in any sensor and count in no figure but VUS-PR and their own slice."
        ]
    return []
