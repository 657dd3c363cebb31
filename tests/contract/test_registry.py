"""One contract for the registry: the fake on folders, and MLflow on SQLite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

import industrial_brain
from industrial_brain.domain.errors import StateError, UnavailableError, UnknownIdError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.protocols import Registry
from industrial_brain.storage.registry import LoggedCode, MlflowRegistry
from tests.fakes.registry import FakeRegistry

VINTAGE = dt.datetime(2026, 1, 15, 12, 30, tzinfo=dt.UTC)
CODE = LoggedCode(
    Path(industrial_brain.__file__).parent.parent,
    "serving/pyfunc_model.py",
    ("models", "features", "industrial_brain/__init__.py", "industrial_brain/domain"),
)


def _mlflow(home: Path, name: str = "ib-forecasting") -> MlflowRegistry:
    return MlflowRegistry(f"sqlite:///{home}/mlruns/mlflow.db", home / "mlruns" / "artifacts", name, CODE, home)


@pytest.fixture(scope="module")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database a module: making its tables takes seconds."""
    home = tmp_path_factory.mktemp("mlflow")
    _mlflow(home).history()
    return home


@pytest.fixture(params=["fake", "mlflow"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "fake":
        yield FakeRegistry(tmp_path / "versions", lambda: VINTAGE)
    else:
        home: Path = request.getfixturevalue("mlflow_home")
        yield _mlflow(home, f"ib-{request.node.name}".replace("[", "-").replace("]", ""))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    (folder / "M.npz").write_bytes(b"\x00\x01arrays")
    return folder


def _save(registry: Registry, bundle: Path, days: int = 0, status: str = "candidate") -> ModelVersion:
    return registry.save(
        bundle,
        vintage=VINTAGE + dt.timedelta(days=days),
        metrics={"mase": 0.9, "mase.tier.town": 1.1},
        tags={"seed": "7", "git_sha": "abc"},
        artifacts={"outcomes.csv": "series,outcome\n"},
        status=status,
    )


def test_an_empty_registry_has_no_champion_and_no_history(registry: Registry) -> None:
    assert registry.current() is None
    assert registry.history() == []


def test_a_saved_version_is_a_candidate_without_an_alias(registry: Registry, bundle: Path) -> None:
    version = _save(registry, bundle)
    assert (version.version, version.status, version.aliases) == (1, "candidate", ())
    assert version.vintage == VINTAGE
    assert version.metrics["mase"] == 0.9
    assert version.tags["seed"] == "7"
    assert registry.current() is None


def test_a_version_loads_byte_for_byte(registry: Registry, bundle: Path) -> None:
    folder = registry.load(_save(registry, bundle).version)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == {f.name: f.read_bytes() for f in bundle.iterdir()}


def test_a_promotion_remembers_the_champion_before(registry: Registry, bundle: Path) -> None:
    first, second = _save(registry, bundle), _save(registry, bundle, 1)
    registry.promote(first.version)
    registry.set_challenger(second.version)
    registry.promote(second.version)
    found = {alias: registry.current(alias) for alias in ("champion", "previous", "challenger")}
    assert {alias: version and version.version for alias, version in found.items()} == {
        "champion": 2,
        "previous": 1,
        "challenger": None,
    }
    assert [v.status for v in registry.history()] == ["served", "served"]


def test_a_rollback_restores_the_previous_champion_and_withdraws_the_other(registry: Registry, bundle: Path) -> None:
    for days in (0, 1):
        registry.promote(_save(registry, bundle, days).version)
    assert registry.rollback().version == 1
    assert [(v.version, v.status, v.aliases) for v in registry.history()] == [
        (2, "withdrawn", ()),
        (1, "served", ("champion",)),
    ]
    with pytest.raises(StateError):
        registry.rollback()


def test_promoting_the_champion_again_changes_nothing(registry: Registry, bundle: Path) -> None:
    for days in (0, 1):
        registry.promote(_save(registry, bundle, days).version)
    before = registry.history()
    registry.promote(2)
    assert registry.history() == before


def test_a_version_is_saved_with_the_standing_that_its_judge_gave_it(registry: Registry, bundle: Path) -> None:
    _save(registry, bundle, status="refused")
    (found,) = registry.history()
    assert found.status == "refused"


def test_an_unknown_version_is_named_so(registry: Registry) -> None:
    for call in (registry.load, registry.promote, registry.set_challenger):
        with pytest.raises(UnknownIdError):
            call(99)


def test_the_history_is_newest_first_with_its_aliases(registry: Registry, bundle: Path) -> None:
    for days in range(3):
        _save(registry, bundle, days)
    registry.promote(2)
    assert [(v.version, v.aliases) for v in registry.history()] == [(3, ()), (2, ("champion",)), (1, ())]


def test_a_second_process_sees_the_same_registry(mlflow_home: Path, bundle: Path) -> None:
    writer, reader = (_mlflow(mlflow_home, "ib-shared") for _ in range(2))
    assert reader.current() is None
    writer.promote(_save(writer, bundle).version)
    found = reader.current()
    assert found is not None
    assert found.version == 1


def test_a_save_that_fails_leaves_no_version(mlflow_home: Path, tmp_path: Path) -> None:
    registry = _mlflow(mlflow_home, "ib-broken")
    with pytest.raises(FileNotFoundError):
        _save(registry, tmp_path / "missing")
    assert registry.history() == []


def test_opening_a_registry_makes_and_connects_nothing(tmp_path: Path) -> None:
    _mlflow(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_an_address_that_is_no_registry_is_unavailable_and_keeps_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = MlflowRegistry("http://me:secret@127.0.0.1:1", None, "ib-x", CODE, tmp_path)
    for call in (registry.history, registry.current, registry.rollback):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert "secret" not in str(caught.value)
