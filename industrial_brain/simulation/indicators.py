"""What is published: definitions, and the process behind each, as data.

An indicator is simulated at its *grain* (its bottom level) and added up from there; ratios, the daily gas and the yearly
product are derived from other indicators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from industrial_brain.domain.city import Sector
from industrial_brain.domain.covariates import Knowledge
from industrial_brain.domain.indicators import Aggregation, CovariateUse, Indicator
from industrial_brain.domain.periods import Frequency
from industrial_brain.simulation.process import Process


class Grain(StrEnum):
    """The places whose values are simulated; their parents follow."""

    PAIR = "pair"  # a cluster in a district; adds up to districts and to the city's clusters
    DISTRICT = "district"  # adds up to the city
    PLACE = "place"  # districts and the city side by side: nothing adds up
    TOWN = "town"  # adds up to districts and the city
    CITY = "city"  # one value for the whole city
    PIPED_TOWN = "piped town"  # towns with a gas network


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One indicator.

    Attributes:
        process: how its bottom series come about; None where it is derived.
        decimals: digits after the point that are published.
        lag: days from the end of a period to its publication.
        preliminary: share of the bottom values that are published as an estimate first, and revised a month later.
        split_of: code of the monthly indicator whose values are spread over days.
        total_of: code of the quarterly indicator whose values sum to years.
        activity: monthly indicators that its periods are made of, and the share that each has in the place's activity at the
            start; what is left is `process`, by month.
        measured: standard deviation of the error (log) with which such a sum is measured.
        weather: whether it is the temperature that all series share, as it was measured.
    """

    indicator: Indicator
    grain: Grain
    decimals: int
    lag: int
    process: Process | None = None
    preliminary: float = 0.0
    split_of: str | None = None
    total_of: str | None = None
    activity: Mapping[str, float] = field(default_factory=dict)
    measured: float = 0.0
    weather: bool = False

    @property
    def code(self) -> str:
        return self.indicator.code


_Y, _Q, _M, _W, _D = Frequency.YEARLY, Frequency.QUARTERLY, Frequency.MONTHLY, Frequency.WEEKLY, Frequency.DAILY
_MONEY = "10*8.{CNY}"

#: what people heat and cool by, a month and a day
_MONTHLY_WEATHER = (CovariateUse("temperature", "temperature", Knowledge.PAST_ONLY),)
_DAILY_WEATHER = (CovariateUse("temperature", "temperature_daily", Knowledge.PAST_ONLY),)


def _added(
    code: str,
    name: str,
    name_en: str,
    unit: str,
    frequency: Frequency,
    sector: Sector,
    *,
    decimals: int,
    lag: int,
    grain: Grain = Grain.DISTRICT,
    preliminary: float = 0.0,
    process: Process,
    covariates: tuple[CovariateUse, ...] = (),
) -> Spec:
    """An indicator whose children sum to their parent."""
    definition = Indicator(
        code, name, name_en, unit, frequency, sector, Aggregation.SUM, nonnegative=True, covariates=covariates
    )
    return Spec(
        indicator=definition,
        grain=grain,
        decimals=decimals,
        lag=lag,
        preliminary=preliminary,
        process=process,
    )


def _weighted(
    code: str,
    name: str,
    name_en: str,
    unit: str,
    frequency: Frequency,
    sector: Sector,
    *,
    weight: str,
    decimals: int,
    lag: int,
    process: Process,
) -> Spec:
    """An indicator whose parent is the mean of its children, weighted by another indicator at the same grain."""
    definition = Indicator(
        code, name, name_en, unit, frequency, sector, Aggregation.WEIGHTED_MEAN, weight=weight, nonnegative=True
    )
    return Spec(indicator=definition, grain=Grain.DISTRICT, decimals=decimals, lag=lag, process=process)


def _apart(
    code: str,
    name: str,
    name_en: str,
    unit: str,
    frequency: Frequency,
    sector: Sector,
    *,
    decimals: int,
    lag: int,
    process: Process,
) -> Spec:
    """An indicator that is measured in each place, with no arithmetic between places."""
    definition = Indicator(code, name, name_en, unit, frequency, sector, Aggregation.NONE, nonnegative=True)
    return Spec(indicator=definition, grain=Grain.PLACE, decimals=decimals, lag=lag, process=process)


