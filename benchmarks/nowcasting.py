"""`brain benchmark nowcast`: quarters of a monthly panel, nowcast in pseudo-real time, beside what anyone could do.

One monthly series is taken as if it were published by quarter (the mean of its months), a month after the quarter's end; all
other series tell of it as late as they do at the panel's own ragged edge. Values are those of the panel's one vintage: data
revisions are not part of it. Every origin chooses, scales and estimates on what it sees, anew every year.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import FileFormatError, InputError, UnknownIdError
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.nowcast.fitted import FittedNowcast, View
from models.nowcast.table import MonthTable, masked_as_at, month_table, usual_delays
from training.nowcasting import fit_one, naive

#: series of FRED-MD that are taken as quarterly
TARGETS = ("INDPRO", "PAYEMS")

#: indicators of each model, the most related ones of the panel
INDICATORS = 20

#: months between two estimations
_REFIT = 12

#: iterations of EM
_ITERATIONS = 60

#: lags of the bridge's autoregressions
_LAGS = 2

_METHODS = (OURS, "random_walk", "autoregression", "bridge")

#: months after a quarter's end in which its value is known
_DELAY = 1


def run_nowcast(
    folder: Path,
    *,
    targets: Sequence[str] = TARGETS,
    quarters: int = 60,
    json_file: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure, print one table and return it.

    Args:
        folder: a monthly set in the format of `benchmarks/README.md`; `meta.csv` (`unique_id, tcode`) is read if it is there.
        targets: series of it.
        quarters: how many of the last quarters are nowcast.

    Raises:
        FileFormatError: the folder holds no monthly panel.
        UnknownIdError: a target is none of its series.
        InputError: there are fewer quarters.
    """
    panel, codes = _read(folder)
    console = console or Console()
    rows: list[Row] = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        for target in targets:
            if target not in panel:
                raise UnknownIdError(f"There is no series '{target}' in {folder}.", "Name one of its series.")
            task = bar.add_task(target, total=quarters * 6)
            rows += _rows(target, _measure(panel, codes, target, quarters, partial(bar.advance, task)))
    table = BenchmarkTable(
        "nowcast",
        describe_machine(),
        describe_versions(),
        {"rmse": "RMSE, % of growth", "ratio": "RMSE / random walk", "n": "nowcasts"},
        ("rmse",),
        rows=tuple(rows),
        notes=(
            "A slice mK: made at the end of the month that is K months before the quarter's last one ends; m0 is its end.",
            "The error is that of the quarter's level, in percent; the quarter before is unknown until a month after its end.",
            f"Each origin uses the {INDICATORS} series most related to the target so far, the target's own months left out; "
            "one vintage of data, the ragged edge as it is at its end.",
        ),
    )
    if json_file:
        table.write_json(json_file)
    if markdown:
        command = f"brain benchmark nowcast {folder.name} --quarters {quarters}"
        console.print(table.markdown(command, pd.Timestamp.now("UTC").date().isoformat()), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def _read(folder: Path) -> tuple[pd.DataFrame, dict[str, Transformation]]:
    try:
        long = pd.read_parquet(folder / "data.parquet", columns=["unique_id", "ds", "y"])
        panel = long.pivot(index="ds", columns="unique_id", values="y").sort_index()
    except (OSError, ValueError, KeyError) as error:
        raise FileFormatError(f"{folder} holds no panel: {error}.", "Formats: benchmarks/README.md.") from error
    if not isinstance(panel.index, pd.DatetimeIndex):
        raise FileFormatError(f"{folder} is not monthly.", "Name a set with dates, such as FRED-MD.")
    months = panel.index.to_period("M")
    if len(months.unique()) != len(months):
        raise FileFormatError(f"{folder} is not monthly.", "Name a set with a value a month, such as FRED-MD.")
    panel.index = months
    panel = panel.reindex(pd.period_range(months[0], months[-1], freq="M"))
    meta = folder / "meta.csv"
    codes = pd.read_csv(meta).set_index("unique_id")["tcode"].to_dict() if meta.exists() else {}
    return panel, {str(name): Transformation(int(code)) for name, code in codes.items() if name in panel}


def _measure(
    panel: pd.DataFrame, codes: dict[str, Transformation], target: str, quarters: int, advance: Callable[[], None]
) -> dict[tuple[str, int], list[float]]:
    """Errors in logs by method and months before the quarter's end."""
    table, declared = _as_quarterly(panel, codes, target)
    edge = table.end - 1  # the month behind the panel's last one
    delays = usual_delays(table, edge)
    delays[0] = _DELAY
    known = np.flatnonzero(np.isfinite(table.values[:, 0]))
    if len(known) < quarters + 40:
        raise InputError(f"'{target}' has {len(known)} quarters.", "Ask for fewer, 40 below that at most.")
    asked = [table.start + int(row) for row in known[-quarters:]]
    errors: dict[tuple[str, int], list[float]] = {}
    fitted: FittedNowcast | None = None
    fitted_at = -_REFIT
    for month in range(asked[0] - 5, asked[-1] + 1):
        shown = masked_as_at(table, month, delays)
        if fitted is None or month - fitted_at >= _REFIT:
            fitted = fit_one(declared, Frequency.QUARTERLY, "", {}, shown, month, _ITERATIONS)
            fitted_at = month
        view = fitted.view(shown, month)
        for period in view.periods():
            before = period - month
            if period not in asked or not 0 <= before <= 5:
                continue
            actual = float(np.log(table.values[period - table.start, 0]))
            walk, auto = naive(view, period)
            made = (view.level(period)[0], walk, auto, bridge(view, period))
            for method, value in zip(_METHODS, made, strict=True):
                errors.setdefault((method, before), []).append(value - actual)
            advance()
    return errors


def _as_quarterly(
    panel: pd.DataFrame, codes: dict[str, Transformation], target: str
) -> tuple[MonthTable, NowcastTarget]:
    start = int(panel.index[0].ordinal)
    others = [str(name) for name in panel if name != target]
    name = f"{target} by quarter"
    series = panel[target].groupby(pd.PeriodIndex(panel.index).asfreq("Q")).agg(["mean", "count"])
    means = series["mean"].where(series["count"] == 3)
    columns = [panel[other].to_numpy(dtype=np.float64) for other in others]
    months = Panel.of(columns, ids=others, start=[start] * len(others))
    quarterly = Panel.of(
        [means.to_numpy(dtype=np.float64)], freq=Frequency.QUARTERLY, ids=[name], start=[int(series.index[0].ordinal)]
    )
    declared = NowcastTarget(
        name,
        tuple(others),
        most_related=INDICATORS,
        transformations={**{k: v for k, v in codes.items() if k != target}, name: Transformation.GROWTH},
    )
    return month_table([months, quarterly], [name, *others], start + len(panel)), declared


def bridge(view: View, period: int) -> float:
    """A bridge equation: each indicator's missing months by its own autoregression, its quarter's mean into a regression.

    One regression an indicator, and the mean of all their answers (Rünstler and Sédillot 2003): with twenty regressors in one
    equation there would be too few quarters.
    """
    fitted = view.fitted
    column = fitted.column
    rows = view.rows_to(period, view.last)
    quarters = np.flatnonzero(np.isfinite(view.z[:, column]))
    total = float(view.levels[view.row(view.last)])
    for row in rows:
        answers = []
        for other in range(view.z.shape[1]):
            if other == column or view.table.quarterly[other]:
                continue
            filled = _extended(view.z[:, other])
            x = _quarterly_mean(filled, quarters)
            usable = np.isfinite(x)
            if usable.sum() < 12:
                continue
            design = np.column_stack([np.ones(usable.sum()), x[usable]])
            beta = np.linalg.lstsq(design, view.z[quarters[usable], column], rcond=None)[0]
            answers.append(float(beta @ [1.0, _quarterly_mean(filled, np.array([row]))[0]]))
        z = float(np.mean(answers)) if answers else 0.0
        total += float(fitted.scaling.restore(column, view.table.start + row, z))
    return total


def _quarterly_mean(x: Floats, rows: np.typing.NDArray[np.int64]) -> Floats:
    """The moving average of months that a quarter's growth is; NaN where a month is missing."""
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    found = np.full(len(rows), np.nan)
    for place, row in enumerate(rows):
        if row >= 4:
            found[place] = weights @ x[row - 4 : row + 1]
    return found


def _extended(x: Floats) -> Floats:
    """A column whose missing months, behind its end and inside it, are forecast by an autoregression of two lags."""
    seen = np.flatnonzero(np.isfinite(x))
    out = x.copy()
    if len(seen) < 24:
        return out
    last = int(seen[-1])
    inside = np.nan_to_num(x[seen[0] : last + 1])
    lagged = np.column_stack([inside[_LAGS - k - 1 : -k - 1] for k in range(_LAGS)])
    phi = np.linalg.lstsq(lagged, inside[_LAGS:], rcond=None)[0]
    for row in range(int(seen[0]) + _LAGS, len(x)):
        if not np.isfinite(out[row]):
            out[row] = float(phi @ np.nan_to_num(out[row - _LAGS : row])[::-1])
    return out


def _rows(target: str, errors: dict[tuple[str, int], list[float]]) -> list[Row]:
    rows = []
    for before in sorted({k for _, k in errors}, reverse=True):
        walk = _rmse(errors["random_walk", before])
        for method in _METHODS:
            found = _rmse(errors[method, before])
            figures = {"rmse": 100.0 * found, "ratio": found / walk, "n": float(len(errors[method, before]))}
            rows += [Row(target, method, f"m{before}", metric, value) for metric, value in figures.items()]
    return rows


def _rmse(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
