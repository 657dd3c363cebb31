"""Checkpoints: results of partitions that are done, so that a killed run goes on where it stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: how long the leavings of a run that was never finished are kept
_KEPT = dt.timedelta(days=7)


class FolderCheckpoints:
    """One archive a partition, named by the partition's key. A half-written archive is never seen.

    Args:
        folder: made on the first write.
        clock: now, with a time zone; for the age of what others left.
    """

    def __init__(self, folder: Path, clock: Callable[[], dt.datetime]) -> None:
        self._folder, self._clock = folder, clock

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

    def forget(self, keys: list[str]) -> None:
        """Drop what a finished run no longer needs, and what runs of long ago left of data that has changed since."""
        for key in keys:
            self._file(key).unlink(missing_ok=True)
        oldest = (self._clock() - _KEPT).timestamp()
        for file in self._folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # another run may tidy up too
                if file.stat().st_mtime < oldest:
                    file.unlink()

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.npz"
