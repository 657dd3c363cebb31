"""Checkpoints: results of partitions that are done, so that a killed run goes on where it stopped."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class FolderCheckpoints:
    """One archive a partition, named by the partition's key. A half-written archive is never seen.

    Args:
        folder: made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """The arrays kept under this key; None if there are none, or they can't be read whole."""
        try:
            # opened by us: NumPy leaves a file open that is no archive
            with self._file(key).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep arrays under this key, in place of what was there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._file(key).with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._file(key))

    def clear(self) -> None:
        """Drop everything: a run has ended, and what older ones left belongs to data that has changed since."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.npz"
