"""One day ahead, every day of a year: our members beside the forecasts that the network's operator published.

For sets that hold `tso_forecasts.parquet` (`unique_id, ds, lead, yhat`). The operator's forecast of lead `D-1_before17h` was
made on the afternoon before the gas day; ours sees the actuals up to that day, and is scored on the same days. It is fitted
once in thirty days by the shipped pipeline (members, backtest, weights, reconciliation), and moved on every day without a
refit.

With temperature, the *observed* temperature of the day itself stands where an operator has a weather forecast: that is stated
beside the figures, because no one has it the day before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress, TaskID

from benchmarks.table import Row
from features.countries import country_calendar
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.hierarchy import Structure
from training.pipeline import fit_panels

#: the operator's last word on the day before
LEAD = "D-1_before17h"

#: days that are forecast, and days between two fits
DAYS, REFIT = 365, 30

#: days of each backtest origin's horizon while fitting: the weights are learnt where they are used, close to the origin
_HORIZON = 7

#: above any demand of a country by this factor, an operator's value is a slip
_ABSURD = 10.0

#: where a set does not say its country
_COUNTRY = "FR"


@dataclass(frozen=True, slots=True)
class DayAheadSet:
    """Daily actuals, the operator's forecasts of them, and the temperature: float64, a row a day, NaN where there is none.

    Attributes:
        ids: series with actuals; `judged` are the positions of those that the operator forecasts and that never stand still.
        first: ordinal of the first day.
    """

    name: str
    country: str
    ids: tuple[str, ...]
    judged: tuple[int, ...]
    first: int
    actual: Floats
    operator: Floats
    temperature: Floats | None

    @property
    def days(self) -> int:
        return len(self.actual)

    def panel(self, days: int, *, temperature: bool) -> Panel:
        """What is known after this many days. The temperature is known ahead: see the module's text."""
        values = self.actual[:days]
        panel = Panel.of(list(values.T), freq=Frequency.DAILY, ids=self.ids, start=[self.first] * len(self.ids))
        panel = replace(panel, calendar=country_calendar(self.country))
        if not temperature or self.temperature is None:
            return panel
        sources = Panel.of([self.temperature], freq=Frequency.DAILY, start=[self.first])
        reads = np.zeros((len(self.ids), 1), dtype=np.int64)
        linked = PanelCovariates.of(panel, ["temperature"], [Knowledge.KNOWN_AHEAD], sources, reads)
        return replace(panel, covariates=linked)

    def structure(self) -> Structure:
        """The series that are exactly the sum of others on all days, read off the days before those that are judged."""
        seen = self.actual[: self.days - DAYS]
        whole = int(np.argmax(seen.mean(axis=0)))
        others = [i for i in range(len(self.ids)) if i != whole]
        for size in range(len(others), 1, -1):
            for parts in itertools.combinations(others, size):
                if np.allclose(seen[:, list(parts)].sum(axis=1), seen[:, whole], rtol=1e-6):
                    return Structure.of([(whole, list(parts))], len(self.ids))
        return Structure.none(len(self.ids))


