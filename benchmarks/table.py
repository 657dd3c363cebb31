"""A measured table: long rows for machines (JSON), wide ones for people (terminal, Markdown)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: name of our own method in every area
OURS = "brain"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. The whole of a set is the slice `all`."""

    set: str
    method: str
    slice: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class BenchmarkTable:
    """The figures of one run.

    Attributes:
        metrics: names and printed headings, in the order of the columns.
        compared: metrics, all of them better when lower, of which the ratio of `brain` to each peer is printed.
        rows: every figure that could be measured.
        overall: figures of all sets together; printed, and no part of the JSON file.
        folded: (set, slice) pairs that are the whole of their set, and are therefore not printed again.
        notes: what a reader must know of these figures, a sentence each.
    """

    area: str
    machine: Mapping[str, str | int | float]
    versions: Mapping[str, str]
    metrics: Mapping[str, str]
    compared: tuple[str, ...]
    rows: tuple[Row, ...]
    overall: tuple[Row, ...] = ()
    folded: frozenset[tuple[str, str]] = frozenset()
    notes: tuple[str, ...] = ()

    def write_json(self, path: Path) -> None:
        """The file that `--json` names: `{"area", "machine", "versions", "rows"}`."""
        document = {
            "area": self.area,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "rows": [
                {"set": r.set, "method": r.method, "slice": r.slice, "metric": r.metric, "value": r.value}
                for r in self.rows
            ],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

    def render(self, console: Console) -> None:
        """Print the tables and the notes.

        Lines are as long as their figures need, wider than a narrow terminal: a figure without its last digits is wrong.
        """
        wide = Console(file=console.file, width=_WIDEST, force_terminal=console.is_terminal, no_color=console.no_color)
        for title, header, body in self._sections():
            table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
            for column in header:
                table.add_column(column, justify="left" if column in _LABELS else "right", no_wrap=True)
            for line in body:
                table.add_row(*(escape(cell) for cell in line), style="bold" if line[1] == OURS else None)
            wide.print(table)
        for note in self.notes:
            wide.print(f"- {escape(note)}", highlight=False)

    def markdown(self, command: str, date: str) -> str:
        """The same as a Markdown section, for a README: it names the command, the date, the machine and the versions."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        parts = [
            f"`{command}`",
            f"{date}; {self.machine['cpu']}, {self.machine['cores']} cores, {self.machine['ram_gb']} GB; {versions}.",
        ]
        for title, header, body in self._sections():
            ruler = ["---" if column in _LABELS else "--:" for column in header]
            lines = [f"| {' | '.join(cells)} |" for cells in (header, ruler, *body)]
            parts.append(f"**{title}**\n\n" + "\n".join(lines))
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(parts) + "\n"

    def _sections(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Title, header and lines of each printed table that has a line."""
        overall = tuple(dict.fromkeys(row.metric for row in self.overall))
        printed = [row for row in self.rows if (row.set, row.slice) not in self.folded]
        better = f"Ratio of {OURS} to each peer (below 1: {OURS} is better)"
        sections = [
            ("By set", self._header(tuple(self.metrics)), _wide(printed, tuple(self.metrics))),
            (better, self._header(self.compared), _ratios(printed, self.compared)),
            ("All sets together", self._header(overall), _wide(self.overall, overall)),
        ]
        return [section for section in sections if section[2]]

    def _header(self, metrics: Sequence[str]) -> list[str]:
        return [*_LABELS, *(self.metrics.get(metric, metric) for metric in metrics)]


_LABELS = ["set", "method", "slice"]
_NOTHING = "–"
_WIDEST = 1000


def _wide(rows: Sequence[Row], metrics: Sequence[str]) -> list[list[str]]:
    """One line for each set, slice and method, slices of a set together, in the order of their first appearance."""
    value = {(r.set, r.slice, r.method, r.metric): r.value for r in rows}
    sets = {name: i for i, name in enumerate(dict.fromkeys(r.set for r in rows))}
    parts = {part: i for i, part in enumerate(dict.fromkeys(r.slice for r in rows))}
    keys = sorted(dict.fromkeys((r.set, r.slice, r.method) for r in rows), key=lambda k: (sets[k[0]], parts[k[1]]))
    return [
        [name, method, part, *(_figure(value.get((name, part, method, metric))) for metric in metrics)]
        for name, part, method in keys
    ]


def _ratios(rows: Sequence[Row], compared: Sequence[str]) -> list[list[str]]:
    """One line for each set, peer and slice; then the geometric means over the sets, where there are several."""
    value = {(r.set, r.method, r.slice, r.metric): r.value for r in rows}
    keys = dict.fromkeys((r.set, r.method, r.slice) for r in rows if r.method != OURS)
    logs: dict[tuple[str, str, str], list[float]] = {}
    lines = []
    for name, method, part in keys:
        cells = []
        for metric in compared:
            ours = value.get((name, OURS, part, metric))
            theirs = value.get((name, method, part, metric))
            ratio = ours / theirs if ours and theirs else None
            cells.append(_figure(ratio))
            if ratio is not None and ratio > 0:
                logs.setdefault((method, part, metric), []).append(math.log(ratio))
        if any(cell != _NOTHING for cell in cells):
            lines.append([name, method, part, *cells])
    if len(dict.fromkeys(r.set for r in rows)) > 1:
        for method, part in dict.fromkeys((method, part) for _, method, part in keys):
            means = [logs.get((method, part, metric)) for metric in compared]
            cells = [_figure(math.exp(sum(some) / len(some)) if some else None) for some in means]
            if any(cell != _NOTHING for cell in cells):
                lines.append(["(geometric mean)", method, part, *cells])
    return lines


def _figure(value: float | None) -> str:
    if value is None:
        return _NOTHING
    if value != 0 and not 0.001 <= abs(value) < 1e5:
        return f"{value:.1e}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
