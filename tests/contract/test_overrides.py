"""The contract of `OverrideStore`."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.indicators import SeriesInfo, Source
from industrial_brain.domain.observations import ObservationBatch
from industrial_brain.domain.overrides import Override, OverrideState, RepeatableRequest, StatisticalForecast
from industrial_brain.domain.overriding import new_override_id
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import OverrideStore
from tests.contract.conftest import Stores

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)


def on(day: float) -> dt.datetime:
    return START + day * DAY


def override(day: float, *values: float, series: str = "m", start: int = 673, author: str = "ann") -> Override:
    """Made on a day, expiring on day 100. Month 673 is February 2026."""
    return Override(
        id=new_override_id(on(day), "abcd"),
        series=series,
        freq=Frequency.MONTHLY,
        start=start,
        values=values or (1.1, 0.1 + 0.2),
        change="set",
        author=author,
        reason="A strike, 罢工.",
        created_at=on(day),
        expires_at=on(100),
        statistical=StatisticalForecast((1.0, 2.0), (0.5, 1.5), (1.5, 2.5), 3, on(-1)),
    )


@pytest.fixture
def store(stores: Stores) -> OverrideStore:
    stores.catalogue.put_series([SeriesInfo(name, Frequency.MONTHLY, "1", name) for name in ("m", "n")])
    return stores.overrides


def _publish(stores: Stores, period: int, day: float) -> None:
    batch = ObservationBatch(
        np.array(["m"], dtype=object), np.array([period]), np.array([4.0]), np.array([on(day).replace(tzinfo=None)])
    )
    stores.observations.append(batch, Source("s", "CC0"))


def test_what_is_added_reads_back_to_the_last_digit(store: OverrideStore) -> None:
    made = store.add(override(0))
    assert made == override(0)
    assert store.get(made.id, on(1)) == made
    assert store.in_force(on(1)) == [made]


def test_an_override_is_in_force_from_its_making_to_its_end(store: OverrideStore) -> None:
    made = store.add(override(0))
    assert [store.in_force(on(day)) for day in (-1, 0, 99.9, 100)] == [[], [made], [made], []]


def test_before_it_was_made_there_is_none(store: OverrideStore) -> None:
    made = store.add(override(5))
    assert store.list_overrides(on(4)).items == ()
    with pytest.raises(UnknownIdError):
        store.get(made.id, on(4))


def test_a_withdrawal_keeps_its_moment_and_the_past_sees_none(store: OverrideStore) -> None:
    made = store.add(override(0))
    withdrawn = store.withdraw(made.id, "bob", on(5))
    assert withdrawn == replace(made, withdrawn_at=on(5), withdrawn_by="bob")
    assert store.in_force(on(6)) == []
    assert store.in_force(on(4)) == [made]
    assert store.get(made.id, on(4)) == made


def test_withdrawing_twice_changes_nothing(store: OverrideStore) -> None:
    made = store.add(override(0))
    first = store.withdraw(made.id, "bob", on(5))
    assert store.withdraw(made.id, "eve", on(7)) == first


def test_withdrawing_what_does_not_exist_is_an_error(store: OverrideStore) -> None:
    with pytest.raises(UnknownIdError):
        store.withdraw("nothing", "bob", on(1))


def test_an_unknown_series_is_refused(store: OverrideStore) -> None:
    with pytest.raises(UnknownIdError):
        store.add(override(0, series="nobody"))


@pytest.mark.parametrize("start", [672, 673, 674])
def test_a_second_override_of_a_period_is_refused_and_names_the_first(store: OverrideStore, start: int) -> None:
    made = store.add(override(0))
    with pytest.raises(StateError, match=made.id):
        store.add(override(1, start=start))
    assert store.in_force(on(2)) == [made]


def test_other_periods_other_series_and_the_withdrawn_or_expired_do_not_overlap(store: OverrideStore) -> None:
    made = store.add(override(0))
    store.add(override(1, start=675))
    store.add(override(2, series="n"))
    store.withdraw(made.id, "ann", on(3))
    again = store.add(override(4))
    assert store.add(replace(override(101), expires_at=on(200))).created_at > again.expires_at


def test_a_repeated_request_gets_what_it_got_and_another_under_its_key_is_refused(store: OverrideStore) -> None:
    request = RepeatableRequest("key", "d" * 64)
    made = store.add(override(0), request)
    assert store.add(override(1), request) == made
    assert store.list_overrides(on(2)).total == 1
    assert store.repeated(request, on(2)) == made
    assert store.repeated(RepeatableRequest("another", "d" * 64), on(2)) is None
    with pytest.raises(InputError, match="another request"):
        store.add(override(1, start=680), RepeatableRequest("key", "e" * 64))


def test_states_follow_the_end_the_withdrawal_and_the_actual(stores: Stores, store: OverrideStore) -> None:
    made = store.add(override(0))
    gone = store.add(override(1, start=680))
    store.withdraw(gone.id, "ann", on(2))
    _publish(stores, 673, 10)  # the first of two periods: not yet scored
    _publish(stores, 674, 110)

    def ids(state: OverrideState, day: float) -> list[str]:
        return [one.id for one in store.list_overrides(on(day), state=state).items]

    active, expired, scored, withdrawn = (
        OverrideState.ACTIVE,
        OverrideState.EXPIRED,
        OverrideState.SCORED,
        OverrideState.WITHDRAWN,
    )
    assert [ids(active, day) for day in (1.5, 50, 105, 115)] == [[gone.id, made.id], [made.id], [], []]
    assert [ids(expired, day) for day in (50, 105, 115)] == [[], [made.id], []]
    assert [ids(scored, day) for day in (50, 105, 115)] == [[], [], [made.id]]
    assert [ids(withdrawn, day) for day in (1.5, 50, 115)] == [[], [gone.id], [gone.id]]
    assert store.get(made.id, on(115)).actual_at == on(110)
    assert store.get(made.id, on(105)).actual_at is None
    for day in (1.5, 50, 105, 115):
        for one in store.list_overrides(on(day)).items:
            assert one.id in ids(one.state(on(day)), day)


def test_a_listing_is_newest_first_filtered_and_goes_on_where_it_stopped(store: OverrideStore) -> None:
    made = [store.add(override(day, 1.0, start=673 + day, author="ann" if day % 2 else "bob")) for day in range(5)]
    other = store.add(override(9, series="n"))
    page = store.list_overrides(on(10), limit=4)
    assert [one.id for one in page.items] == [one.id for one in (other, *made[:1:-1])]
    assert page.total == 6
    rest = store.list_overrides(on(10), after=page.next_after, limit=4)
    assert [one.id for one in rest.items] == [made[1].id, made[0].id]
    assert rest.next_after is None
    assert {one.id for one in store.list_overrides(on(10), author="bob").items} == {made[n].id for n in (0, 2, 4)}
    assert [one.id for one in store.list_overrides(on(10), series="n").items] == [other.id]
