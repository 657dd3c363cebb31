"""Following the champion, and readiness."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.errors import BundleError, NoModelError, UnavailableError
from industrial_brain.domain.forecasts import Forecast, ModelVersion
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.observations import ObservationBatch
from serving.app import create_app
from serving.live import ForecastModel, LiveModels
from tests.fakes.city import NOW, SmallCity
from tests.fakes.forecast_model import ConstantModel


class Loader:
    """Reads versions, counts how often, and fails on demand."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.error: Exception | None = None

    def __call__(self, path: Path) -> ForecastModel:
        self.paths.append(path)
        if self.error is not None:
            raise self.error
        return ConstantModel.read(path)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def live(city: SmallCity, loader: Loader) -> LiveModels[ForecastModel]:
    return LiveModels(city.registry, loader, city.observations, lambda: city.now, poll_seconds=3600, kept=2)


def test_a_champion_is_loaded_once_and_then_left_alone(live: LiveModels[ForecastModel], loader: Loader) -> None:
    live.poll()
    live.poll()
    assert live.current().version.version == 1
    assert (len(loader.paths), live.swaps) == (1, 1)


def test_a_new_champion_replaces_the_old_one(live: LiveModels[ForecastModel], city: SmallCity) -> None:
    live.poll()
    city.release("2026-02-01", {})
    live.poll()
    assert (live.current().version.version, live.swaps) == (2, 2)


def test_a_rollback_is_followed_too(live: LiveModels[ForecastModel], city: SmallCity) -> None:
    city.release("2026-02-01", {})
    live.poll()
    city.registry.rollback()
    live.poll()
    assert live.current().version.version == 1


def test_a_request_keeps_the_version_that_it_began_with(live: LiveModels[ForecastModel], city: SmallCity) -> None:
    live.poll()
    taken = live.current()
    city.release("2026-02-01", {})
    live.poll()
    assert taken.version.version == 1
    (forecast,) = taken.model.forecast(["output:500103"], 1, [])
    assert isinstance(forecast, Forecast)
    assert forecast.mean == (40.0,)


@pytest.mark.parametrize("error", [BundleError("Not a bundle."), OSError("disk"), ValueError("x"), KeyError("y")])
def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_and_is_told(
    live: LiveModels[ForecastModel], loader: Loader, city: SmallCity, error: Exception
) -> None:
    live.poll()
    city.release("2026-02-01", {})
    loader.error = error
    live.poll()
    assert live.current().version.version == 1
    assert live.failure == "Version 2 could not be loaded."
    loader.error = None
    live.poll()
    assert [live.current().version.version, live.failure] == [2, None]


def test_a_registry_that_does_not_answer_leaves_the_old_one(
    live: LiveModels[ForecastModel], city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(alias: str = "champion") -> ModelVersion:
        raise UnavailableError("No answer.")

    live.poll()
    monkeypatch.setattr(city.registry, "current", silent)
    live.poll()
    assert live.current().version.version == 1
    assert live.failure == "The model registry does not answer."


def test_the_follower_looks_again_after_a_failure(city: SmallCity) -> None:
    loaded = threading.Event()

    def fails_first(path: Path) -> ForecastModel:
        if not attempts:
            attempts.append(path)
            raise OSError("not yet")
        loaded.set()
        return ConstantModel.read(path)

    attempts: list[Path] = []
    live = LiveModels(city.registry, fails_first, city.observations, lambda: city.now, poll_seconds=0.001)
    live.start()
    try:
        assert loaded.wait(timeout=30)
    finally:
        live.stop()
    assert live.failure is None


def test_before_the_first_champion_there_is_no_model(tmp_path: Path, loader: Loader) -> None:
    city = SmallCity(tmp_path)
    live = LiveModels(city.registry, loader, city.observations, lambda: city.now, poll_seconds=3600)
    live.poll()
    with pytest.raises(NoModelError):
        live.current()
    with pytest.raises(NoModelError):
        live.as_of(NOW)


def test_older_versions_are_kept_within_bounds_and_the_least_used_goes_first(
    live: LiveModels[ForecastModel], loader: Loader, city: SmallCity
) -> None:
    vintages = [city.version(f"2025-0{month}-01", {}).vintage for month in (1, 2, 3)]
    for asked in (0, 1, 0, 2, 0, 1):
        live.as_of(vintages[asked])
    # the third version pushed out the second, never the first
    assert [path.parent.name for path in loader.paths] == ["2", "3", "4", "3"]


def test_the_champion_is_not_loaded_twice_for_a_question_as_of(live: LiveModels[ForecastModel], loader: Loader) -> None:
    live.poll()
    assert live.as_of(NOW) is live.current()
    assert len(loader.paths) == 1


def test_an_older_version_whose_files_are_broken_is_our_failure_and_not_the_callers(
    live: LiveModels[ForecastModel], loader: Loader
) -> None:
    loader.error = BundleError("Not a bundle.")
    with pytest.raises(UnavailableError):
        live.as_of(NOW)


def test_ready_once_the_database_answers_and_a_champion_is_loaded(anonymous: TestClient) -> None:
    answer = anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": [], "warnings": []})


def test_not_ready_says_every_reason_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_: object) -> None:
        raise UnavailableError("postgresql://brain:hunter2@db does not answer.")

    city = SmallCity(tmp_path)
    monkeypatch.setattr(city.catalogue, "list_clusters", down)
    with TestClient(create_app(city.services())) as client:
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert len(answer.json()["reasons"]) == 2
    assert "hunter2" not in answer.text


