from __future__ import annotations

import pytest

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import Declaration
from streaming.runtime import Sizes, Stores, Telemetry
from streaming.sharding import Shard
from tests.fakes.inbox import FakeInbox
from tests.fakes.lake import FakeLake, FakeSnapshots
from tests.unit.streaming.conftest import NOW, Stream

SITES = [f"site-{i}" for i in range(200)]


def test_every_site_is_of_one_shard_and_shards_are_about_as_large() -> None:
    shards = [Shard(number, 4) for number in range(4)]
    taken = [[site for site in SITES if shard.of(site) == shard.number] for shard in shards]
    assert sorted(site for sites in taken for site in sites) == sorted(SITES)
    assert all(len(sites) > 25 for sites in taken)


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "a/b", "0/0"])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="BRAIN_SHARD"):
        Shard.read(text)


def test_a_site_of_another_shard_is_refused_with_the_shard_that_takes_it(stream: Stream) -> None:
    stream.telemetry.stop()
    stores = Stores(FakeInbox(), FakeLake(), FakeSnapshots())
    stream.telemetry = Telemetry(stores, lambda: NOW, shard=Shard(0, 2), sizes=Sizes(most_channels=200))
    stream.telemetry.start()
    mine = next(site for site in SITES if Shard(0, 2).of(site) == 0)
    other = next(site for site in SITES if Shard(0, 2).of(site) == 1)
    assert stream.send(("a", "t", NOW, 1.0), site=mine).accepted == 1
    with pytest.raises(InputError, match="BRAIN_SHARD=1/2"):
        stream.send(("a", "t", NOW, 1.0), site=other)
    with pytest.raises(InputError, match="BRAIN_SHARD=1/2"):
        stream.telemetry.declare([Declaration(other, "a")])
