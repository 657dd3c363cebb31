"""The training run of targets: from published series to a judged version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.city import Region, Sector, Tier
from industrial_brain.domain.errors import InputError, NothingToTrainError
from industrial_brain.domain.indicators import Aggregation, SeriesInfo
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.targeting import ChainLink, LeadOutcome
from models.targeting.bundle import TargetBundle
from models.targeting.cube import ActivityCube
from models.targeting.pairs import History, Window, labelled, windows_of
from models.targeting.record import OURS, PERSISTENCE, Figure, WindowRecord
from tests.cubes import random_cube
from tests.fakes.registry import FakeRegistry
from tests.fakes.targeting import small_targets
from training.executors import InProcess
from training.pipeline import Provenance
from training.targeting.gate import judge_targets
from training.targeting.gather import gather, pairs_of
from training.targeting.pipeline import Material, TargetSeries, gather_material, train_targets
from training.targeting.work import Piece, do, fit, plan_windows, try_window

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
JANUARY = Frequency.MONTHLY.ordinal(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))


class Office:
    """A statistics office that publishes a cube by month: a year's value in twelve equal parts, and two jobs for each unit."""

    def __init__(self, cube: ActivityCube) -> None:
        self.cube = cube
        self.links = [ChainLink(cube.activities[0], cube.activities[1], 2.0, "s")]
        self.regions = {
            code: Region(code, code, code, Tier.DISTRICT, "500000", 106.0 + n, 29.0)
            for n, code in enumerate(cube.regions)
        }
        self.infos: dict[str, SeriesInfo] = {}
        self.values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
        for r, region in enumerate(cube.regions):
            for a, cluster in enumerate(cube.activities):
                for indicator, factor in (("output", 1 / 12), ("employment", 2.0)):
                    name = f"{indicator}:{region}:{cluster}"
                    self.infos[name] = SeriesInfo(
                        name, Frequency.MONTHLY, "t", name, indicator, region, Tier.DISTRICT, cluster, Sector.ECONOMY,
                        Aggregation.SUM, simulated=True,
                    )  # fmt: skip
                    self.values[name] = np.repeat(cube.values[:, r, a], 12) * factor

    def forget(self, region: str, cluster: str) -> None:
        for indicator in ("output", "employment"):
            del self.infos[f"{indicator}:{region}:{cluster}"], self.values[f"{indicator}:{region}:{cluster}"]

    def read(self, as_of: dt.datetime, series: Sequence[str]) -> list[Panel]:
        start = Frequency.MONTHLY.ordinal(dt.datetime(self.cube.years[0], 1, 1, tzinfo=dt.UTC))
        until = Frequency.MONTHLY.ordinal(as_of) - start
        known = [name for name in series if name in self.values]
        return [Panel.of([self.values[name][:until] for name in known], ids=known, start=[start] * len(known))]

    def material(self, vintage: dt.datetime = NOW, outcomes: Sequence[LeadOutcome] = ()) -> Material:
        return gather_material(
            series=TargetSeries(),
            read=self.read,
            infos=self.infos,
            regions=self.regions,
            links=self.links,
            outcomes=outcomes,
            vintage=vintage,
        )


@pytest.fixture
def office() -> Office:
    return Office(random_cube(regions=12, activities=8, years=6, first=2020, seed=1, volatility=0.2))


def test_years_are_added_up_and_jobs_are_a_level(office: Office) -> None:
    found = office.material()
    assert found.output.cube.years == tuple(range(2020, 2026))
    np.testing.assert_allclose(found.output.cube.values, office.cube.values)
    np.testing.assert_allclose(found.jobs, 2.0)
    assert np.isnan(found.energy).all()  # no such series
    assert found.output.cube.supplies is not None and found.output.cube.supplies[0, 1] == 2.0
    assert found.output.simulated


def test_the_year_under_way_is_no_year_yet(office: Office) -> None:
    assert office.material(dt.datetime(2025, 12, 31, tzinfo=dt.UTC)).output.cube.years[-1] == 2024


def test_a_pair_without_series_counts_as_nothing_and_is_told(office: Office) -> None:
    office.forget("R03", "A02")
    found = office.material()
    assert (found.output.cube.values[:, 3, 2] == 0.0).all()
    assert any("1 of 96 pairs" in note for note in found.output.notes)


