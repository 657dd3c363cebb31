"""`brain benchmark targeting`: would our ranking have been right? Every baseline is run and printed beside it, every time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import OURS, BenchmarkTable, Row
from benchmarks.targeting_sets import TargetingSet, quotients_of, read_targeting_set
from features.specialisation import Flags
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.targeting.pairs import History
from models.targeting.ranker import TargetRanker
from training.targeting.baselines import baseline_scores
from training.targeting.scores import Scored, in_words, score_methods

#: below which quotient a pair may enter
CUTS = (1.0, 0.5)

#: entries below which a slice is printed and decides nothing
FEW = 30

#: what is printed; the JSON file has the gains' upper ends too
_PRINTED = {
    f"{prefix}{metric}{side}": f"{prefix.replace('_', ' ')}{short}{side.replace('_', ' ')}"
    for prefix, sides in (("", ("", "_low", "_high")), ("gain_", ("", "_low")))
    for metric, short in (("roc_auc", "AUC"), ("pr_auc", "PR AUC"), ("precision_at_50", "P@50"))
    for side in sides
}


def run_targeting(
    directories: Sequence[Path],
    *,
    json_file: Path | None = None,
    predictions: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure, print one table to `console` (as Markdown, on request) and return it.

    Args:
        directories: sets in the format of `benchmarks/README.md`; their folders' names tell them apart.
        json_file: where to write the figures; rewritten after each set.
        predictions: folder for `targeting_SET.parquet`: `method, cut, region, activity, prob`.

    Raises `FileFormatError` for a malformed set and `InputError` for arguments that make no sense. All sets are read before
    any is measured.
    """
    if not directories:
        raise InputError("No set was named.", "Name at least one folder.")
    sets = [read_targeting_set(directory.resolve()) for directory in directories]
    twice = [name for name, times in Counter(one.name for one in sets).items() if times > 1]
    if twice:
        raise InputError(f"Two folders are named {twice[0]}.", "Give each set a name of its own.")
    console = console or Console()
    table = BenchmarkTable("targeting", describe_machine(), describe_versions(), _PRINTED, (), rows=())
    for one in sets:
        answers, notes = rank(one)
        rows, words = ((), []) if one.blind else score(one, answers)
        table = replace(table, rows=table.rows + tuple(rows), notes=(*table.notes, *notes, *words))
        if json_file:
            table.write_json(json_file)
        if predictions:
            write_predictions(predictions / f"targeting_{one.name}.parquet", one, answers)
    if markdown:
        command = " ".join(["brain benchmark targeting", *(one.name for one in sets)])
        console.print(table.markdown(command, dt.datetime.now(dt.UTC).date().isoformat()), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def rank(one: TargetingSet) -> tuple[dict[str, Floats], list[str]]:
    """Every method's scores (regions, activities) on what was known at the start of the test window, and what to know of them.

    Years after the start are cut off before anything is computed.
    """
    known = one.cube.until(one.start)
    horizon = one.end - one.start
    history = History(known)
    ranker = TargetRanker(horizon).fit(known, history=history)
    answers = {OURS: ranker.predict(known, history).entry, **baseline_scores(history, horizon)}
    notes = [f"{one.name}: {note}" for note in ranker.notes]
    if one.filled:
        notes.append(f"{one.name}: {one.filled} of {one.cube.values.size} cells have no row and count as 0.")
    if one.blind:
        notes.append(f"{one.name}: blind: predictions, no scores.")
    for name in [name for name, scores in answers.items() if not np.isfinite(scores).any()]:
        notes.append(f"{one.name}: {name} has no earlier window with entries to learn from, and is left out.")
        del answers[name]
    return answers, notes


def score(one: TargetingSet, answers: Mapping[str, Floats]) -> tuple[list[Row], list[str]]:
    """Rows for every slice and method, and a sentence a slice."""
    before, after = quotients_of(one, one.start), quotients_of(one, one.end)
    rows: list[Row] = []
    words = []
    for part, asked, entered in _slices(one, before, after):
        hit = entered[asked]
        if not 0 < np.count_nonzero(hit) < len(hit):
            words.append(f"{one.name}, {part}: {np.count_nonzero(hit)} of {len(hit)} pairs entered: nothing to score.")
            continue
        scored = score_methods(hit, {n: scores[asked] for n, scores in answers.items()}, np.nonzero(asked)[0], OURS)
        for method, found in scored.items():
            rows += _rows(one.name, method, part, found)
        few = f" Fewer than {FEW} entries: this decides nothing." if np.count_nonzero(hit) < FEW else ""
        words.append(f"{one.name}, {part}: {in_words(scored, OURS, int(hit.sum()), len(hit))}{few}")
    return rows, words


def write_predictions(path: Path, one: TargetingSet, answers: Mapping[str, Floats]) -> None:
    """Every method's score of every pair below the cut at the start of the test window; `prob` is a probability for `brain` and
    `logistic`, and the score as it is for the others."""
    quotient = quotients_of(one, one.start)
    parts = []
    for method, scores in answers.items():
        for cut in CUTS:
            region, activity = np.nonzero(quotient < cut)
            parts.append(
                pa.table(
                    {
                        "method": [method] * len(region),
                        "cut": np.full(len(region), cut),
                        "region": np.array(one.cube.regions, dtype=object)[region],
                        "activity": np.array(one.cube.activities, dtype=object)[activity],
                        "prob": scores[region, activity],
                    }
                )
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(parts), path)


def _slices(one: TargetingSet, before: Floats, after: Floats) -> list[tuple[str, Flags, Flags]]:
    """Name, pairs asked about and pairs that entered: both cuts, and entries that had lasted for a year already."""
    known = np.isfinite(after)
    found = [(f"cut{cut:g}", (before < cut) & known, after >= 1.0) for cut in CUTS]
    if one.end - 1 in one.cube.years and one.end - 1 > one.start:
        year_before = quotients_of(one, one.end - 1)
        found.append(("cut1_sustained", (before < 1.0) & known, (after >= 1.0) & (year_before >= 1.0)))
    return found


def _rows(name: str, method: str, part: str, found: Scored) -> list[Row]:
    rows = []
    for prefix, figures in (("", found.figures), ("gain_", found.gain)):
        for metric, figure in figures.items():
            cells = {"": figure.value, "_low": figure.low, "_high": figure.high}
            rows += [Row(name, method, part, f"{prefix}{metric}{s}", v) for s, v in cells.items() if np.isfinite(v)]
    return rows
