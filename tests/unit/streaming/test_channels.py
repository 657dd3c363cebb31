"""The channel index against a dictionary of Python, which is slow and right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from industrial_brain.domain.errors import StateError, UnknownIdError
from industrial_brain.domain.telemetry import Coded, Texts
from streaming.channels import ChannelIndex
from streaming.names_table import ABSENT

NAMES = st.sampled_from(["a", "b", "ab", "ba", "a1", "a2", "泵", "泵泵", "x" * 40, "x" * 39 + "y"])
ROWS = st.lists(st.tuples(NAMES, st.sampled_from(["t", "p"]), st.booleans()), max_size=60)


def resolve(index: ChannelIndex, site: str, rows: list[tuple[str, str, bool]], room: int = 10_000) -> list[int]:
    metrics = ("p", "t")
    key, _ = index.resolve(
        site,
        Texts.of(device for device, _, _ in rows),
        Coded(np.array([metrics.index(metric) for _, metric, _ in rows], np.int32), metrics),
        Coded(np.zeros(len(rows), np.int32), ("",)),
        np.array([wanted for _, _, wanted in rows], np.bool_),
        room,
    )
    return [int(one) for one in key]


@settings(deadline=None)
@given(requests=st.lists(st.tuples(st.sampled_from(["works", "mill"]), ROWS, st.integers(0, 5)), max_size=8))
def test_keys_are_those_of_a_dictionary_in_order_of_first_sight(
    requests: list[tuple[str, list[tuple[str, str, bool]], int]],
) -> None:
    index, known = ChannelIndex(1_000, seed=1), dict[tuple[str, str, str], int]()
    for site, rows, room in requests:
        expected = []
        for device, metric, wanted in rows:
            name = (site, device, metric)
            if wanted and name not in known and room > 0:
                known[name], room = len(known), room - 1
            expected.append(known.get(name, ABSENT) if wanted else ABSENT)
        begun = len(index)
        found = resolve(index, site, rows, len(known) - begun)
        assert found == expected
    for (site, device, metric), key in known.items():
        assert index.key(site, device, metric) == key
        found_name = index.name(key)
        assert (found_name.site, found_name.device, found_name.metric) == (site, device, metric)
    assert len(index) == len(known)


def test_many_names_make_the_tables_grow_and_are_all_found_again() -> None:
    index = ChannelIndex(50_000, seed=2)
    rows = [(f"device-{i}", "t", True) for i in range(20_000)]
    assert resolve(index, "works", rows, room=20_000) == list(range(20_000))
    order = np.random.default_rng(0).permutation(20_000).tolist()
    assert resolve(index, "works", [rows[i] for i in order], room=0) == order
    assert (index.devices, index.device_count("works"), index.device_count("mill")) == (20_000, 20_000, 0)


def test_what_names_say_restores_an_equal_index() -> None:
    index = ChannelIndex(1_000, seed=3)
    rows = [("a", "t", True), ("a", "p", True), ("b", "t", True)]
    resolve(index, "works", rows)
    resolve(index, "mill", rows)
    index.set_units(np.array([1], np.int32), np.array([index._units.add("Cel")], np.int32))
    again = ChannelIndex(1_000, seed=99)
    again.restore(index.names_of(np.arange(3, dtype=np.int32)))
    again.restore(index.names_of(np.arange(1, 6, dtype=np.int32)))  # two of them stated again
    assert [again.name(key) for key in range(6)] == [index.name(key) for key in range(6)]
    assert again.of_device("works", "a") == index.of_device("works", "a")
    assert [channel.metric for channel in again.of_device("works", "a")] == ["t", "p"]
    assert again.name(1).unit == "Cel"


def test_devices_of_a_site_are_listed_in_portions() -> None:
    index = ChannelIndex(1_000, seed=4)
    resolve(index, "works", [("a", "t", True), ("b", "t", True)])
    resolve(index, "mill", [("c", "t", True)])
    resolve(index, "works", [("d", "t", True), ("a", "p", True)])
    first = index.devices_of("works", limit=2)
    assert first == [(0, "a"), (1, "b")]
    assert index.devices_of("works", after=first[-1][0]) == [(3, "d")]
    assert index.of_device("works", "nobody") == []
    with pytest.raises(UnknownIdError):
        index.name(99)


def test_fewer_channels_than_there_are_cannot_be_asked_for_afterwards() -> None:
    index = ChannelIndex(1_000, seed=5)
    resolve(index, "works", [(f"d{i}", "t", True) for i in range(20)])
    with pytest.raises(StateError, match="BRAIN_TELEMETRY_CHANNELS"):
        ChannelIndex(10, seed=5).restore(index.names_of(np.arange(20, dtype=np.int32)))
