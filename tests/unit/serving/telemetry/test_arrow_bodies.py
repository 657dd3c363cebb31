"""Arrow IPC, streams and files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from industrial_brain.domain.errors import InputError, MalformedError, TooLargeError
from industrial_brain.domain.telemetry import Submission
from serving.telemetry.arrow import decode_arrow

MOST = 10_000_000


def ipc(table: pa.Table, *, file: bool = False, compression: str | None = None, chunk: int | None = None) -> bytes:
    out = io.BytesIO()
    opened = pa.ipc.new_file if file else pa.ipc.new_stream
    with opened(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return out.getvalue()


def table(count: int = 4, **columns: Any) -> pa.Table:
    plain = {
        "device": pa.array([f"d{k}" for k in range(count)], pa.string()),
        "metric": pa.array(["pressure"] * count, pa.string()),
        "ts": pa.array(range(count), pa.timestamp("us", "UTC")),
        "value": pa.array([k / 4 for k in range(count)]),
    }
    return pa.table({name: column for name, column in (plain | columns).items() if column is not None})


def decoded(content: pa.Table | bytes) -> Submission:
    return decode_arrow(content if isinstance(content, bytes) else ipc(content), "F1", MOST)


def codes(submission: Submission) -> list[tuple[int, str]]:
    return [(error.index, error.code) for error in submission.errors]


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("chunk", [None, 3])
def test_columns_come_back_as_they_were_sent(file: bool, compression: str | None, chunk: int | None) -> None:
    found = decoded(ipc(table(10), file=file, compression=compression, chunk=chunk))
    assert [found.device[row] for row in range(10)] == [f"d{k}" for k in range(10)]
    assert {found.metric[row] for row in range(10)} == {"pressure"}
    assert (found.ts.tolist(), found.value.tolist()) == (list(range(10)), [k / 4 for k in range(10)])
    assert (found.index.tolist(), found.errors) == (list(range(10)), ())


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
)
def test_names_are_text_of_any_layout(kind: pa.DataType) -> None:
    words = pa.array(["泵", "b", "泵"])
    words = words.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else words.cast(kind)
    found = decoded(table(3, device=words, metric=words, unit=words))
    for column in (found.device, found.metric, found.unit):
        assert [column[row] for row in range(3)] == ["泵", "b", "泵"]


def test_dictionaries_that_differ_from_chunk_to_chunk() -> None:
    chunks = [pa.array(words).dictionary_encode() for words in (["a", "b"], ["b", "c"])]
    schema = table(2, device=chunks[0]).schema
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as writer:
        for chunk in chunks:
            writer.write_table(table(2, device=chunk))
    found = decoded(out.getvalue())
    assert [found.device[row] for row in range(4)] == ["a", "b", "b", "c"]


@pytest.mark.parametrize(
    ("column", "micros"),
    [
        (pa.array([1, -1], pa.timestamp("s")), [1_000_000, -1_000_000]),
        (pa.array([1, -1], pa.timestamp("ms", "Asia/Shanghai")), [1_000, -1_000]),
        (pa.array([1, -1], pa.timestamp("us", "+08:00")), [1, -1]),
        (pa.array([1_999, -1], pa.timestamp("ns")), [1, -1]),
        (pa.array([1, -1], pa.int64()), [1_000, -1_000]),
        (pa.array([1, 2], pa.uint64()), [1_000, 2_000]),
        (pa.array([1.5, -1.0]), [1_500, -1_000]),
        (pa.array(["1970-01-01T00:00:01Z", "1970-01-01T01:00:00+01:00"]), [1_000_000, 0]),
    ],
)
def test_times_of_any_unit(column: pa.Array, micros: list[int]) -> None:
    assert decoded(table(2, ts=column)).ts.tolist() == micros


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**62], pa.timestamp("s")),
        pa.array([-(2**63)], pa.timestamp("ms")),
        pa.array([2**62]),
        pa.array([float("nan")]),
        pa.array(["yesterday"]),
    ],
)
def test_a_time_that_cant_be_told_is_an_item_error(column: pa.Array) -> None:
    assert codes(decoded(table(1, ts=column))) == [(0, "bad-time")]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([1, 2], pa.int8()), [1.0, 2.0]),
        (pa.array([1, 2**63], pa.uint64()), [1.0, 2.0**63]),
        (pa.array([0.5, 1.5], pa.float32()), [0.5, 1.5]),
        (pa.array([True, False]), [1.0, 0.0]),
        (pa.array(["1.5", "-2"]), [1.5, -2.0]),
    ],
)
def test_values_of_any_type_are_numbers(column: pa.Array, values: list[float]) -> None:
    assert decoded(table(2, value=column)).value.tolist() == values


def test_nulls_and_words_are_item_errors_and_the_others_are_taken() -> None:
    found = decoded(
        table(
            6,
            device=pa.array(["a", None, "c", "d", "e", ""]),
            metric=pa.array(["m", "m", None, "m", "m", "m"]),
            ts=pa.array([0, 0, 0, None, 0, 0], pa.timestamp("us")),
            value=pa.array([1.0, 1.0, 1.0, 1.0, None, 1.0]),
            quality=pa.array(["bad", None, None, None, None, None]),
        )
    )
    wanted = ["missing-field", "missing-field", "missing-field", "no-value", "empty-name"]
    assert codes(found) == list(enumerate(wanted, start=1))
    assert (found.index.tolist(), found.quality.tolist()) == ([0], [2])
    assert codes(decoded(table(1, value=pa.array([None])))) == [(0, "no-value")]
    assert codes(decoded(table(2, value=pa.array(["1", "x"])))) == [(1, "not-a-number")]
    assert codes(decoded(table(2, quality=pa.array([2, -1])))) == [(1, "bad-quality")]


def test_not_a_number_is_left_to_the_judge() -> None:
    assert np.isnan(decoded(table(1, value=pa.array([float("nan")]))).value[0])


@pytest.mark.parametrize(
    "wrong",
    [
        table(2, device=pa.array([1, 2])),
        table(2, device=pa.array([1, 2]).dictionary_encode()),
        table(2, ts=pa.array([1, 2], pa.date32())),
        table(2, value=pa.array([[1.0], [2.0]])),
        table(2, value=None),
        table(2, colour=pa.array(["red", "blue"])),
    ],
)
def test_columns_of_other_types_or_names_are_refused_as_a_whole(wrong: pa.Table) -> None:
    with pytest.raises(InputError):
        decoded(wrong)


@pytest.mark.parametrize("file", [False, True])
def test_a_body_that_is_cut_off_anywhere_or_has_more_behind_it_is_refused_as_a_whole(file: bool) -> None:
    whole = ipc(table(5), file=file, chunk=2)
    for cut in range(len(whole)):
        with pytest.raises(MalformedError):
            decoded(whole[:cut])
    for more in (b"x", b"\0", whole[-8:], whole):
        with pytest.raises(MalformedError):
            decoded(whole + more)


def test_damaged_bytes_never_pass_for_an_exception_that_is_not_ours() -> None:
    whole = bytearray(ipc(table(5, metric=pa.array(["m"] * 5).dictionary_encode())))
    rng = np.random.default_rng(0)
    for _ in range(600):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        try:
            found = decoded(bytes(damaged))
        except InputError:
            continue
        assert len(found) + len(found.errors) <= 5


def test_buffers_that_open_to_more_than_the_limit_are_refused_before_they_do() -> None:
    bomb = ipc(table(50_000, value=pa.array(np.zeros(50_000))), compression="zstd")
    with pytest.raises(TooLargeError):
        decode_arrow(bomb, "F1", 400_000)
    assert len(decode_arrow(bomb, "F1", MOST)) == 50_000


def test_a_long_word_of_a_dictionary_does_not_become_as_many_long_words_as_rows() -> None:
    words = pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), pa.array(["x" * 1_000_000]))
    found = decoded(table(100_000, device=words))
    assert (len(found), found.errors[0].code) == (0, "name-too-long")


def test_no_rows_are_no_readings() -> None:
    assert len(decoded(table(0))) == 0
