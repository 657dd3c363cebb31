"""Answers about risks: the caller's cases become a table of what the version learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.risks import RiskTable, word_of
from models.risk.bundle import RiskBundle
from models.risk.recipe import LARGEST
from serving.schemas_risks import RiskModelOut, RiskOut, RisksScoreIn, RisksScoreOut


def score_cases(bundle: RiskBundle, version: ModelVersion, asked: RisksScoreIn) -> RisksScoreOut:
    """Raises InputError where a case lacks a column, has text for a number or one beyond float32; it points to the case."""
    numbers, words = bundle.learnt_from
    table = RiskTable(
        {name: _numbers(asked.cases, name) for name in numbers} | {name: _words(asked.cases, name) for name in words}
    )
    used = {*numbers, *words}
    answers = bundle.answer(table, level=asked.level, reasons=asked.reasons)
    return RisksScoreOut(
        model=RiskModelOut(name=version.name, version=version.version),
        simulated=bundle.simulated,
        source=bundle.source,
        ignored=sorted({name for case in asked.cases for name in case} - used),
        risks=[RiskOut.model_validate(answer) for answer in answers],
    )


def _numbers(
    cases: Sequence[dict[str, float | str | None]], name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    values = np.empty(len(cases))
    for row, case in enumerate(cases):
        value = _value(case, name, row)
        if isinstance(value, str):
            raise InputError(
                f"{name} of case {row} is a text; numbers were learnt from.",
                "Give a number or null.",
                pointer=_at(row, name),
            )
        if value is not None and not abs(value) <= LARGEST:
            raise InputError(
                f"{name} of case {row} is {value:g}: numbers end at {LARGEST:.3g}.",
                "Give a smaller number, or null.",
                pointer=_at(row, name),
            )
        values[row] = np.nan if value is None else value
    return values


def _words(
    cases: Sequence[dict[str, float | str | None]], name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    words = np.full(len(cases), None, dtype=object)
    for row, case in enumerate(cases):
        value = _value(case, name, row)
        words[row] = None if value is None else word_of(value)
    return words


def _value(case: dict[str, float | str | None], name: str, row: int) -> float | str | None:
    if name not in case:
        raise InputError(f"Case {row} has no {name}.", "Give it, or null where it is not known.", pointer=_at(row))
    return case[name]


def _at(row: int, name: str | None = None) -> str:
    """RFC 6901: a column's name may hold a slash."""
    escaped = "" if name is None else "/" + name.replace("~", "~0").replace("/", "~1")
    return f"/cases/{row}{escaped}"
