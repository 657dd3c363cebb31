"""Scores of probabilities, beside scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from tests.unit.risk.cases import made_cases
from training.risk.scores import brier, calibration_bound, expected_calibration_error, score_lives, score_risks


def test_figures_agree_with_scikit_learn() -> None:
    _, harmed, true = made_cases()
    found = score_risks(harmed, {"brain": true}, "brain")["brain"].figures
    assert found["roc_auc"].value == pytest.approx(roc_auc_score(harmed, true))
    assert found["pr_auc"].value == pytest.approx(average_precision_score(harmed, true))
    assert found["brier"].value == pytest.approx(brier_score_loss(harmed, true)) == brier(harmed, true)
    assert found["ece"].value == pytest.approx(expected_calibration_error(harmed, true))
    assert found["roc_auc"].low < found["roc_auc"].value < found["roc_auc"].high


def test_the_calibration_error_is_what_bins_are_off_by() -> None:
    prob = np.array([0.1, 0.2, 0.8, 0.9])
    harmed = np.array([False, False, True, False])
    assert expected_calibration_error(harmed, prob, bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.35)


def test_true_probabilities_stay_below_the_bound_and_stretched_ones_do_not() -> None:
    below = 0
    for seed in range(20):
        _, harmed, true = made_cases(seed=seed)
        below += expected_calibration_error(harmed, true) < calibration_bound(true)
    assert below >= 17
    _, harmed, true = made_cases()
    stretched = np.clip(2.0 * true, 0.0, 1.0)
    assert expected_calibration_error(harmed, stretched) > calibration_bound(stretched)


def test_a_gain_is_positive_where_ours_is_better_in_every_metric() -> None:
    _, harmed, true = made_cases(3000)
    noise = np.clip(true + np.random.default_rng(1).normal(0.0, 0.3, len(true)), 0.0, 1.0)
    gain = score_risks(harmed, {"brain": true, "peer": noise}, "brain")["peer"].gain
    assert all(gain[metric].low > 0.0 for metric in ("roc_auc", "pr_auc", "brier", "ece"))


def test_groups_that_share_their_luck_widen_intervals() -> None:
    _, harmed, true = made_cases(400)
    rows = np.tile(np.arange(400), 5)
    alone = score_risks(harmed[rows], {"brain": true[rows]}, "brain")["brain"].figures["roc_auc"]
    grouped = score_risks(harmed[rows], {"brain": true[rows]}, "brain", rows)["brain"].figures["roc_auc"]
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_lives_are_scored_by_their_root_mean_squared_error() -> None:
    life = np.array([10.0, 20.0, 30.0])
    found = score_lives(life, {"brain": life + 1.0, "peer": life - 3.0}, "brain")
    assert found["brain"][0].value == pytest.approx(1.0) and found["brain"][1] is None
    less = found["peer"][1]
    assert less is not None and less.value == pytest.approx(2.0) and less.low == pytest.approx(2.0)
