"""Which series a declared covariate is read from."""

from __future__ import annotations

from industrial_brain.domain.city import Sector
from industrial_brain.domain.covariates import Knowledge
from industrial_brain.domain.indicators import CovariateUse, Indicator, SeriesInfo
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from training.linking import link_covariates, sources_of
from training.plan import plan_training

PARENTS = {"500000": None, "500103": "500000", "500103001": "500103"}


def _indicator(code: str, *covariates: CovariateUse) -> Indicator:
    return Indicator(code, code, code, "1", Frequency.MONTHLY, Sector.ECONOMY, covariates=covariates)


def _linked(ids: list[str], *uses: CovariateUse) -> Panel:
    panel = Panel.of([[1.0, 2.0, 3.0]] * len(ids), ids=ids)
    indicators = {"gas": _indicator("gas", *uses), "weather": _indicator("weather"), "tariff": _indicator("tariff")}
    infos = {}
    for name in ids:
        indicator, region = name.split(":")
        infos[name] = SeriesInfo(name, Frequency.MONTHLY, "1", name, indicator=indicator, region=region)
    return link_covariates([panel], infos, indicators, PARENTS)[0]


WEATHER = CovariateUse("temperature", "weather", Knowledge.PAST_ONLY)


def test_the_nearest_region_around_a_series_gives_its_weather() -> None:
    panel = _linked(["gas:500000", "gas:500103001", "weather:500000", "weather:500103"], WEATHER)
    assert panel.covariates is not None
    assert panel.covariates.names == ("temperature",)
    # the two sources lie in the order of the panel: the city's, then the district's
    assert panel.covariates.reads[:, 0].tolist() == [0, 1, -1, -1]


def test_without_a_source_a_series_goes_without() -> None:
    assert _linked(["gas:500103"], WEATHER).covariates is None


def test_known_ahead_and_past_only_stay_apart() -> None:
    tariff = CovariateUse("price", "tariff", Knowledge.KNOWN_AHEAD)
    panel = _linked(["gas:500103", "tariff:500000", "weather:500000"], WEATHER, tariff)
    assert panel.covariates is not None
    kinds = dict(zip(panel.covariates.names, panel.covariates.knowledge, strict=True))
    assert kinds == {"price": Knowledge.KNOWN_AHEAD, "temperature": Knowledge.PAST_ONLY}


def test_whoever_reads_some_series_is_told_which_others_they_depend_on() -> None:
    indicators = {"gas": _indicator("gas", WEATHER), "weather": _indicator("weather")}
    town = SeriesInfo("gas:500103001", Frequency.MONTHLY, "1", "gas", indicator="gas", region="500103001")
    free = SeriesInfo("mine", Frequency.MONTHLY, "1", "mine")
    found = sources_of({town.id: town, free.id: free}, indicators, PARENTS)
    assert found == {"weather:500103001", "weather:500103", "weather:500000"}


def test_a_covariate_is_part_of_what_decides_a_fit() -> None:
    ids = ["gas:500103", "weather:500000"]
    keys = {plan_training([panel], seed=0, code="")[0].spec.key for panel in (_linked(ids), _linked(ids, WEATHER))}
    assert len(keys) == 2
