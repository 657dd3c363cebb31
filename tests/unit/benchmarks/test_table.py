from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from benchmarks.table import BenchmarkTable, Row


def table() -> BenchmarkTable:
    rows = (
        Row("one", "brain", "all", "mase", 1.0),
        Row("one", "brain", "M", "mase", 1.0),
        Row("one", "theta", "all", "mase", 2.0),
        Row("one", "theta", "M", "mase", 2.0),
        Row("two", "brain", "all", "mase", 4.0),
        Row("two", "theta", "all", "mase", 2.0),
        Row("two", "theta", "all", "owa", 0.9),
    )
    return BenchmarkTable(
        area="forecasting",
        machine={"cpu": "A CPU", "cores": 2, "ram_gb": 8.0},
        versions={"python": "3.11"},
        metrics={"mase": "MASE", "owa": "OWA"},
        compared=("mase",),
        rows=rows,
        overall=(Row("(all sets)", "brain", "all", "coverage80", 79.5),),
        folded=frozenset({("one", "M")}),
        notes=("one: [as it is].",),
    )


def test_the_json_file_has_the_documented_shape_and_every_row(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    table().write_json(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert list(document) == ["area", "machine", "versions", "rows"]
    assert document["area"] == "forecasting"
    assert document["rows"][1] == {"set": "one", "method": "brain", "slice": "M", "metric": "mase", "value": 1.0}
    assert len(document["rows"]) == len(table().rows)


def test_markdown_names_command_date_machine_and_versions() -> None:
    text = table().markdown("brain benchmark forecasting one two", "2026-01-31")
    assert text.startswith("`brain benchmark forecasting one two`")
    assert "2026-01-31; A CPU, 2 cores, 8.0 GB; python 3.11." in text
    assert "| one | brain | all | 1.000 | – |" in text


def test_a_slice_that_is_its_whole_set_is_not_printed_again() -> None:
    assert "| M |" not in table().markdown("c", "d")


def test_ratios_compare_brain_with_each_peer_and_end_in_geometric_means() -> None:
    text = table().markdown("c", "d")
    assert "| one | theta | all | 0.500 |" in text
    assert "| two | theta | all | 2.000 |" in text
    assert "| (geometric mean) | theta | all | 1.000 |" in text


def test_figures_are_printed_whole_in_a_narrow_terminal_and_notes_as_they_are() -> None:
    out = io.StringIO()
    table().render(Console(file=out, width=20))
    assert "0.900" in out.getvalue()
    assert "79.50" in out.getvalue()
    assert "- one: [as it is]." in out.getvalue()
