"""On clean data the operator gets what was set; `measure_clean` with its defaults is the full size."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.anomaly_clean import CleanRates, measure_clean
from models.anomaly.decisions import Policy


@pytest.fixture(scope="module")
def rates() -> CleanRates:
    policies = {"budget": Policy(alarms_a_day=40.0), "fdr": Policy(alarms_a_day=None, fdr=0.1)}
    return measure_clean(300, 8, warm_up=5, policies=policies, seed=1)


def test_p_values_are_what_they_claim_to_be(rates: CleanRates) -> None:
    for alpha, inflation in rates.inflation.items():
        if rates.expected[alpha] > 1_000:
            assert 0.85 < inflation < 1.15
        elif rates.expected[alpha] > 100:
            assert 0.6 < inflation < 1.6


def test_the_budget_is_kept_within_a_factor_of_one_and_a_half(rates: CleanRates) -> None:
    assert 40.0 / 1.5 < np.mean(rates.episodes["budget"]) < 40.0 * 1.5


def test_a_false_discovery_rate_gives_hardly_any_alarm_where_nothing_is_wrong(rates: CleanRates) -> None:
    assert sum(rates.episodes["fdr"]) <= 2
