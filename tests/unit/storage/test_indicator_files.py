"""Importing indicators: what is stored, what is refused, and what the report says."""

from __future__ import annotations

import csv
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.indicators import SeriesInfo, Source
from industrial_brain.domain.observations import ObservationBatch
from industrial_brain.domain.periods import Frequency
from industrial_brain.storage.files import rows
from industrial_brain.storage.files.report import Reason
from tests.unit.storage.conftest import NOW, Bench

MONTHS = "unique_id,ds,y\noutput:500103,2025-01,1.5\noutput:500103,2025-02,2\noutput:500103,2025-03,3\n"


def test_a_long_file_lands_in_the_series_of_the_city(bench: Bench) -> None:
    report = bench.load(MONTHS)
    assert (report.accepted, report.rejected, report.series, report.new_series, report.free_series) == (3, 0, 1, 1, 0)
    assert bench.values("output:500103") == {"2025-01-01": 1.5, "2025-02-01": 2.0, "2025-03-01": 3.0}
    info = bench.catalogue.series()["output:500103"]
    assert (info.unit, info.frequency, info.name) == ("10*8.{CNY}", "M", "产值 · 渝中区")


def test_the_same_file_again_is_all_duplicates(bench: Bench) -> None:
    bench.load(MONTHS)
    report = bench.load(MONTHS, now=NOW + dt.timedelta(days=1), known_at=NOW + dt.timedelta(days=1))
    assert (report.accepted, report.revised, report.duplicate, report.new_series) == (0, 0, 3, 0)


def test_a_later_file_with_another_value_revises(bench: Bench) -> None:
    bench.load(MONTHS, known_at=NOW - dt.timedelta(days=1))
    report = bench.load(MONTHS.replace("1.5", "1.6"))
    assert (report.revised, report.duplicate) == (1, 2)


def test_a_column_known_at_dates_each_row(bench: Bench) -> None:
    report = bench.load(
        "unique_id,ds,y,known_at\noutput:500103,2025-01,1,2025-02-10T00:00:00Z\n"
        "output:500103,2025-01,2,2025-03-10T08:00:00+08:00\noutput:500103,2025-01,3,\n"
    )
    assert (report.accepted, report.revised) == (1, 2)
    known = [bench.observations.read_panels(dt.datetime(2025, month, 10, tzinfo=dt.UTC)) for month in (1, 2, 3)]
    assert [panels[0].values.tolist() if panels else [] for panels in known] == [[], [1.0], [2.0]]


def test_a_simulated_row_is_stored_and_shown_as_simulated(bench: Bench) -> None:
    bench.load("unique_id,ds,y,simulated\noutput:500103,2025-01,1,false\noutput:500103,2025-02,1,true\n")
    assert [one.simulated for one in bench.observations.read_one("output:500103", NOW)] == [False, True]
    assert bench.catalogue.series()["output:500103"].simulated


