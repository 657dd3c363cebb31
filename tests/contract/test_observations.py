"""The contract of `ObservationStore`."""

from __future__ import annotations

import datetime as dt
import threading

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.indicators import SeriesInfo, Source
from industrial_brain.domain.observations import ObservationBatch, Verdict
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import ObservationStore
from industrial_brain.storage.catalogue import SqlCatalogue
from industrial_brain.storage.observations import SqlObservationStore
from tests.contract.conftest import SQL, Stores, empty
from tests.fakes.stores import FakeCatalogue, FakeObservationStore

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SOURCE = Source("statistics office", "CC-BY-4.0")
SERIES = [
    SeriesInfo("m", Frequency.MONTHLY, "1", "m"),
    SeriesInfo("n", Frequency.MONTHLY, "1", "n"),
    SeriesInfo("q", Frequency.QUARTERLY, "1", "q"),
]
A, R, D, C = Verdict.ACCEPTED, Verdict.REVISED, Verdict.DUPLICATE, Verdict.CONFLICT

Row = tuple[str, int, int, float]  # series, period, day of knowledge, value


@pytest.fixture
def store(stores: Stores) -> ObservationStore:
    stores.catalogue.put_series(SERIES)
    return stores.observations


def on(day: int) -> dt.datetime:
    return DAY + dt.timedelta(days=day)


def batch(*rows: Row) -> ObservationBatch:
    return ObservationBatch(
        series=np.array([row[0] for row in rows], dtype=object),
        periods=np.array([row[1] for row in rows], dtype=np.int64),
        values=np.array([row[3] for row in rows], dtype=np.float64),
        known_at=np.array([on(row[2]).replace(tzinfo=None) for row in rows], dtype="datetime64[us]"),
    )


def append(store: ObservationStore, *rows: Row) -> list[int]:
    return [int(verdict) for verdict in store.append(batch(*rows), SOURCE)]


def values(store: ObservationStore, day: int) -> dict[str, list[float]]:
    return {
        name: row.tolist()
        for panel in store.read_panels(on(day))
        for name, row in zip(panel.ids, panel, strict=True)
    }  # fmt: skip


def test_a_first_value_is_accepted_and_read_back(store: ObservationStore) -> None:
    assert append(store, ("m", 600, 0, 1.5)) == [A]
    (panel,) = store.read_panels(on(0))
    assert (panel.ids, panel.freq, panel.start.tolist(), panel.values.tolist()) == (("m",), "M", [600], [1.5])


def test_an_equal_value_later_is_a_duplicate(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.5))
    assert append(store, ("m", 600, 0, 1.5), ("m", 600, 9, 1.5)) == [D, D]
    assert store.newest_knowledge() == on(0)


def test_a_revision_is_kept_beside_the_first(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0))
    assert append(store, ("m", 600, 5, 2.0)) == [R]
    assert values(store, 4) == {"m": [1.0]}
    assert values(store, 5) == {"m": [2.0]}


def test_a_different_value_at_the_same_moment_is_a_conflict(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0))
    assert append(store, ("m", 600, 0, 2.0)) == [C]
    assert values(store, 9) == {"m": [1.0]}


def test_a_value_that_returns_to_an_older_one_is_a_revision(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0), ("m", 600, 1, 2.0))
    assert append(store, ("m", 600, 2, 1.0)) == [R]
    assert values(store, 2) == {"m": [1.0]}


def test_a_late_row_lands_in_its_place_in_history(store: ObservationStore) -> None:
    append(store, ("m", 600, 10, 3.0))
    assert append(store, ("m", 600, 0, 1.0)) == [A]
    assert append(store, ("m", 600, 5, 2.0)) == [R]
    assert [values(store, day)["m"] for day in (0, 4, 5, 9, 10)] == [[1.0], [1.0], [2.0], [2.0], [3.0]]


