"""A city of a few streets, for the contract suites."""

from __future__ import annotations

from industrial_brain.domain.city import Cluster, ClusterClass, Enterprise, Region, Sector, Site, SiteKind, Tier
from industrial_brain.domain.indicators import Aggregation, Indicator, SeriesInfo
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue

REGIONS = [
    Region("500103", "渝中区", "Yuzhong", Tier.DISTRICT, "500000", 106.57, 29.55),  # before its parent, on purpose
    Region("500000", "重庆市", "Chongqing", Tier.MUNICIPALITY),
    Region("500112", "渝北区", "Yubei", Tier.DISTRICT, "500000", simulated=True),
    Region("500103001", "七星岗街道", "Qixinggang", Tier.TOWN, "500103"),
]
CLUSTERS = [
    Cluster("C01", "智能网联新能源汽车", "Intelligent vehicles", ClusterClass.LEADING),
    Cluster("C04", "智能装备", "Smart equipment 100%", ClusterClass.PILLAR),
]
INDICATORS = [
    Indicator(
        "unit-price", "单价", "Unit price", "{CNY}", Frequency.MONTHLY, Sector.ECONOMY, Aggregation.RATIO,
        numerator="output", denominator="volume",
    ),
    Indicator("output", "产值", "Output", "10*8.{CNY}", Frequency.MONTHLY, Sector.ECONOMY, Aggregation.SUM),
    Indicator("volume", "产量", "Volume", "1", Frequency.MONTHLY, Sector.ECONOMY, Aggregation.SUM, nonnegative=True),
    Indicator("readers", "读者", "Readers", "1", Frequency.YEARLY, Sector.CULTURE),
]  # fmt: skip
ENTERPRISES = [Enterprise("E1", "长江厂", "500103", "C01", 120), Enterprise("E2", "嘉陵厂", "500112", "C04", 7)]
SITES = [
    Site("P1", "服务点", SiteKind.GAS_SERVICE_POINT, "500103", parent="S1"),  # before its station, on purpose
    Site("S1", "气站", SiteKind.GAS_STATION, "500103", longitude=106.5, latitude=29.5, simulated=True),
    Site("F1", "工厂", SiteKind.FACTORY, "500112", enterprise="E2"),
]
SERIES = [
    SeriesInfo("free_1%", Frequency.QUARTERLY, "1", "free_1%"),
    SeriesInfo(
        "output:500103:C01", Frequency.MONTHLY, "10*8.{CNY}", "产值 · 渝中区", "output", "500103", Tier.DISTRICT, "C01",
        Sector.ECONOMY, Aggregation.SUM,
    ),
    SeriesInfo(
        "readers:500112", Frequency.YEARLY, "1", "读者 · 渝北区", "readers", "500112", Tier.DISTRICT, None, Sector.CULTURE,
        nonnegative=True, simulated=True,
    ),
]  # fmt: skip


def put_city(catalogue: Catalogue) -> None:
    catalogue.put_regions(REGIONS)
    catalogue.put_clusters(CLUSTERS)
    catalogue.put_indicators(INDICATORS)
    catalogue.put_enterprises(ENTERPRISES)
    catalogue.put_sites(SITES)
    catalogue.put_series(SERIES)