def test_months_that_are_missing_are_worked_out_and_told_or_cost_the_year(office: Office) -> None:
    values = office.values["output:R00:A00"]
    values[14:18] = np.nan
    found = office.material().output
    np.testing.assert_allclose(found.cube.values, office.cube.values)
    assert any("1 yearly values" in note for note in found.notes)
    values[12:20] = np.nan
    found = office.material().output
    assert found.cube.years == (2020, 2022, 2023, 2024, 2025) and any("2021" in note for note in found.notes)


@pytest.mark.parametrize("months", [9, 12])
def test_a_district_that_is_late_costs_the_newest_year_and_is_named(office: Office, months: int) -> None:
    for name, values in office.values.items():
        if name.startswith("output:R04:"):
            values[-months:] = np.nan
    found = office.material().output
    assert found.cube.years == tuple(range(2020, 2025))
    np.testing.assert_allclose(found.cube.values, office.cube.values[:-1])
    assert any("2025" in note and "Left out" in note for note in found.notes)
    assert any("8 series end before 2025 does" in note and "output:R04:A00" in note for note in found.notes)


def test_a_pair_that_ended_where_its_district_goes_on_counts_as_nothing_and_is_named(office: Office) -> None:
    office.values["output:R04:A02"][-12:] = np.nan
    found = office.material().output
    assert found.cube.years[-1] == 2025 and found.cube.values[-1, 4, 2] == 0.0
    assert any("output:R04:A02 (2024)" in note for note in found.notes)


def test_a_pair_that_begins_late_in_the_newest_year_is_no_late_one(office: Office) -> None:
    office.values["output:R04:A02"][:-3] = np.nan
    found = office.material().output
    assert found.cube.years[-1] == 2025
    np.testing.assert_allclose(found.cube.values[-1, 4, 2], office.cube.values[-1, 4, 2] / 4.0)


def test_jobs_are_of_the_pairs_that_both_indicators_have(office: Office) -> None:
    for name in [one for one in office.infos if one.startswith("employment:")]:
        if name.split(":")[1] not in ("R00", "R01", "R02") or name == "employment:R02:A03":
            del office.infos[name], office.values[name]
    found = office.material()
    np.testing.assert_allclose(found.jobs, 2.0)
    assert any("'employment' has series of 23 of 96 pairs" in note for note in found.output.notes)


def test_an_answer_is_simulated_where_links_or_jobs_are(office: Office) -> None:
    def as_of(jobs: bool, link: bool) -> bool:
        office.infos = {
            name: replace(info, simulated=jobs and info.indicator == "employment")
            for name, info in office.infos.items()
        }
        office.links = [replace(office.links[0], simulated=link)]
        return office.material().output.simulated

    assert [as_of(*made_up) for made_up in ((False, False), (True, False), (False, True))] == [False, True, True]


def test_a_first_year_that_is_a_part_of_one_is_left_out(office: Office) -> None:
    for values in office.values.values():
        values[:9] = np.nan
    assert office.material().output.cube.years[0] == 2021


def test_one_region_one_cluster_or_no_series_is_refused_by_name(office: Office) -> None:
    one_region = [info for info in pairs_of(office.infos, "output") if info.region == "R00"]
    with pytest.raises(NothingToTrainError, match="1 districts and 8 clusters"):
        gather(office.read(NOW, [info.id for info in one_region]), one_region, office.regions, [], 2026)
    with pytest.raises(NothingToTrainError, match="No series of 'exports'"):
        pairs_of(office.infos, "exports")
    with pytest.raises(NothingToTrainError, match="from before 2020"):
        office.material(dt.datetime(2020, 6, 1, tzinfo=dt.UTC))


def test_a_window_is_judged_by_what_was_known_at_its_start() -> None:
    cube = random_cube(regions=12, activities=8, years=7, volatility=0.2)
    (window, *_) = plan_windows(cube.years, 2)
    assert window == Window(2001, 2003)
    changed = replace(cube, values=np.concatenate([cube.values[:4], 3.0 * cube.values[4:][::-1]]))
    assert try_window(cube, window, 0) == try_window(changed, window, 0)
    record = try_window(cube, window, 0)
    assert set(record.gain) == set(record.figures) - {OURS} and PERSISTENCE in record.gain


def test_two_years_leave_no_window_to_try() -> None:
    assert plan_windows((2000, 2001), 1) == []
    found = do(Piece(random_cube(years=4), 3, 0, window=Window(1990, 1993)))
    assert isinstance(found, str) and "begin in 2000" in found


def test_probabilities_are_given_for_each_year_ahead() -> None:
    cube = random_cube(regions=12, activities=8, years=6)
    found = fit(Piece(cube, 3, 0))
    assert found.above.shape == (3, 12, 8) and ((found.above >= 0.0) & (found.above <= 1.0)).all()
    below = cube.quotients[-1] < 1.0
    assert found.above[2][below].mean() > found.above[0][below].mean()  # more time, more entries