def _ratio(
    code: str,
    name: str,
    name_en: str,
    unit: str,
    frequency: Frequency,
    sector: Sector,
    *,
    numerator: str,
    denominator: str,
    decimals: int,
    lag: int,
) -> Spec:
    """The plain quotient of two indicators that add up, for each district and the city."""
    definition = Indicator(
        code,
        name,
        name_en,
        unit,
        frequency,
        sector,
        Aggregation.RATIO,
        numerator=numerator,
        denominator=denominator,
        nonnegative=True,
    )
    return Spec(indicator=definition, grain=Grain.DISTRICT, decimals=decimals, lag=lag)


_ECONOMY = (
    _added(
        "output", "规模以上工业总产值", "Industrial output", _MONEY, _M, Sector.ECONOMY,
        grain=Grain.PAIR, decimals=2, lag=17, preliminary=0.05,
        process=Process(
            level=1900, growth=0.05, noise=0.03, profile="industry", festival=-0.35, cycle=1.0, flow=True,
        ),
    ),
    _added(
        "employment", "规模以上工业从业人员", "Industrial employment", "{persons}", _M, Sector.ECONOMY,
        grain=Grain.PAIR, decimals=0, lag=20,
        process=Process(level=1_650_000, growth=0.004, wander=0.012, noise=0.006, festival=-0.03, cycle=0.3),
    ),
    _added(
        "electricity", "规模以上工业用电量", "Industrial electricity use", "10*4.kW.h", _M, Sector.ECONOMY,
        grain=Grain.PAIR, decimals=1, lag=17,
        process=Process(
            level=620_000, growth=0.04, noise=0.025, profile="industry", festival=-0.30, heating=0.02, cooling=0.12,
            cycle=0.8, flow=True,
        ),
        covariates=_MONTHLY_WEATHER,
    ),
    _ratio(
        "energy_intensity", "单位产值电耗", "Electricity per industrial output", "kW.h/(10*4.{CNY})", _M,
        Sector.ECONOMY,
        numerator="electricity", denominator="output", decimals=1, lag=17,
    ),
    _added(
        "gas_piped", "管道天然气用量", "Piped gas volume", "10*4.m3", _M, Sector.ECONOMY,
        grain=Grain.PIPED_TOWN, decimals=2, lag=10,
        process=Process(
            level=40_000, growth=0.045, wander=0.03, noise=0.03, heating=0.55, festival=-0.06, cycle=0.3, flow=True,
        ),
        covariates=_MONTHLY_WEATHER,
    ),
    Spec(
        indicator=Indicator(
            "gas_piped_daily", "管道天然气日用量", "Piped gas volume by day", "10*4.m3", _D, Sector.ECONOMY,
            Aggregation.SUM, nonnegative=True, covariates=_DAILY_WEATHER,
        ),
        grain=Grain.DISTRICT, decimals=2, lag=0, split_of="gas_piped",
    ),
    _added(
        "gas_bottled", "瓶装液化石油气销量", "Bottled gas volume", "t", _M, Sector.ECONOMY,
        grain=Grain.TOWN, decimals=2, lag=10,
        process=Process(level=24_000, growth=-0.02, wander=0.04, noise=0.05, heating=0.20, festival=0.25, flow=True),
        covariates=_MONTHLY_WEATHER,
    ),
    Spec(
        indicator=Indicator(
            "temperature", "月平均气温", "Mean temperature of the month", "Cel", _M, Sector.SOCIETY,
        ),
        grain=Grain.CITY, decimals=1, lag=1, weather=True,
    ),
    Spec(
        indicator=Indicator(
            "temperature_daily", "日平均气温", "Mean temperature of the day", "Cel", _D, Sector.SOCIETY,
        ),
        grain=Grain.CITY, decimals=1, lag=0, weather=True,
    ),
    _added(
        "investment", "固定资产投资额", "Fixed-asset investment", _MONEY, _M, Sector.ECONOMY,
        decimals=2, lag=18, preliminary=0.10,
        process=Process(
            level=1_250, growth=0.035, wander=0.04, noise=0.05, profile="construction", festival=-0.4, cycle=0.6,
        ),
    ),
    _added(
        "retail_sales", "社会消费品零售总额", "Retail sales of consumer goods", _MONEY, _M, Sector.ECONOMY,
        decimals=2, lag=17, preliminary=0.05,
        process=Process(level=900, growth=0.06, noise=0.018, profile="shopping", festival=0.12, cycle=0.6, flow=True),
    ),
    _added(
        "exports", "出口总额", "Exports", _MONEY, _M, Sector.ECONOMY,
        decimals=2, lag=18,
        process=Process(
            level=280, growth=0.05, wander=0.06, noise=0.07, profile="industry", festival=-0.4, cycle=1.2, spread=0.6,
        ),
    ),
    _added(
        "freight", "货运量", "Freight carried", "10*4.t", _M, Sector.ECONOMY,
        decimals=1, lag=15,
        process=Process(
            level=9_000, growth=0.03, noise=0.03, profile="industry", festival=-0.35, cycle=0.7, flow=True,
        ),
    ),
    _added(
        "floor_space_sold", "商品房销售面积", "Floor space sold", "10*4.m2", _M, Sector.ECONOMY,
        decimals=2, lag=18,
        process=Process(
            level=480, growth=-0.05, wander=0.08, noise=0.08, profile="construction", festival=-0.3, cycle=0.8,
        ),
    ),
    Spec(
        indicator=Indicator(
            "gdp", "地区生产总值", "Gross domestic product", _MONEY, _Q, Sector.ECONOMY, Aggregation.SUM, nonnegative=True,
        ),
        grain=Grain.DISTRICT, decimals=2, lag=20, preliminary=0.25,
        activity={
            "output": 0.28, "retail_sales": 0.12, "investment": 0.11, "floor_space_sold": 0.06, "freight": 0.05,
        },
        measured=0.006,
        process=Process(level=4_200, growth=0.06, wander=0.01, noise=0.012, festival=-0.05, cycle=0.8, flow=True),
    ),
    _weighted(
        "capacity_utilisation", "工业产能利用率", "Industrial capacity utilisation", "%", _Q, Sector.ECONOMY,
        weight="gdp", decimals=1, lag=20,
        process=Process(level=75, wander=0.008, noise=0.012, spread=0.03, cycle=0.3),
    ),
    _added(
        "new_enterprises", "新登记企业数", "Enterprises registered", "{enterprises}", _M, Sector.ECONOMY,
        decimals=0, lag=12,
        process=Process(
            level=14_000, growth=0.04, noise=0.05, profile="office", festival=-0.5, cycle=0.4, count=True,
        ),
    ),
    _weighted(
        "producer_prices", "工业生产者出厂价格指数（上年同月=100）",
        "Producer price index (same month last year = 100)", "{index}", _M, Sector.ECONOMY,
        weight="output", decimals=1, lag=17,
        process=Process(level=100.5, wander=0.012, noise=0.004, spread=0.004, cycle=0.1),
    ),
    _added(
        "research_spending", "研发经费", "Spending on research and development", _MONEY, _Y, Sector.ECONOMY,
        decimals=2, lag=90,
        process=Process(level=240, growth=0.10, noise=0.02),
    ),
    Spec(
        indicator=Indicator(
            "gdp_year", "地区生产总值（年）", "Gross domestic product of the year", _MONEY, _Y, Sector.ECONOMY,
            Aggregation.SUM, nonnegative=True,
        ),
        grain=Grain.DISTRICT, decimals=2, lag=90, total_of="gdp",
    ),
    _ratio(
        "research_intensity", "研发经费投入强度", "Research spending per gross domestic product", "1", _Y,
        Sector.ECONOMY,
        numerator="research_spending", denominator="gdp_year", decimals=4, lag=90,
    ),
)  # fmt: skip

