"""Results of a job as files: one JSON line a record, in parts of bounded size, so that a page is read and not searched for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

#: records in a part
PART = 500


class Records:
    """Records of one kind in a folder, in their order. Written once, from the first to the last; read by place.

    A part appears whole or not at all. A line never holds a line break: JSON writes it as two characters.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    @property
    def folder(self) -> Path:
        return self._folder

    def write(self, records: Iterable[bytes]) -> int:
        """Write all records, in place of what was there; how many there were."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for stale in self._folder.glob(f"{self._name}-*.jsonl"):
            stale.unlink()
        part: list[bytes] = []
        count = 0
        for record in records:
            part.append(record)
            count += 1
            if len(part) == PART:
                self._put(count // PART - 1, part)
                part = []
        if part:
            self._put(count // PART, part)
        return count

    def read(self, first: int, limit: int) -> list[bytes]:
        """Records from this place on."""
        found: list[bytes] = []
        while len(found) < limit:
            part = self._part(first // PART)
            if part is None:
                break
            taken = part[first % PART :][: limit - len(found)]
            if not taken:
                break
            found += taken
            first += len(taken)
        return found

    def __len__(self) -> int:
        parts = len(list(self._folder.glob(f"{self._name}-*.jsonl")))
        return (parts - 1) * PART + len(self._part(parts - 1) or []) if parts else 0

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        while (part := self._part(number)) is not None:
            yield from part
            number += 1

    def _put(self, number: int, records: list[bytes]) -> None:
        file = self._file(number)
        unfinished = file.with_suffix(".unfinished")
        with unfinished.open("wb") as opened:
            opened.write(b"".join(record + b"\n" for record in records))
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(file)

    def _part(self, number: int) -> list[bytes] | None:
        try:
            return self._file(number).read_bytes().splitlines()
        except FileNotFoundError:
            return None

    def _file(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:06}.jsonl"
