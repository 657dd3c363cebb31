"""From decoded columns to a submission: rows that can't be taken are left out, each with its reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from industrial_brain.domain.errors import TooLargeError
from industrial_brain.domain.telemetry import Bytes, Coded, Flags, Keys, Micros, Submission, Texts
from serving.telemetry.faults import Faults

#: readings that one request may bring
MOST_READINGS = 1_000_000

#: bytes of a device's or a metric's name
LONGEST_NAME = 255

#: characters of a unit
_LONGEST_UNIT = 64

QUALITIES = {"good": 0, "uncertain": 1, "bad": 2}

#: a quality that is none
NO_QUALITY = 255

#: what reads as a number; what is not finite is refused later, under its own name
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)

_NOT_A_NUMBER = "Send a number, or true or false; text is not measured."


@dataclass(slots=True)
class Draft:
    """Columns as a decoder found them, `n` rows; what is wrong of them is already in `faults`, and False in `rows`.

    Attributes:
        quality: uint8, `NO_QUALITY` where it is none.
    """

    device: Texts
    metric: Coded
    ts: Micros
    value: npt.NDArray[np.float64]
    unit: Coded
    quality: Bytes
    index: Micros
    rows: Flags
    faults: Faults

    def submission(self, site: str, digest: bytes) -> Submission:
        """What can be judged, and the errors of the rest."""
        judge = self.faults.judge
        lengths = np.diff(self.device.offsets)
        judge(self.rows, lengths == 0, self.index, "empty-name", "The device has no name.")
        judge(self.rows, lengths > LONGEST_NAME, self.index, "name-too-long", _longest("device"))
        judge(self.rows, _with_controls(self.device), self.index, "bad-name", _no_controls("device"))
        for wrong, code, detail in _judge_names(self.metric):
            judge(self.rows, wrong, self.index, code, detail)
        units = np.array([len(name) <= _LONGEST_UNIT and name.isprintable() for name in self.unit.names], np.bool_)
        judge(
            self.rows,
            ~units[self.unit.codes],
            self.index,
            "bad-unit",
            "A unit is a short UCUM code, such as Cel or kW.",
        )
        judge(self.rows, self.quality > 2, self.index, "bad-quality", "Quality is good, uncertain or bad.")
        errors, unnamed = self.faults.errors()
        kept = slice(None) if self.rows.all() else np.flatnonzero(self.rows)
        return Submission(
            site=site,
            device=self.device if isinstance(kept, slice) else take(self.device, kept),
            metric=Coded(self.metric.codes[kept], self.metric.names),
            ts=self.ts[kept],
            value=self.value[kept],
            unit=Coded(self.unit.codes[kept], self.unit.names),
            quality=self.quality[kept],
            index=self.index[kept],
            digest=digest,
            errors=errors,
            unnamed=unnamed,
        )


def digest_of(body: bytes, *facts: object) -> bytes:
    """16 bytes that tell this body, read in the way that `facts` say, from any other."""
    made = hashlib.blake2b(repr(facts).encode(), digest_size=16)
    made.update(body)
    return made.digest()


def require_few(count: int) -> None:
    """Raises TooLargeError for more readings than a request may bring."""
    if count > MOST_READINGS:
        raise TooLargeError(
            f"The request brings more than {MOST_READINGS:,} readings.", "Split it into several requests."
        )


def arrow_texts(texts: Texts) -> pa.LargeStringArray:
    """The same bytes, as Arrow's array."""
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(texts.offsets), pa.py_buffer(texts.data))


def texts_of(array: pa.LargeStringArray) -> Texts:
    """The same bytes, as our column. There must be no nulls."""
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    content = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    if found[0] != 0:
        content, found = content[found[0] : found[-1]], found - found[0]
    return Texts(content[: found[-1]], found)


def take(texts: Texts, rows: npt.NDArray[np.int64]) -> Texts:
    """Some of the texts."""
    return texts_of(arrow_texts(texts).take(pa.array(rows)))


def coded(array: pa.LargeStringArray) -> Coded:
    """A column of few distinct texts. There must be no nulls."""
    found = array.dictionary_encode()
    return Coded(found.indices.to_numpy().astype(np.int32), tuple(found.dictionary.to_pylist()))


def constant(text: str, count: int) -> Coded:
    """The same text, `count` times."""
    return Coded(np.zeros(count, np.int32), (text,))


def numbers_of(given: Sequence[object]) -> tuple[npt.NDArray[np.float64], Flags, Flags]:
    """Values that are not all numbers: float64, which were absent, and which are no numbers. Booleans are 0 and 1."""
    value, absent, wrong = np.zeros(len(given)), np.zeros(len(given), np.bool_), np.zeros(len(given), np.bool_)
    for row, one in enumerate(given):
        if one is None:
            absent[row] = True
        elif isinstance(one, str):
            wrong[row] = not _NUMBER.fullmatch(one)
            value[row] = 0.0 if wrong[row] else float(one)
        else:
            value[row] = float(one)  # type: ignore[arg-type]  # a number or a boolean, by the decoders' types
    return value, absent, wrong


def judge_values(faults: Faults, rows: Flags, index: Micros, absent: Flags, wrong: Flags) -> None:
    """Strike off the rows whose values `numbers_of` could not read."""
    faults.judge(rows, absent, index, "no-value", "The reading has no value; leave the whole reading out.")
    faults.judge(rows, wrong, index, "not-a-number", _NOT_A_NUMBER)


def _judge_names(metric: Coded) -> list[tuple[Flags, str, str]]:
    lengths = np.array([len(name.encode()) for name in metric.names], np.int64)
    controls = np.array([_has_controls(name) for name in metric.names], np.bool_)
    codes: Keys = metric.codes
    return [
        ((lengths == 0)[codes], "empty-name", "The metric has no name."),
        ((lengths > LONGEST_NAME)[codes], "name-too-long", _longest("metric")),
        (controls[codes], "bad-name", _no_controls("metric")),
    ]


def _with_controls(texts: Texts) -> Flags:
    wrong = np.zeros(len(texts), np.bool_)
    at = np.flatnonzero((texts.data < 0x20) | (texts.data == 0x7F))
    wrong[np.searchsorted(texts.offsets, at, side="right") - 1] = True
    return wrong


def _has_controls(text: str) -> bool:
    return any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text)


def _longest(what: str) -> str:
    return f"The name of a {what} has at most {LONGEST_NAME} bytes in UTF-8."


def _no_controls(what: str) -> str:
    return f"The name of a {what} may not hold control characters."