_SOCIETY = (
    _added(
        "population", "常住人口", "Resident population", "10*4.{persons}", _Y, Sector.SOCIETY,
        decimals=2, lag=80,
        process=Process(level=3_070, growth=0.003, wander=0.004, noise=0.001),
    ),
    _added(
        "labour_force", "劳动力人口", "Labour force", "10*4.{persons}", _Q, Sector.SOCIETY,
        decimals=2, lag=20,
        process=Process(level=1_680, growth=0.002, wander=0.006, noise=0.003),
    ),
    _added(
        "unemployed", "失业人数", "Unemployed persons", "10*4.{persons}", _Q, Sector.SOCIETY,
        decimals=2, lag=20,
        process=Process(level=0.052, wander=0.05, noise=0.04, spread=0.08, part_of="labour_force"),
    ),
    _ratio(
        "unemployment_rate", "失业率", "Unemployed share of the labour force", "1", _Q, Sector.SOCIETY,
        numerator="unemployed", denominator="labour_force", decimals=4, lag=20,
    ),
    _weighted(
        "income", "居民人均可支配收入", "Disposable income per head", "{CNY}", _Q, Sector.SOCIETY,
        weight="labour_force", decimals=0, lag=20,
        process=Process(level=6_200, growth=0.065, wander=0.008, noise=0.01, profile="shopping", spread=0.15),
    ),
    _apart(
        "consumer_prices", "居民消费价格指数（上年同月=100）", "Consumer price index (same month last year = 100)",
        "{index}", _M, Sector.SOCIETY,
        decimals=1, lag=10,
        process=Process(level=101.6, wander=0.005, noise=0.003, festival=0.004, spread=0.002),
    ),
    _apart(
        "vegetable_price", "蔬菜零售均价", "Retail price of vegetables", "{CNY}/kg", _W, Sector.SOCIETY,
        decimals=2, lag=1,
        process=Process(
            level=6.4, growth=0.02, wander=0.05, noise=0.06, profile="harvest", festival=0.12, cooling=0.06,
            spread=0.06,
        ),
    ),
    _added(
        "hospital_visits", "医疗机构诊疗人次", "Visits to hospitals and clinics", "10*4.{visits}", _M, Sector.SOCIETY,
        decimals=2, lag=20,
        process=Process(level=1_500, growth=0.03, noise=0.02, profile="illness", festival=-0.25, flow=True),
    ),
    _added(
        "births", "出生人数", "Births", "{births}", _M, Sector.SOCIETY,
        decimals=0, lag=15,
        process=Process(level=24_000, growth=-0.07, noise=0.01, count=True, flow=True),
    ),
    _added(
        "tap_water", "自来水供水量", "Tap water supplied", "10*4.m3", _M, Sector.SOCIETY,
        decimals=1, lag=12,
        process=Process(
            level=13_500, growth=0.025, noise=0.012, profile="water", cooling=0.04, festival=-0.04, flow=True,
        ),
    ),
    _apart(
        "fine_particles", "细颗粒物平均浓度", "Fine particles (PM2.5)", "ug/m3", _M, Sector.SOCIETY,
        decimals=1, lag=5,
        process=Process(level=42, growth=-0.05, wander=0.02, noise=0.13, profile="smog", spread=0.12),
    ),
)  # fmt: skip