def read_day_ahead(directory: Path, country: str | None = None) -> DayAheadSet | None:
    """Read the set if its folder holds an operator's forecasts.

    Series that do not reach back to the first day are left out, and so are those without a forecast of lead `LEAD`.

    Raises:
        FileFormatError: the files lack a column.
    """
    path = directory / "tso_forecasts.parquet"
    if not path.exists():
        return None
    published, data = pd.read_parquet(path), pd.read_parquet(directory / "data.parquet")
    _require(path, published, ("unique_id", "ds", "lead", "yhat"))
    wide = data.pivot(index="ds", columns="unique_id", values="y").dropna(how="all").asfreq("D")
    whole = wide.loc[:, wide.iloc[: len(wide) // 2].notna().all()]
    operator = published[published["lead"].astype(str) == LEAD]
    operator = operator.assign(unique_id=operator["unique_id"].astype(str)).pivot(
        index="ds", columns="unique_id", values="yhat"
    )
    operator = operator.reindex(index=whole.index, columns=whole.columns)
    actual, claimed = whole.to_numpy(np.float64), operator.to_numpy(np.float64).copy()
    slips = ~(claimed > 0.0) | (claimed > _ABSURD * np.nanmax(actual, axis=0))
    claimed[slips] = np.nan
    return DayAheadSet(
        name=directory.name,
        country=country or _COUNTRY,
        ids=tuple(str(name) for name in whole.columns),
        judged=tuple(i for i in range(whole.shape[1]) if np.isfinite(claimed[-DAYS:, i]).any()),
        first=Frequency.DAILY.ordinal(whole.index[0].to_pydatetime()),
        actual=actual,
        operator=claimed,
        temperature=_temperature(directory / "temperature.parquet", whole.index),
    )


def forecast_days(one: DayAheadSet, *, temperature: bool, progress: Callable[[int], None]) -> Floats:
    """Our forecasts of the last `DAYS` days, each made with what was known the day before: float64 (days, series)."""
    out = np.full((DAYS, len(one.ids)), np.nan)
    begin, rows = one.days - DAYS, np.arange(len(one.ids))
    structures = {Frequency.DAILY: one.structure()}
    for start in range(begin, one.days, REFIT):
        known = one.panel(start, temperature=temperature)
        fitted = fit_panels([known], horizons={Frequency.DAILY: _HORIZON}, structures=structures).panels[
            Frequency.DAILY
        ]
        for day in range(start, min(start + REFIT, one.days)):
            if day > start:
                known = one.panel(day, temperature=temperature)
                fitted = replace(fitted, panel=known, model=fitted.model.update(known))
            mean, *_ = fitted.predict(rows, 1, [0.5])
            out[day - begin] = mean[:, 0]
            progress(day - begin + 1)
    return out


def measure_day_ahead(one: DayAheadSet, bar: Progress) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """WAPE of each method on the days that the operator forecast, for each of its series and of all together; and notes."""
    actual, operator = one.actual[-DAYS:], one.operator[-DAYS:]
    answers: dict[str, Floats] = {}
    for method, temperature in (("brain", True), ("brain@calendar", False)):
        if temperature and one.temperature is None:
            continue
        line = bar.add_task(f"{one.name} · day ahead · {method}", total=DAYS)
        answers[method] = forecast_days(one, temperature=temperature, progress=partial(_show, bar, line))
        bar.remove_task(line)
    answers |= {"operator": operator, "seasonal_naive": one.actual[-DAYS - 7 : -7]}
    rows = []
    scored = np.isfinite(actual) & np.isfinite(operator)
    for method, answer in answers.items():
        for number in one.judged:
            figure = _wape(actual[:, number], answer[:, number], scored[:, number])
            rows.append(Row(one.name, method, f"day_ahead.{one.ids[number]}", "wape", figure))
        judged = list(one.judged)
        pooled = _wape(actual[:, judged], answer[:, judged], scored[:, judged])
        rows.append(Row(one.name, method, "day_ahead", "wape", pooled))
    counts = ", ".join(f"{one.ids[i]} {int(scored[:, i].sum())}" for i in one.judged)
    notes = (
        f"{one.name}, day_ahead: one day ahead on each of the last {DAYS} days that the operator forecast, too ({counts}), "
        f"refitted every {REFIT} days; the operator's forecast is its last before 17:00 of the day before.",
        f"{one.name}, day_ahead: `brain` is given the observed temperature of the day that it forecasts, in the place of a "
        "weather forecast; `brain@calendar` is given none.",
    )
    return tuple(rows), notes


def _show(bar: Progress, line: TaskID, day: int) -> None:
    bar.update(line, completed=day)


def _wape(actual: Floats, answer: Floats, scored: npt.NDArray[np.bool_]) -> float:
    return float(100.0 * np.abs(actual - answer)[scored].sum() / np.abs(actual[scored]).sum())


def _temperature(path: Path, days: pd.Index) -> Floats | None:
    if not path.exists():
        return None
    frame = pd.read_parquet(path)
    _require(path, frame, ("ds",))
    column = next((str(name) for name in frame.columns if name != "ds"), None)
    if column is None:
        raise FileFormatError(f"{path} has no column beside ds.", "Give a temperature a day.")
    return frame.set_index("ds")[column].reindex(days).to_numpy(np.float64)


def _require(path: Path, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for name in columns:
        if name not in frame.columns:
            raise FileFormatError(f"{path} has no column {name}.", "benchmarks/README.md describes the file.")
