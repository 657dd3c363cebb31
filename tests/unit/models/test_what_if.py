"""What-if scenarios on a version: the baseline beside the answer, sums that hold, and no silence."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.countries import country_calendar
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import Change, read_scenario
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure
from training.pipeline import fit_panels

FIRST = Frequency.MONTHLY.ordinal_of_label("2012-10-01")  # 168 months: the forecast begins in October


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    """Two districts that heat, the city that they add up to, and a series that knows no weather."""
    return _heating([0, 0, 0, -1])


def _heating(thermometers: list[int]) -> ForecastBundle:
    """The city, its districts north and south, and another series; 0 for each that has a thermometer."""
    rng = np.random.default_rng(4)
    months = np.arange(168)
    weather = 15.0 - 10.0 * np.cos(2 * np.pi * (months + 8) / 12) + rng.normal(0.0, 1.5, 168)
    cold = np.maximum(12.0 - weather, 0.0)
    districts = [40.0 + 5.0 * cold + rng.normal(0.0, 1.0, 168), 60.0 + 3.0 * cold + rng.normal(0.0, 1.0, 168)]
    values = [districts[0] + districts[1], *districts, 100.0 + rng.normal(0.0, 1.0, 168)]
    panel = Panel.of(values, ids=["city", "north", "south", "other"], start=[FIRST] * 4)
    panel = replace(panel, calendar=country_calendar("CN"))
    reads = np.array(thermometers)[:, None]
    sources = Panel.of([weather], start=[FIRST])
    linked = PanelCovariates.of(panel, ["temperature"], [Knowledge.PAST_ONLY], sources, reads)
    structure = Structure.of([(0, [1, 2])], 4)
    return fit_panels([replace(panel, covariates=linked)], structures={Frequency.MONTHLY: structure})


def _one(bundle: ForecastBundle, name: str, **changes: Change) -> Forecast:
    (answer,) = bundle.forecast([name], 6, scenario=changes)
    assert isinstance(answer, Forecast), answer
    return answer


def test_a_warmer_winter_needs_less_gas_and_the_baseline_stands_beside_it(bundle: ForecastBundle) -> None:
    (plain,) = bundle.forecast(["north"], 6)
    answer = _one(bundle, "north", temperature=Change(add=2.0))
    assert isinstance(plain, Forecast) and plain.scenario is None
    assert answer.scenario is not None
    assert answer.scenario.baseline == pytest.approx(plain.mean)
    saved = np.array(plain.mean) - np.array(answer.mean)
    assert saved[3] == pytest.approx(10.0, abs=3.0)  # January: two degrees at 5 a degree
    assumed = answer.scenario.covariates["temperature"]
    assert np.array(assumed.assumed) - np.array(assumed.expected) == pytest.approx([2.0] * 6)
    assert (assumed.basis, assumed.known) == ("normal", 0)


def test_the_whole_moves_by_what_its_parts_do(bundle: ForecastBundle) -> None:
    city, north, south = (
        np.array(_one(bundle, n, temperature=Change(add=-3.0)).mean) for n in ("city", "north", "south")
    )
    np.testing.assert_allclose(city, north + south, rtol=1e-9)


@pytest.mark.parametrize("thermometers", [[-1, 0, 0, -1], [-1, 0, -1, -1]])
def test_what_has_no_thermometer_itself_takes_nothing_back(bundle: ForecastBundle, thermometers: list[int]) -> None:
    def saved(by: ForecastBundle) -> float:
        (plain,) = by.forecast(["north"], 6)
        assert isinstance(plain, Forecast)
        return plain.mean[3] - _one(by, "north", temperature=Change(add=2.0)).mean[3]

    assert saved(_heating(thermometers)) == pytest.approx(saved(bundle), rel=0.25)


def test_a_series_that_does_not_depend_on_it_is_refused_beside_those_that_do(bundle: ForecastBundle) -> None:
    north, other = bundle.forecast(["north", "other"], 6, scenario={"temperature": Change(multiply=0.9)})
    assert isinstance(north, Forecast)
    assert isinstance(other, Failed) and "temperature" in other.reason and "depends on no covariate" in other.reason


def test_an_unknown_covariate_is_refused_with_those_that_there_are(bundle: ForecastBundle) -> None:
    (answer,) = bundle.forecast(["north"], 6, scenario={"price": Change(multiply=0.9)})
    assert isinstance(answer, Failed) and "price" in answer.reason and "temperature" in answer.reason


def test_values_are_taken_as_they_are_and_one_a_period(bundle: ForecastBundle) -> None:
    answer = _one(bundle, "north", temperature=Change(values=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)))
    assert answer.scenario is not None
    assert answer.scenario.covariates["temperature"].assumed == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    with pytest.raises(InputError, match="2 values"):
        bundle.forecast(["north"], 6, scenario={"temperature": Change(values=(1.0, 2.0))})


def test_a_scenario_beyond_anything_seen_says_so(bundle: ForecastBundle) -> None:
    assert any("extrapolated" in note for note in _one(bundle, "north", temperature=Change(add=20.0)).notes)
    assert not any("extrapolated" in note for note in _one(bundle, "north", temperature=Change(add=0.1)).notes)


@pytest.mark.parametrize(
    "change", [Change(add=1000.0), Change(add=-300.0), Change(add=1e14), Change(values=(1.0, 2.0, 3.0, 4.0, 5.0, 1e9))]
)
def test_a_scenario_that_no_history_tells_of_is_refused(bundle: ForecastBundle, change: Change) -> None:
    (answer,) = bundle.forecast(["north"], 6, scenario={"temperature": change})
    assert isinstance(answer, Failed) and "no history tells" in answer.reason


def test_a_covariate_that_never_moved_can_t_be_asked_about() -> None:
    rng = np.random.default_rng(5)
    panel = replace(
        Panel.of([50.0 + rng.normal(0.0, 1.0, 96)], ids=["gas"], start=[FIRST]), calendar=country_calendar("CN")
    )
    tariff = Panel.of([np.full(96, 2.5)], start=[FIRST])
    linked = PanelCovariates.of(panel, ["tariff"], [Knowledge.KNOWN_AHEAD], tariff, np.array([[0]]))
    (answer,) = fit_panels([replace(panel, covariates=linked)]).forecast(
        ["gas"], 3, scenario={"tariff": Change(multiply=0.9)}
    )
    assert isinstance(answer, Failed) and "never been anything but 2.5" in answer.reason


def test_a_saved_version_answers_a_scenario_with_the_same_numbers(bundle: ForecastBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    again = _one(ForecastBundle.read(tmp_path), "city", temperature=Change(add=2.0))
    assert again == _one(bundle, "city", temperature=Change(add=2.0))


def _known(days: int, *, weather: int) -> Panel:
    """Gas that heats with the weather, beside the weather, each known for so many days."""
    rng = np.random.default_rng(8)
    all_weather = 12.0 - 9.0 * np.cos(2 * np.pi * np.arange(1200) / 365.25) + rng.normal(0.0, 3.0, 1200)
    gas = 100.0 + 3.0 * np.logaddexp(0.0, 14.0 - all_weather) + rng.normal(0.0, 1.0, 1200)
    return Panel.of(
        [gas[:days], all_weather[:weather]], ids=["gas", "weather"], freq=Frequency.DAILY, start=[17_000] * 2
    )


def test_newer_weather_moves_what_depends_on_it_without_a_training() -> None:
    panel = replace(_known(1000, weather=1000), calendar=country_calendar("CN"))
    sources = panel.take([1])
    linked = PanelCovariates.of(panel, ["temperature"], [Knowledge.PAST_ONLY], sources, np.array([[0], [-1]]))
    trained = fit_panels([replace(panel, covariates=linked)])
    now = trained.vintage + dt.timedelta(days=9)
    later, warned = (
        trained.updated([newer], now) for newer in (_known(1009, weather=1009), _known(1000, weather=1003))
    )
    seen = later.panels[Frequency.DAILY].panel
    assert seen.covariates is not None
    assert len(seen.covariates.source(0)) == 1009
    regression = trained.panels[Frequency.DAILY].model.members["regression"].update(seen).forecast(14)
    found = later.panels[Frequency.DAILY].model.members["regression"].forecast(14)
    np.testing.assert_allclose(found.mean[0], regression.mean[0])
    # three days of weather that came in before the gas did: known ahead of its end
    (plain,), (moved,) = trained.forecast(["gas"], 3), warned.forecast(["gas"], 3)
    assert isinstance(plain, Forecast) and isinstance(moved, Forecast)
    assert plain.start == moved.start and plain.mean != moved.mean


@pytest.mark.parametrize(
    ("text", "name", "change"),
    [
        ("temperature+2", "temperature", Change(add=2.0)),
        ("temperature-1.5", "temperature", Change(add=-1.5)),
        ("price-10%", "price", Change(multiply=0.9)),
        ("co2-price+5%", "co2-price", Change(multiply=1.05)),
        ("price*0.9", "price", Change(multiply=0.9)),
        ("temperature=-3, 4,5.5", "temperature", Change(values=(-3.0, 4.0, 5.5))),
    ],
)
def test_a_scenario_is_written_as_one_says_it(text: str, name: str, change: Change) -> None:
    assert read_scenario([text]) == {name: change}


@pytest.mark.parametrize("text", ["", "temperature", "+2", "temperature+", "temperature+warm", "temperature=", "t+nan"])
def test_what_is_no_scenario_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError, match=r"temperature\+2"):
        read_scenario([text])


def test_one_covariate_is_changed_once() -> None:
    with pytest.raises(InputError, match="twice"):
        read_scenario(["temperature+2", "temperature-2"])
