from __future__ import annotations

import datetime as dt

import numpy as np

from industrial_brain.domain.city import Tier
from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.indicators import Aggregation, SeriesInfo, SeriesKey
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure
from training.assemble import assemble
from training.executors import InProcess
from training.identities import find_structure
from training.plan import plan_training

PARENTS = {"city": None, "east": "city", "west": "city"}
BOTTOMS = ["output:east:C1", "output:east:C2", "output:west:C1", "output:west:C2"]
#: whole -> parts, as the city's structure has it
EXPECTED = {
    ("output:city", frozenset({"output:east", "output:west"})),
    ("output:city", frozenset({"output:city:C1", "output:city:C2"})),
    ("output:city:C1", frozenset({"output:east:C1", "output:west:C1"})),
    ("output:city:C2", frozenset({"output:east:C2", "output:west:C2"})),
    ("output:east", frozenset({"output:east:C1", "output:east:C2"})),
    ("output:west", frozenset({"output:west:C1", "output:west:C2"})),
}


def _city(months: int = 72) -> dict[str, Floats]:
    """Monthly output by region and cluster, with all its sums."""
    rng, t = np.random.default_rng(0), np.arange(months)
    season = 1.0 + 0.15 * np.sin(2 * np.pi * t / 12)
    bottom = {name: np.round((80.0 + rng.normal(0, 4, months).cumsum()) * season, 1) for name in BOTTOMS}
    sums = {whole: sum((bottom[b] for b in BOTTOMS if _below(b, whole)), np.zeros(months)) for whole, _ in EXPECTED}
    return {**bottom, **sums}


def _below(bottom: str, whole: str) -> bool:
    own, above = SeriesKey.parse(bottom), SeriesKey.parse(whole)
    return above.region in ("city", own.region) and above.cluster in (None, own.cluster)


def _panel(values: dict[str, Floats]) -> Panel:
    return Panel.of(list(values.values()), ids=list(values))


def _infos(panel: Panel, aggregation: Aggregation = Aggregation.SUM) -> dict[str, SeriesInfo]:
    infos = {}
    for name in panel.ids:
        key = SeriesKey.parse(name)
        tier = Tier.MUNICIPALITY if key.region == "city" else Tier.DISTRICT
        infos[name] = SeriesInfo(
            name, panel.freq, "t", name, key.indicator, key.region, tier, key.cluster, aggregation=aggregation
        )
    return infos


def _found(panel: Panel, structure: Structure) -> set[tuple[str, frozenset[str]]]:
    return {
        (panel.ids[whole], frozenset(panel.ids[p] for p in structure.parts[a:b]))
        for whole, a, b in zip(structure.whole, structure.indptr[:-1], structure.indptr[1:], strict=True)
    }


def _structure(panel: Panel, aggregation: Aggregation = Aggregation.SUM) -> Structure:
    return find_structure(panel, _infos(panel, aggregation), PARENTS, np.ones(len(panel), dtype=bool))


def _bundle(panel: Panel) -> ForecastBundle:
    parts = list(InProcess().run(plan_training([panel], seed=0, code="")))
    vintage = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    bundle, _ = assemble(parts, _infos(panel), vintage=vintage, provenance={}, parents=PARENTS)
    return bundle


def test_regions_and_clusters_are_found_to_add_up_both_ways() -> None:
    panel = _panel(_city())
    assert _found(panel, _structure(panel)) == EXPECTED


def test_a_sum_of_which_a_part_is_not_published_is_none() -> None:
    values = _city()
    del values["output:west"]
    panel = _panel(values)
    wholes = {whole for whole, parts in _found(panel, _structure(panel)) if "output:east" in parts}
    assert wholes == set()


def test_one_typing_error_does_not_hide_an_identity_but_many_do() -> None:
    values = _city()
    values["output:east"][60] *= 10.0
    assert ("output:city", frozenset({"output:east", "output:west"})) in _found(
        _panel(values), _structure(_panel(values))
    )
    values["output:east"][50:] *= 1.01
    assert ("output:city", frozenset({"output:east", "output:west"})) not in _found(
        _panel(values), _structure(_panel(values))
    )


def test_indicators_that_do_not_add_up_by_definition_are_left_out() -> None:
    panel = _panel(_city())
    assert _found(panel, _structure(panel, Aggregation.RATIO)) == set()


