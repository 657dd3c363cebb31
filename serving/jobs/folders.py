"""Folders of jobs: named by the moment in which they were made, and rid of what nobody reads any more."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from industrial_brain.domain.jobs import UNFINISHED, Job
from serving.jobs.work import PARTITIONS, REQUEST

#: a folder that no job knows is a body that still comes in, unless it is older
_STRAY = dt.timedelta(days=1)

_NAME = re.compile(r"([0-9a-f]{14})-[0-9a-f]{16}")


def new_folder(folder: Path, now: dt.datetime) -> Path:
    """A folder for a new job, whose id is the folder's name: it can't be guessed, and later ones sort later."""
    made = folder / f"{int(now.timestamp() * 1e6):014x}-{secrets.token_hex(8)}"
    made.mkdir(parents=True)
    return made


def clear(folder: Path) -> None:
    """Delete what only the work on a job needs: its request, which may be large, and partitions. Results stay."""
    (folder / REQUEST).unlink(missing_ok=True)
    shutil.rmtree(folder / PARTITIONS, ignore_errors=True)


def sweep(folder: Path, now: dt.datetime, get: Callable[[str], Job | None]) -> None:
    """Delete folders that a server left which was killed while a body came in, and clear those of jobs that have ended.

    Only folders that are named as jobs are, and are a day old.
    """
    for found in sorted(folder.iterdir()) if folder.exists() else ():
        named = _NAME.fullmatch(found.name)
        if named is None or int(named[1], 16) > (now - _STRAY).timestamp() * 1e6:
            continue
        job = get(found.name)
        if job is None:
            shutil.rmtree(found, ignore_errors=True)
        elif job.state not in UNFINISHED:
            clear(found)
