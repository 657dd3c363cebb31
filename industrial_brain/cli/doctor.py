"""What can be wrong with an installation."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from industrial_brain.cli.terminal import plural, written
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import BrainError, NoModelError

#: free space below which a training run may not finish, in bytes
_LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `next_step` says what to do where it is not `ok`."""

    subject: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    next_step: str = ""


def examine(wired: Brain) -> list[Finding]:
    """Look at everything that the product stands on; one finding each, in the order in which they depend on each other."""
    looks: list[tuple[str, Callable[[Brain], Iterator[Finding]]]] = [
        ("Python", _python),
        ("Home", _home),
        ("Database", _database),
        ("Data", _data),
        ("Model registry", _registry),
        ("Champion", _champion),
        ("Ray", _ray),
    ]
    findings: list[Finding] = []
    for subject, look in looks:
        try:
            findings.extend(look(wired))
        except BrainError as error:
            findings.append(Finding(subject, "fail", error.message, error.next_step))
        except Exception as error:  # noqa: BLE001  # whatever is broken, the other looks are still worth having
            findings.append(Finding(subject, "fail", f"{type(error).__name__}: {error}", "Report this as a bug."))
    return findings


def _python(_: Brain) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] != (3, 11):
        yield Finding("Python", "warn", f"{found}; the product is tested with 3.11", "Use Python 3.11.")
        return
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("mlflow", "ray", "fastapi", "pandas")]
    yield Finding("Python", "ok", f"{found}, {', '.join(versions)}")


def _home(wired: Brain) -> Iterator[Finding]:
    home = wired.settings.home.resolve()
    if not home.is_dir():
        yield Finding("Home", "warn", f"{home} does not exist yet", "`brain init` makes it.")
        return
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        yield Finding(
            "Home", "fail", f"{home} can't be written: {error.strerror}", "Set BRAIN_HOME to a folder of yours."
        )
        return
    free = shutil.disk_usage(home).free
    state: Literal["ok", "warn"] = "ok" if free >= _LITTLE_SPACE else "warn"
    yield Finding("Home", state, f"{home}, {free / 1e9:.1f} GB free", "" if state == "ok" else "Make room on the disk.")


def _database(wired: Brain) -> Iterator[Finding]:
    where = wired.settings.database.rpartition("@")[2]
    match wired.schema_state():
        case "current":
            yield Finding("Database", "ok", f"{where}, schema up to date")
        case "behind":
            yield Finding("Database", "fail", f"{where} has an older schema", "Run `brain init`.")
        case _:
            yield Finding("Database", "fail", f"{where} has no tables yet", "Run `brain init`.")


def _data(wired: Brain) -> Iterator[Finding]:
    counts = wired.catalogue.counts()
    detail = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    if counts["observations"]:
        yield Finding("Data", "ok", detail)
    else:
        yield Finding(
            "Data", "warn", detail, "Load a city with `brain init --profile DIR`, or values with `brain import`."
        )


def _registry(wired: Brain) -> Iterator[Finding]:
    versions = len(wired.registry.history())
    yield Finding("Model registry", "ok", f"{wired.settings.mlflow.rpartition('@')[2]}, {plural(versions, 'version')}")


def _champion(wired: Brain) -> Iterator[Finding]:
    try:
        champion = wired.version_for(None)
    except NoModelError as error:
        yield Finding("Champion", "warn", error.message, error.next_step)
        return
    bundle = wired.bundle(champion)
    yield Finding(
        "Champion", "ok", f"version {champion.version}, {len(bundle):,} series, vintage {written(champion.vintage)}"
    )


def _ray(wired: Brain) -> Iterator[Finding]:
    with wired.executor():
        where = wired.settings.ray_address or "this machine"
    yield Finding("Ray", "ok", f"starts on {where}")
