"""Numbers as text. What is not plainly a decimal number is refused, never interpreted."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from industrial_brain.domain.panel import Floats
from industrial_brain.storage.files.report import Reason
from industrial_brain.storage.files.rows import Texts


def read_numbers(texts: Texts) -> tuple[Floats, dict[Reason, npt.NDArray[np.bool_]]]:
    """The nearest float64 of each text, NaN where there is none, and which rows have which fault.

    `1234.5`, `-1e3` and `+.5` are numbers. `1,234.5`, `3,14`, `12%` and `１２` are not, because what they mean depends
    on who wrote them.
    """
    column = pa.array(texts, pa.string())
    number = _matches(column, _NUMBER)
    values = np.full(len(texts), np.nan)
    values[number] = np.fromiter(map(float, texts[number]), dtype=np.float64)  # rounds correctly, unlike most parsers
    missing = _matches(column, r"^\s*$")
    not_finite = _matches(column, r"(?i)^\s*[+-]?(nan|inf|infinity)\s*$") | (number & ~np.isfinite(values))
    return values, {
        Reason.MISSING_VALUE: missing,
        Reason.NOT_FINITE: not_finite,
        Reason.NOT_A_NUMBER: ~(number | missing | not_finite),
    }


def explain_text(text: str) -> str:
    """Why a text is not a number, for the one who wrote it."""
    if _SEPARATED.fullmatch(text.strip()):
        return f"'{text}' has a decimal comma or thousands separators: write 1234.5"
    return f"'{text}' is text"


_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_SEPARATED = re.compile(r"[+-]?[0-9]+([ ,.'’\u00a0\u202f，][0-9]+)+")


def _matches(column: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(column, pattern).to_numpy(zero_copy_only=False), dtype=np.bool_)
