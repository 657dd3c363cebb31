"""What could not be read, kept for people to look at: lines of JSON in a file of bounded size."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path


class DeadLetters:
    """Appends; at `most_bytes` the file becomes `NAME.1`, in place of the one before, so that twice as much is kept at most."""

    def __init__(self, file: Path, clock: Callable[[], datetime], most_bytes: int = 16 * 1_048_576) -> None:
        self._file, self._clock, self._most_bytes = file, clock, most_bytes
        file.parent.mkdir(parents=True, exist_ok=True)

    def add(self, topic: str, payload: bytes, reason: str, detail: str, count: int = 1) -> None:
        """Keep a message, or one of whose parts `count` could not be read, with the reason."""
        try:
            told = {"payload": payload.decode()}
        except UnicodeDecodeError:
            told = {"payload_base64": base64.b64encode(payload).decode()}
        line = {"at": self._clock().isoformat(), "topic": topic, "reason": reason, "detail": detail, "count": count}
        self._append(json.dumps({**line, **told}, ensure_ascii=False).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        if self._file.exists() and self._file.stat().st_size + len(line) > self._most_bytes:
            self._file.replace(self._file.with_name(self._file.name + ".1"))
        with self._file.open("ab") as file:
            file.write(line)
