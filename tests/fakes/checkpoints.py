"""Checkpoints in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class FakeCheckpoints:
    """`Checkpoints` without a disk."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, npt.NDArray[Any]]] = {}

    def get(self, key: str) -> dict[str, npt.NDArray[Any]] | None:
        return self.kept.get(key)

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.kept[key] = {name: np.copy(array) for name, array in arrays.items()}

    def forget(self, keys: list[str]) -> None:
        for key in keys:
            self.kept.pop(key, None)
