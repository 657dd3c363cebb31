"""JSON bodies: rows and columns."""

from __future__ import annotations

import json

import numpy as np
import pytest

from industrial_brain.domain.errors import InputError, MalformedError, TooLargeError
from industrial_brain.domain.telemetry import MOST_ERRORS, Submission
from serving.telemetry import draft
from serving.telemetry.columnar import decode_json

ROW = {"device": "pump-1", "metric": "pressure", "ts": 1_700_000_000_123, "value": 2.5}


def decoded(content: object) -> Submission:
    return decode_json(content if isinstance(content, bytes) else json.dumps(content).encode(), "F1")


def codes(submission: Submission) -> list[tuple[int, str]]:
    return [(error.index, error.code) for error in submission.errors]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"readings": rows}])
def test_a_row_becomes_a_reading(wrap) -> None:  # type: ignore[no-untyped-def]
    found = decoded(wrap([ROW | {"unit": "bar", "quality": "uncertain"}, ROW | {"device": "罐 2"}]))
    assert (found.site, found.device[0], found.device[1], found.metric[0]) == ("F1", "pump-1", "罐 2", "pressure")
    assert (found.ts[0], found.value[0]) == (1_700_000_000_123_000, 2.5)
    assert (found.unit[0], found.unit[1], found.quality.tolist()) == ("bar", "", [1, 0])
    assert (found.index.tolist(), found.errors, found.unnamed) == ([0, 1], (), 0)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        (0, 0),
        (-1, -1_000),
        (1.5, 1_500),
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T23:59:59.999999Z", 1_709_251_199_999_999),
        ("2024-02-29T23:59:59.9999999999+08:00", 1_709_222_399_999_999),
        ("2026-01-01t00:00:00-00:30", 1_767_227_400_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
    ],
)
def test_times_are_rfc_3339_or_milliseconds(written: object, micros: int) -> None:
    assert decoded([ROW | {"ts": written}]).ts.tolist() == [micros]
    assert decoded({"device": "d", "metric": "m", "ts": [written, 5], "value": [1, 2]}).ts.tolist() == [micros, 5_000]


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01T00:00:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+0800",
        "2026-01-01",
        "1700000000000",
        "",
        10**30,
        1e30,
        -(2**63),
    ],
)
def test_a_time_that_is_none_is_an_item_error(written: object) -> None:
    assert codes(decoded([ROW, ROW | {"ts": written}])) == [(1, "bad-time")]
    assert codes(decoded({"device": "d", "metric": "m", "ts": [5, written], "value": [1, 2]})) == [(1, "bad-time")]


@pytest.mark.parametrize(
    ("written", "value"), [(True, 1.0), (False, 0.0), (7, 7.0), (10**30, 1e30), ("12.5", 12.5), ("-1e3", -1000.0)]
)
def test_booleans_integers_and_numbers_in_quotes_are_numbers(written: object, value: float) -> None:
    assert decoded([ROW | {"value": written}]).value.tolist() == [value]
    assert decoded({"device": "d", "metric": "m", "ts": [0], "value": [written]}).value.tolist() == [value]


def test_not_a_number_in_quotes_is_left_to_the_judge() -> None:
    found = decoded([ROW | {"value": "NaN"}, ROW | {"value": "-Infinity"}])
    assert np.isnan(found.value[0])
    assert found.value[1] == -np.inf


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": "high"}, "not-a-number"),
        ({"value": "1_0"}, "not-a-number"),
        ({"value": "٣"}, "not-a-number"),
        ({"value": None}, "no-value"),
        ({"value": [1]}, "wrong-type"),
        ({"device": 7}, "wrong-type"),
        ({"device": None}, "wrong-type"),
        ({"device": ""}, "empty-name"),
        ({"device": "a\nb"}, "bad-name"),
        ({"device": "é" * 128}, "name-too-long"),
        ({"metric": ""}, "empty-name"),
        ({"metric": "x" * 256}, "name-too-long"),
        ({"metric": "a\x00"}, "bad-name"),
        ({"unit": "x" * 65}, "bad-unit"),
        ({"quality": "fine"}, "bad-quality"),
        ({"quality": 3}, "bad-quality"),
        ({"ts": None}, "wrong-type"),
        ({"ts": True}, "wrong-type"),
        ({"colour": "red"}, "unknown-field"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_taken(change: dict[str, object], code: str) -> None:
    found = decoded([ROW, ROW | change, ROW | {"device": "pump-2"}])
    assert codes(found) == [(1, code)]
    assert (found.index.tolist(), found.device[0], found.device[1]) == ([0, 2], "pump-1", "pump-2")


def test_a_missing_field_a_number_beyond_doubles_and_a_name_twice_are_item_errors() -> None:
    row = json.dumps(ROW)
    rows = ['{"device": "d"}', row.replace("2.5", "1e400"), row[:-1] + ', "value": 3}', row]
    found = decoded(f"[{','.join(rows)}]".encode())
    assert codes(found) == [(0, "missing-field"), (1, "out-of-range"), (2, "duplicate-name")]
    assert found.index.tolist() == [3]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[{}",
        b"[1,]",
        b"nonsense",
        b'{"readings": [',
        b"[] []",
        b'[{"device": "d", "metric": "m", "ts": 1, "value": NaN}]',
        b'[{"device": "d", "metric": "m", "ts": 1, "value": 1} x]',
        b'[{"device": "\xff", "metric": "m", "ts": 1, "value": 1}]',
        b'[{"device": "\\ud800", "metric": "m", "ts": 1, "value": 1}]',
        '[{"device": "d"}]'.encode("utf-16"),
        b"[" * 100_000,
        b'{"value": [1], "value": [2], "ts": [1], "device": "d", "metric": "m"}',
    ],
)
def test_what_is_not_json_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MalformedError):
        decoded(body)


