"""A forecasting version that answers with one constant a series, read from a small JSON file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from industrial_brain.domain.errors import HorizonError
from industrial_brain.domain.explanations import Explanation, History, MemberEvidence
from industrial_brain.domain.forecasts import Failed, Forecast, Judgement, quantile_key
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import Scenario

_FILE = "constants.json"

#: ordinal of the last month that constants already account for: the last of `SmallCity`, February 2026
LEARNT = 673


def write_constants(folder: Path, vintage: dt.datetime, constants: Mapping[str, float]) -> Path:
    """A bundle for `ConstantModel.read`."""
    folder.mkdir(parents=True)
    (folder / _FILE).write_text(json.dumps({"vintage": vintage.isoformat(), "constants": dict(constants)}))
    return folder


class ConstantModel:
    """Every period of a series is forecast at its constant, with intervals of one unit on each side."""

    def __init__(
        self, vintage: dt.datetime, constants: Mapping[str, float], trained_on: dt.datetime | None = None
    ) -> None:
        self.vintage = vintage
        self._trained_on = trained_on or vintage
        self._constants = constants

    @classmethod
    def read(cls, path: Path) -> ConstantModel:
        found = json.loads((path / _FILE).read_text())
        return cls(dt.datetime.fromisoformat(found["vintage"]), found["constants"])

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> ConstantModel:
        """A series' constant becomes its newest value, if that is of a period after `LEARNT`."""
        newest = {
            name: float(y[-1])
            for panel in panels
            for name, y, last in zip(panel.ids, panel, panel.last.tolist(), strict=True)
            if last > LEARNT
        }
        constants = {name: newest.get(name, constant) for name, constant in self._constants.items()}
        return self if constants == self._constants else ConstantModel(vintage, constants, trained_on=self._trained_on)

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(self._constants)

    def forecast(
        self, series: Sequence[str], horizon: int | None, levels: Sequence[float], scenario: Scenario | None = None
    ) -> list[Forecast | Failed]:
        freq = Frequency.MONTHLY
        periods = freq.default_horizon if horizon is None else horizon
        if periods > freq.longest_horizon:
            raise HorizonError(f"{periods} months are too far ahead.", f"Ask for {freq.longest_horizon} at most.")
        if scenario:
            return [Failed(name, f"{name} depends on no covariate.") for name in series]
        return [self._forecast(name, freq, periods, levels) for name in series]

    def judged(self, answers: Sequence[Forecast | Failed], overrides: Sequence[Override]) -> list[Forecast | Failed]:
        """Series add up with none here: each is held by its own overrides alone."""
        return [
            answer if isinstance(answer, Failed) else _held(answer, [o for o in overrides if o.series == answer.series])
            for answer in answers
        ]

    def with_paths(self, answers: Sequence[Forecast | Failed], count: int, seed: int) -> list[Forecast | Failed]:
        """Path k is the mean plus k plus the seed."""
        return [
            one
            if isinstance(one, Failed)
            else replace(one, paths=tuple(tuple(v + k + seed for v in one.mean) for k in range(count)))
            for one in answers
        ]

    def totals(
        self,
        answers: Sequence[Forecast | Failed],
        freq: Frequency,
        levels: Sequence[float],
        paths: int | None,
        seed: int,
    ) -> list[Forecast | Failed]:
        """One total, of all periods."""
        sums = [one if isinstance(one, Failed) else replace(one, freq=freq, mean=(sum(one.mean),)) for one in answers]
        return sums if paths is None else self.with_paths(sums, paths, seed)

    def contradicted(self, override: Override, others: Sequence[Override]) -> tuple[Override, ...] | None:
        """Two overrides of different series contradict each other, here, if the newer has the value 666."""
        return tuple(one for one in others if one.series != override.series) if 666.0 in override.values else None

    def explain(
        self, series: str, horizon: int | None, peers: Sequence[str] | None, overrides: Sequence[Override]
    ) -> Explanation | Failed:
        (answer,) = self.judged(self.forecast([series], horizon, [80]), overrides)
        if isinstance(answer, Failed):
            return answer
        shift = tuple(value - self._constants[series] for value in answer.mean)
        return Explanation(
            series=series,
            freq=answer.freq,
            unit=answer.unit,
            start=answer.start,
            mean=answer.mean,
            parts={"level": (self._constants[series],) * len(shift), "override": shift},
            history=History(answer.start, (), {}),
            members=(MemberEvidence("constant", 1.0, answer.mean, (None,), "the only one"),),
            past_errors=(),
            similar=(),
            flags=(),
            method=answer.method,
            fallback=None,
            notes=(),
            words=(f"peers: {peers}",),
            vintage=self.vintage,
            simulated=True,
        )

    def _forecast(self, name: str, freq: Frequency, periods: int, levels: Sequence[float]) -> Forecast | Failed:
        if name not in self._constants:
            return Failed(name, "The series is not in this version.")
        mean = self._constants[name]
        quantiles = {quantile_key(0.5): (mean,) * periods}
        for level in levels:
            quantiles[quantile_key(0.5 - level / 200)] = (mean - 1,) * periods
            quantiles[quantile_key(0.5 + level / 200)] = (mean + 1,) * periods
        return Forecast(
            series=name,
            freq=freq,
            unit="1",
            start=freq.label(freq.ordinal(self.vintage)),
            mean=(mean,) * periods,
            quantiles=quantiles,
            method="constant",
            fallback=None,
            notes=(),
            vintage=self.vintage,
            parameters_vintage=self._trained_on,
            simulated=True,
            coverage={f"{level:g}": (float(level), *[None] * (periods - 1)) for level in levels},
        )


def _held(answer: Forecast, overrides: Sequence[Override]) -> Forecast:
    first = answer.freq.ordinal_of_label(answer.start)
    mean = list(answer.mean)
    held = []
    for override in overrides:
        for step in range(len(mean)):
            value = override.value_at(first + step)
            if value is not None:
                mean[step] = value
                held.append(override)
    if not held:
        return answer
    by = tuple(one.applied() for one in dict.fromkeys(held))
    return replace(answer, mean=tuple(mean), judgement=Judgement(answer.mean, held_by=by))
