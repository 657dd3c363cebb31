"""City profiles: what a good one stores, and how a bad one is refused whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from industrial_brain.domain.city import Tier
from industrial_brain.domain.covariates import Knowledge
from industrial_brain.domain.errors import ProfileError
from industrial_brain.domain.indicators import CovariateUse
from industrial_brain.storage.files.report import Reason
from industrial_brain.storage.profile import ProfileReport, load_profile
from tests.fakes.stores import FakeCatalogue, FakeObservationStore
from tests.unit.storage.conftest import NOW

FILES = {
    "profile.toml": """
        name = "A small city"
        time_zone = "Asia/Shanghai"
        [source]
        name = "the simulator"
        licence = "CC0-1.0"
        simulated = true
        known_at = 2025-06-01T08:00:00+08:00
    """,
    "regions.csv": "\ufeffcode,name,name_en,tier,parent,longitude,latitude,simulated\n"
    "500103,渝中区,Yuzhong,district,500000,106.57,29.55,false\n"
    "500000,重庆市,Chongqing,municipality,,,,false\n"
    "500103001,七星岗街道,Qixinggang,town,500103,,,\n"
    "US,美国,United States,external,,,,false\n",
    "clusters.csv": "code,name,name_en,class\nC01,汽车,Vehicles,leading\n",
    "indicators.csv": "code,name,name_en,unit,frequency,sector,aggregation,weight,numerator,denominator,nonnegative\n"
    "price,单价,Price,{CNY},M,economy,ratio,,output,volume,true\n"
    "output,产值,Output,{CNY},M,economy,sum,,,,\n"
    "volume,产量,Volume,1,M,economy,sum,,,,true\n",
    "enterprises.csv": "id,name,region,cluster,employees,simulated\nE1,长江厂,500103,C01,120,true\n",
    "sites.csv": "id,name,kind,region,enterprise,parent,longitude,latitude,simulated\n"
    "P1,服务点,gas_service_point,500103,,S1,,,true\n"
    "S1,气站,gas_station,500103,,,106.5,29.5,true\n"
    "F1,工厂,factory,500103,E1,,,,true\n",
    "observations-1.csv": "unique_id,ds,y\noutput:500103,2025-01,1\noutput:500103:C01,2025-01,2\nmine,2025-01,3\n",
    "observations.csv": "unique_id,ds,y,known_at,simulated\noutput:500103,2025-01,4,2025-07-01T00:00:00Z,false\n",
}
COUNTS = {"regions": 4, "clusters": 1, "indicators": 3, "series": 2, "enterprises": 1, "sites": 3, "observations": 3}


class Profile:
    """A folder that starts as a good profile, and stores to load it into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalogue = FakeCatalogue()
        self.observations = FakeObservationStore(self.catalogue)
        for name, content in FILES.items():
            self.write(name, content)

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        assert old in FILES[name]
        self.write(name, FILES[name].replace(old, new))

    def load(self) -> ProfileReport:
        return load_profile(self.folder, catalogue=self.catalogue, observations=self.observations, now=NOW)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def test_a_profile_is_stored_whole(profile: Profile) -> None:
    report = profile.load()
    assert profile.catalogue.counts() == COUNTS
    assert (report.name, report.time_zone, report.source.simulated) == ("A small city", "Asia/Shanghai", True)
    assert report.known_at == dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    assert report.records == {"regions": 4, "clusters": 1, "indicators": 3, "enterprises": 1, "sites": 3, "nowcasts": 0}
    assert [(one.path.name, one.accepted, one.revised, one.rejected) for one in report.imports] == [
        ("observations-1.csv", 2, 0, 1),
        ("observations.csv", 0, 1, 0),
    ]


def test_observations_of_ids_that_no_one_knows_are_rejected_and_reported(profile: Profile) -> None:
    (rejection,) = profile.load().imports[0].rejections
    assert (rejection.line, rejection.unique_id, rejection.reason) == (4, "mine", "unknown_series")


def test_what_is_simulated_says_so(profile: Profile) -> None:
    profile.load()
    regions = {one.code: one.simulated for one in profile.catalogue.list_regions().items}
    assert regions == {"500000": False, "500103": False, "500103001": True, "US": False}  # an empty cell: the source's
    assert all(one.simulated for one in profile.catalogue.series().values())
    real = profile.observations.read_one("output:500103", NOW)[0]
    assert (real.value, real.simulated, real.revised) == (4.0, False, True)


def test_loading_again_changes_nothing(profile: Profile) -> None:
    profile.load()
    report = profile.load()
    assert profile.catalogue.counts() == COUNTS
    assert [(one.accepted, one.duplicate) for one in report.imports] == [(0, 2), (0, 1)]


