"""Which version of detectors judged from which seq on, in a small file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.storage.lake_places import sync_folder


class FileTakeovers:
    """`Takeovers` of one shard: a JSON list, replaced as a whole. One thread writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[tuple[int, int]]:
        """Raises UnavailableError for a file that can't be read."""
        try:
            return [(int(seq), int(version)) for seq, version in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise UnavailableError(f"{self._path} can't be read: {error}.", "Check its disk.") from error

    def add(self, seq: int, version: int) -> None:
        text = json.dumps([*self.all(), (seq, version)])
        draft = self._path.with_suffix(".draft")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise UnavailableError(f"{self._path} can't be written: {error}.", "Check its disk.") from error
