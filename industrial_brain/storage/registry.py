"""The registry of versions, on MLflow. The only writer of it; no global state of MLflow's is touched.

A version's facts are tags of its model version, so that a listing is one query:

    status    candidate | served | historical | refused | withdrawn
    vintage   the moment up to which its data was known
    metrics   JSON, the figures over all series (the run has those of the slices)
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from sqlalchemy.exc import SQLAlchemyError

from industrial_brain.domain.errors import StateError, UnavailableError, UnknownIdError
from industrial_brain.domain.forecasts import ModelVersion

#: metrics that MLflow takes in one call
_METRICS_A_CALL = 1000

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class LoggedCode:
    """The code that makes a logged model answer where our packages are not installed.

    Attributes:
        root: folder that the other paths are below.
        wrapper: file with the pyfunc model.
        packages: files and folders that it imports, each with the packages around it.
        requirements: distributions that it needs beside, at the versions that trained it.
        inputs: columns that it is asked with, and their types (none: those of its cases).
        params: numbers that go with them, by default.
    """

    root: Path
    wrapper: str
    packages: tuple[str, ...]
    requirements: tuple[str, ...] = ("mlflow", "numpy", "pandas", "numba")
    inputs: tuple[tuple[str, str], ...] = (("series", "string"), ("horizon", "long"))
    params: tuple[tuple[str, tuple[float, ...]], ...] = (("levels", (80.0, 95.0)),)

    def copied_to(self, folder: Path) -> list[Path]:
        """Copy the packages, and nothing else, into a folder; the top-level packages there."""
        for name in self.packages:
            source, target = self.root / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        return sorted(folder.iterdir())


class MlflowRegistry:
    """Versions of one registered model.

    Args:
        uri: MLflow's tracking and registry URI; a SQLite file is made, with its folder, on first use.
        artifacts: folder of the versions' files, where the URI is a database; None leaves the place to an MLflow server.
        name: the registered model, `ib-AREA[-TASK]`.
        code: what is logged beside the arrays.
        downloads: folder for versions whose files are elsewhere.
    """

    def __init__(self, uri: str, artifacts: Path | None, name: str, code: LoggedCode, downloads: Path) -> None:
        self._uri, self._artifacts, self._name, self._code = uri, artifacts, name, code
        self._downloads = downloads
        self._opened: MlflowClient | None = None

    def save(
        self,
        bundle: Path,
        *,
        vintage: dt.datetime,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Mapping[str, str],
        status: str = "candidate",
    ) -> ModelVersion:
        """Log a run and register its model as the next version, without an alias.

        The version appears in one step at the end: until then nothing that a reader sees has changed.
        """
        with self._translated():
            run = self._client.create_run(self._experiment(), run_name=f"{self._name} {vintage:%Y-%m-%d}")
            run_id, now = run.info.run_id, run.info.start_time
            try:
                figures = [Metric(key, value, now, 0) for key, value in metrics.items()]
                for first in range(0, len(figures), _METRICS_A_CALL):
                    self._client.log_batch(run_id, metrics=figures[first : first + _METRICS_A_CALL])
                params = [Param(key, tags[key]) for key in ("seed", "vintage") if key in tags]
                self._client.log_batch(run_id, params=params, tags=[RunTag(k, v) for k, v in tags.items()])
                for file, text in artifacts.items():
                    self._client.log_text(run_id, text, file)
                self._log_model(run_id, bundle)
            except BaseException:
                self._client.set_terminated(run_id, status="FAILED")
                raise
            self._client.set_terminated(run_id)
            overall = {key: value for key, value in metrics.items() if "." not in key or ".data." in key}
            facts = {**tags, "status": status, "vintage": vintage.isoformat(), "metrics": json.dumps(overall)}
            created = self._client.create_model_version(
                self._registered(), source=f"{run.info.artifact_uri}/model", run_id=run_id, tags=facts
            )
            return self._version(created, {})

    def load(self, version: int) -> Path:
        """The folder with the version's bundle; a remote one is downloaded first.

        Raises:
            UnknownIdError: there is no such version.
        """
        with self._translated(f"Version {version} of {self._name} does not exist."):
            source = self._client.get_model_version_download_uri(self._name, str(version))
            folder = download_artifacts(artifact_uri=source, dst_path=self._cache(version), tracking_uri=self._uri)
        return Path(folder) / "artifacts" / "bundle"

    def _cache(self, version: int) -> str | None:
        """Where a remote version is kept once it was downloaded; a local one is read where it lies."""
        if self._artifacts is not None:
            return None
        folder = self._downloads / self._name / str(version)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def set_challenger(self, version: int) -> None:
        self._alias("challenger", version)

    def promote(self, version: int) -> None:
        """`previous` is set first: a crash in between leaves the old champion in both places, and nothing lost."""
        champion = self.current()
        if champion is not None and champion.version == version:
            return
        if champion is not None:
            self._alias("previous", champion.version)
        self._tag(version, "status", "served")
        self._alias("champion", version)
        challenger = self.current("challenger")
        if challenger is not None and challenger.version == version:
            self._unalias("challenger")

    def rollback(self) -> ModelVersion:
        """Make `previous` champion again; the champion of until now is `withdrawn` and never served again.

        Raises:
            StateError: there is no previous version.
        """
        champion, previous = self.current(), self.current("previous")
        if champion is None or previous is None or champion.version == previous.version:
            raise StateError(
                f"{self._name} has no previous champion to go back to.", "See the versions with `brain models`."
            )
        self._tag(champion.version, "status", "withdrawn")
        self._alias("champion", previous.version)
        self._unalias("previous")
        return next(v for v in self.history() if v.version == previous.version)

    def current(self, alias: str = "champion") -> ModelVersion | None:
        """The version that carries an alias, read directly (a search returns none)."""
        with self._translated():
            try:
                found = self._client.get_model_version_by_alias(self._name, alias)
            except MlflowException as error:
                if _is_missing(error):
                    return None
                raise
            return self._version(found, self._aliases())

    def history(self) -> list[ModelVersion]:
        with self._translated():
            found: list[MlflowVersion] = []
            token: str | None = None
            while token != "":
                page = self._client.search_model_versions(
                    f"name='{self._name}'", max_results=_PAGE, page_token=token or None
                )
                found.extend(page)
                token = page.token or ""
            aliases = self._aliases() if found else {}
        return sorted((self._version(v, aliases) for v in found), key=lambda v: -v.version)

    @property
    def _client(self) -> MlflowClient:
        """Opened on first use: nothing is made or connected before."""
        if self._opened is None:
            for noisy in ("mlflow", "alembic"):
                logging.getLogger(noisy).setLevel(logging.ERROR)
            if self._artifacts is not None:
                self._artifacts.mkdir(parents=True, exist_ok=True)
            if self._uri.startswith("sqlite:///"):
                Path(self._uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._opened = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._opened

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._name)
        if found is not None:
            return str(found.experiment_id)
        location = self._artifacts.resolve().as_uri() if self._artifacts is not None else None
        return str(self._client.create_experiment(self._name, artifact_location=location))

    def _registered(self) -> str:
        try:
            self._client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
        return self._name

    def _log_model(self, run_id: str, bundle: Path) -> None:
        """A pyfunc model as code, with the packages it needs; saved locally first, so that no fluent state is needed."""
        with tempfile.TemporaryDirectory(prefix="brain-model-") as scratch:
            packages = self._code.copied_to(Path(scratch) / "code")
            artifact = Path(scratch) / "bundle"
            shutil.copytree(bundle, artifact)
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", message=".*An input example was not provided.*"
                )  # the signature is ours
                mlflow.pyfunc.save_model(
                    path=str(Path(scratch) / "model"),
                    python_model=str(self._code.root / self._code.wrapper),
                    artifacts={"bundle": str(artifact)},
                    code_paths=[str(folder) for folder in packages],
                    pip_requirements=[f"{name}=={installed_version(name)}" for name in self._code.requirements],
                    signature=_signature(self._code) if self._code.inputs else None,
                )
            self._client.log_artifacts(run_id, str(Path(scratch) / "model"), "model")

    def _alias(self, alias: str, version: int) -> None:
        with self._translated(f"Version {version} of {self._name} does not exist."):
            self._client.set_registered_model_alias(self._name, alias, str(version))

    def _unalias(self, alias: str) -> None:
        with self._translated():
            self._client.delete_registered_model_alias(self._name, alias)

    def _tag(self, version: int, key: str, value: str) -> None:
        with self._translated(f"Version {version} of {self._name} does not exist."):
            self._client.set_model_version_tag(self._name, str(version), key, value)

    def _aliases(self) -> dict[str, str]:
        return dict(self._client.get_registered_model(self._name).aliases)

    def _version(self, found: MlflowVersion, aliases: Mapping[str, str]) -> ModelVersion:
        tags: dict[str, Any] = dict(found.tags)
        return ModelVersion(
            name=self._name,
            version=int(found.version),
            vintage=dt.datetime.fromisoformat(tags.pop("vintage")),
            created_at=dt.datetime.fromtimestamp(found.creation_timestamp / 1000, dt.UTC),
            status=tags.pop("status"),
            metrics=json.loads(tags.pop("metrics", "{}")),
            aliases=tuple(sorted(alias for alias, version in aliases.items() if int(version) == int(found.version))),
            tags=tags,
        )

    @contextmanager
    def _translated(self, missing: str | None = None) -> Iterator[None]:
        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            if missing is not None and isinstance(error, MlflowException) and _is_missing(error):
                raise UnknownIdError(missing, "See the versions with `brain models`.") from error
            raise UnavailableError(
                f"The model registry at {_without_password(self._uri)} did not answer ({type(error).__name__}).",
                "Check BRAIN_MLFLOW_URI with `brain doctor`.",
            ) from error


def _signature(code: LoggedCode) -> ModelSignature:
    inputs = Schema([ColSpec(DataType[kind], name) for name, kind in code.inputs])
    params = [ParamSpec(name, DataType.double, list(values), shape=(-1,)) for name, values in code.params]
    return ModelSignature(inputs=inputs, params=ParamSchema(params)) if params else ModelSignature(inputs=inputs)


def _is_missing(error: MlflowException) -> bool:
    """An alias that was never set is a missing resource for some stores, and an invalid parameter for others."""
    if error.error_code == ErrorCode.Name(INVALID_PARAMETER_VALUE):
        return "not found" in error.message
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


def _without_password(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
