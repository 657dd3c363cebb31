"""Every event of the truth shows in what is published: real ones against the same city without events."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from industrial_brain.domain.periods import Frequency
from industrial_brain.simulation.city import FULL, City, plan_city, simulate_rows
from industrial_brain.simulation.events import SHOCK_DECAY, Kind

if TYPE_CHECKING:
    from .conftest import Folder, Row

Series = dict[str, dict[str, float]]


def _newest(city: City) -> Series:
    values: Series = {}
    for rows in simulate_rows(city):
        labels = np.datetime_as_string(rows.timeline.starts)
        for series, period, units in zip(rows.series, rows.periods, rows.units, strict=True):
            values.setdefault(rows.ids[series], {})[labels[period]] = float(units)
    return values


@pytest.fixture(scope="module")
def truth(folder: Folder) -> list[Row]:
    return folder.table("truth/events.csv")


@pytest.fixture(scope="module")
def responses(city: City) -> Series:
    """Log ratio, by series and period, of the city with its events to the same city without."""
    with_events, without = _newest(city), _newest(dataclasses.replace(city, events=()))
    return {
        name: {
            period: float(np.log(value / without[name][period]))
            for period, value in periods.items()
            if value > 0 and without[name][period] > 0
        }
        for name, periods in with_events.items()
    }


def _kind(truth: list[Row], *kinds: Kind) -> list[Row]:
    events = [event for event in truth if event["kind"] in kinds]
    assert events
    return events


def test_the_truth_has_every_kind(truth: list[Row]) -> None:
    assert {event["kind"] for event in truth} == set(Kind)


def test_a_shock_hits_every_series_of_its_group_and_fades(truth: list[Row], responses: Series, city: City) -> None:
    bottom = {f"{code}:{place}" for code in ("output", "electricity") for place in _pairs(city)}
    for event in _kind(truth, Kind.SHOCK):
        if "*:*" not in event["target"]:
            continue
        for name in (name for name in bottom if fnmatchcase(name, event["target"])):
            effect = responses[name]
            # another event may touch the same series: it can't hide the first month of a shock from all of the group
            assert effect[event["first"]] != 0
    retail = next(event for event in truth if event["target"] == "retail_sales:*")
    clean = [name for name in responses if fnmatchcase(name, "retail_sales:5001*")]
    first, last = (np.median([responses[name][retail[end]] for name in clean]) for end in ("first", "last"))
    assert first == pytest.approx(float(retail["size"]), abs=0.002)
    assert last == pytest.approx(float(retail["size"]) * SHOCK_DECAY**5, abs=0.002)


def test_an_outlier_and_a_level_break_have_their_size(truth: list[Row], responses: Series) -> None:
    for event in _kind(truth, Kind.OUTLIER, Kind.LEVEL_BREAK):
        effect = responses[event["target"]]
        before = max(period for period in effect if period < event["first"])
        size = float(event["size"])
        # rounding, counting noise and a shock's tail blur small places
        assert effect[event["first"]] - effect[before] == pytest.approx(size, abs=0.1 * abs(size) + 0.02), event


def test_a_trend_break_gains_its_size_a_year(truth: list[Row], responses: Series) -> None:
    for event in _kind(truth, Kind.TREND_BREAK):
        effect = responses[event["target"]]
        last = max(effect)  # shocks have faded by then
        days = (np.datetime64(last) - np.datetime64(event["first"])).astype(int)
        gained = float(event["size"]) * days / 365.25
        assert effect[last] == pytest.approx(gained, rel=0.15, abs=0.03), event


def test_an_outlier_is_genuine_and_reaches_the_parent(truth: list[Row], responses: Series) -> None:
    for event in _kind(truth, Kind.OUTLIER):
        indicator, _, place = event["target"].partition(":")
        parent = f"{indicator}:{place[:6] if len(place) == 9 else '500000'}"
        if parent in responses and indicator != "fine_particles":
            assert responses[parent][event["first"]] != 0, event


def test_missing_values_have_no_row_and_their_parents_do(truth: list[Row], folder: Folder) -> None:
    published = {(row["unique_id"], row["ds"]) for row in folder.rows()}
    for event in _kind(truth, Kind.MISSING):
        indicator = event["target"].partition(":")[0]
        assert (event["target"], event["first"]) not in published
        assert (event["target"], event["last"]) not in published
        assert (f"{indicator}:500000", event["first"]) in published


def test_late_values_say_when_they_became_known(truth: list[Row], folder: Folder) -> None:
    first_known: dict[tuple[str, str], str] = {}
    for row in folder.rows():
        first_known.setdefault((row["unique_id"], row["ds"]), row["known_at"])
    for event in _kind(truth, Kind.LATE):
        indicator = event["target"].partition(":")[0]
        assert first_known[event["target"], event["last"]] == event["known_at"]
        assert first_known[f"{indicator}:500000", event["last"]] < event["known_at"]


def test_a_typing_error_is_published_first_and_corrected_later(truth: list[Row], folder: Folder) -> None:
    rows = folder.rows()
    for event in _kind(truth, Kind.REVISED_ERROR):
        wrong, right = (r for r in rows if (r["unique_id"], r["ds"]) == (event["target"], event["first"]))
        assert Decimal(wrong["y"]) == Decimal(right["y"]) * Decimal(event["size"])
        assert (wrong["known_at"], right["known_at"]) == (event["known_at"], event["corrected_at"])


def test_each_series_has_one_event_of_its_own_at_most(truth: list[Row]) -> None:
    own = [event["target"] for event in truth if event["kind"] != Kind.SHOCK]
    assert len(own) == len(set(own))


def test_every_event_of_the_full_city_is_over_before_its_history_is() -> None:
    city = plan_city(seed=1, last_month="2026-06", size=FULL)
    assert len(city.events) > 250
    for event in city.events:
        assert 0 < event.first <= event.last < len(city.timelines[event.frequency])
        for moment in (event.known_at, event.corrected_at):
            assert moment is None or moment < city.world.history.published
    assert not [event for event in city.events if event.frequency is Frequency.YEARLY]


def test_the_newest_row_of_a_period_is_its_last(folder: Folder) -> None:
    for before, after in pairwise(folder.table("observations-monthly.csv")):
        if (before["unique_id"], before["ds"]) == (after["unique_id"], after["ds"]):
            assert before["known_at"] < after["known_at"]


def _pairs(city: City) -> list[str]:
    return [
        f"{city.places.districts[district].code}:{city.places.clusters[cluster].code}"
        for district, cluster in city.places.pairs
    ]