def test_rows_of_one_batch_are_judged_against_each_other(store: ObservationStore) -> None:
    rows = [("m", 600, 0, 1.0), ("m", 600, 0, 1.0), ("m", 600, 0, 7.0), ("m", 600, 3, 1.0), ("m", 600, 4, 2.0)]
    assert append(store, *rows) == [A, D, C, D, R]


def test_the_order_of_rows_does_not_matter_for_history(store: ObservationStore) -> None:
    assert append(store, ("m", 600, 4, 2.0), ("m", 600, 0, 1.0)) == [R, A]
    assert values(store, 3) == {"m": [1.0]}


def test_values_are_compared_exactly(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 0.1 + 0.2))
    assert append(store, ("m", 600, 1, 0.3)) == [R]
    assert values(store, 0) == {"m": [0.1 + 0.2]}


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, -1e-300, 123456789.123456789, 2.0**53])
def test_every_finite_double_survives(store: ObservationStore, value: float) -> None:
    append(store, ("m", 600, 0, value))
    assert values(store, 0) == {"m": [value]}


def test_periods_before_1970_are_periods(store: ObservationStore) -> None:
    append(store, ("m", -841, 0, 1.0), ("m", -840, 0, 2.0))
    assert store.read_one("m", on(0))[0].period == "1899-12-01"
    assert values(store, 0) == {"m": [1.0, 2.0]}


def test_a_gap_is_not_filled(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0), ("m", 603, 0, 4.0))
    np.testing.assert_array_equal(values(store, 0)["m"], [1.0, np.nan, np.nan, 4.0])


def test_there_is_one_panel_a_frequency_with_ids_in_order(store: ObservationStore) -> None:
    append(store, ("q", 200, 0, 9.0), ("n", 601, 0, 2.0), ("m", 600, 0, 1.0))
    assert [(panel.freq, panel.ids) for panel in store.read_panels(on(0))] == [("Q", ("q",)), ("M", ("m", "n"))]
    assert [panel.ids for panel in store.read_panels(on(0), ["n"])] == [("n",)]


def test_series_that_changed_since_a_revision_are_named(store: ObservationStore) -> None:
    append(store, ("m", 600, 5, 1.0), ("n", 600, 5, 1.0))
    before = store.revision()
    assert store.changed_since(before) == []
    append(store, ("n", 601, 5, 1.0), ("m", 600, 9, 1.0))  # the latter is a duplicate
    assert store.changed_since(before) == ["n"]
    assert store.changed_since(before - 1) == ["m", "n"]


def test_the_revision_rises_with_every_stored_value_however_old_and_with_no_other(store: ObservationStore) -> None:
    before = store.revision()
    append(store, ("m", 600, 5, 1.0))
    first = store.revision()
    append(store, ("m", 599, 0, 1.0))  # known earlier, filed later
    second = store.revision()
    append(store, ("m", 600, 9, 1.0))  # a duplicate
    assert before < first < second == store.revision()


def test_nothing_is_known_before_the_first_value(store: ObservationStore) -> None:
    assert store.newest_knowledge() is None
    append(store, ("m", 600, 5, 1.0))
    assert store.read_panels(on(4)) == []
    assert store.read_one("m", on(4)) == []
    assert store.newest_knowledge() == on(5)


def test_one_series_is_read_with_its_sources_and_in_pages(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0), ("m", 601, 0, 2.0), ("m", 602, 0, 3.0))
    store.append(batch(("m", 601, 1, 5.0)), Source("the simulator", "CC0-1.0", simulated=True))
    found = store.read_one("m", on(9))
    assert [(one.period, one.value, one.revised, one.simulated) for one in found] == [
        ("2020-01-01", 1.0, False, False),
        ("2020-02-01", 5.0, True, True),
        ("2020-03-01", 3.0, False, False),
    ]
    assert (found[1].source, found[1].known_at) == ("the simulator", on(1))
    assert [one.value for one in store.read_one("m", on(0), after=600, limit=1)] == [2.0]


