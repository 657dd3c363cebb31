"""What holds for every test, and the one small Ray that the session shares."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from training.ray_jobs import RayExecutor

# read by MLflow and Ray when they are imported: tests report nothing to anybody
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="session")
def ray_executor() -> Iterator[RayExecutor]:
    """A local Ray, started once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, at its start
        from training.ray_jobs import ray_cluster

        with ray_cluster(None) as executor:
            yield executor


@pytest.fixture(scope="session")
def ray_address(ray_executor: RayExecutor) -> str:
    """Where other processes reach that Ray."""
    import ray

    return str(ray.get_runtime_context().gcs_address)
