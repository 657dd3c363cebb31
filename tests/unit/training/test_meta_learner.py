from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.descriptors import DESCRIPTORS, describe
from features.scales import mase_scale
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.catalogue import FALLBACK, members_for
from tests.panels import awkward_panel, seasonal_panel, walk_panel
from training.decide import Decision
from training.evidence import EVIDENCE, evidence
from training.expectations import rule_of_thumb, told_ahead
from training.meta_learner import SHIPPED, MetaLearner, shipped_learner
from training.pretraining.generator import synthetic_panels
from training.pretraining.objective import CombinationLoss
from training.pretraining.recipe import pretrain
from training.pretraining.tasks import TASK_ORIGINS, sample, tasks_of
from training.weighing import log_weights

MEMBERS = ("theta", "damped_trend", "seasonal_naive")


def _loss(seed: int = 0) -> tuple[CombinationLoss, Floats]:
    rng = np.random.default_rng(seed)
    first = np.array([0, 2, 5, 9])
    return CombinationLoss(first, rng.normal(size=(11, 6)), rng.uniform(0.5, 2.0, 4)), rng.normal(size=11)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    loss, scores = _loss()
    gradient, curvature = loss.derivatives(scores)
    for row in range(len(scores)):
        nudge = np.zeros(len(scores))
        nudge[row] = 1e-6
        slope = (loss.importance * (loss.losses(scores + nudge) - loss.losses(scores - nudge))).sum() / 2e-6
        assert gradient[row] == pytest.approx(slope, abs=1e-6)
    assert (curvature > 0.0).all()


def test_the_loss_is_that_of_the_combination_and_cancelled_errors_are_none() -> None:
    loss = CombinationLoss(np.array([0]), np.array([[1.0, -1.0], [-1.0, 1.0]]) / 2.0, np.ones(1))
    assert loss.losses(np.zeros(2))[0] == 0.0
    assert loss.losses(np.array([np.log(3.0), 0.0]))[0] == pytest.approx(0.5)


def test_evidence_is_about_members_and_has_no_unit() -> None:
    rng = np.random.default_rng(0)
    mae = np.abs(rng.normal(size=(4, 3, 3)))
    mean, scale = rng.normal(size=(4, 3, 5)), np.abs(rng.normal(size=(4, 3, 5)))
    mean[0, 2] = scale[0, 2] = np.nan
    unit = np.array([1.0, 2.0, 3.0, np.nan])
    table = evidence(mae, mean, scale, unit)
    assert table.shape == (4, 3, len(EVIDENCE))
    np.testing.assert_allclose(evidence(7.0 * mae, 7.0 * mean, 7.0 * scale, 7.0 * unit), table, rtol=1e-9)
    column = {name: table[:, :, k] for k, name in enumerate(EVIDENCE)}
    expected = np.log(mae[1] / np.median(mae[1], axis=1, keepdims=True))
    np.testing.assert_allclose(column["mean_error"][1], expected.mean(axis=0))
    np.testing.assert_allclose(column["newest_error"][1], expected[-1])
    np.testing.assert_allclose(column["worst_error"][1], expected.max(axis=0))
    assert column["members"][0].tolist() == [2.0] * 3
    assert np.isnan(column["distance"][0, 2])
    assert np.isnan(column["distance"][3]).all()


def test_without_origins_there_is_no_evidence_of_errors() -> None:
    column = evidence(np.empty((2, 0, 3)), np.ones((2, 3, 4)), np.ones((2, 3, 4)), np.ones(2))
    assert (column[:, :, EVIDENCE.index("origins")] == 0.0).all()
    assert np.isnan(column[:, :, EVIDENCE.index("mean_error")]).all()


def test_the_shipped_learner_reads_and_is_small() -> None:
    assert set(MEMBERS) <= set(shipped_learner().known)
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1_500_000