def test_a_series_with_a_simulated_value_stays_simulated(bench: Bench) -> None:
    bench.load(MONTHS, source=Source("simulator", "CC0-1.0", simulated=True))
    bench.load("unique_id,ds,y\noutput:500103,2025-04,1\n")
    assert bench.catalogue.series()["output:500103"].simulated


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ("output:500103,2025-01,text", Reason.NOT_A_NUMBER, "is text"),
        ('output:500103,2025-01,"1,234.5"', Reason.NOT_A_NUMBER, "thousands"),
        ('output:500103,2025-01,"3,14"', Reason.NOT_A_NUMBER, "decimal comma"),
        ("output:500103,2025-01,1_000", Reason.NOT_A_NUMBER, "is text"),
        ("output:500103,2025-01,１２", Reason.NOT_A_NUMBER, "is text"),
        ("output:500103,2025-01,NaN", Reason.NOT_FINITE, "finite"),
        ("output:500103,2025-01,-inf", Reason.NOT_FINITE, "finite"),
        ("output:500103,2025-01,1e999", Reason.NOT_FINITE, "finite"),
        ("output:500103,2025-01,", Reason.MISSING_VALUE, "no value"),
        ("output:500103,01/02/2025,1", Reason.UNREADABLE_DATE, "01/02/2025"),
        ("output:500103,2025-13,1", Reason.UNREADABLE_DATE, "2025-13"),
        ("output:500103,2025-01-15,1", Reason.MISALIGNED_PERIOD, "month"),
        ("output:500103,2025Q1,1", Reason.MISALIGNED_PERIOD, "month"),
        ("output:500103,2026-02,1", Reason.FUTURE_PERIOD, "month begins"),
        ("nobody,2025-01-01,1", Reason.UNKNOWN_FREQUENCY, "--freq"),
        (",2025-01,1", Reason.UNKNOWN_SERIES, "printable"),
        ("a\u0007b,2025-01,1", Reason.UNKNOWN_SERIES, "printable"),
        (f"{'x' * 201},2025-01,1", Reason.TOO_LONG_ID, "201"),
        ("output:500103,2025-01", Reason.WRONG_COLUMN_COUNT, "2 columns"),
        ("output:500103,2025-01,1,2", Reason.WRONG_COLUMN_COUNT, "4 columns"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_reason(bench: Bench, row: str, reason: Reason, detail: str) -> None:
    report = bench.load(f"unique_id,ds,y\nvolume:500103,2025-01,1\n{row}\nvolume:500103,2025-02,1\n")
    assert (report.accepted, report.rejected, report.reasons) == (2, 1, {reason: 1})
    (rejection,) = report.rejections
    assert (rejection.line, rejection.reason) == (3, reason)
    assert detail in rejection.detail


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("yesterday,", Reason.UNREADABLE_KNOWN_AT),
        ("2027-01-01,", Reason.FUTURE_KNOWLEDGE),
        ("2024-12-31,", Reason.FUTURE_PERIOD),
        (",maybe", Reason.UNREADABLE_SIMULATED),
    ],
)
def test_a_row_is_refused_for_what_it_says_of_itself(bench: Bench, cells: str, reason: Reason) -> None:
    report = bench.load(f"unique_id,ds,y,known_at,simulated\noutput:500103,2025-01,1,{cells}\n")
    assert report.reasons == {reason: 1}


def test_a_second_value_for_a_period_is_a_conflicting_duplicate(bench: Bench) -> None:
    report = bench.load(MONTHS + "output:500103,2025-01,9\noutput:500103,2025-02,2\n")
    assert (report.accepted, report.duplicate) == (3, 1)
    assert [(one.line, one.reason) for one in report.rejections] == [(5, Reason.CONFLICTING_DUPLICATE)]


def test_a_conflicting_duplicate_stays_one_in_every_later_import(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK", 2)
    content = MONTHS + "output:500103,2025-01,9\n"
    for day in range(3):
        moment = NOW + dt.timedelta(days=day)
        report = bench.load(content, known_at=moment, now=moment)
        assert (report.revised, report.reasons) == (0, {Reason.CONFLICTING_DUPLICATE: 1})


def test_without_declaring_a_free_series_is_unknown(bench: Bench) -> None:
    report = bench.load("unique_id,ds,y\nmine,2025-01,1\noutput:500103,2025-01,1\n", declare=False)
    assert (report.accepted, report.reasons) == (1, {Reason.UNKNOWN_SERIES: 1})


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("output:999999", "there is no region '999999'"),
        ("misspelt:500103", "there is no indicator 'misspelt'"),
        ("output:500103:C99", "there is no cluster 'C99'"),
        ("output:999999:C99", "there is no region '999999' and no cluster 'C99'"),
    ],
)
def test_an_id_of_which_only_some_codes_are_known_is_a_slip_and_no_series_of_its_own(
    bench: Bench, name: str, complaint: str
) -> None:
    report = bench.load(f"unique_id,ds,y\n{name},2025-01,1\n")
    assert (report.accepted, report.reasons) == (0, {Reason.UNKNOWN_SERIES: 1})
    assert report.rejections[0].detail == complaint


def test_an_id_of_which_no_code_is_known_is_a_free_series_and_the_report_counts_it(bench: Bench) -> None:
    report = bench.load("unique_id,ds,y\nstock:NYSE,2025-01,1\nstock:NYSE,2025-02,1\nstock:NYSE,2025-03,2\n")
    assert (report.accepted, report.free_series) == (3, 1)
    assert bench.catalogue.series()["stock:NYSE"].indicator is None


def test_a_series_of_rejected_rows_alone_is_not_declared(bench: Bench) -> None:
    bench.load("unique_id,ds,y\nmine,2025-01,text\n")
    assert bench.catalogue.series() == {}


