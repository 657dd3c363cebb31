"""Declarations of devices from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.telemetry import Declaration
from industrial_brain.storage.device_files import COLUMNS, read_declarations

EXAMPLE = Path(__file__).parents[3] / "examples" / "devices.csv"


def written(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "devices.csv"
    path.write_text("\n".join(lines), encoding=encoding)
    return path


def test_the_example_file_can_be_read() -> None:
    found = read_declarations(EXAMPLE)
    assert len(found) == 6
    assert found[1] == Declaration("F1", "pump-1", seconds=60.0, equipment="pump", parent="gateway-1")
    assert found[2] == Declaration("F1", "pump-1", "pressure", "bar", 0.0, 16.0)
    assert found[3] == Declaration("F1", "pump-1", "starts", "1", counter=True, wraps_at=65536.0)


def test_a_metric_can_be_watched_more_closely(tmp_path: Path) -> None:
    path = written(tmp_path, "site,device,metric,watch", "F1,pump,pressure,yes", "F1,pump,flow,")
    assert [one.watch for one in read_declarations(path)] == [True, False]


def test_columns_may_be_few_and_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path, "device,equipment,site", "水泵 1, pump ,F1", encoding="gb18030")
    assert read_declarations(path) == [Declaration("F1", "水泵 1", equipment="pump")]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("F1", "another number of cells"),
        ("F1,d,m,,,,,,,,,x", "another number of cells"),
        (",d,m,,,,,,,,", "`site` has from 1 to 200 bytes"),
        ('F1,d,m,bar,"1,5",,,,,,', "decimal comma"),
        ("F1,d,m,bar,low,,,,,,", "'low' is text"),
        ("F1,d,m,bar,1e999,,,,,,", "not finite"),
        ("F1,d,m,bar,,,maybe,,,,", "neither true nor false"),
        ("F1,d,m,bar,5,4,,,,,", "`low` is not below `high`"),
        ("F1,d,m,,,,,,,pump,", "of a device"),
        ("F1,d,,,1,,,,,,", "of a metric"),
        ("F1,before,,,,,,,,,", "the same as line 2"),
    ],
)
def test_a_line_that_cant_be_taken_is_named_and_none_is_taken(tmp_path: Path, line: str, fault: str) -> None:
    path = written(tmp_path, ",".join(COLUMNS[:11]), "F1,before,,,,,,,,,", line, "F1,after,,,,,,,,,")
    with pytest.raises(FileFormatError, match=f"line 3: .*{fault}"):
        read_declarations(path)


def test_many_bad_lines_are_named_in_part(tmp_path: Path) -> None:
    path = written(tmp_path, "site,device", *[",x"] * 25)
    with pytest.raises(FileFormatError, match=r"line 11: .*; and 15 more lines"):
        read_declarations(path)


@pytest.mark.parametrize("header", ["site,name", "device", "site,device,device", "site,device,colour"])
def test_a_file_with_other_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(FileFormatError, match="column"):
        read_declarations(written(tmp_path, header, "a,b"))


def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError):
        read_declarations(tmp_path / "none.csv")
    with pytest.raises(FileFormatError):
        read_declarations(written(tmp_path, ""))