def test_closed_leads_are_labels() -> None:
    cube = random_cube()
    history = History(cube)
    pairs = history.pairs(windows_of(cube.years, 2), 2)
    row, column = (int(one[0]) for one in np.nonzero(history.quotients[2] < 0.9))
    named = cube.regions[row], cube.activities[column]
    outcomes = [
        LeadOutcome(*named, 2002, 2004, built=True),
        LeadOutcome(*named, 2002, 2003, built=False),
        LeadOutcome(*named, 2050, 2051, built=True),  # the data don't reach it
        LeadOutcome("nowhere", named[1], 2002, 2004, built=True),
    ]
    found = labelled(history, pairs, outcomes)
    assert len(found) == len(pairs) + 2
    assert (found.end[-2:] >= 0.0).tolist() == [True, False]
    assert found.horizon[-2:].tolist() == [2.0, 1.0]


def _train(office: Office, registry: FakeRegistry, horizon: int = 2) -> TargetBundle:
    report = train_targets(
        office.material(),
        horizon=horizon,
        vintage=NOW,
        provenance=Provenance(0, "code", "sha", "lock"),
        executor=InProcess(),
        registry=registry,
        draws=2,
    )
    assert report.version.tags["indicator"] == "output"
    return report.bundle


def test_a_run_registers_judges_and_promotes(office: Office, tmp_path: Path) -> None:
    registry = FakeRegistry(tmp_path, lambda: NOW, "ib-targeting")
    made = _train(office, registry)
    (version,) = registry.history()
    assert version.metrics["windows"] == len(made.windows) > 0
    assert version.tags["data"] == office.material().fingerprint("code", 2)
    assert version.tags["data"] != office.material().fingerprint("code", 3)
    assert ("champion" in version.aliases) == (version.status != "refused")
    assert made.draws_above.shape == (2, 2, 12, 8) and not np.array_equal(made.draws_above[0], made.draws_above[1])
    again = TargetBundle.read(registry.load(version.version))
    np.testing.assert_array_equal(again.above, made.above)


def test_a_horizon_that_can_not_be_trained_is_refused(office: Office, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="horizon of 0"):
        _train(office, FakeRegistry(tmp_path, lambda: NOW), horizon=0)


def _with(bundle: TargetBundle, ours: Sequence[float], near: float = 0.2) -> TargetBundle:
    windows = []
    for place, value in enumerate(ours):
        figures = {OURS: {"precision": Figure(value)}, PERSISTENCE: {"precision": Figure(near)}}
        windows.append(WindowRecord(2018 + place, 2021 + place, 500, 50, 50.0, figures, {}, ""))
    return replace(bundle, windows=tuple(windows))


def _failed(challenger: TargetBundle, champion: TargetBundle | None) -> list[str]:
    return [check.name for check in judge_targets(challenger, champion).checks if not check.passed]


def test_the_gate_asks_for_more_than_chance_than_nearness_and_than_the_champion() -> None:
    bundle = small_targets(NOW)
    good = _with(bundle, [0.4, 0.4])
    assert _failed(good, None) == []
    assert _failed(_with(bundle, [0.05, 0.05], near=0.05), None) == ["beats chance"]
    assert _failed(_with(bundle, [0.2, 0.2], near=0.4), None) == ["holds against nearness"]
    assert _failed(_with(bundle, [0.36, 0.36]), good) == ["no worse on average"]
    assert _failed(_with(bundle, [0.3, 0.5]), good) == ["no worse in its worst window"]
    assert _failed(replace(good, vintage=NOW - dt.timedelta(days=1)), good) == ["vintage"]


def test_a_history_without_windows_passes_alone_and_not_beside_a_champion_that_was_tried() -> None:
    bundle = small_targets(NOW)
    untried = replace(bundle, windows=())
    assert _failed(untried, None) == []
    assert _failed(untried, _with(bundle, [0.4])) == ["no worse on average", "no worse in its worst window"]


def test_windows_in_which_nothing_entered_were_tried_and_the_gate_says_so() -> None:
    empty = tuple(WindowRecord(2018 + n, 2020 + n, 96, 0, 3.0, {}, {}, "") for n in range(5))
    checks = judge_targets(replace(small_targets(NOW), windows=empty), None).checks
    assert all(
        "5 window(s) were tried" in check.detail and "0 of 480 pairs entered" in check.detail for check in checks
    )