@pytest.mark.parametrize(
    ("dates", "frequency"),
    [
        (["2020", "2021"], Frequency.YEARLY),
        (["2020-01-01", "2021-01-01", "2022-01-01"], Frequency.YEARLY),
        (["2020-12-31", "2021-12-31", "2022-12-31"], Frequency.YEARLY),
        (["2020Q1"], Frequency.QUARTERLY),
        (["2020年第1季度"], Frequency.QUARTERLY),
        (["2020-03-31", "2020-06-30", "2020-12-31"], Frequency.QUARTERLY),
        (["2020-01"], Frequency.MONTHLY),
        (["2020年1月"], Frequency.MONTHLY),
        (["2020-01-31", "2020-02-29", "2020-05-31"], Frequency.MONTHLY),
        (["2020-01-01 00:00:00", "2020-02-01 00:00:00", "2020-05-01 00:00:00"], Frequency.MONTHLY),
        (["2020-W05"], Frequency.WEEKLY),
        (["2020-01-05", "2020-01-12", "2020-01-26"], Frequency.WEEKLY),
        (["2020-01-03", "2020-01-06", "2020-01-07"], Frequency.DAILY),
        (["2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T05:00"], Frequency.HOURLY),
        (["1", "2", "7"], Frequency.ORDINAL),
        (["1999", "2000", "2400"], Frequency.ORDINAL),
    ],
)
def test_a_free_series_gets_the_frequency_of_its_dates(bench: Bench, dates: list[str], frequency: Frequency) -> None:
    report = bench.load("unique_id,ds,y\n" + "".join(f"mine,{date},1\n" for date in dates))
    assert (report.accepted, report.rejected) == (len(dates), 0)
    assert bench.catalogue.series()["mine"].frequency is frequency


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (["2020-01-01", "2020-02-01"], Reason.UNKNOWN_FREQUENCY),  # two dates fit too many grids
        (["2020-01-01", "2020-07-01", "2021-01-01"], Reason.UNKNOWN_FREQUENCY),  # half-years
        (["2020-01-01T00:15", "2020-01-01T00:30", "2020-01-01T00:45"], Reason.UNKNOWN_FREQUENCY),
        (["2020Q1", "2020-02"], Reason.MIXED_FREQUENCY),
        (["2020Q1", "2020-02-01", "2020-03-01"], Reason.MIXED_FREQUENCY),
        (["2020-01-01", "2020-01-01T05:00", "2020-01-01T06:00"], Reason.MIXED_FREQUENCY),
    ],
)
def test_dates_without_one_frequency_are_refused(bench: Bench, dates: list[str], reason: Reason) -> None:
    report = bench.load("unique_id,ds,y\n" + "".join(f"mine,{date},1\n" for date in dates))
    assert report.reasons == {reason: len(dates)}


def test_a_later_chunk_of_another_grid_is_mixed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK", 2)
    report = bench.load("unique_id,ds,y\nmine,2020-01,1\nmine,2020-02,1\nmine,2020Q2,1\n")
    assert (report.accepted, report.reasons) == (2, {Reason.MIXED_FREQUENCY: 1})


def test_a_given_frequency_and_unit_go_to_new_free_series_alone(bench: Bench) -> None:
    report = bench.load(
        "unique_id,ds,y\nmine,2020-03-31,1\noutput:500103,2025-01,1\n", frequency=Frequency.QUARTERLY, unit="t"
    )
    assert report.rejected == 0
    series = bench.catalogue.series()
    assert (series["mine"].frequency, series["mine"].unit) == ("Q", "t")
    assert series["output:500103"].frequency is Frequency.MONTHLY


def test_a_given_frequency_never_overrules_a_stored_one(bench: Bench) -> None:
    bench.catalogue.put_series([SeriesInfo("mine", Frequency.MONTHLY, "1", "mine")])
    report = bench.load("unique_id,ds,y\nmine,2020-03-31,1\n", frequency=Frequency.QUARTERLY)
    assert report.reasons == {Reason.MIXED_FREQUENCY: 1}


def test_first_and_last_days_name_the_same_period(bench: Bench) -> None:
    report = bench.load("unique_id,ds,y\noutput:500103,2025-01-01,1\noutput:500103,2025-01-31,1\n")
    assert (report.accepted, report.duplicate) == (1, 1)


def test_offsets_are_turned_into_utc(bench: Bench) -> None:
    bench.load("unique_id,ds,y\nmine,2020-01-01T08:00:00+08:00,1\n", frequency=Frequency.HOURLY)
    assert bench.values("mine") == {"2020-01-01T00:00:00Z": 1.0}