def test_unknown_series_are_named_and_nothing_is_stored(store: ObservationStore) -> None:
    with pytest.raises(UnknownIdError, match="nobody"):
        append(store, ("m", 600, 0, 1.0), ("nobody", 600, 0, 1.0))
    with pytest.raises(UnknownIdError, match="nobody"):
        store.read_one("nobody", on(0))
    with pytest.raises(UnknownIdError, match="nobody"):
        store.read_panels(on(0), ["nobody"])
    assert store.read_panels(on(9)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(store: ObservationStore, value: float) -> None:
    with pytest.raises(InputError):
        append(store, ("m", 600, 0, value))


def test_an_empty_batch_is_nothing(store: ObservationStore) -> None:
    assert append(store) == []


def test_a_naive_moment_is_utc(store: ObservationStore) -> None:
    append(store, ("m", 600, 1, 1.0))
    assert store.read_panels(on(1).replace(tzinfo=None) - dt.timedelta(hours=1)) == []
    east = dt.timezone(dt.timedelta(hours=8))
    assert len(store.read_panels(dt.datetime(2026, 1, 2, 8, tzinfo=east))) == 1


def test_observations_are_counted(stores: Stores) -> None:
    stores.catalogue.put_series(SERIES)
    append(stores.observations, ("m", 600, 0, 1.0), ("m", 600, 1, 2.0), ("m", 600, 2, 2.0))
    assert stores.catalogue.counts()["observations"] == 2


def test_vintages_are_every_value_published_of_a_period_oldest_first(store: ObservationStore) -> None:
    append(store, ("m", 600, 0, 1.0), ("m", 601, 0, 5.0), ("m", 601, 1, 6.0), ("m", 601, 3, 5.0), ("m", 602, 2, 7.0))
    told = [(one.period, one.value, one.known_at, one.revised) for one in store.read_vintages("m", on(2), since=601)]
    assert told == [
        ("2020-02-01", 5.0, on(0), False),
        ("2020-02-01", 6.0, on(1), True),
        ("2020-03-01", 7.0, on(2), False),
    ]
    with pytest.raises(UnknownIdError):
        store.read_vintages("nobody", on(2))


row = st.tuples(st.sampled_from(["m", "n"]), st.integers(600, 602), st.integers(0, 3), st.sampled_from([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("kind", SQL)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(appends=st.lists(st.lists(row, max_size=8), max_size=4))
def test_any_sequence_of_appends_reads_like_the_plain_model(
    request: pytest.FixtureRequest, kind: str, appends: list[list[Row]]
) -> None:
    engine: sa.Engine = request.getfixturevalue(f"{kind}_engine")
    empty(engine)
    catalogue, model_catalogue = SqlCatalogue(engine), FakeCatalogue()
    store, model = SqlObservationStore(engine), FakeObservationStore(model_catalogue)
    catalogue.put_series(SERIES)
    model_catalogue.put_series(SERIES)
    for rows in appends:
        assert append(store, *rows) == append(model, *rows)
    for day in range(4):
        np.testing.assert_equal(values(store, day), values(model, day))
        for name in ("m", "n"):
            assert store.read_one(name, on(day)) == model.read_one(name, on(day))
            assert store.read_vintages(name, on(day)) == model.read_vintages(name, on(day))


def test_two_imports_at_once_neither_lose_nor_double_a_row(engine: sa.Engine) -> None:
    SqlCatalogue(engine).put_series(SERIES)
    store = SqlObservationStore(engine)
    verdicts: list[list[int]] = []
    start = threading.Barrier(2)

    def run(days: list[int]) -> None:
        start.wait()
        for day in days:
            rows: list[Row] = [("m", period, day, float(period)) for period in range(600, 700)]
            verdicts.append(append(store, *rows))

    threads = [threading.Thread(target=run, args=(days,)) for days in ([0, 2, 4, 6], [0, 3, 5, 7])]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    every = [verdict for rows in verdicts for verdict in rows]
    assert len(every) == 800
    assert every.count(A) == 100  # the other 700 repeat what one of the two stored first
    assert every.count(D) == 700
    assert values(store, 9) == {"m": [float(period) for period in range(600, 700)]}