def test_a_second_profile_adds_to_the_first(profile: Profile) -> None:
    profile.load()
    for name in FILES:
        if name != "profile.toml":
            (profile.folder / name).unlink()
    profile.write("regions.csv", "code,name,tier,parent\n500112,渝北区,district,500000\n")
    profile.write("sites.csv", "id,name,kind,region,enterprise,parent\nP2,点,gas_service_point,500112,E1,S1\n")
    profile.write("observations.csv", "unique_id,ds,y\noutput:500112:C01,2025-01,1\n")
    assert profile.load().imports[0].accepted == 1
    assert profile.catalogue.list_regions(tier=Tier.DISTRICT).total == 2


def test_truth_and_notes_are_left_alone(profile: Profile) -> None:
    (profile.folder / "truth").mkdir()
    profile.write("truth/shocks.csv", "what,ever\n1,2\n")
    profile.write("README.md", "hello")
    assert profile.load().records["regions"] == 4


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("profile.toml", "[source]", "[source", "not TOML"),
        ("profile.toml", 'name = "A small city"', "", "needs 'name'"),
        ("profile.toml", 'name = "A small city"', 'nmae = "x"', "unknown key 'nmae'"),
        ("profile.toml", "Asia/Shanghai", "Asia/Chongqing City", "not a time zone"),
        ("profile.toml", "[source]", "[sauce]", r"no table \[source\]"),
        ("profile.toml", "simulated = true", 'simulated = "yes"', "needs 'simulated'"),
        ("profile.toml", "2025-06-01T08:00:00+08:00", "2025-06-01T08:00:00", "no moment with an offset"),
        ("profile.toml", "2025-06-01", "2027-06-01", "has not come yet"),
        ("regions.csv", "name_en", "english", "regions.csv line 1: .* unknown column 'english'"),
        ("regions.csv", "code,name,", "code,code,", "regions.csv line 1: .* 'code' twice"),
        ("regions.csv", ",tier,", ",simulated,", "regions.csv line 1"),
        ("regions.csv", "US,美国", "US", "regions.csv line 5: 7 columns where the header has 8"),
        ("regions.csv", "500000,重庆市", "500000,", "regions.csv line 3: name is empty"),
        ("regions.csv", "US,", "500103,", "regions.csv line 5: code '500103' stands in line 2"),
        ("regions.csv", "district,500000", "distric,500000", "regions.csv line 2: tier 'distric' is none of"),
        ("regions.csv", "500103001,", "50010301,", "regions.csv line 4: '50010301' is not the code of a town"),
        ("regions.csv", "500103,渝", "5001O3,渝", "regions.csv line 2: '5001O3' is not the code of a district"),
        ("regions.csv", "town,500103", "town,500000", "line 4: parent '500000' is a municipality; a town needs a dist"),
        ("regions.csv", "town,500103", "town,", "regions.csv line 4: a town needs a district as parent"),
        ("regions.csv", "external,", "external,500000", "regions.csv line 5: a region of tier external has no parent"),
        ("regions.csv", "district,500000", "district,510000", "regions.csv line 2: parent '510000' does not exist"),
        ("regions.csv", "106.57", "206.57", "regions.csv line 2: longitude '206.57'"),
        ("regions.csv", "29.55", "nan", "regions.csv line 2: latitude 'nan'"),
        ("regions.csv", "29.55,false", "29.55,no", "regions.csv line 2: simulated 'no' is neither true nor false"),
        ("clusters.csv", "leading", "leader", "clusters.csv line 2: class 'leader' is none of leading, pillar"),
        ("clusters.csv", "C01,汽车", "C:1,汽车", "clusters.csv line 2: a code holds no colon"),
        ("indicators.csv", "price,单价", "pr:ice,单价", "indicators.csv line 2: 'pr:ice' is not a code"),
        ("indicators.csv", "1,M,economy", "1,X,economy", "indicators.csv line 4: frequency 'X' is none of"),
        ("indicators.csv", "1,M,economy", "1,Q,economy", "indicators.csv line 2: denominator 'volume' .* another freq"),
        ("indicators.csv", "output,volume", "output,mass", "indicators.csv line 2: denominator 'mass' does not exist"),
        ("indicators.csv", "output,volume", "output,", "indicators.csv line 2: aggregation ratio needs a denominator"),
        ("indicators.csv", "economy,sum,,,,\n", "economy,sum,volume,,,\n", "line 3: aggregation sum has no weight"),
        ("enterprises.csv", "500103,", "500199,", "enterprises.csv line 2: region '500199' does not exist"),
        ("enterprises.csv", "C01,", "C99,", "enterprises.csv line 2: cluster 'C99' does not exist"),
        ("enterprises.csv", "120", "many", "enterprises.csv line 2: employees 'many'"),
        ("sites.csv", "gas_station", "gas_shop", "sites.csv line 3: kind 'gas_shop' is none of"),
        ("sites.csv", ",E1,", ",E9,", "sites.csv line 4: enterprise 'E9' does not exist"),
        ("sites.csv", ",S1,,,", ",S9,,,", "sites.csv line 2: parent 'S9' does not exist"),
        ("sites.csv", ",S1,,,", ",F1,,,", "sites.csv line 2: parent 'F1' is no gas station"),
        ("sites.csv", "气站", '"气站', "sites.csv line"),
        ("observations.csv", "unique_id", "id", "observations.csv lacks"),
        ("observations.csv", "unique_id,ds,y", "ds,output:500103,z", "observations.csv is not long"),
    ],
)  # fmt: skip
def test_a_profile_that_contradicts_itself_is_refused_whole(
    profile: Profile, name: str, old: str, new: str, message: str
) -> None:
    profile.replace(name, old, new)
    with pytest.raises(ProfileError, match=message):
        profile.load()
    assert set(profile.catalogue.counts().values()) == {0}


