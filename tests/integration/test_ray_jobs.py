from __future__ import annotations

import posixpath
import subprocess
import sys

import numpy as np

from models.forecasting.bundle import ForecastBundle
from tests.panels import awkward_panel, seasonal_panel, walk_panel
from training.pipeline import fit_panels
from training.plan import plan_training
from training.ray_jobs import RayExecutor, ray_cluster


def _predicted(bundle: ForecastBundle) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return bundle.predict(bundle.series, 6, [0.1, 0.5, 0.9])[1]


def test_ray_and_this_process_give_the_same_numbers(ray_executor: RayExecutor) -> None:
    panels = [seasonal_panel(n=5), awkward_panel()]
    ours = fit_panels(panels[:1])
    np.testing.assert_array_equal(_predicted(fit_panels(panels[:1], executor=ray_executor)), _predicted(ours))
    here, there = fit_panels(panels[1:]), fit_panels(panels[1:], executor=ray_executor)
    assert list(here.failures()) == list(there.failures())


def test_every_partition_comes_back_once_in_whatever_order(ray_executor: RayExecutor) -> None:
    plan = plan_training([walk_panel(n=2600, months=14)], seed=0, code="")
    assert len(plan) > 4
    keys = [partition.spec.key for partition, _ in ray_executor.run(plan)]
    assert sorted(keys) == sorted(partition.spec.key for partition in plan)


def test_a_consumer_that_stops_early_leaves_ray_usable(ray_executor: RayExecutor) -> None:
    plan = plan_training([walk_panel(n=2600, months=14)], seed=0, code="")
    run = ray_executor.run(plan)
    next(run)
    run.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(list(ray_executor.run(plan[:1]))) == 1


def test_a_running_ray_is_joined_and_left_running(ray_executor: RayExecutor) -> None:
    with ray_cluster(None) as joined:
        assert len(list(joined.run(plan_training([seasonal_panel(n=1)], seed=0, code="")))) == 1
    assert len(list(ray_executor.run(plan_training([seasonal_panel(n=1)], seed=0, code="")))) == 1


def test_a_cluster_that_is_not_there_is_named_with_a_next_step() -> None:
    """In a process of its own: this one has a cluster already."""
    code = "from training.ray_jobs import ray_cluster\nwith ray_cluster('127.0.0.1:1'): pass"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "UnavailableError: No Ray cluster answers at 127.0.0.1:1" in done.stderr


def test_any_function_of_a_module_can_be_mapped(ray_executor: RayExecutor) -> None:
    named = ray_executor.each(posixpath.basename, ["a/x", "b/y", "c/x"])  # Ray takes no built-in such as `abs`
    assert sorted(named) == [("a/x", "x"), ("b/y", "y"), ("c/x", "x")]
