from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pytest

from industrial_brain.domain.indicators import Aggregation
from industrial_brain.domain.periods import Frequency
from industrial_brain.simulation.calendar import History, Timeline
from industrial_brain.simulation.city import City
from industrial_brain.simulation.indicators import CATALOGUE, Grain, Spec
from industrial_brain.simulation.process import periods_of, split_by_day

Values = dict[str, dict[str, Decimal]]

SPECS = {spec.code: spec for spec in CATALOGUE}
SUMS = [spec.code for spec in CATALOGUE if spec.indicator.aggregation is Aggregation.SUM]
INDUSTRY = [spec.code for spec in CATALOGUE if spec.grain is Grain.PAIR and spec.process is not None]


def _summed(values: Values, children: Iterable[str]) -> dict[str, Decimal]:
    """Sums over the periods in which every child is published."""
    series = [values[child] for child in children]
    shared = set.intersection(*(set(one) for one in series))
    return {period: sum((one[period] for one in series), Decimal(0)) for period in shared}


def _agree(values: Values, parent: str, children: list[str]) -> int:
    sums = _summed(values, children)
    assert {period: values[parent][period] for period in sums} == sums
    return len(sums)


def _of(values: Values, indicator: str) -> dict[str, list[str]]:
    """Series by shape of their place: `district`, `town`, `pair`."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in values:
        code, region, *cluster = name.split(":")
        if code == indicator and region != "500000":
            found["pair" if cluster else "town" if len(region) == 9 else "district"].append(name)
    return found


@pytest.mark.parametrize("code", SUMS)
def test_districts_sum_to_the_city_to_the_last_decimal(newest: Values, code: str) -> None:
    assert _agree(newest, f"{code}:500000", _of(newest, code)["district"]) > 5


@pytest.mark.parametrize("code", ["gas_bottled", "gas_piped"])
def test_towns_sum_to_their_districts(newest: Values, code: str) -> None:
    series = _of(newest, code)
    for district in series["district"]:
        region = district.partition(":")[2]
        towns = [name for name in series["town"] if name.partition(":")[2].startswith(region)]
        assert _agree(newest, district, towns) > 50


@pytest.mark.parametrize("code", INDUSTRY)
def test_industry_adds_up_to_districts_and_to_the_citys_clusters(newest: Values, code: str) -> None:
    pairs = _of(newest, code)["pair"]
    for district in _of(newest, code)["district"]:
        assert _agree(newest, district, [name for name in pairs if name.startswith(f"{district}:")]) > 50
    clusters = sorted({name.rpartition(":")[2] for name in pairs})
    for cluster in clusters:
        assert _agree(newest, f"{code}:500000:{cluster}", [name for name in pairs if name.endswith(cluster)]) > 50
    assert _agree(newest, f"{code}:500000", [f"{code}:500000:{cluster}" for cluster in clusters]) > 50


def test_days_of_gas_sum_to_the_month(newest: Values) -> None:
    days: dict[str, list[Decimal]] = defaultdict(list)
    for day, volume in newest["gas_piped_daily:500000"].items():
        days[f"{day[:7]}-01"].append(volume)
    whole = {month: sum(volumes, Decimal(0)) for month, volumes in days.items() if len(volumes) >= 28}
    assert whole == {month: newest["gas_piped:500000"][month] for month in whole}
    assert len(whole) == 120


def test_a_quarter_is_what_its_months_add_up_to(city: City) -> None:
    months, quarters = city.timelines[Frequency.MONTHLY], city.timelines[Frequency.QUARTERLY]
    industry = np.full((2, len(months)), 4.0)
    industry[1] = 0.0  # a place without industry
    industry[0, 13] *= 2.0
    rest = np.tile([[5.0], [6.0]], (1, len(months)))
    level = np.array([300.0, 90.0])
    error = np.zeros((2, len(quarters)))
    error[1, 3] = np.log(1.1)
    found = periods_of([(0.25, industry), (0.75, rest)], level, months, quarters, error)
    expected = np.tile(level[:, None], (1, len(quarters)))
    expected[0, quarters.ordinals == months.ordinals[13] // 3] += (
        25.0  # a twelfth of the level: a quarter of one month in three
    )
    expected[1, 3] *= 1.1
    np.testing.assert_allclose(found, expected, rtol=2e-3)  # quarters have 91.3 days on average, and years 365.25


def test_industry_that_falls_takes_the_product_with_it(newest: Values) -> None:
    """The city's quarterly product moves with what its months say of it."""
    product, output = newest["gdp:500000"], newest["output:500000"]
    growth = []
    for quarter in sorted(product)[4:]:
        year, month = int(quarter[:4]), int(quarter[5:7])
        sums = [sum(output[f"{y}-{m:02d}-01"] for m in range(month, month + 3)) for y in (year - 1, year)]
        before = product[f"{year - 1}{quarter[4:]}"]
        growth.append((float(product[quarter] / before), float(sums[1] / sums[0])))
    assert np.corrcoef(np.array(growth).T)[0, 1] > 0.6