def test_forecasts_of_the_parts_add_up_to_the_whole_at_any_horizon_and_say_what_was_added() -> None:
    panel = _panel(_city())
    bundle = _bundle(panel)
    for horizon in (1, 12, 60):
        mean = dict(zip(panel.ids, bundle.predict(panel.ids, horizon, [0.5])[0], strict=True))
        for whole, parts in EXPECTED:
            np.testing.assert_allclose(mean[whole], sum(mean[p] for p in parts), rtol=1e-9)
    (answer,) = bundle.forecast(["output:city"], 12)
    assert isinstance(answer, Forecast)
    assert answer.reconciliation_delta is not None
    assert len(answer.reconciliation_delta) == 12
    assert any(abs(delta) > 0 for delta in answer.reconciliation_delta)


def test_asking_for_one_series_gives_the_same_numbers_as_asking_for_all() -> None:
    panel = _panel(_city())
    bundle = _bundle(panel)
    alone = bundle.predict(["output:east:C1"], 6, [0.1, 0.9])
    together = bundle.predict(panel.ids, 6, [0.1, 0.9])
    row = panel.ids.index("output:east:C1")
    np.testing.assert_allclose(alone[0][0], together[0][row], rtol=1e-12)
    np.testing.assert_allclose(alone[1][0], together[1][row], rtol=1e-12)


def test_a_part_that_ends_earlier_is_forecast_further_and_adds_up_where_all_are_forecast() -> None:
    values = _city()
    values["output:west:C2"] = values["output:west:C2"][:-2]
    panel = _panel(values)
    bundle = _bundle(panel)
    mean = dict(zip(panel.ids, bundle.predict(panel.ids, 6, [0.5])[0], strict=True))
    west = mean["output:west"][:4], mean["output:west:C1"][:4] + mean["output:west:C2"][2:6]
    np.testing.assert_allclose(*west, rtol=1e-9)


def test_series_that_are_no_part_of_a_sum_say_so() -> None:
    panel = Panel.of([np.random.default_rng(0).normal(10, 1, 60)], ids=["own"])
    parts = list(InProcess().run(plan_training([panel], seed=0, code="")))
    info = SeriesInfo("own", panel.freq, "t", "own")
    bundle, _ = assemble(parts, {"own": info}, vintage=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), provenance={})
    (answer,) = bundle.forecast(["own"], 3)
    assert isinstance(answer, Forecast)
    assert answer.reconciliation_delta is None


def test_figures_that_were_rounded_before_they_were_published_still_add_up() -> None:
    exact = {name: values * 1.0137 for name, values in _city().items()}
    published = {name: np.round(values, 1) for name, values in exact.items()}
    assert _found(_panel(published), _structure(_panel(published))) == EXPECTED


def test_small_values_are_no_excuse() -> None:
    values = {name: series * 1e-7 for name, series in _city().items()}
    values["output:city"] = values["output:city"] * 10.0
    wholes = {whole for whole, _ in _found(_panel(values), _structure(_panel(values)))}
    assert "output:city" not in wholes
    assert "output:east" in wholes


def test_an_answer_does_not_depend_on_how_many_periods_are_asked_for() -> None:
    panel = _panel(_city())
    bundle = _bundle(panel)
    short, long = (bundle.predict(panel.ids, horizon, [0.5])[0] for horizon in (1, 24))
    np.testing.assert_allclose(short[:, 0], long[:, 0], rtol=1e-12)


def test_a_series_that_ended_too_long_ago_to_be_reconciled_says_so() -> None:
    values = _city()
    values["output:west:C2"] = values["output:west:C2"][:-3]
    bundle = _bundle(_panel(values))
    (near,), (far,) = (bundle.forecast(["output:west:C2"], horizon) for horizon in (3, 4))
    assert isinstance(near, Forecast)
    assert isinstance(far, Forecast)
    assert near.reconciliation_delta is None
    assert far.reconciliation_delta is not None


def test_a_tariff_that_is_known_for_years_to_come_does_not_make_the_others_look_stopped() -> None:
    city = _city()
    now = Frequency.MONTHLY.ordinal(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    panel = Panel.of(
        [*city.values(), np.arange(72.0 + 36.0)], ids=[*city, "tariff:city"], start=[now - 72] * (len(city) + 1)
    )
    assert _bundle(panel).panels[Frequency.MONTHLY].structure.trees == 1