def test_gaps_are_counted_and_stay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK", 2)
    report = bench.load(
        "unique_id,ds,y\noutput:500103,2025-05,1\nvolume:500103,2025-02,1\noutput:500103,2025-03,1\n"
        "volume:500103,2025-01,1\noutput:500103,2025-04,1\noutput:500103,2025-01,1\n"
    )
    assert (report.series, report.with_gaps) == (2, 1)
    panel = bench.observations.read_panels(NOW, ["output:500103"])[0]
    np.testing.assert_array_equal(panel.values, [1.0, np.nan, 1.0, 1.0, 1.0])


def test_a_wide_file_holds_a_column_a_series(bench: Bench) -> None:
    report = bench.load("ds,output:500103,mine\n2025-01,1,\n2025-02,2,x\n2025-03,3,30\n")
    assert (report.layout, report.accepted, report.empty_cells) == ("wide", 4, 1)
    assert [(one.line, one.unique_id, one.ds) for one in report.rejections] == [(3, "mine", "2025-02")]
    assert bench.values("mine") == {"2025-03-01": 30.0}


def test_a_wide_file_holds_a_column_a_period(bench: Bench) -> None:
    report = bench.load("unique_id,2025Q1,2025Q2,2025Q3\nmine,1,2,3\nyours,4,,6\n")
    assert (report.layout, report.accepted, report.empty_cells, report.with_gaps) == ("wide by period", 5, 1, 1)
    assert bench.values("yours") == {"2025-01-01": 4.0, "2025-07-01": 6.0}


def test_columns_that_mean_nothing_are_named(bench: Bench) -> None:
    assert bench.load("unique_id,ds,y,mood\noutput:500103,2025-01,1,good\n").ignored_columns == ("mood",)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_the_delimiter_is_found(bench: Bench, delimiter: str) -> None:
    assert bench.load(MONTHS.replace(",", delimiter)).accepted == 3


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_the_encoding_is_found(bench: Bench, encoding: str, found: str) -> None:
    report = bench.load("unique_id,ds,y\n工业产值,2025-01,1\n工业产值,2025-02,2\n".encode(encoding))
    assert (report.encoding, report.accepted) == (found, 2)
    assert list(bench.values("工业产值").values()) == [1.0, 2.0]


