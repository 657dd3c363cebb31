"""Scores of rankings beside scikit-learn's, and what is said of them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from training.targeting.scores import Interval, Scored, in_words, pr_auc, precision_at, roc_auc, score_methods


def test_figures_agree_with_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        hit, score = rng.random(200) < 0.2, rng.integers(0, 30, 200) / 30.0
        assert np.isclose(roc_auc(hit, score), roc_auc_score(hit, score))
        assert np.isclose(pr_auc(hit, score), average_precision_score(hit, score))


def test_precision_shares_the_last_place_among_ties() -> None:
    hit = np.array([True, False, True, False])
    assert precision_at(hit, np.array([0.9, 0.8, 0.1, 0.1]), k=2) == 0.5
    assert precision_at(hit, np.array([0.9, 0.5, 0.5, 0.1]), k=2) == 0.75
    assert precision_at(hit, np.array([0.9, 0.5, 0.5, 0.1]), k=50) == 0.5


def test_a_good_method_gains_over_chance_and_the_interval_says_so() -> None:
    rng = np.random.default_rng(1)
    hit = rng.random(600) < 0.2
    scores = {"good": hit + rng.normal(size=600), "chance": rng.normal(size=600)}
    found = score_methods(hit, scores, np.repeat(np.arange(30), 20), "good")
    gain = found["chance"].gain["roc_auc"]
    assert 0.0 < gain.low < gain.value < gain.high
    assert found["good"].figures["roc_auc"].low > 0.5 and not found["good"].gain
    low, high = found["chance"].figures["roc_auc"].low, found["chance"].figures["roc_auc"].high
    assert low < 0.5 < high


def test_the_interval_is_wider_where_regions_share_their_luck() -> None:
    rng = np.random.default_rng(2)
    luck = np.repeat(rng.random(10) < 0.5, 60)
    hit = rng.random(600) < np.where(luck, 0.5, 0.02)
    scores = {"ours": luck + rng.random(600)}
    by_region = score_methods(hit, scores, np.repeat(np.arange(10), 60), "ours")["ours"].figures["roc_auc"]
    by_pair = score_methods(hit, scores, np.arange(600), "ours")["ours"].figures["roc_auc"]
    assert by_region.high - by_region.low > 1.3 * (by_pair.high - by_pair.low)


def test_words_say_where_nothing_beats_chance_or_the_baseline() -> None:
    def scored(auc: tuple[float, float, float], gain: tuple[float, float, float] | None = None) -> Scored:
        return Scored({"roc_auc": Interval(*auc)}, {"roc_auc": Interval(*gain)} if gain else {})

    chance = {"brain": scored((0.55, 0.45, 0.65)), "persistence": scored((0.5, 0.4, 0.6), (0.05, 0.0, 0.1))}
    assert "no better than chance" in in_words(chance, "brain", 10, 100)
    unclear = {"brain": scored((0.8, 0.7, 0.9)), "persistence": scored((0.79, 0.7, 0.9), (0.01, -0.02, 0.04))}
    assert "not clearly better" in in_words(unclear, "brain", 10, 100)
    better = {"brain": scored((0.8, 0.7, 0.9)), "persistence": scored((0.7, 0.6, 0.8), (0.1, 0.05, 0.15))}
    assert in_words(better, "brain", 10, 100).endswith("persistence, the best baseline.")