_GOVERNMENT = (
    _added(
        "hotline_requests", "12345热线诉求量", "Requests to the 12345 hotline", "{requests}", _W, Sector.GOVERNMENT,
        decimals=0, lag=1,
        process=Process(
            level=60_000, growth=0.06, noise=0.06, festival=-0.45, cooling=0.15, heating=0.05, count=True,
        ),
    ),
    _added(
        "hotline_resolved", "12345热线按期办结量", "Hotline requests resolved in time", "{requests}", _W,
        Sector.GOVERNMENT,
        decimals=0, lag=1,
        process=Process(level=0.91, growth=0.10, wander=0.10, noise=0.15, spread=0.2, part_of="hotline_requests"),
    ),
    _ratio(
        "hotline_resolution", "12345热线按期办结率", "Share of hotline requests resolved in time", "1", _W,
        Sector.GOVERNMENT,
        numerator="hotline_resolved", denominator="hotline_requests", decimals=4, lag=1,
    ),
    _added(
        "budget_revenue", "一般公共预算收入", "General public budget revenue", _MONEY, _M, Sector.GOVERNMENT,
        decimals=2, lag=15,
        process=Process(level=185, growth=0.03, noise=0.04, profile="budget", cycle=0.8),
    ),
    _added(
        "budget_spending", "一般公共预算支出", "General public budget spending", _MONEY, _M, Sector.GOVERNMENT,
        decimals=2, lag=15,
        process=Process(level=370, growth=0.035, noise=0.05, profile="budget", cycle=0.2),
    ),
    _added(
        "online_permits", "网上办结政务事项数", "Permits completed online", "{cases}", _M, Sector.GOVERNMENT,
        decimals=0, lag=8,
        process=Process(
            level=900_000, growth=0.12, wander=0.05, noise=0.04, profile="office", festival=-0.5, count=True,
        ),
    ),
)  # fmt: skip