def test_members_that_nobody_has_learnt_about_keep_the_rules_weight() -> None:
    panel = seasonal_panel(n=3)
    described = describe(panel, 12)
    rule = np.zeros((3, 4))
    members = ("theta", "damped_trend", "oracle", "prophecy")
    expected = shipped_learner().expect(described, members, rule)
    np.testing.assert_array_equal(expected[:, 2:], 0.0)
    np.testing.assert_allclose(expected[:, :2].sum(axis=1), 0.0, atol=1e-12)
    assert np.abs(expected[:, :2]).max() > 0.0
    log = log_weights(np.empty((3, 0, 4)), rule)
    told = evidence(np.empty((3, 0, 4)), np.ones((3, 4, 12)), np.ones((3, 4, 12)), mase_scale(panel))
    np.testing.assert_array_equal(shipped_learner().correct(log, described, told, members)[:, 2:], 0.0)


def test_a_learner_survives_as_two_native_files(tmp_path: Path) -> None:
    ours = shipped_learner()
    ours.write(tmp_path)
    again = MetaLearner.read(tmp_path)
    described = describe(walk_panel(n=5), 12)
    rule = np.zeros((5, 3))
    np.testing.assert_array_equal(again.expect(described, MEMBERS, rule), ours.expect(described, MEMBERS, rule))


def test_a_missing_or_foreign_learner_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"before\.ubj"):
        MetaLearner.read(tmp_path)
    shipped_learner().write(tmp_path)
    (tmp_path / "after.ubj").write_bytes((tmp_path / "before.ubj").read_bytes())
    with pytest.raises(BundleError, match="other columns"):
        MetaLearner.read(tmp_path)


def test_a_decision_gives_no_weight_to_who_does_not_answer() -> None:
    panel = awkward_panel()
    names = members_for(panel.freq, panel.season)
    n, m = len(panel), len(names)
    mean, scale = np.ones((n, m, 12)), np.ones((n, m, 12))
    mean[:, 1, 3] = np.nan
    mean[2] = np.nan
    weights = Decision(shipped_learner(), names, 12).at(panel).weights(np.full((n, 3, m), np.nan), mean, scale)
    assert (weights[:, 1] == 0.0).all()
    assert (weights[:, names.index(FALLBACK)] == 0.0).all()
    assert (weights[2] == 0.0).all()
    np.testing.assert_allclose(np.delete(weights, 2, axis=0).sum(axis=1), 1.0)


def test_of_a_short_season_only_the_naive_is_not_handicapped() -> None:
    t = np.arange(24)
    waves = 100.0 + 20.0 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(0).normal(0, 1.0, 24)
    panel = seasonal_panel(n=1, months=24)
    panel = type(panel).of([waves])
    rule = rule_of_thumb(("theta", "seasonal_naive", FALLBACK), panel)[0]
    assert rule[0] - rule[1] == pytest.approx(np.log(2.0))
    assert np.isinf(rule[2])


def _linked(kind: Knowledge, beyond: int) -> Panel:
    """Two series, of which the second depends on a source that reaches so far behind it."""
    panel = seasonal_panel(n=2, months=60)
    start = int(panel.start[1])
    source = Panel.of([np.arange(60.0 + beyond)], freq=panel.freq, start=[start])
    linked = PanelCovariates.of(panel, ["tariff"], [kind], source, np.array([[-1], [0]]))
    return replace(panel, covariates=linked)


@pytest.mark.parametrize("kind", list(Knowledge))
@pytest.mark.parametrize(("beyond", "told"), [(12, True), (11, False), (0, False)])
def test_half_the_error_is_expected_of_who_reads_what_is_known_ahead(kind: Knowledge, beyond: int, told: bool) -> None:
    advantage = told_ahead(("theta", "regression", FALLBACK), _linked(kind, beyond), 12)
    np.testing.assert_allclose(advantage, [[0.0, 0.0, 0.0], [0.0, np.log(2.0) if told else 0.0, 0.0]])
    np.testing.assert_array_equal(told_ahead(MEMBERS, seasonal_panel(n=3), 12), np.zeros((3, 3)))


