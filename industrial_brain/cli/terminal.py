"""What all commands share: where words go, how progress looks, how an error reads, how a moment is written."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.protocols import Progress
from industrial_brain.settings import Settings

#: columns of a line in a pipe or a file, where nothing says how wide it may be
_WIDE = 200

#: answers; pipes and files get them plain. No markup: what users name may hold brackets
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDE)

#: everything that is not the answer: progress, hints, errors
err = Console(stderr=True, highlight=False, markup=False)


def brain() -> Brain:
    """The product as this process' environment describes it."""
    return Brain(Settings(), now)


def now() -> dt.datetime:
    """The machine's clock, in UTC."""
    return dt.datetime.now(dt.UTC)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house's style; columns whose name ends in `#` are numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number_like = column.endswith("#")
        made.add_column(
            column.removesuffix("#"),
            justify="right" if number_like else "left",
            no_wrap=number_like or column == "id",
            overflow="fold",
        )
    return made


@contextmanager
def progress_bar(label: str, unit: str = "") -> Iterator[Progress]:
    """A bar on standard error while the block runs; in a log or a pipe, one line when it starts."""
    if not err.is_terminal:
        err.print(f"{label} ...")
    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    ) as bars:
        task = bars.add_task(label, total=None)

        def advance(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield advance


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """A spinner on standard error for work that can't say how far it is."""
    if err.is_terminal:
        with err.status(label):
            yield
    else:
        err.print(f"{label} ...")
        yield


def moment(text: str) -> dt.datetime:
    """Read a date (its end, in UTC: everything known on that day counts) or an RFC 3339 moment.

    >>> moment("2025-06-30").isoformat()
    '2025-06-30T23:59:59.999999+00:00'
    """
    try:
        if len(text) == len("2025-06-30"):
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time.max, dt.UTC)
        read = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"'{text}' is not a date or a moment.", "Write 2025-06-30 or 2025-06-30T12:00:00+08:00."
        ) from error
    if read.tzinfo is None:
        raise InputError(f"'{text}' has no time zone.", f"Write {text}Z for UTC, or {text}+08:00.")
    return read.astimezone(dt.UTC)


def written(at: dt.datetime | None) -> str:
    """A moment as commands print it."""
    return "-" if at is None else f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M}Z"


def standing(version: ModelVersion) -> str:
    """Where a version stands, in words."""
    if version.aliases:
        return " and ".join(version.aliases)
    if version.status == "refused":
        return "refused by the gate; the champion stays"
    if version.status == "historical":
        return "kept for questions about the past (--as-of)"
    return {"candidate": "not promoted", "served": "champion once"}.get(version.status, version.status)


def number(value: float) -> str:
    """A value with as many digits as help: five significant ones, thousands apart."""
    if value == 0 or abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.4g}"
    decimals = max(0, 4 - len(str(int(abs(value)))))
    return f"{value:,.{decimals}f}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "version"), plural(2, "version"), plural(0, "city", "cities")
    ('1 version', '2 versions', '0 cities')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def print_error(message: str, next_step: str = "") -> None:
    """One sentence, and what to do about it."""
    err.print("Error: ", style="red", end="")
    err.print(message, soft_wrap=True)
    if next_step:
        err.print(f"       {next_step}", soft_wrap=True)


def debugging() -> bool:
    """Whether tracebacks are wanted: `BRAIN_DEBUG=1`."""
    return os.environ.get("BRAIN_DEBUG", "") not in ("", "0")