@pytest.mark.parametrize(
    "content",
    [
        {},
        7,
        "text",
        {"readings": 7},
        {"readings": [], "value": []},
        {"device": "d", "metric": "m", "ts": [1, 2], "value": [1]},
        {"device": ["d", "e"], "metric": "m", "ts": [1], "value": [1]},
        {"device": "d", "metric": "m", "ts": [1], "value": 1},
        {"device": "d", "metric": "m", "ts": 1, "value": [1]},
        {"device": [7], "metric": "m", "ts": [1], "value": [1]},
        {"device": "d", "metric": "m", "value": [1]},
        {"device": "d", "metric": "m", "ts": [1], "value": [1], "quality": [0, 0]},
        {"device": "d", "metric": "m", "ts": [1], "value": [1], "quality": [[]]},
        {"device": "d", "metric": "m", "ts": [1], "value": [{}]},
        {"device": "d", "metric": "m", "ts": [1], "value": [1], "colour": "red"},
    ],
)
def test_json_of_another_shape_is_refused_as_a_whole(content: object) -> None:
    with pytest.raises(InputError):
        decoded(content)


def test_no_readings_are_no_readings() -> None:
    assert len(decoded([])) == len(decoded({"readings": []})) == 0
    assert len(decoded({"device": "d", "metric": [], "ts": [], "value": []})) == 0


def test_columns_say_what_rows_say() -> None:
    rows = [ROW | {"device": f"d{k}", "ts": k, "value": k / 7, "unit": "bar", "quality": k % 3} for k in range(50)]
    columns = {name: [row[name] for row in rows] for name in rows[0]} | {"metric": "pressure", "unit": "bar"}
    by_row, by_column = decoded(rows), decoded(columns)
    for name in ("ts", "value", "quality", "index"):
        assert getattr(by_row, name).tolist() == getattr(by_column, name).tolist()
    for name in ("device", "metric", "unit"):
        texts = [[getattr(found, name)[row] for row in range(50)] for found in (by_row, by_column)]
        assert texts[0] == texts[1] == [rows[row][name] for row in range(50)]


def test_bad_items_of_columns_are_named_and_the_others_taken() -> None:
    found = decoded(
        {
            "device": ["a", "", "c", "d", "e"],
            "metric": ["m", "m", "m", "", "m"],
            "ts": [1, 2, 3, 4, 5],
            "value": [1, 2, None, 4, "x"],
            "quality": "bad",
        }
    )
    assert codes(found) == [(1, "empty-name"), (2, "no-value"), (3, "empty-name"), (4, "not-a-number")]
    assert (found.index.tolist(), found.quality.tolist()) == ([0], [2])


def test_a_body_of_many_pieces_keeps_its_order_and_its_errors() -> None:
    rows = [ROW | {"device": f"device-{k:05}"} for k in range(5_000)]
    rows[1_234] = {"device": "half"}
    found = decoded(rows)
    assert codes(found) == [(1_234, "missing-field")]
    kept = [k for k in range(5_000) if k != 1_234]
    assert found.index.tolist() == kept
    assert [found.device[row] for row in range(len(found))] == [f"device-{k:05}" for k in kept]


def test_only_the_first_errors_are_described_and_the_others_counted() -> None:
    found = decoded([{"device": "half"}] * (MOST_ERRORS + 7) + [ROW | {"value": "x"}])
    assert (len(found.errors), found.unnamed, len(found)) == (MOST_ERRORS, 8, 0)
    assert [error.index for error in found.errors] == list(range(MOST_ERRORS))


def test_more_readings_than_a_request_may_bring_are_refused() -> None:
    body = b"[" + b"0," * draft.MOST_READINGS + b"0]"
    with pytest.raises(TooLargeError):
        decoded(body)


def test_a_long_text_for_a_whole_column_does_not_become_as_many_of_them() -> None:
    many = 50_000
    body = b'{"device": "%s", "metric": "m", "ts": [0%s], "value": [0%s]}' % (
        b"x" * 1_000_000,
        b",0" * (many - 1),
        b",0" * (many - 1),
    )
    found = decoded(body)
    assert (len(found), found.errors[0].code, len(found.errors) + found.unnamed) == (0, "name-too-long", many)


def test_the_digest_tells_bodies_and_sites_apart() -> None:
    body = json.dumps([ROW]).encode()
    digests = {decode_json(body, "F1").digest, decode_json(body + b" ", "F1").digest, decode_json(body, "F2").digest}
    assert len(digests) == 3
    assert decode_json(body, "F1").digest in digests
    assert all(len(digest) == 16 for digest in digests)
