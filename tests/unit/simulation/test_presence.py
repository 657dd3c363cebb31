"""Clusters that come and go: the mechanism does what its page says, and the files tell what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from industrial_brain.simulation.city import City
from industrial_brain.simulation.places import Places, build_places, shipped_chain
from industrial_brain.simulation.presence import Presence, plan_presence
from training.targeting.scores import roc_auc

if TYPE_CHECKING:
    from .conftest import Folder

MONTHS = 120


@pytest.fixture(scope="module")
def places() -> Places:
    return build_places(1, districts=38, towns=38, clusters=30)


@pytest.fixture(scope="module")
def presence(places: Places) -> Presence:
    return plan_presence(1, places, shipped_chain(), MONTHS)


def test_founders_stay_first_and_newcomers_grow_from_nothing(places: Places, presence: Presence) -> None:
    np.testing.assert_array_equal(presence.pairs[: presence.founders], places.pairs)
    assert len(np.unique(presence.pairs, axis=0)) == len(presence.pairs)
    newcomers = presence.log_size[presence.founders :]
    for begins, size in zip(presence.begins[presence.founders :], newcomers, strict=True):
        assert np.isneginf(size[:begins]).all() and np.isfinite(size[begins:]).all()
        assert size[begins] == pytest.approx(np.log(0.05))


def test_a_decline_leaves_a_remnant_and_nobody_is_the_last_to_go(presence: Presence) -> None:
    declined = {move.pair: move.month for move in presence.moves if not move.came}
    rows = {(int(a), int(b)): row for row, (a, b) in enumerate(presence.pairs)}
    for pair, month in declined.items():
        if month + 36 < MONTHS:
            assert presence.log_size[rows[pair], -1] <= np.log(0.06) + 1e-9
    for odds in presence.odds:
        assert odds.present.any(axis=0).all() and odds.present.any(axis=1).all()


def test_moves_happen_as_often_as_their_odds_say(places: Places) -> None:
    expected = happened = 0.0
    for seed in range(6):
        one = plan_presence(seed, places, shipped_chain(), MONTHS)
        expected += sum(float(odds.probability.sum()) for odds in one.odds)
        happened += len(one.moves)
    assert happened == pytest.approx(expected, rel=0.1)


def test_relatives_and_the_chain_decide_who_comes(presence: Presence) -> None:
    by_cause = {
        cause: [m for m in presence.moves if m.came and m.cause == cause]
        for cause in ("chance", "relatedness", "chain")
    }
    assert all(len(moves) > 5 for moves in by_cause.values())
    start = presence.odds[4]
    came = np.zeros(start.present.shape, dtype=np.bool_)
    for move in presence.moves:
        came[move.pair] |= move.came and start.month <= move.month < start.month + 36
    never = np.logical_or.reduce([odds.present for odds in presence.odds[:5]])
    assert roc_auc(came[~never], start.probability[~never]) > 0.65


def test_a_newcomer_has_no_row_before_it_came(folder: Folder, city: City) -> None:
    assert len(city.presence.pairs) > city.presence.founders
    first: dict[str, str] = {}
    for row in folder.rows():
        first.setdefault(row["unique_id"], row["ds"])
    for move in folder.table("truth/moves.csv"):
        if move["move"] == "came":
            assert first[f"output:{move['region']}:{move['cluster']}"] == move["month"]
            assert first[f"output:{move['region']}"] < move["month"]


def test_the_odds_name_every_pair_of_every_year(folder: Folder, city: City) -> None:
    rows = folder.table("truth/odds.csv")
    assert len(rows) == 10 * len(city.places.districts) * len(city.places.clusters)
    assert all(0.0 <= float(row["probability"]) < 1.0 for row in rows)