def test_who_knows_what_is_ahead_weighs_more_until_errors_say_otherwise() -> None:
    told, untold = _linked(Knowledge.KNOWN_AHEAD, 12), _linked(Knowledge.KNOWN_AHEAD, 0)
    names = ("theta", "regression", FALLBACK)
    said = np.ones((2, 3, 12))

    def weight(panel: Panel, mae: Floats) -> float:
        return float(Decision(shipped_learner(), names, 12).at(panel).weights(mae, said, said)[1, 1])

    unknown = np.full((2, 3, 3), np.nan)
    wrong = np.broadcast_to([1.0, 4.0, 1.0], (2, 3, 3))
    assert weight(told, unknown) > weight(untold, unknown)
    assert weight(told, wrong) < 0.5


def test_a_member_is_not_spared_for_one_that_may_not_answer() -> None:
    told, untold = _linked(Knowledge.KNOWN_AHEAD, 12), _linked(Knowledge.KNOWN_AHEAD, 0)
    decision = Decision(shipped_learner(), ("theta", "regression", FALLBACK), 12)
    np.testing.assert_array_equal(decision.at(told).worth_fitting(), decision.at(untold).worth_fitting())


def test_synthetic_series_are_finite_and_repeat_with_their_seed() -> None:
    panels = synthetic_panels(60, seed=3)
    assert {panel.freq for panel, _ in panels} == set(Frequency) - {Frequency.ORDINAL}
    for (panel, _), (again, _) in zip(panels, synthetic_panels(60, seed=3), strict=True):
        assert np.isfinite(panel.values).all()
        np.testing.assert_array_equal(panel.values, again.values)


def test_tasks_look_back_and_never_ahead() -> None:
    """What was known at an origin does not change when the future does."""
    panel = seasonal_panel(n=3)
    bent = panel.values.reshape(3, -1).copy()
    bent[:, -12:] *= 3.0
    ours, theirs = tasks_of(panel, 12, 0), tasks_of(replace(panel, values=bent.ravel()), 12, 0)
    assert 2 <= len(ours) <= TASK_ORIGINS
    for part in ("descriptors", "mae", "evidence", "rule"):
        np.testing.assert_array_equal(getattr(ours[-1], part), getattr(theirs[-1], part))
    assert not np.allclose(ours[-1].error, theirs[-1].error, equal_nan=True)


def test_a_sample_is_no_larger_than_asked_and_repeats() -> None:
    tasks = tasks_of(seasonal_panel(n=8), 12, 0)
    drawn = sample(tasks, 10, seed=1)
    assert sum(map(len, drawn)) == 10
    assert [len(one) for one in drawn] == [len(one) for one in sample(tasks, 10, seed=1)]


def test_pretraining_learns_whom_to_trust_and_repeats() -> None:
    """Walks and waves: on the waves left out, the trees learnt from other waves beat equal weights."""
    sources = {}
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        sources[name] = tasks_of(seasonal_panel(n=40, seed=seed), 12, 0) + tasks_of(walk_panel(n=40, seed=seed), 12, 0)
    learner, unseen = pretrain(sources, {}, seed=0, rounds=40)
    again, _ = pretrain(sources, {}, seed=0, rounds=40)
    assert [row.source for row in unseen] == ["a", "b", "c"]
    assert all(row.before < 0.99 for row in unseen)
    described, rule = describe(walk_panel(n=2), 12), np.zeros((2, 3))
    np.testing.assert_array_equal(learner.expect(described, MEMBERS, rule), again.expect(described, MEMBERS, rule))
    assert np.abs(learner.expect(described, MEMBERS, rule)).max() > 1e-3
    assert len(learner.before.feature_names or []) == len(DESCRIPTORS) + len(learner.known) + 1