def test_a_named_encoding_is_used(bench: Bench) -> None:
    report = bench.load("unique_id,ds,y\n工業,2025-01,1\n".encode("big5"), encoding="big5")
    assert (report.encoding, report.accepted) == ("big5", 1)
    assert bench.values("工業") == {"2025-01-01": 1.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"unique_id,ds,y\n\xff\xff,2025,1\n", "Byte 15 .* not UTF-8"),
        (b"\xef\xbb\xbfunique_id,ds,y\na\xff,2025,1\n", "Byte 19 .* not utf-8"),
        (b"unique_id,ds,y\na,2025,\x001\n", "Byte 22 .* NUL"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"unique_id,y\na,1\n", r"lacks the column\(s\) ds"),
        (b"unique_id|ds|y\na|2025|1\n", "not a header"),
        (b"unique_id,ds,y,y\na,2025,1,1\n", "twice"),
        (b"unique_id,2025,colour\na,1,2\n", "'colour'"),
        (b'unique_id,ds,y\n"a,2025,1\n' + b"x" * 200_000, "Line 2|Line 3"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(bench: Bench, content: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        bench.load(content)


def test_a_fault_far_into_a_file_is_found_at_its_byte(bench: Bench) -> None:
    head = b"unique_id,ds,y\n" + "工,2025,1\n".encode() * 200_000  # characters straddle the blocks
    with pytest.raises(FileFormatError, match=f"Byte {len(head)} "):
        bench.load(head + b"\xff\xff\n")


def test_folders_and_missing_files_are_refused_by_name(bench: Bench) -> None:
    with pytest.raises(FileFormatError, match="folder"):
        bench.load(bench.folder)
    with pytest.raises(FileFormatError, match="No such file"):
        bench.load(bench.folder / "nothing.csv")


def test_lines_are_counted_through_quoted_breaks_and_blank_lines(bench: Bench) -> None:
    report = bench.load(
        'unique_id,ds,y,note\noutput:500103,2025-01,1,"two\nlines"\n\noutput:500103,2025-02,x,\noutput:500103,2025-03\n'
    )
    assert [one.line for one in report.rejections] == [5, 6]
    assert report.accepted == 1


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_may_end_as_on_other_systems(bench: Bench, end: str) -> None:
    report = bench.load((MONTHS + "output:500103,x,1\n").replace("\n", end))
    assert (report.accepted, [one.line for one in report.rejections]) == (3, [5])


def test_all_rejected_rows_are_kept_in_a_file_that_can_be_imported_again(bench: Bench) -> None:
    rejects = bench.folder / "rejects.csv"
    bad = "".join(f"output:500103,2025-01,bad{i}\n" for i in range(150))
    report = bench.load(f"unique_id,ds,y\n{bad}output:500103\n", rejects=rejects)
    assert (report.rejected, len(report.rejections)) == (151, 100)
    with rejects.open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert [row["y"] for row in kept[:150]] == [f"bad{i}" for i in range(150)]
    assert (kept[150]["line"], kept[150]["row"]) == ("152", "output:500103")
    mended = bench.folder / "mended.csv"
    mended.write_text(rejects.read_text().replace("bad0", "7"))
    assert bench.load(mended).accepted == 1


def test_a_rejects_file_that_cannot_be_written_is_an_error(bench: Bench) -> None:
    with pytest.raises(InputError, match="can't be written"):
        bench.load(MONTHS, rejects=bench.folder / "no" / "rejects.csv")


def test_a_parquet_file_reads_like_its_csv(bench: Bench) -> None:
    path = bench.folder / "data.parquet"
    pd.DataFrame(
        {
            "unique_id": pd.Categorical(["output:500103"] * 4 + ["mine"]),
            "ds": pd.to_datetime(["2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01", "2025-04-15"]),
            "y": [0.1, np.nan, np.inf, 1e-17, 1.0],
        }
    ).to_parquet(path)
    report = bench.load(path, frequency=Frequency.MONTHLY)
    assert (report.encoding, report.accepted) == ("parquet", 2)
    assert bench.values("output:500103") == {"2025-01-01": 0.1, "2025-04-01": 1e-17}
    assert [(one.line, one.reason) for one in report.rejections] == [
        (2, Reason.MISSING_VALUE),  # pandas writes NaN as null
        (3, Reason.NOT_FINITE),
        (5, Reason.MISALIGNED_PERIOD),
    ]


def test_a_broken_parquet_file_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(FileFormatError, match="not a whole Parquet file"):
        bench.load(bench.write(b"PAR1 and then nothing", "data.parquet"))
    with pytest.raises(FileFormatError, match="not a Parquet file"):
        bench.load(bench.write(MONTHS, "data.parquet"))


def test_damage_inside_a_parquet_file_is_refused_by_name(bench: Bench) -> None:
    path = bench.folder / "data.parquet"
    months = pd.period_range("1990-01", periods=400, freq="M").astype(str)
    pd.DataFrame({"unique_id": "mine", "ds": months, "y": np.random.default_rng(0).normal(size=400)}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)  # the first page, behind the magic
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="broken inside"):
        bench.load(path)


def test_a_header_of_many_columns_is_read_whole(bench: Bench) -> None:
    ids = [f"series-with-a-long-name-{i:06d}" for i in range(5_000)]
    report = bench.load(f"ds,{','.join(ids)}\n2025-01{',1' * len(ids)}\n")
    assert (report.accepted, report.rejected) == (5_000, 0)


def test_knowledge_of_the_future_is_refused(bench: Bench) -> None:
    with pytest.raises(InputError, match="future"):
        bench.load(MONTHS, known_at=NOW + dt.timedelta(seconds=1))


def test_a_crash_between_chunks_loses_nothing_when_the_import_runs_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CHUNK", 2)
    append, calls = bench.observations.append, []

    def crash_at_the_second(batch: ObservationBatch, source: Source) -> object:
        calls.append(len(batch))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return append(batch, source)

    with monkeypatch.context() as once, pytest.raises(KeyboardInterrupt):
        once.setattr(bench.observations, "append", crash_at_the_second)
        bench.load(MONTHS)
    assert list(bench.values("output:500103").values()) == [1.5, 2.0]
    report = bench.load(MONTHS, known_at=NOW + dt.timedelta(days=1), now=NOW + dt.timedelta(days=1))
    assert (report.accepted, report.duplicate) == (1, 2)


def test_progress_reaches_the_end(bench: Bench) -> None:
    seen: list[tuple[int, int | None]] = []
    path = bench.write(MONTHS)
    bench.load(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
