"""InfluxDB line protocol."""

from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.telemetry import MOST_ERRORS, Submission
from serving.telemetry.lines import Precision, decode_lines

NOW = 1_800_000_000_000_000


def decoded(body: str | bytes, precision: Precision = Precision.NANOSECONDS) -> Submission:
    return decode_lines(body if isinstance(body, bytes) else body.encode(), "F1", NOW, precision)


def rows(submission: Submission) -> list[tuple[str, str, int, float]]:
    return [
        (submission.device[row], submission.metric[row], int(submission.ts[row]), float(submission.value[row]))
        for row in range(len(submission))
    ]


def codes(submission: Submission) -> list[tuple[int, str]]:
    return [(error.index, error.code) for error in submission.errors]


def test_each_field_of_a_line_is_a_reading() -> None:
    found = decoded("pump,device=p1,line=3 pressure=2.5,speed=1500i,running=t 1700000000123456789\n")
    at = 1_700_000_000_123_456
    assert rows(found) == [
        ("p1", "pump.pressure", at, 2.5),
        ("p1", "pump.speed", at, 1500.0),
        ("p1", "pump.running", at, 1.0),
    ]
    assert (found.index.tolist(), found.errors) == ([0, 0, 0], ())


@pytest.mark.parametrize(
    ("line", "device"),
    [
        ("m,device=a f=1", "a"),
        ("m,host=h,device=a,line=3 f=1", "a"),
        ("m,line=3,host=h f=1", "host=h,line=3"),
        ("m,unit=Cel,host=h f=1", "host=h"),
        (r"m,device=a\ b\,c\=d f=1", "a b,c=d"),
        (r"m,b=x\,y,a=1 f=1", r"a=1,b=x\,y"),
        ("m,device=泵\\ 1 f=1", "泵 1"),
        (r"m,device=C:\dir f=1", r"C:\dir"),
    ],
)
def test_the_device_is_its_tag_or_all_tags_in_order(line: str, device: str) -> None:
    assert [row[0] for row in rows(decoded(line))] == [device]


@pytest.mark.parametrize(
    ("line", "metric"),
    [
        (r"my\ pump\,x,device=a f=1", "my pump,x.f"),
        (r"m,device=a field\ one\=\,=1", "m.field one=,"),
        ('m,device=a "f"=1', 'm."f"'),
    ],
)
def test_escapes_are_taken_out_of_names(line: str, metric: str) -> None:
    assert [row[1] for row in rows(decoded(line))] == [metric]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(
            (text, float(text))
            for text in ("1", "-1.5", "+2", ".5", "5.", "1e3", "1E-3", "0.1", "123456.789", "1e22", "1e23")
        ),
        *(
            (text, float(text))
            for text in ("20.123456789012345", "9007199254740993", "1.7976931348623157e308", "5e-324")
        ),
        *(
            (text, float(text))
            for text in ("0.000000000000000000000000000001", "123456789012345678901234567890", "1e-400")
        ),
        ("7i", 7.0),
        ("-9223372036854775807i", -9.223372036854775807e18),
        ("7u", 7.0),
        ("18446744073709551615u", 1.8446744073709552e19),
        *((text, 1.0) for text in ("t", "T", "true", "True", "TRUE")),
        *((text, 0.0) for text in ("f", "F", "false", "False", "FALSE")),
    ],
)
def test_numbers_are_read_to_the_nearest_double(written: str, value: float) -> None:
    assert [row[3] for row in rows(decoded(f"m,device=a f={written} 1"))] == [value]


def test_numbers_as_python_writes_them_come_back_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    given = np.concatenate(
        [rng.normal(20, 5, 2_000), 10.0 ** rng.uniform(-300, 300, 2_000), rng.integers(-(2**53), 2**53, 500)]
    )
    found = decoded("\n".join(f"m,device=a f={value!r} 1" for value in given.tolist()))
    assert found.value.tolist() == given.tolist()


@pytest.mark.parametrize(
    "written",
    ['"text"', '"a \\" b"', '"7"', "NaN", "inf", "1.5i", "-1u", "0x10", "1e", "--1", "tRUE", "yes", "1_0", "."],
)
def test_what_is_no_number_is_an_error_of_its_field_alone(written: str) -> None:
    found = decoded(f"m,device=a x=1,f={written},y=2 1")
    assert codes(found) == [(0, "not-a-number")]
    assert [row[1] for row in rows(found)] == ["m.x", "m.y"]


@pytest.mark.parametrize("written", ["9223372036854775808i", "18446744073709551616u", "99999999999999999999999u"])
def test_an_integer_of_more_than_64_bits_is_out_of_range(written: str) -> None:
    assert codes(decoded(f"m,device=a f={written}")) == [(0, "out-of-range")]


@pytest.mark.parametrize(
    ("precision", "micros"),
    [
        (Precision.NANOSECONDS, 1_700_000),
        (Precision.MICROSECONDS, 1_700_000_000),
        (Precision.MILLISECONDS, 1_700_000_000_000),
        (Precision.SECONDS, 1_700_000_000_000_000),
    ],
)
def test_the_precision_says_what_timestamps_count(precision: Precision, micros: int) -> None:
    assert decoded("m,device=a f=1 1700000000", precision).ts.tolist() == [micros]


