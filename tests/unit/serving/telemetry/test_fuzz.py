"""Whatever bytes come: an answer of ours, and never a row out of nothing. What was written comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import Submission
from serving.telemetry.arrow import decode_arrow
from serving.telemetry.columnar import decode_json
from serving.telemetry.lines import decode_lines
from serving.telemetry.rows import decode_rows

NOW = 1_800_000_000_000_000
DECODERS: dict[str, Callable[[bytes], Submission]] = {
    "json": lambda body: decode_json(body, "F1"),
    "rows": lambda body: decode_rows(body, "F1"),
    "lines": lambda body: decode_lines(body, "F1", NOW),
    "arrow": lambda body: decode_arrow(body, "F1", 100_000),
}
quick = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

#: pieces of which something that is nearly right can be made
LINE_PIECES = st.sampled_from(
    [
        "m",
        "device=a",
        "unit=Cel",
        ",",
        " ",
        "=",
        "f=1",
        "f=1.5e3",
        'f="x',
        '"',
        "\\",
        "\n",
        "\r\n",
        "#",
        "12",
        "i",
        "t",
        "é",
        "\0",
    ]
)
JSON_PIECES = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"device"',
        '"metric"',
        '"ts"',
        '"value"',
        '"readings"',
        '"a"',
        "1",
        "-1e400",
        "null",
        "\\",
        '"',
    ]
)
names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=40)
values = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(0, 4_000_000_000_000)


def sound(found: Submission, most_rows: int) -> None:
    """The columns fit together, name what they code, and hold no more rows than the body could bring."""
    count = len(found)
    assert count <= most_rows
    columns = (found.device, found.metric, found.ts, found.value, found.unit, found.quality, found.index)
    assert {len(column) for column in columns} == {count}
    for row in range(count):
        assert found.device[row]
        assert found.metric[row]
        assert isinstance(found.unit[row], str)
    assert (found.quality <= 2).all()
    assert found.unnamed >= 0
    assert [error.index for error in found.errors] == sorted(error.index for error in found.errors)


def refused_or_sound(decode: Callable[[bytes], Submission], body: bytes) -> None:
    try:
        found = decode(body)
    except InputError:
        return
    sound(found, len(body))


@pytest.mark.parametrize("name", list(DECODERS))
@quick
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"\xef\xbb\xbf[]")
def test_any_bytes(name: str, body: bytes) -> None:
    refused_or_sound(DECODERS[name], body)


@quick
@given(pieces=st.lists(LINE_PIECES, max_size=30))
def test_lines_that_are_nearly_right(pieces: list[str]) -> None:
    body = "".join(pieces).encode()
    found = decode_lines(body, "F1", NOW)
    sound(found, body.count(b"="))
    assert all(error.index <= body.count(b"\n") for error in found.errors)


@quick
@given(pieces=st.lists(JSON_PIECES, max_size=30))
def test_json_that_is_nearly_right(pieces: list[str]) -> None:
    refused_or_sound(DECODERS["json"], "".join(pieces).encode())


@quick
@given(rows=st.lists(st.tuples(names, names, times, values), max_size=8), cut=st.integers(0, 400))
def test_rows_come_back_as_they_were_written_and_half_a_body_is_none(
    rows: list[tuple[str, str, int, float]], cut: int
) -> None:
    written = [dict(zip(("device", "metric", "ts", "value"), row, strict=True)) for row in rows]
    body = json.dumps(written, ensure_ascii=False).encode()
    found = decode_json(body, "F1")
    assert _rows(found) == [(device, metric, ts * 1_000, value) for device, metric, ts, value in rows]
    if cut < len(body):
        with pytest.raises(InputError):
            decode_json(body[:cut], "F1")


@quick
@given(rows=st.lists(st.tuples(names, names, times, values), max_size=8))
def test_lines_come_back_as_they_were_written(rows: list[tuple[str, str, int, float]]) -> None:
    kept = [
        row for row in rows if not row[0].endswith("\\") and not row[1].endswith("\\") and not row[1].startswith("#")
    ]
    body = "\n".join(
        f"m,device={_escaped(device)} {_escaped(metric)}={value!r} {ts * 1_000}" for device, metric, ts, value in kept
    )
    found = decode_lines(body.encode(), "F1", NOW)
    assert found.errors == ()
    assert _rows(found) == [(device, f"m.{metric}", ts, value) for device, metric, ts, value in kept]


def _escaped(name: str) -> str:
    for special in (",", "=", " "):
        name = name.replace(special, "\\" + special)
    return name


def _rows(found: Submission) -> list[tuple[str, str, int, float]]:
    return [
        (found.device[row], found.metric[row], int(found.ts[row]), float(np.float64(found.value[row])))
        for row in range(len(found))
    ]