def test_an_old_champion_is_ready_with_a_warning(anonymous: TestClient, city: SmallCity) -> None:
    broken = city.release("2026-02-01", {})
    (city.registry.load(broken.version) / "constants.json").unlink()
    app = anonymous.app
    app.state.live.poll()  # type: ignore[attr-defined] # Starlette types it as a bare callable
    answer = anonymous.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["Version 2 could not be loaded."]


def _publish(city: SmallCity, value: float, known_at: str, period: int = 674) -> None:
    city.observations.append(
        ObservationBatch(
            series=np.array(["output:500103"], dtype=object),
            periods=np.array([period]),
            values=np.array([value]),
            known_at=np.array([known_at], "datetime64[us]"),
        ),
        Source("simulator", "Apache-2.0", simulated=True),
    )


def _mean(model: ForecastModel) -> float:
    (forecast,) = model.forecast(["output:500103"], 1, [])
    assert isinstance(forecast, Forecast)
    return forecast.mean[0]


def test_new_observations_reach_the_champion_without_a_training(
    live: LiveModels[ForecastModel], city: SmallCity, loader: Loader
) -> None:
    live.poll()
    taken = live.current()
    _publish(city, 99.0, "2026-02-28")
    live.poll()
    live.poll()
    assert (_mean(live.current().model), _mean(taken.model)) == (99.0, 40.0)
    assert (live.current().version.version, live.swaps, live.updates, len(loader.paths)) == (1, 1, 1, 1)


def test_values_that_are_filed_late_are_seen_too(live: LiveModels[ForecastModel], city: SmallCity) -> None:
    _publish(city, 99.0, "2026-02-28")
    live.poll()
    _publish(city, 101.0, "2026-02-20", period=675)  # known before, filed after
    live.poll()
    assert _mean(live.current().model) == 101.0


def test_a_question_as_of_a_moment_sees_what_was_known_then_and_nothing_later(
    live: LiveModels[ForecastModel], city: SmallCity
) -> None:
    live.poll()
    _publish(city, 99.0, "2026-02-10")
    _publish(city, 101.0, "2026-02-28")
    live.poll()
    at = [_mean(live.as_of(dt.datetime(2026, 2, day, tzinfo=dt.UTC)).model) for day in (5, 15, 28)]
    assert at == [40.0, 99.0, 101.0]
    _publish(city, 77.0, "2026-02-04")  # filed late: what was known on the 5th has changed
    assert _mean(live.as_of(dt.datetime(2026, 2, 5, tzinfo=dt.UTC)).model) == 77.0


def test_a_store_that_does_not_answer_leaves_the_champion_as_it_is_and_is_told(
    live: LiveModels[ForecastModel], city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise UnavailableError("The database can't be used.")

    monkeypatch.setattr(city.observations, "revision", away)
    live.poll()
    assert _mean(live.current().model) == 40.0
    assert live.failure is not None
    assert live.failure.startswith("Newer observations could not be taken in")
    monkeypatch.undo()
    live.poll()
    assert live.failure is None
