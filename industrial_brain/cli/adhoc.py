"""Forecasts of a file's series, without a database, a version or a server: nothing is kept."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from industrial_brain.cli.reports import print_rejections, without_missing
from industrial_brain.cli.terminal import plural, progress_bar, waiting
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.periods import Frequency
from industrial_brain.settings import Settings

if TYPE_CHECKING:
    from industrial_brain.domain.panel import Panel
    from models.forecasting.bundle import ForecastBundle


@dataclass(frozen=True, slots=True)
class FittedFile:
    """A file's series, fitted on what it holds.

    Attributes:
        wired: a throw-away installation that holds nothing but the file.
        vintage: when the file was read.
    """

    name: str
    wired: Brain
    bundle: ForecastBundle
    vintage: dt.datetime

    def forecast(self, series: Sequence[str], horizon: int | None, levels: Sequence[float]) -> list[Forecast | Failed]:
        """Forecasts of these series, or of all. Raises UnknownIdError, HorizonError, LevelError."""
        for name in series:
            if name not in self.bundle:
                raise UnknownIdError(f"There is no series '{name}' in {self.name}.", "Leave out the ids to get all.")
        infos = self.wired.catalogue.series()
        return [
            replace(
                one,
                vintage=self.vintage,
                parameters_vintage=None,
                unit=infos[one.series].unit,
                simulated=infos[one.series].simulated,
            )
            if isinstance(one, Forecast)
            else one
            for one in self._told(series or self.bundle.series, horizon, levels)
        ]

    def _told(self, series: Sequence[str], horizon: int | None, levels: Sequence[float]) -> Iterator[Forecast | Failed]:
        """The answers, with a note where a series' covariates have no part in its own."""
        from training.own_covariates import told

        panels = [fitted.panel for fitted in self.bundle.panels.values()]
        places = {name: (panel, row) for panel in panels for row, name in enumerate(panel.ids)}
        for one in self.bundle.forecast(series, horizon, levels):
            panel, row = places[one.series]
            yield from told([one], panel.take([row]))


@contextmanager
def fitted_file(
    path: Path,
    freq: Frequency | None,
    now: dt.datetime,
    covariates: Sequence[str] = (),
    country: str | None = None,
    horizon: int | None = None,
) -> Iterator[FittedFile]:
    """Import a CSV or Parquet file into a throw-away database, print the rows that it rejects, and fit all its series.

    Args:
        covariates: columns that the series depend on; see `training.own_covariates`.
        country: ISO 3166 code of the calendar that the series keep.
        horizon: that will be asked for.

    Raises:
        FileFormatError: it can't be read as a table, or has no such column.
        InputError: no row of it can be used; covariates that no model reads; a country without a calendar.
    """
    from features.countries import country_calendar
    from industrial_brain.storage.indicator_files import import_indicators
    from training.own_covariates import horizons_of
    from training.pipeline import fit_panels

    with tempfile.TemporaryDirectory(prefix="brain-forecast-") as folder:
        wired = Brain(Settings(home=Path(folder), database_url=f"sqlite:///{folder}/brain.db"), lambda: now)
        wired.initialise()
        with progress_bar(f"Reading {path.name}") as progress:
            report = import_indicators(
                path,
                catalogue=wired.catalogue,
                observations=wired.observations,
                source=Source(path.name, "unknown"),
                known_at=now,
                frequency=freq,
                now=now,
                progress=progress,
            )
        if covariates:  # rows without `y` tell what is known ahead
            report = without_missing(report)
        print_rejections(report, "`brain import indicators FILE --rejects FILE` writes all of them.")
        if not report.accepted:
            raise InputError(
                f"{path.name} holds no value that can be used.",
                "The reasons are above; --freq says what dates alone can't." if report.rejected else "Was it cut off?",
            )
        calendar = country_calendar(country) if country else None
        panels = [replace(panel, calendar=calendar) for panel in wired.observations.read_panels(now)]
        if covariates:
            panels = _with_covariates(panels, path, covariates)
        with waiting(f"Fitting {plural(report.series, 'series', 'series')}"):
            bundle = fit_panels(panels, horizons=horizons_of(panels, horizon))
        yield FittedFile(path.name, wired, bundle, now)


def _with_covariates(panels: Sequence[Panel], path: Path, names: Sequence[str]) -> list[Panel]:
    """The panels, those of whose series the file has covariates with them. Raises InputError where none has."""
    from industrial_brain.storage.files.covariates import read_covariates
    from training.own_covariates import with_own_covariates

    found = [read_covariates(path, names, panel) for panel in panels]
    if not any(len(rows) for rows, _, _ in found):
        raise InputError(f"No series has a value of {', '.join(names)}.", "Give values, or leave --covariate out.")
    return [
        with_own_covariates(panel, names, rows, periods, values, panel.calendar) if len(rows) else panel
        for panel, (rows, periods, values) in zip(panels, found, strict=True)
    ]


def write_paths(path: Path, answers: Sequence[Forecast | Failed]) -> None:
    """A CSV or Parquet file with a row a series, path and period: `unique_id,path,ds,value`; paths count from 1.

    Raises:
        InputError: the file can't be written.
    """
    rows: dict[str, list[object]] = {name: [] for name in ("unique_id", "path", "ds", "value")}
    for one in answers:
        if isinstance(one, Failed) or one.paths is None:
            continue
        first = one.freq.ordinal_of_label(one.start)
        periods = [one.freq.label(first + step) for step in range(len(one.mean))]
        for number, values in enumerate(one.paths, start=1):
            rows["unique_id"] += [one.series] * len(periods)
            rows["path"] += [number] * len(periods)
            rows["ds"] += periods
            rows["value"] += values
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            import pyarrow as pa  # half a second that no other command pays
            import pyarrow.parquet as pq

            pq.write_table(pa.table(rows), path)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                lines = csv.writer(file)
                lines.writerow(rows)
                lines.writerows(zip(*rows.values(), strict=True))
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}.", "Name a file that can.") from error


def write_forecasts(path: Path, answers: Sequence[Forecast | Failed]) -> None:
    """A CSV file with a row a series and period: `unique_id,ds,mean`, and a column `qP` a quantile.

    Raises:
        InputError: the file can't be written.
    """
    forecasts = [one for one in answers if isinstance(one, Forecast)]
    keys = list(forecasts[0].quantiles) if forecasts else []
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["unique_id", "ds", "mean", *(f"q{key}" for key in keys)])
            for one in forecasts:
                first = one.freq.ordinal_of_label(one.start)
                for step, mean in enumerate(one.mean):
                    quantiles = (one.quantiles[key][step] for key in keys)
                    rows.writerow([one.series, one.freq.label(first + step), mean, *quantiles])
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}.", "Name a file that can.") from error
