"""Each algorithm beside its oracle, and contributions that add up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest as Oracle
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors

from models.anomaly.equipment.conformal import Calibration
from models.anomaly.equipment.faults import Fault, with_fault
from models.anomaly.equipment.hotelling import Hotelling
from models.anomaly.equipment.isolation_forest import IsolationForest
from models.anomaly.equipment.neighbours import Neighbours
from models.anomaly.equipment.principal_components import PrincipalComponents
from models.anomaly.equipment.residuals import OneStep
from models.anomaly.equipment.runs import REACH, Scaling, accumulated, dispersions, held, lagged
from tests.machines import normal_run

TRAINING = Scaling.of(normal_run(600)).apply(normal_run(600))
LATER = Scaling.of(normal_run(600)).apply(normal_run(200, seed=1)) + np.array([0.0, 0.0, 1.0, 0.0])


def test_the_forest_scores_as_scikit_learn_does_which_grew_it() -> None:
    oracle = Oracle(n_estimators=100, max_samples=256, random_state=3).fit(TRAINING)
    ours = IsolationForest.fit(TRAINING, seed=3).statistic(LATER)
    assert ours == pytest.approx(-oracle.score_samples(LATER), abs=1e-9)


def test_a_forest_on_fewer_rows_than_a_sample_scores_as_scikit_learn_does() -> None:
    oracle = Oracle(n_estimators=100, max_samples=50, random_state=3).fit(TRAINING[:50])
    assert IsolationForest.fit(TRAINING[:50], 3).statistic(LATER) == pytest.approx(-oracle.score_samples(LATER))


def test_the_sensors_of_a_forest_explain_the_whole_shortening_of_the_path() -> None:
    forest = IsolationForest.fit(TRAINING, seed=3)
    far = 0.1 * TRAINING[:20]
    far[:, 1] += 15.0
    parts = forest.contributions(far)
    length = -np.log2(forest.statistic(far)) * forest.usual
    assert parts.sum(axis=1) == pytest.approx(forest.length[forest.start].mean() - length)
    assert (parts.argmax(axis=1) == 1).all()


def test_components_leave_over_what_scikit_learn_leaves_over() -> None:
    model, oracle = PrincipalComponents.fit(TRAINING), PCA(0.9).fit(TRAINING)
    assert model.loadings.shape[1] == oracle.n_components_
    left = LATER - oracle.inverse_transform(oracle.transform(LATER))
    assert model.error(LATER) == pytest.approx((left**2).mean(axis=1))
    assert model.error_contributions(LATER).sum(axis=1) == pytest.approx(model.error(LATER))
    assert model.contributions(LATER).sum(axis=1) == pytest.approx(model.statistic(LATER))


def test_hotelling_is_a_mahalanobis_distance_and_its_parts_add_up() -> None:
    model = Hotelling.fit(TRAINING)
    shrunk = np.cov(TRAINING.T, bias=True) * (0.98 + 0.02 * np.eye(4))  # by the least that it ever is
    off = LATER - TRAINING.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", off, np.linalg.inv(shrunk), off) / 4
    assert model.statistic(LATER) == pytest.approx(expected, rel=1e-3)
    assert model.contributions(LATER).sum(axis=1) == pytest.approx(model.statistic(LATER))


def test_a_singular_covariance_is_no_obstacle() -> None:
    twice = np.column_stack((TRAINING, TRAINING[:, 0], np.zeros(len(TRAINING))))
    assert np.isfinite(Hotelling.fit(twice).statistic(twice)).all()
    assert np.isfinite(PrincipalComponents.fit(twice).statistic(twice)).all()


def test_one_step_forecasts_are_those_of_a_ridge_regression() -> None:
    known = np.column_stack((TRAINING[:-2], TRAINING[1:-1]))
    oracle = Ridge(alpha=0.02 * len(known)).fit(known, TRAINING[2:])
    ours = OneStep.fit([TRAINING], order=2)
    ahead = LATER[2:] - oracle.predict(np.column_stack((LATER[:-2], LATER[1:-1])))
    # scikit-learn centres what it penalises
    assert ours.missed(LATER)[2:] == pytest.approx(ahead, abs=0.01)
    assert (ours.missed(LATER)[:2] == 0.0).all()


def test_the_nearest_neighbour_is_the_nearest() -> None:
    model = Neighbours.fit(TRAINING)
    distance = NearestNeighbors(n_neighbors=1).fit(model.kept).kneighbors(LATER)[0][:, 0]
    assert model.statistic(LATER) == pytest.approx(distance**2 / 4, abs=1e-9)
    assert model.contributions(LATER).sum(axis=1) == pytest.approx(model.statistic(LATER), abs=1e-9)


def test_accumulated_rows_are_weighted_means_of_the_last_ones() -> None:
    weights = 0.1 * 0.9 ** np.arange(REACH)
    expected = (weights[:, None] * TRAINING[300 : 300 - REACH : -1]).sum(axis=0) / weights.sum()
    assert accumulated(TRAINING, 0.1)[300] == pytest.approx(expected)


def test_lags_stand_oldest_first_and_the_first_row_is_repeated() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    assert lagged(rows, 2).tolist() == [[0, 1, 0, 1], [0, 1, 2, 3], [2, 3, 4, 5]]
    assert dispersions(np.zeros((4, 1)), 3) == pytest.approx(np.full((4, 1), np.log(0.05)))


def test_a_gap_holds_the_last_value_and_begins_at_the_centre() -> None:
    nan = np.nan
    assert held(np.array([[nan], [2.0], [nan], [nan], [5.0]]))[:, 0].tolist() == [0.0, 2.0, 2.0, 2.0, 5.0]


def test_a_sensor_that_never_moved_shows_any_later_move() -> None:
    scaling = Scaling.of(np.column_stack((np.full(50, 200.0), np.zeros(50))))
    assert scaling.apply(np.array([[210.0, 3.0]]))[0] == pytest.approx([5.0, 3.0])


def test_p_values_of_fresh_normal_rows_are_uniform() -> None:
    rng = np.random.default_rng(7)
    calibration = Calibration.fit(rng.gamma(2.0, size=4000))
    p = np.exp(-calibration.surprise(rng.gamma(2.0, size=4000)))
    for share in (0.5, 0.1, 0.03, 0.01):
        assert (p <= share).mean() == pytest.approx(share, rel=0.35)


def test_the_tail_goes_on_where_ranks_end() -> None:
    calibration = Calibration.fit(np.random.default_rng(7).exponential(size=1000))
    surprise = calibration.surprise(np.array([5.0, 10.0, 20.0, 40.0]))
    assert (np.diff(surprise) > 0).all()
    assert surprise[1] > np.log(1001)
    assert calibration.exceeded(0.01) == pytest.approx(stats.expon.ppf(0.99), rel=0.15)
    assert calibration.surprise(np.array([calibration.exceeded(0.003)]))[0] == pytest.approx(-np.log(0.003))


def test_figures_that_are_all_alike_can_be_calibrated() -> None:
    calibration = Calibration.fit(np.zeros(100))
    assert calibration.surprise(np.array([0.0, 1.0]))[0] == 0.0
    assert calibration.surprise(np.array([1.0]))[0] > np.log(100)


def test_a_simulated_fault_is_in_one_sensor_from_its_beginning_on() -> None:
    rng = np.random.default_rng(2)
    kinds = set()
    for _ in range(60):
        broken, kind, sensor = with_fault(TRAINING, 300, np.ones(4), rng)
        changed = (broken != TRAINING).any(axis=0)
        assert changed.nonzero()[0].tolist() == [sensor]
        assert (broken[:300] == TRAINING[:300]).all()
        kinds.add(kind)
    assert kinds == set(Fault)