def test_quarters_sum_to_the_year(newest: Values) -> None:
    for year, product in newest["gdp_year:500000"].items():
        quarters = [v for quarter, v in newest["gdp:500000"].items() if quarter[:4] == year[:4]]
        assert sum(quarters) == product


@pytest.mark.parametrize(
    "spec", [s for s in CATALOGUE if s.indicator.aggregation is Aggregation.RATIO], ids=lambda s: s.code
)
def test_a_ratio_is_the_quotient_of_its_parts(newest: Values, spec: Spec) -> None:
    half = Decimal("0.5000001").scaleb(-spec.decimals)
    for period, ratio in newest[f"{spec.code}:500000"].items():
        top = newest[f"{spec.indicator.numerator}:500000"][period]
        bottom = newest[f"{spec.indicator.denominator}:500000"][period]
        assert abs(ratio - top / bottom) <= half


@pytest.mark.parametrize(
    "spec", [s for s in CATALOGUE if s.indicator.aggregation is Aggregation.WEIGHTED_MEAN], ids=lambda s: s.code
)
def test_a_weighted_mean_follows_from_its_parts(newest: Values, spec: Spec) -> None:
    half = Decimal("0.5000001").scaleb(-spec.decimals)
    children = _of(newest, spec.code)["district"]
    weights = {child: newest[f"{spec.indicator.weight}:{child.partition(':')[2]}"] for child in children}
    compared = 0
    for period, mean in newest[f"{spec.code}:500000"].items():
        if all(period in newest[child] and period in weights[child] for child in children):
            total = sum((weights[child][period] for child in children), Decimal(0))
            weighted = sum((weights[child][period] * newest[child][period] for child in children), Decimal(0))
            assert abs(mean - weighted / total) <= half
            compared += 1
    assert compared > 20


def test_parts_of_ratios_and_weights_are_published_on_the_same_day() -> None:
    for spec in CATALOGUE:
        for part in (spec.indicator.numerator, spec.indicator.denominator, spec.indicator.weight):
            if part is not None:
                assert SPECS[part].lag == spec.lag
                assert SPECS[part].indicator.frequency is spec.indicator.frequency


def test_a_split_leaves_no_remainder_even_where_a_month_has_less_than_a_unit_a_day() -> None:
    months = Timeline.of(Frequency.MONTHLY, History.ending("2025-11"))
    rng = np.random.default_rng(1)
    totals = rng.integers(0, 40, (3, len(months)))
    daily = split_by_day(totals, months, rng.lognormal(0.0, 1.0, (3, int(months.offsets[-1]))))
    assert (np.add.reduceat(daily, months.offsets[:-1], axis=1) == totals).all()
    assert (daily >= 0).all()