def test_a_time_before_1970_is_cut_off_downwards() -> None:
    assert decoded("m,device=a f=1 -1500").ts.tolist() == [-2]


def test_a_line_without_a_timestamp_is_of_its_arrival_and_never_a_repetition() -> None:
    line = b"m,device=a f=1"
    found, later = decode_lines(line, "F1", NOW), decode_lines(line, "F1", NOW + 1)
    assert found.ts.tolist() == [NOW]
    assert found.digest != later.digest
    stamped = line + b" 5"
    assert decode_lines(stamped, "F1", NOW).digest == decode_lines(stamped, "F1", NOW + 1).digest


def test_the_tag_unit_is_the_unit_of_its_line() -> None:
    found = decoded("m,device=a,unit=Cel t=1,u=2\nm,device=b p=3\n")
    assert [found.unit[row] for row in range(3)] == ["Cel", "Cel", ""]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_blank_lines_and_either_line_end(end: str) -> None:
    text = end.join(
        ["# a comment, with=signs 1", "", "  ", "m,device=a f=1 1", "\tm,device=a f=2   2  ", "m,device=a f=3", ""]
    )
    found = decoded(text)
    assert [(row[2], row[3]) for row in rows(found)] == [(0, 1.0), (0, 2.0), (NOW, 3.0)]
    assert (found.index.tolist(), found.errors) == ([3, 4, 5], ())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("m", "bad-line"),
        ("m,device=a", "bad-line"),
        ("m,device=a ", "bad-line"),
        ("m,device=a f", "bad-line"),
        ("m,device=a f=", "bad-line"),
        ("m,device=a f=1,", "bad-line"),
        ("m,device=a f=1, g=2", "bad-line"),
        ("m,device=a =1", "bad-line"),
        ("m,device= f=1", "bad-line"),
        ("m,=a f=1", "bad-line"),
        ("m,device f=1", "bad-line"),
        ("m,device=a=b f=1", "bad-line"),
        ("m,device=a,device=b f=1", "bad-line"),
        (",device=a f=1", "bad-line"),
        ('m,device=a f="open', "bad-line"),
        ('m,device=a f="x"y', "bad-line"),
        ("m,device=a f=1 12x", "bad-time"),
        ("m,device=a f=1 1.5", "bad-time"),
        ("m,device=a f=1 1 2", "bad-time"),
        ("m,device=a f=1 9223372036854775808", "bad-time"),
        ("m f=1", "no-device"),
        ("m,unit=Cel f=1", "no-device"),
        (f"m,device={'x' * 256} f=1", "name-too-long"),
        (f"m,host={'x' * 256} f=1", "name-too-long"),
        (f"{'x' * 256},device=a f=1", "name-too-long"),
        (f"{'x' * 200},device=a {'y' * 55}=1", "name-too-long"),
        ("m" + "".join(f",t{k}=1" for k in range(65)) + " f=1", "bad-line"),
        (f"m,device=a,unit={'x' * 65} f=1", "bad-unit"),
        (f"m,device=a,unit={'x' * 300} f=1", "bad-unit"),
        ("m,device=a\x01b f=1", "bad-name"),
    ],
)
def test_a_broken_line_is_one_error_and_its_neighbours_are_taken(line: str, code: str) -> None:
    found = decoded(f"m,device=before f=1\n{line}\nm,device=after f=2\n")
    assert codes(found) == [(1, code)]
    assert [row[0] for row in rows(found)] == ["before", "after"]
    assert found.index.tolist() == [0, 2]


def test_half_a_line_at_the_end_costs_that_line_alone() -> None:
    whole = "m,device=a f=1 1\nm,device=b f=2.25,g=3 2"
    for cut in range(len("m,device=a f=1 1\n") + 1, len(whole)):
        found = decoded(whole[:cut])
        assert rows(found)[0] == ("a", "m.f", 0, 1.0)


def test_a_text_may_hold_line_ends() -> None:
    found = decoded('m,device=a s="two\nlines",f=1 1\nm,device=b f=2 2')
    assert codes(found) == [(0, "not-a-number")]
    assert (found.index.tolist(), [row[0] for row in rows(found)]) == ([0, 2], ["a", "b"])


def test_a_time_that_microseconds_cant_tell_is_refused() -> None:
    assert codes(decoded("m,device=a f=1 9223372036854775", Precision.SECONDS)) == [(0, "bad-time")]


def test_bytes_that_are_not_utf_8_cost_their_line_alone() -> None:
    found = decoded(b"m,device=\xff f=1\nm,device=\xc3\xa9 f=2\n\xff,device=a f=3\nm,device=a f=4")
    assert codes(found) == [(0, "not-utf-8"), (2, "not-utf-8")]
    assert [row[0] for row in rows(found)] == ["é", "a"]


def test_many_errors_are_counted() -> None:
    found = decoded("m\n" * 5_000 + "m,device=a f=1")
    assert (len(found.errors), found.unnamed, len(found)) == (MOST_ERRORS, 4_000, 1)


def test_many_metrics_keep_their_names() -> None:
    found = decoded("\n".join(f"m{k},device=d f{k}={k}" for k in range(3_000)))
    assert [row[1] for row in rows(found)] == [f"m{k}.f{k}" for k in range(3_000)]
