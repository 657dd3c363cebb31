"""Nowcasts in a profile: what a good declaration stores, and how a bad one is refused by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from industrial_brain.domain.errors import ProfileError
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.storage.profile import load_profile
from tests.fakes.stores import FakeCatalogue, FakeObservationStore
from tests.unit.storage.conftest import NOW

HEADER = """
name = "A small city"
time_zone = "Asia/Shanghai"
[source]
name = "the simulator"
licence = "CC0-1.0"
simulated = true
"""
GOOD = """
[[nowcast]]
target = "gdp:1"
indicators = ["output:1", "output:1:C01", "gas:1"]
most_related = 2
transformations = { "gas:1" = 2 }
blocks = { energy = ["gas:1"] }
factor_order = 2
"""


def _load(folder: Path, nowcasts: str) -> FakeCatalogue:
    catalogue = FakeCatalogue()
    files = {
        "profile.toml": HEADER + nowcasts,
        "regions.csv": "code,name,tier\n1,一,external\n",
        "clusters.csv": "code,name,class\nC01,汽车,leading\n",
        "indicators.csv": "code,name,unit,frequency,sector\n"
        "gdp,产值,{CNY},Q,economy\noutput,产出,{CNY},M,economy\ngas,气,m3,D,economy\nyear,年,1,Y,economy\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    load_profile(folder, catalogue=catalogue, observations=FakeObservationStore(catalogue), now=NOW)
    return catalogue


def test_a_declaration_is_stored_whole(tmp_path: Path) -> None:
    assert _load(tmp_path, GOOD).nowcasts() == {
        "gdp:1": NowcastTarget(
            "gdp:1",
            ("output:1", "output:1:C01", "gas:1"),
            most_related=2,
            transformations={"gas:1": Transformation.DIFFERENCE},
            blocks={"energy": ("gas:1",)},
            factor_order=2,
        )
    }


def test_a_profile_needs_none(tmp_path: Path) -> None:
    assert _load(tmp_path, "").nowcasts() == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('target = "gdp:1"', 'traget = "gdp:1"', "'traget' is none of"),
        ('target = "gdp:1"', "", "written as text"),
        ('target = "gdp:1"', 'target = "gdp"', "does not name a series"),
        ('target = "gdp:1"', 'target = "gnp:1"', "indicator 'gnp'"),
        ('target = "gdp:1"', 'target = "gdp:2"', "region '2'"),
        ('target = "gdp:1"', 'target = "gas:1"', "has a value a day"),
        ('"output:1:C01"', '"output:1:C02"', "cluster 'C02'"),
        ('"output:1:C01"', '"year:1"', "has a value a year"),
        ('"output:1:C01"', '"output:1"', "stands twice"),
        ('"output:1:C01"', '"gdp:1"', "no indicator of itself"),
        ("most_related = 2", "most_related = 0", "whole number"),
        ("most_related = 2", "most_related = true", "whole number"),
        ("factor_order = 2", "factor_order = 9", "from 1 to 4"),
        ('"gas:1" = 2', '"gas:1" = 8', "from 1 to 7"),
        ('"gas:1" = 2', '"year:1" = 2', "neither the target nor an indicator"),
        ('energy = ["gas:1"]', 'energy = ["gdp:1"]', "no indicator"),
        ('energy = ["gas:1"]', 'common = ["gas:1"]', "factor of all series"),
        ('energy = ["gas:1"]', "energy = []", "not empty"),
        ("[[nowcast]]", "[nowcast]", r"tables \[\[nowcast\]\]"),
    ],
)
def test_a_contradiction_is_refused_by_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ProfileError, match=message):
        _load(tmp_path, GOOD.replace(old, new))


def test_a_target_is_declared_once(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="nowcast 2: 'gdp:1' is declared twice"):
        _load(tmp_path, GOOD + GOOD)
