"""The scorer of the Numenta Anomaly Benchmark, by cases that can be reckoned by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.nab import PROFILES, Profile, Windows, best_threshold, nab_score, probation, worth_of
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats

STANDARD, LOW_FP, LOW_FN = (PROFILES[name] for name in ("nab_standard", "nab_low_fp", "nab_low_fn"))
ONE_WINDOW = np.array([[40, 49]])


def alarms(rows: int, *at: int) -> Floats:
    score = np.zeros(rows)
    score[list(at)] = 1.0
    return score


def sigmoid(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def test_the_first_row_of_the_window_and_nothing_else_is_a_hundred() -> None:
    for profile in PROFILES.values():
        assert nab_score([alarms(100, 40)], [ONE_WINDOW], profile, 1.0) == pytest.approx(100.0)


def test_silence_is_zero_in_every_profile() -> None:
    for profile in PROFILES.values():
        assert nab_score([np.zeros(100)], [ONE_WINDOW], profile, 0.5) == 0.0


def test_an_alarm_at_the_right_edge_is_worth_little_but_ends_the_miss() -> None:
    edge = sigmoid(-0.1) / sigmoid(-1.0)  # the last of ten rows
    assert nab_score([alarms(100, 49)], [ONE_WINDOW], STANDARD, 1.0) == pytest.approx(100.0 * (edge + 1.0) / 2.0)
    assert nab_score([alarms(100, 49)], [ONE_WINDOW], LOW_FN, 1.0) == pytest.approx(100.0 * (edge + 2.0) / 3.0)


def test_only_the_earliest_alarm_of_a_window_counts() -> None:
    once = nab_score([alarms(100, 43)], [ONE_WINDOW], STANDARD, 1.0)
    assert nab_score([alarms(100, 43, 44, 45, 49)], [ONE_WINDOW], STANDARD, 1.0) == once


def test_an_alarm_before_any_window_costs_all_that_a_false_one_can() -> None:
    assert nab_score([alarms(100, 20, 40)], [ONE_WINDOW], STANDARD, 1.0) == pytest.approx(100.0 * (2.0 - 0.11) / 2.0)
    assert nab_score([alarms(100, 20, 40)], [ONE_WINDOW], LOW_FP, 1.0) == pytest.approx(100.0 * (2.0 - 0.22) / 2.0)


def test_a_false_alarm_costs_more_the_farther_it_is_behind_the_window() -> None:
    just = 0.11 * sigmoid(1 / 9)  # a row behind a window of ten rows
    assert nab_score([alarms(100, 40, 50)], [ONE_WINDOW], STANDARD, 1.0) == pytest.approx(100.0 * (2.0 + just) / 2.0)
    far = nab_score([alarms(100, 40, 90)], [ONE_WINDOW], STANDARD, 1.0)
    assert far == pytest.approx(100.0 * (2.0 - 0.11) / 2.0)


def test_no_alarm_in_probation_counts() -> None:
    assert probation(100) == 15
    assert probation(50_000) == 750
    assert nab_score([alarms(100, 3, 14, 40)], [ONE_WINDOW], STANDARD, 1.0) == pytest.approx(100.0)
    assert nab_score([alarms(100, 15, 40)], [ONE_WINDOW], STANDARD, 1.0) < 100.0


def test_the_second_window_is_judged_by_itself_and_what_is_between_by_the_first() -> None:
    two = np.array([[30, 39], [60, 69]])
    worth = worth_of(100, two, STANDARD)
    assert worth.row[30] == worth.row[60] == pytest.approx(1.0)
    assert worth.row[45] == pytest.approx(0.11 * sigmoid(6 / 9))
    assert nab_score([alarms(100, 30)], [two], STANDARD, 1.0) == pytest.approx(50.0)


def test_one_threshold_serves_the_whole_corpus() -> None:
    loud, quiet = alarms(100, 40) * 0.9, alarms(100, 40) * 0.4
    quiet[20] = 0.3
    threshold, score = best_threshold([loud, quiet], [ONE_WINDOW, ONE_WINDOW], STANDARD)
    assert threshold == 0.4
    assert score == pytest.approx(100.0)
    assert nab_score([loud, quiet], [ONE_WINDOW, ONE_WINDOW], STANDARD, 0.5) == pytest.approx(50.0)
    assert nab_score([loud, quiet], [ONE_WINDOW, ONE_WINDOW], STANDARD, 0.3) == pytest.approx(100.0 * (4 - 0.11) / 4)


def test_the_optimiser_finds_what_trying_every_threshold_finds() -> None:
    rng = np.random.default_rng(5)
    scores = [np.round(rng.random(200), 2) for _ in range(3)]
    windows = [np.array([[60, 79], [120, 139]]), np.array([[100, 119]]), np.empty((0, 2), np.int64)]
    for profile in (STANDARD, LOW_FP, LOW_FN, Profile(1.0, 1.0, 0.01)):
        tried = {t: by_hand(scores, windows, profile, t) for t in np.unique(np.concatenate(scores))}
        for t, value in tried.items():
            assert nab_score(scores, windows, profile, t) == pytest.approx(value)
        threshold, best = best_threshold(scores, windows, profile)
        assert best == pytest.approx(max(0.0, *tried.values()))
        assert best == 0.0 or tried[threshold] == pytest.approx(best)


def by_hand(scores: list[Floats], windows: list[Windows], profile: Profile, threshold: float) -> float:
    """Row by row, as the benchmark's paper tells it."""
    total, raw = sum(map(len, windows)), 0.0
    for score, limits in zip(scores, windows, strict=True):
        best = [-profile.missed] * len(limits)
        for i in range(probation(len(score)), len(score)):
            if score[i] < threshold:
                continue
            inside = [k for k, (a, b) in enumerate(limits) if a <= i <= b]
            before = [(a, b) for a, b in limits if b < i]
            if inside:
                a, b = limits[inside[0]]
                best[inside[0]] = max(
                    best[inside[0]], sigmoid(-(b - i + 1) / (b - a + 1)) / sigmoid(-1.0) * profile.met
                )
            elif before:
                a, b = before[-1]
                position = (i - b) / (b - a)
                raw += profile.false * (-1.0 if position > 3 else sigmoid(position))
            else:
                raw -= profile.false
        raw += sum(best)
    silent = -profile.missed * total
    return 100.0 * (raw - silent) / (profile.met * total - silent)


def test_where_nothing_beats_silence_the_optimiser_stays_silent() -> None:
    score = np.linspace(1.0, 0.0, 100)  # falls: every threshold that meets the window has alarmed all the way to it
    costly = Profile(1.0, 1.0, 1.0)
    assert best_threshold([score], [ONE_WINDOW], costly) == (float("inf"), 0.0)
    assert nab_score([score], [ONE_WINDOW], costly, float("inf")) == 0.0


def test_a_missing_score_is_no_alarm() -> None:
    score = alarms(100, 40)
    score[20] = np.nan
    assert nab_score([score], [ONE_WINDOW], STANDARD, 1.0) == pytest.approx(100.0)


def test_windows_that_overlap_or_a_corpus_without_one_are_refused() -> None:
    with pytest.raises(InputError, match="overlap"):
        worth_of(100, np.array([[30, 45], [40, 50]]), STANDARD)
    with pytest.raises(InputError, match="No series has a labelled window"):
        best_threshold([np.zeros(100)], [np.empty((0, 2), np.int64)], STANDARD)