_LAW = (
    _added(
        "civil_cases", "法院新收民事案件数", "Civil cases filed", "{cases}", _M, Sector.LAW,
        decimals=0, lag=28,
        process=Process(level=38_000, growth=0.05, noise=0.04, profile="office", festival=-0.4, count=True),
    ),
    _added(
        "cases_mediated", "诉前调解成功案件数", "Cases settled by mediation", "{cases}", _M, Sector.LAW,
        decimals=0, lag=28,
        process=Process(level=0.34, growth=0.06, wander=0.06, noise=0.10, spread=0.15, part_of="civil_cases"),
    ),
    _ratio(
        "mediation_rate", "诉前调解成功率", "Share of civil cases settled by mediation", "1", _M, Sector.LAW,
        numerator="cases_mediated", denominator="civil_cases", decimals=4, lag=28,
    ),
    _added(
        "traffic_accidents", "道路交通事故数", "Road traffic accidents", "{accidents}", _M, Sector.LAW,
        decimals=0, lag=12,
        process=Process(level=2_600, growth=-0.03, noise=0.05, festival=0.15, count=True, flow=True),
    ),
    _added(
        "fire_calls", "火灾接警数", "Fire calls", "{calls}", _M, Sector.LAW,
        decimals=0, lag=6,
        process=Process(
            level=2_200, growth=0.01, noise=0.07, cooling=0.35, heating=0.25, festival=0.35, count=True, flow=True,
        ),
    ),
)  # fmt: skip

_CULTURE = (
    _added(
        "tourists", "接待游客人次", "Tourists received", "10*4.{visitors}", _M, Sector.CULTURE,
        decimals=2, lag=26,
        process=Process(level=4_200, growth=0.06, wander=0.05, noise=0.06, profile="travel", festival=0.5, cycle=0.5),
    ),
    _added(
        "tourism_revenue", "旅游收入", "Tourism revenue", _MONEY, _M, Sector.CULTURE,
        decimals=2, lag=26,
        process=Process(level=360, growth=0.07, wander=0.05, noise=0.07, profile="travel", festival=0.45, cycle=0.6),
    ),
    _ratio(
        "revenue_per_tourist", "游客人均消费", "Revenue per tourist", "10*4.{CNY}/{visitor}", _M, Sector.CULTURE,
        numerator="tourism_revenue", denominator="tourists", decimals=4, lag=26,
    ),
    _added(
        "library_visits", "公共图书馆到馆人次", "Visits to public libraries", "{visits}", _M, Sector.CULTURE,
        decimals=0, lag=10,
        process=Process(
            level=1_400_000, growth=0.05, noise=0.04, profile="study", festival=-0.3, count=True, flow=True,
        ),
    ),
    _added(
        "cinema_tickets", "电影票售出张数", "Cinema tickets sold", "{tickets}", _M, Sector.CULTURE,
        decimals=0, lag=4,
        process=Process(
            level=3_300_000, growth=0.01, wander=0.05, noise=0.12, profile="study", festival=1.1, count=True,
        ),
    ),
)  # fmt: skip

_PARTY_BUILDING = (
    _added(
        "party_members", "党员人数", "Party members", "{persons}", _Q, Sector.PARTY_BUILDING,
        decimals=0, lag=15,
        process=Process(level=2_000_000, growth=0.012, wander=0.003, noise=0.001),
    ),
    _added(
        "branch_meetings", "党支部组织生活次数", "Meetings of party branches", "{meetings}", _M,
        Sector.PARTY_BUILDING,
        decimals=0, lag=8,
        process=Process(level=120_000, growth=0.01, noise=0.03, profile="office", festival=-0.2, count=True),
    ),
    _added(
        "volunteer_hours", "党员志愿服务时长", "Volunteer hours of party members", "10*4.h", _M,
        Sector.PARTY_BUILDING,
        decimals=2, lag=8,
        process=Process(level=310, growth=0.04, noise=0.06, profile="office", festival=0.1),
    ),
)  # fmt: skip

#: every indicator, in an order in which parts and weights come before what needs them
CATALOGUE: tuple[Spec, ...] = _ECONOMY + _SOCIETY + _GOVERNMENT + _LAW + _CULTURE + _PARTY_BUILDING
