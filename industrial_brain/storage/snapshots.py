"""Snapshots of a shard's state: a folder of arrays a snapshot, named by the seq that it has seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.storage.lake_places import sync_folder

#: the newest ones that stay whatever their day
_NEWEST_KEPT = 2


class FolderSnapshots:
    """`Snapshots` in a folder. The newest two stay, and the first of each day for as long as `days` says.

    Args:
        days: how long the first snapshot of a day is kept, to replay from.
    """

    def __init__(self, folder: Path, days: int = 7) -> None:
        self._folder, self._days = folder, days

    def save(self, seq: int, at: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        try:
            self._save(seq, at, arrays)
        except OSError as error:
            raise UnavailableError(
                f"A snapshot can't be written: {error}.", "Check the disk below BRAIN_HOME."
            ) from error

    def newest(self, until: int | None = None) -> tuple[int, dict[str, npt.NDArray[np.generic]]] | None:
        for seq, _, folder in reversed(self._list()):
            if until is None or seq <= until:
                return seq, {unquote(file.stem): np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))}
        return None

    def _save(self, seq: int, at: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        unfinished = self._folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, array in arrays.items():
            with (unfinished / f"{quote(name, safe='')}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(unfinished)
        final = self._folder / f"{seq}-{at // 1_000_000}"
        if final.exists():
            shutil.rmtree(final)
        unfinished.rename(final)
        sync_folder(self._folder)
        self._tidy(at // 1_000_000)

    def _tidy(self, now: int) -> None:
        found = self._list()
        first_of_day: dict[int, Path] = {}
        for _, at, folder in found:
            first_of_day.setdefault(at // 86_400, folder)
        kept = {folder for _, _, folder in found[-_NEWEST_KEPT:]}
        kept |= {folder for day, folder in first_of_day.items() if day > now // 86_400 - self._days}
        for _, _, folder in found:
            if folder not in kept:
                shutil.rmtree(folder)

    def _list(self) -> list[tuple[int, int, Path]]:
        """Whole snapshots with their seq and moment, oldest first."""
        found = []
        for folder in self._folder.glob("*-*"):
            seq, _, at = folder.name.partition("-")
            if seq.isdigit() and at.isdigit():
                found.append((int(seq), int(at), folder))
        return sorted(found)