def test_a_misspelt_file_is_not_left_out_in_silence(profile: Profile) -> None:
    profile.write("region.csv", "code\n")
    with pytest.raises(ProfileError, match=r"region\.csv is not a file of a profile"):
        profile.load()


def test_a_file_in_another_encoding_is_refused(profile: Profile) -> None:
    (profile.folder / "clusters.csv").write_bytes(FILES["clusters.csv"].encode("gbk"))
    with pytest.raises(ProfileError, match="not UTF-8"):
        profile.load()


def test_a_folder_without_a_profile_is_refused(tmp_path: Path) -> None:
    catalogue = FakeCatalogue()
    for folder, message in ((tmp_path, "no profile.toml"), (tmp_path / "nowhere", "not a folder")):
        with pytest.raises(ProfileError, match=message):
            load_profile(folder, catalogue=catalogue, observations=FakeObservationStore(catalogue), now=NOW)


def test_an_indicator_keeps_the_frequency_that_is_stored(profile: Profile) -> None:
    profile.load()
    profile.write("indicators.csv", FILES["indicators.csv"].replace(",M,", ",Q,"))
    with pytest.raises(ProfileError, match="stored with one value a month"):
        profile.load()


_DECLARED = """code,name,unit,frequency,sector,covariates
weather,气温,Cel,M,society,
tariff,气价,{CNY}/m3,M,economy,
weather_daily,气温,Cel,D,society,
gas,用气量,m3,M,economy,temperature=weather:past_only; tariff:known_ahead
"""


def test_an_indicator_declares_what_it_depends_on_and_how_far_ahead_it_is_known(profile: Profile) -> None:
    profile.write("indicators.csv", _DECLARED)
    (profile.folder / "observations.csv").unlink()
    (profile.folder / "observations-1.csv").unlink()
    profile.load()
    assert profile.catalogue.indicators()["gas"].covariates == (
        CovariateUse("temperature", "weather", Knowledge.PAST_ONLY),
        CovariateUse("tariff", "tariff", Knowledge.KNOWN_AHEAD),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weather:past_only", "weather", "line 5: covariates: 'temperature=weather' declares no covariate"),
        ("weather:past_only", "weather:later", "line 5: covariates: .* Write CODE:past_only or CODE:known_ahead"),
        ("=weather:", "=wind:", "line 5: covariates 'wind' does not exist"),
        ("=weather:", "=weather_daily:", "line 5: covariates: 'weather_daily' is published by another frequency"),
        ("=weather:", "=gas:", "line 5: covariates: 'gas' can't depend on itself"),
        ("tariff:known", "temperature=tariff:known", "line 5: covariates names 'temperature' twice"),
    ],
)
def test_a_covariate_that_can_t_be_is_refused_by_its_line(profile: Profile, old: str, new: str, message: str) -> None:
    profile.write("indicators.csv", _DECLARED.replace(old, new))
    with pytest.raises(ProfileError, match=message):
        profile.load()


def test_what_is_decided_beforehand_may_be_known_before_its_period_and_nothing_else_may(profile: Profile) -> None:
    profile.write("indicators.csv", _DECLARED)
    (profile.folder / "observations-1.csv").unlink()
    rows = ["tariff,2026-12-01", "tariff,2099-01-01", "weather,2026-12-01"]
    lines = [f"{name}:500103,{day},1.5,2025-06-05T00:00:00Z" for name, day in (row.split(",") for row in rows)]
    profile.write("observations.csv", "unique_id,ds,y,known_at\n" + "\n".join(lines) + "\n")
    (report,) = profile.load().imports
    assert report.accepted == 1
    assert [(one.line, one.reason) for one in report.rejections] == [
        (3, Reason.FUTURE_PERIOD),
        (4, Reason.FUTURE_PERIOD),
    ]
