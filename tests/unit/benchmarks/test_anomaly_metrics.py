"""The metrics of anomaly detection, by hand and beside a plain reading of their papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from benchmarks.anomaly_metrics import (
    count,
    delay,
    detection_rate,
    event_f1,
    events_of,
    far,
    mar,
    point_f1,
    vus_pr,
)
from industrial_brain.domain.panel import Floats


def flags(text: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([mark == "x" for mark in text])


def test_events_are_stretches_of_labelled_rows() -> None:
    assert events_of(flags("xx..x...xx")).tolist() == [[0, 1], [4, 4], [8, 9]]
    assert events_of(flags("....")).shape == (0, 2)


def test_one_alarm_meets_an_event_and_hits_one_row_of_it() -> None:
    counts = count(flags("x...x....."), flags("...xxxx.xx"))
    assert (counts.hit, counts.false, counts.missed, counts.quiet) == (1, 1, 5, 3)
    assert (counts.events, counts.met) == (2, 1)
    assert event_f1(counts) == pytest.approx(0.5)  # recall 1/2, precision 1/2
    assert point_f1(counts) == pytest.approx(2 / 8)
    assert far(counts) == pytest.approx(25.0)
    assert mar(counts) == pytest.approx(100 * 5 / 6)
    assert detection_rate(counts) == pytest.approx(1 / 6)


def test_counts_of_series_add_up_to_those_of_the_set() -> None:
    rng = np.random.default_rng(3)
    alarm, label = rng.random(500) < 0.3, np.repeat(rng.random(50) < 0.2, 10)
    label[240:260] = False
    pooled = count(alarm[:250], label[:250]) + count(alarm[250:], label[250:])
    assert pooled == count(alarm, label)
    assert point_f1(pooled) == pytest.approx(f1_score(label, alarm))


def test_the_delay_runs_from_the_start_of_the_event_to_its_first_alarm() -> None:
    assert delay(flags("x....x.."), flags("...xxxxx")) == 2.0
    assert delay(flags("x......."), flags("...xxxxx")) == math.inf
    assert math.isnan(delay(flags("x..."), flags("....")))


def test_silence_has_no_event_f1_to_be_proud_of() -> None:
    assert event_f1(count(flags("...."), flags(".xx."))) == 0.0


def test_without_a_buffer_the_volume_is_the_area_under_precision_and_recall() -> None:
    rng = np.random.default_rng(4)
    label = np.zeros(250, dtype=bool)
    label[100:150] = True
    score = rng.random(250) + 0.5 * label
    assert vus_pr(score, label, buffer=0) == pytest.approx(average_precision_score(label, score))


def test_a_perfect_score_without_a_buffer_is_one_and_a_late_one_gains_by_the_buffer() -> None:
    label = np.zeros(400, dtype=bool)
    label[200:240] = True
    assert vus_pr(label.astype(float), label, buffer=0) == pytest.approx(1.0)
    late = np.roll(label, 20).astype(float)
    assert vus_pr(late, label, buffer=60) > vus_pr(late, label, buffer=0) + 0.05


def test_the_volume_is_what_the_paper_says_row_by_row() -> None:
    rng = np.random.default_rng(6)
    label = np.zeros(180, dtype=bool)
    label[[*range(30, 45), *range(52, 60), *range(120, 150), 179]] = True
    for score in (rng.random(180) + 0.4 * label, np.round(rng.random(180), 1)):
        plain = np.mean([one_width(score, label, width, 50) for width in range(21)])
        assert vus_pr(score, label, buffer=20, thresholds=50) == pytest.approx(plain)


def one_width(score: Floats, label: np.ndarray[tuple[int], np.dtype[np.bool_]], width: int, thresholds: int) -> float:
    half, rows = width // 2, len(score)
    events = events_of(label)
    soft = label.astype(float)
    near = np.zeros(rows, dtype=bool)
    for first, last in events:
        for row in range(max(first - half, 0), min(last + half + 1, rows)):
            near[row] = True
            distance = max(first - row, row - last, 0)
            if distance:
                soft[row] += math.sqrt(1 - distance / width)
    soft = np.minimum(soft, 1.0)
    regions = events_of(near) if width else events
    curve, area, before = sorted(score, reverse=True), 0.0, 0.0
    for k in np.linspace(0, rows - 1, thresholds).astype(int):
        alarm = score >= curve[k]
        hit = float(soft[alarm].sum())
        size = (2 * label.sum() + float(soft[alarm & ~label].sum())) / 2
        met = np.mean([alarm[first : last + 1].any() for first, last in regions])
        recall = min(hit / size, 1.0) * met
        area += (recall - before) * hit / alarm.sum()
        before = float(recall)
    return area


def test_a_missing_score_ranks_lowest() -> None:
    label = flags("....xxxx....")
    score = np.where(label, 1.0, np.nan)
    assert vus_pr(score, label, buffer=0) == pytest.approx(1.0)


def test_a_series_without_an_anomaly_has_no_volume() -> None:
    assert math.isnan(vus_pr(np.arange(5.0), np.zeros(5, dtype=bool)))
