"""Calibration and stacking on log odds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from models.risk.calibration import Calibration
from models.risk.stacking import stack_weights, stacked
from training.risk.scores import calibration_bound, expected_calibration_error


def drawn(
    rows: int, seed: int = 0
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    rng = np.random.default_rng(seed)
    odds = rng.normal(-2.0, 1.5, rows)
    return odds, rng.random(rows) < expit(odds)


def test_true_log_odds_are_left_as_they_are() -> None:
    odds, harmed = drawn(3000)
    assert Calibration.choose(odds, harmed).kind == "none"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("platt", lambda odds: 2.5 * odds + 1.0),
        ("beta", lambda odds: np.where(odds < -1.5, 3.0 * (odds + 1.5) - 1.5, odds)),
        ("isotonic", lambda odds: np.where(odds < -1.0, odds, odds + 4.0)),
    ],
)
def test_distorted_log_odds_are_set_right(kind: str, change: object) -> None:
    assert callable(change)
    odds, harmed = drawn(8000)
    chosen = Calibration.choose(change(odds), harmed)
    assert chosen.kind != "none"
    fresh, came = drawn(8000, seed=1)
    for calibration in (chosen, Calibration.fit(kind, change(odds), harmed)):
        prob = calibration.apply(change(fresh))
        assert expected_calibration_error(came, prob) < 1.5 * calibration_bound(prob)
        assert (np.diff(prob[np.argsort(fresh)]) >= 0.0).all()
    assert expected_calibration_error(came, expit(change(fresh))) > 1.5 * calibration_bound(expit(change(fresh)))


def test_a_member_that_knows_nothing_counts_little_and_none_counts_below_zero() -> None:
    odds, harmed = drawn(2000)
    rng = np.random.default_rng(2)
    told = np.column_stack([odds, rng.normal(-2.0, 1.5, 2000), -odds])
    weights = stack_weights(told, harmed)
    assert weights[0] > 0.8 and abs(weights[1]) < 0.15 and weights[2] == 0.0
    assert stacked(told[:1], weights)[0] == pytest.approx(told[0] @ weights[:3] + weights[3], rel=1e-6)


def test_few_cases_leave_members_at_equal_shares() -> None:
    odds, harmed = drawn(12)
    weights = stack_weights(np.column_stack([odds, odds]), harmed)
    assert weights[:2] == pytest.approx([0.5, 0.5], abs=0.15)
