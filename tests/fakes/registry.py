"""The registry as folders under one root; aliases and statuses in memory."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from industrial_brain.domain.errors import StateError, UnknownIdError
from industrial_brain.domain.forecasts import ModelVersion


class FakeRegistry:
    """`Registry` without MLflow."""

    def __init__(self, root: Path, clock: Callable[[], dt.datetime], name: str = "ib-forecasting") -> None:
        self._root = root
        self._clock = clock
        self._name = name
        self._versions: dict[int, ModelVersion] = {}
        self._aliases: dict[str, int] = {}

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
        number = len(self._versions) + 1
        folder = self._root / str(number)
        shutil.copytree(bundle, folder / "bundle")
        for file, text in artifacts.items():
            (folder / file).write_text(text)
        self._versions[number] = ModelVersion(
            self._name, number, vintage, self._clock(), status, (), dict(metrics), dict(tags)
        )
        return self._versions[number]

    def load(self, version: int) -> Path:
        self._require(version)
        return self._root / str(version) / "bundle"

    def set_challenger(self, version: int) -> None:
        self._require(version)
        self._aliases["challenger"] = version

    def promote(self, version: int) -> None:
        self._require(version)
        champion = self._aliases.get("champion")
        if champion == version:
            return
        if champion is not None:
            self._aliases["previous"] = champion
        self._aliases["champion"] = version
        if self._aliases.get("challenger") == version:
            del self._aliases["challenger"]
        self._mark(version, "served")

    def rollback(self) -> ModelVersion:
        if "previous" not in self._aliases:
            raise StateError("There is no previous version.", "Promote one first.")
        self._mark(self._aliases["champion"], "withdrawn")
        self._aliases["champion"] = self._aliases.pop("previous")
        return self._shown(self._aliases["champion"])

    def current(self, alias: str = "champion") -> ModelVersion | None:
        return self._shown(self._aliases[alias]) if alias in self._aliases else None

    def history(self) -> list[ModelVersion]:
        return [self._shown(version) for version in sorted(self._versions, reverse=True)]

    def _shown(self, version: int) -> ModelVersion:
        aliases = tuple(sorted(alias for alias, pointed in self._aliases.items() if pointed == version))
        return replace(self._versions[version], aliases=aliases)

    def _mark(self, version: int, status: str) -> None:
        self._versions[version] = replace(self._versions[version], status=status)

    def _require(self, version: int) -> None:
        if version not in self._versions:
            raise UnknownIdError(f"There is no version {version}.")
