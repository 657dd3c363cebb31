"""What the runner asks of whatever does the work: a process, or a fake of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from industrial_brain.domain.jobs import Advance, JobKind


@dataclass(frozen=True, slots=True)
class Ended:
    """The work has ended.

    Attributes:
        failure: why the job failed, for its owner; empty where it is done, None where the process was lost.
        details: for the log alone.
    """

    failure: str | None
    details: str = ""


class Running(Protocol):
    """A job at work."""

    def next(self, seconds: float) -> Advance | Ended | None:
        """What it says next; None if it says nothing for so long."""
        ...

    def kill(self) -> None:
        """End it at once. What it has written stays."""
        ...


#: begins to work on a job whose files are in this folder
Launch = Callable[[JobKind, Path], Running]
