"""Bundle: what is versioned. All series of the forecasting task, as arrays and two kinds of plain file.

    manifest.json      schema, vintage, provenance, the members in order
    M.npz, Q.npz, ...  one frequency each: its panel, its fitted combination, its calibration, what is said of each series

NumPy's archives are read with pickling refused. Nothing in this file, or in what it imports, needs a store or a server: the
pyfunc wrapper ships it as it is.
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import BundleError, HorizonError, LevelError, PathsError
from industrial_brain.domain.explanations import Explanation
from industrial_brain.domain.forecasts import Failed, Forecast, quantile_key
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import Scenario, ScenarioAnswer
from models.catalogue import forecaster
from models.forecasting.adaptation import Adaptation
from models.forecasting.adapting import adapted
from models.forecasting.calibration import Calibration
from models.forecasting.coherence import Coherence
from models.forecasting.combination import Combination
from models.forecasting.coverage import Coverage
from models.forecasting.explanation import explain
from models.forecasting.fitted_panel import BacktestRecord, FittedPanel
from models.forecasting.hierarchy import Structure
from models.forecasting.judgement import Shifts, all_shifts, apply_overrides
from models.forecasting.state import Array
from models.forecasting.totals import newest, parts_of, total_of
from models.forecasting.updating import updated_panel
from models.forecasting.what_if import Effect, scenario_effect

#: raised when the files change in a way that older code can't read
SCHEMA = 4

#: the widest interval that a backtest of a few origins can speak of
HIGHEST_LEVEL = 99.0

#: values that may be drawn at once, all series that add up with one another counted: some 600 MB while it lasts
_MOST_DRAWN = 25_000_000

#: values of the paths that totals are read off, about, and between how many paths that is
_TOTAL_VALUES, _FEWEST_PATHS, _MOST_PATHS = 6_000_000, 200, 1000

#: what reading a file that was damaged raises, by where the damage is
_DAMAGE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ForecastBundle:
    """All series of one version. Immutable, and safe to share between threads.

    Attributes:
        vintage: the moment up to which data was known (UTC).
        panels: a fitted panel a frequency.
        provenance: what the training run recorded of itself.
        trained_on: the vintage that it was trained on, where it has been `updated` since.
    """

    vintage: dt.datetime
    panels: Mapping[Frequency, FittedPanel]
    provenance: Mapping[str, str] = field(default_factory=dict)
    trained_on: dt.datetime | None = None
    _as_trained: Mapping[Frequency, FittedPanel] | None = field(default=None, repr=False, compare=False)
    _places: Mapping[str, tuple[Frequency, int]] = field(init=False, repr=False, compare=False)
    _shifts: dict[tuple[Override, ...], Mapping[Frequency, Shifts]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        places = {name: (freq, row) for freq, p in self.panels.items() for row, name in enumerate(p.panel.ids)}
        object.__setattr__(self, "_places", places)

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(self._places)

    @property
    def parameters_vintage(self) -> dt.datetime:
        """The moment up to which data was known when parameters, weights and calibration were estimated."""
        return self.trained_on or self.vintage

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """This bundle after newer observations (itself, without any): states have seen them, and widths have followed what
        intervals missed; nothing is estimated anew.

        Series that it does not know stay unknown, and series that could not be fitted stay so. See `updating.updated_panel`
        and `adapting.adapted`.

        Args:
            panels: whole histories as they were known at `vintage`.
            vintage: not before this bundle's own, or states would unlearn what they know.

        Raises:
            ValueError: `vintage` is older than the bundle's.
        """
        if vintage < self.vintage:
            raise ValueError(f"a bundle of {self.vintage} can't go back to {vintage}")
        fitted, trained = dict(self.panels), self._as_trained or self.panels
        for panel in panels:
            before = fitted.get(panel.freq)
            if before is not None:
                after = updated_panel(before, panel)
                fitted[panel.freq] = before if after is before else adapted(trained[panel.freq], after)
        if all(fitted[freq] is panel for freq, panel in self.panels.items()):
            return self  # so its vintage stays: there is nothing newer that it has seen
        return replace(self, panels=fitted, vintage=vintage, trained_on=self.parameters_vintage, _as_trained=trained)

    def __contains__(self, series: object) -> bool:
        return series in self._places

    def __len__(self) -> int:
        return len(self._places)

    def simulated(self, series: str) -> bool:
        freq, row = self._places[series]
        return bool(self.panels[freq].simulated[row])

    def failures(self) -> Iterator[Failed]:
        """The series that this version holds and can't forecast."""
        for fitted in self.panels.values():
            for row in np.flatnonzero(fitted.failure != ""):
                yield Failed(fitted.panel.ids[row], str(fitted.failure[row]))

    def predict(self, series: Sequence[str], horizon: int, probabilities: Sequence[float]) -> tuple[Floats, Floats]:
        """Means (n, horizon) and quantiles (n, horizon, len(probabilities)); NaN for series that can't be forecast.

        For measuring: no labels, no checks. Raises KeyError for series that this version does not hold.
        """
        mean = np.empty((len(series), horizon))
        quantiles = np.empty((len(series), horizon, len(probabilities)))
        for freq, (positions, rows) in self._by_frequency(series).items():
            mean[positions], quantiles[positions], _ = self.panels[freq].predict(rows, horizon, probabilities)
        return mean, quantiles

    def forecast(
        self,
        series: Sequence[str],
        horizon: int | None = None,
        levels: Sequence[float] = (80, 95),
        scenario: Scenario | None = None,
    ) -> list[Forecast | Failed]:
        """Forecasts in the order asked; without a horizon, each frequency's own default.

        Args:
            series: ids; those that this version does not hold, or could not fit, come back as `Failed`.
            horizon: periods ahead, 1 to the frequency's `longest_horizon`; a series whose frequency it is too long for comes
                back as `Failed`, unless that is so for all.
            levels: central intervals in percent, above 0 and up to 99; 80 gives the quantiles 0.1 and 0.9. The median is
                always there.
            scenario: what is to be different about covariates. A series that does not depend on all of them comes back as
                `Failed`; each answer holds its baseline, and what the scenario assumes.

        Raises:
            HorizonError, LevelError: nothing is answered then.
            InputError: a scenario's values are not one a period.
        """
        probabilities = _probabilities(levels)
        keys = [quantile_key(p) for p in probabilities]
        answers: dict[int, Forecast | Failed] = {
            i: Failed(name, f"{name} is not in this version: it had no observation when the version was trained.")
            for i, name in enumerate(series)
            if name not in self._places
        }
        known = [name for name in series if name in self._places]
        asked = [i for i, name in enumerate(series) if name in self._places]
        groups = self._by_frequency(known)
        refused = {freq: error for freq in groups if (error := _horizon_error(freq, horizon)) is not None}
        if refused and len(refused) == len(groups):
            raise next(iter(refused.values()))
        for freq, (positions, rows) in groups.items():
            fitted = self.panels[freq]
            if freq in refused:
                for i in positions:
                    answers[asked[i]] = Failed(known[i], str(refused[freq]))
                continue
            steps = horizon or freq.default_horizon
            effect = scenario_effect(fitted, scenario, rows, steps) if scenario else None
            asked_of = effect.moved if effect else fitted
            mean, quantiles, added = asked_of.predict(rows, steps, probabilities)
            without_it = fitted.predict(rows, steps, probabilities)[0] if effect else mean
            tables = mean.tolist(), quantiles.transpose(0, 2, 1).tolist(), added.tolist(), without_it.tolist()
            reconciled = (fitted.lags(rows) < steps).tolist()
            for i, row, m, q, delta, without, moved in zip(positions, rows, *tables, reconciled, strict=True):
                answer = self._answer(
                    freq, int(row), m, dict(zip(keys, map(tuple, q), strict=True)), delta if moved else None, levels
                )
                if effect is not None and isinstance(answer, Forecast):
                    answer = _under_scenario(effect, answer, int(row), without)
                answers[asked[i]] = answer
        return [answers[i] for i in range(len(series))]

    def judged(self, answers: Sequence[Forecast | Failed], overrides: Sequence[Override]) -> list[Forecast | Failed]:
        """These answers of ours as planners' overrides move them; see `models.forecasting.judgement.apply_overrides`."""
        if not overrides:
            return list(answers)
        shifts = self._shifts.get(tuple(overrides))
        if shifts is None:
            shifts = all_shifts(self.panels, self._places, overrides)
            self._shifts.clear()  # those in force change seldom, and all requests between share them
            self._shifts[tuple(overrides)] = shifts
        return apply_overrides(self.panels, self._places, answers, overrides, shifts)

    def with_paths(self, answers: Sequence[Forecast | Failed], count: int, seed: int) -> list[Forecast | Failed]:
        """These answers of ours, each with `count` sample paths of its periods; what overrides moved, moves them too.

        Paths of series that add up do so path by path. Equal seeds give equal paths, whatever else is asked.

        Raises:
            PathsError: more than can be drawn at once.
        """
        drawn = self._paths(answers, count, seed)
        return [
            answer
            if isinstance(answer, Failed) or paths is None
            else replace(answer, paths=tuple(map(tuple, paths.T.tolist())))
            for answer, paths in zip(answers, drawn, strict=True)
        ]

    def totals(
        self,
        answers: Sequence[Forecast | Failed],
        freq: Frequency,
        levels: Sequence[float] = (80, 95),
        paths: int | None = None,
        seed: int = 0,
    ) -> list[Forecast | Failed]:
        """These answers of ours in longer periods, as sums: see `models.forecasting.totals.total_of`.

        For what flows, as output does; it is for the asker to know that a sum over time means something. A series whose
        periods are those of `freq` comes back as it is; one whose periods do not make one of `freq`, or whose forecast
        completes none, comes back as `Failed`.

        Args:
            paths: how many sample paths of the totals to show. Quantiles are read off no fewer than without.

        Raises:
            LevelError, PathsError: nothing is answered then.
        """
        probabilities = _probabilities(levels)
        summed = [i for i, one in enumerate(answers) if isinstance(one, Forecast) and one.freq is not freq]
        as_it_is = [i for i, one in enumerate(answers) if isinstance(one, Forecast) and one.freq is freq]
        out = list(answers)
        if paths is not None:
            for i, one in zip(as_it_is, self.with_paths([answers[i] for i in as_it_is], paths, seed), strict=True):
                out[i] = one
        enough = [one for one in answers if isinstance(one, Forecast) and parts_of(one.freq, freq)]
        size = max((self._drawn_together([one]) * len(one.mean) for one in enough), default=1)
        count = max(paths or 0, int(np.clip(_TOTAL_VALUES // size, _FEWEST_PATHS, _MOST_PATHS)))
        for i, found in zip(summed, self._paths([answers[i] for i in summed], count, seed), strict=True):
            answer = answers[i]
            if isinstance(answer, Forecast) and found is not None:
                panel, row = self.panels[answer.freq].panel, self._places[answer.series][1]
                observed = newest(panel.values, panel.indptr, row, parts_of(answer.freq, freq) or 0)
                out[i] = total_of(answer, found, observed, freq, probabilities, paths)
        return out

    def _paths(self, answers: Sequence[Forecast | Failed], count: int, seed: int) -> list[Floats | None]:
        """Paths of each answer, (horizon, count); None for those that failed."""
        asked = [(i, one) for i, one in enumerate(answers) if isinstance(one, Forecast)]
        together = max((self._drawn_together([one]) * len(one.mean) for _, one in asked), default=0)
        if together * count > _MOST_DRAWN:
            raise PathsError(
                f"{count:,} paths of all series that add up with these, and so far ahead, are too many to draw at once.",
                f"Ask for {_MOST_DRAWN // together:,} paths at most, or for a shorter horizon.",
                pointer="/paths",
            )
        out: list[Floats | None] = [None] * len(answers)
        groups: dict[tuple[Frequency, int], list[tuple[int, Forecast]]] = {}
        for i, one in asked:
            groups.setdefault((one.freq, len(one.mean)), []).append((i, one))
        for (freq, horizon), members in groups.items():
            rows = np.array([self._places[one.series][1] for _, one in members], dtype=np.int64)
            found = self.panels[freq].paths(rows, horizon, count, seed)
            for (i, one), paths in zip(members, found, strict=True):
                out[i] = paths
                if one.judgement is not None:
                    out[i] = paths + (np.array(one.mean) - np.array(one.judgement.statistical_mean))[:, None]
        return out

    def _drawn_together(self, answers: Sequence[Forecast]) -> int:
        rows = np.array([self._places[one.series][1] for one in answers], dtype=np.int64)
        return self.panels[answers[0].freq].drawn_together(rows)

    def contradicted(self, override: Override, others: Sequence[Override]) -> tuple[Override, ...] | None:
        """The others that an override contradicts, were it made beside them: None if it can be followed in every period.

        An empty tuple: it would need values below zero where there can't be any.
        """
        newest = replace(override, created_at=max(one.created_at for one in (override, *others)))
        shifts = all_shifts(self.panels, self._places, [*others, newest])
        return next((shift.refused[override.id] for shift in shifts.values() if override.id in shift.refused), None)

    def explain(
        self,
        series: str,
        horizon: int | None = None,
        peers: Sequence[str] | None = None,
        overrides: Sequence[Override] = (),
    ) -> Explanation | Failed:
        """Why the forecast of one series is what it is; see `models.forecasting.explanation.explain`.

        Raises:
            HorizonError: it can't be forecast so far.
        """
        (answer,) = self.judged(self.forecast([series], horizon), overrides)
        if isinstance(answer, Failed):
            return answer
        freq, row = self._places[series]
        return explain(self.panels[freq], row, answer, peers)

    def _answer(
        self,
        freq: Frequency,
        row: int,
        mean: list[float],
        quantiles: dict[str, tuple[float, ...]],
        delta: list[float] | None,
        levels: Sequence[float],
    ) -> Forecast | Failed:
        fitted = self.panels[freq]
        name = fitted.panel.ids[row]
        if fitted.failure[row]:
            return Failed(name, str(fitted.failure[row]))
        return Forecast(
            series=name,
            freq=freq,
            unit=str(fitted.unit[row]),
            start=freq.label(int(fitted.panel.last[row]) + 1),
            mean=tuple(mean),
            quantiles=quantiles,
            method=str(fitted.method[row]),
            fallback=str(fitted.fallback[row]) or None,
            notes=tuple(str(fitted.notes[row]).splitlines()),
            vintage=self.vintage,
            parameters_vintage=self.parameters_vintage,
            simulated=bool(fitted.simulated[row]),
            weights={
                member: round(float(weight), 4)
                for member, weight in zip(fitted.model.members, fitted.model.weights[row], strict=True)
                if weight > 0.0
            },
            reconciliation_delta=None if delta is None else tuple(delta),
            coverage=_measured(fitted.coverage, levels, len(mean), simulated=bool(fitted.simulated[row])),
        )

    def _by_frequency(
        self, series: Sequence[str]
    ) -> dict[Frequency, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each frequency: positions in `series`, and the rows of its panel that stand there."""
        groups: dict[Frequency, tuple[list[int], list[int]]] = {}
        for position, name in enumerate(series):
            freq, row = self._places[name]
            positions, rows = groups.setdefault(freq, ([], []))
            positions.append(position)
            rows.append(row)
        return {f: (np.array(p, dtype=np.int64), np.array(r, dtype=np.int64)) for f, (p, r) in groups.items()}

    def write(self, folder: Path) -> None:
        """Write the bundle's files into a folder, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for freq, fitted in self.panels.items():
            np.savez_compressed(folder / f"{freq}.npz", allow_pickle=False, **_to_arrays(fitted))
        manifest = {
            "schema": SCHEMA,
            "area": "forecasting",
            "vintage": self.vintage.isoformat(),
            "parameters_vintage": self.parameters_vintage.isoformat(),
            "provenance": dict(self.provenance),
            "frequencies": {
                str(freq): {
                    "season": fitted.panel.season,
                    "members": list(fitted.model.members),
                }
                for freq, fitted in self.panels.items()
            },
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no bundle, or one that this code can't read.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{folder} does not hold a forecasting bundle: {error}.", "Train a new version."
            ) from error
        schema = manifest.get("schema") if isinstance(manifest, dict) else None
        if schema != SCHEMA:
            raise BundleError(
                f"The bundle has schema {schema}; this code reads {SCHEMA}.",
                "Use the release that trained it, or train a new version.",
            )
        panels = {}
        try:
            provenance = dict(manifest["provenance"])
            for text, facts in manifest["frequencies"].items():
                freq = Frequency(text)
                # opened by us: NumPy leaves a file open that is no archive
                with (folder / f"{freq}.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    panels[freq] = _from_arrays(freq, facts, archive)
            vintage = dt.datetime.fromisoformat(manifest["vintage"])
            trained_on = dt.datetime.fromisoformat(manifest.get("parameters_vintage", manifest["vintage"]))
        except _DAMAGE as error:
            raise BundleError(
                f"The bundle in {folder} is damaged: {type(error).__name__}: {error}.", "Train a new version."
            ) from error
        return cls(vintage=vintage, panels=panels, provenance=provenance, trained_on=trained_on)


def _under_scenario(effect: Effect, answer: Forecast, row: int, baseline: list[float]) -> Forecast | Failed:
    """The answer as one under a scenario; or why there is none."""
    if row in effect.refusals:
        return Failed(answer.series, effect.refusals[row])
    return replace(
        answer,
        notes=answer.notes + effect.notes.get(row, ()),
        scenario=ScenarioAnswer(tuple(baseline), effect.assumptions(row, len(baseline))),
    )


def _probabilities(levels: Sequence[float]) -> list[float]:
    for i, level in enumerate(levels):
        if not 0.0 < level <= HIGHEST_LEVEL:
            raise LevelError(
                f"{level:g} is not a level that can be answered.",
                f"Levels are percentages above 0 and up to {HIGHEST_LEVEL:g}, for instance 80 and 95.",
                pointer=f"/levels/{i}",
            )
        if round(level, 4) != level:
            raise LevelError(
                f"{level!r} is finer than an interval can be told apart.",
                "Write levels with at most four decimals.",
                pointer=f"/levels/{i}",
            )
    tails = {round((1.0 - level / 100.0) / 2.0, 6) for level in levels}
    return sorted(tails | {0.5} | {round(1.0 - tail, 6) for tail in tails})


def _measured(
    coverage: Coverage, levels: Sequence[float], horizon: int, *, simulated: bool
) -> dict[str, tuple[float | None, ...]]:
    """Percent by level and lead; None at leads that were not measured."""
    found = {}
    for level in levels:
        percent = coverage.percent(level, simulated=simulated)
        if percent is not None:
            known = [None if np.isnan(v) else round(float(v), 1) for v in percent[:horizon]]
            found[f"{level:g}"] = tuple(known + [None] * (horizon - len(known)))
    return found


def _horizon_error(freq: Frequency, horizon: int | None) -> HorizonError | None:
    if horizon is None or 1 <= horizon <= freq.longest_horizon:
        return None
    return HorizonError(
        f"A horizon of {horizon} {freq.noun}s can't be answered.",
        f"Ask for 1 to {freq.longest_horizon} {freq.noun}s.",
        pointer="/horizon",
    )


_TEXT_FIELDS = ("method", "fallback", "notes", "failure", "unit")
_STRUCTURE_FIELDS = ("whole", "indptr", "parts", "tree")
_FLAG_FIELDS = ("nonnegative", "simulated")
_NUMBER_FIELDS = ("width",)


def _to_arrays(fitted: FittedPanel) -> dict[str, Array]:
    panel, record = fitted.panel, fitted.backtest
    return {
        "panel/ids": np.array(panel.ids, dtype=np.str_),
        "panel/values": panel.values,
        "panel/indptr": panel.indptr,
        "panel/start": panel.start,
        **_surroundings(panel),
        **{f"structure/{name}": getattr(fitted.structure, name) for name in _STRUCTURE_FIELDS},
        "real/quantiles": fitted.real.quantiles,
        "real/errors": np.array(fitted.real.errors),
        "real/leads": fitted.real.leads,
        "simulated_law/quantiles": fitted.simulated_law.quantiles,
        "simulated_law/errors": np.array(fitted.simulated_law.errors),
        "simulated_law/leads": fitted.simulated_law.leads,
        **{f"coherence/{name}": array for name, array in fitted.coherence.arrays().items()},
        **{f"adaptation/{name}": array for name, array in fitted.adaptation.arrays().items()},
        **{f"coverage/{name}": array for name, array in fitted.coverage.arrays().items()},
        "backtest/origins": record.origins,
        "backtest/error": record.error,
        "backtest/mase_scale": record.mase_scale,
        "backtest/weights": record.weights.astype(np.float32),
        "backtest/comparable": record.comparable.astype(np.float32),
        **{name: getattr(fitted, name) for name in _TEXT_FIELDS + _FLAG_FIELDS + _NUMBER_FIELDS},
        **{f"model/{name}": array for name, array in fitted.model.arrays().items()},
    }


def _from_arrays(freq: Frequency, facts: Mapping[str, Any], archive: Mapping[str, Array]) -> FittedPanel:
    unfitted = Combination({name: forecaster(name) for name in facts["members"]}, weights=np.empty((0, 0)))
    model = _under("model/", archive)
    return FittedPanel(
        panel=Panel(
            ids=tuple(archive["panel/ids"].tolist()),
            freq=freq,
            values=archive["panel/values"],
            indptr=archive["panel/indptr"],
            start=archive["panel/start"],
            season=facts["season"],
            calendar=_calendar(archive),
            covariates=_covariates(archive),
        ),
        model=unfitted.with_arrays(model),
        structure=Structure(**{name: archive[f"structure/{name}"] for name in _STRUCTURE_FIELDS}),
        coherence=Coherence.from_arrays(_under("coherence/", archive)),
        adaptation=Adaptation.from_arrays(_under("adaptation/", archive)),
        coverage=Coverage.from_arrays(_under("coverage/", archive)),
        real=_calibration(archive, "real"),
        simulated_law=_calibration(archive, "simulated_law"),
        backtest=BacktestRecord(
            members=tuple(facts["members"]),
            origins=archive["backtest/origins"],
            error=archive["backtest/error"],
            mase_scale=archive["backtest/mase_scale"],
            weights=archive["backtest/weights"].astype(np.float64),
            comparable=archive["backtest/comparable"].astype(np.float64),
        ),
        **{name: archive[name] for name in _TEXT_FIELDS + _FLAG_FIELDS + _NUMBER_FIELDS},
    )


def _under(prefix: str, archive: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays whose names begin so, without the beginning."""
    return {name.removeprefix(prefix): archive[name] for name in archive if name.startswith(prefix)}


_CALENDAR_FIELDS = ("holidays", "workdays", "festivals")
_COVARIATE_FIELDS = ("values", "indptr", "start", "reads", "lead")


def _surroundings(panel: Panel) -> dict[str, Array]:
    """The calendar and the covariates of a panel, where it has any."""
    arrays: dict[str, Array] = {}
    if panel.calendar is not None:
        arrays |= {f"calendar/{name}": getattr(panel.calendar, name) for name in _CALENDAR_FIELDS}
        arrays["calendar/country"] = np.array(panel.calendar.country, dtype=np.str_)
        arrays["calendar/weekend"] = np.array(panel.calendar.weekend, dtype=np.int64)
    if panel.covariates is not None:
        arrays |= {f"covariates/{name}": getattr(panel.covariates, name) for name in _COVARIATE_FIELDS}
        arrays["covariates/sources"] = np.array(panel.covariates.sources, dtype=np.str_)
        arrays["covariates/names"] = np.array(panel.covariates.names, dtype=np.str_)
        arrays["covariates/knowledge"] = np.array([str(kind) for kind in panel.covariates.knowledge], dtype=np.str_)
    return arrays


def _calendar(archive: Mapping[str, Array]) -> Calendar | None:
    if "calendar/country" not in archive:
        return None
    days = {name: archive[f"calendar/{name}"] for name in _CALENDAR_FIELDS}
    return Calendar(
        str(archive["calendar/country"]), **days, weekend=tuple(int(day) for day in archive["calendar/weekend"])
    )


def _covariates(archive: Mapping[str, Array]) -> PanelCovariates | None:
    if "covariates/names" not in archive:
        return None
    return PanelCovariates(
        names=tuple(archive["covariates/names"].tolist()),
        knowledge=tuple(Knowledge(text) for text in archive["covariates/knowledge"].tolist()),
        sources=tuple(archive["covariates/sources"].tolist()),
        **{name: archive[f"covariates/{name}"] for name in _COVARIATE_FIELDS},
    )


def _calibration(archive: Mapping[str, Array], name: str) -> Calibration:
    return Calibration(archive[f"{name}/quantiles"], int(archive[f"{name}/errors"]), archive[f"{name}/leads"])
