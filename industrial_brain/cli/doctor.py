"""What can be wrong with an installation."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from industrial_brain.cli.terminal import plural, written
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import BrainError, NoModelError, NotInitialisedError

#: free space below which a training run may not finish, in bytes
_LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `next_step` says what to do where it is not `ok`."""

    subject: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    next_step: str = ""


#: what is looked at, and how
Look: TypeAlias = tuple[str, Callable[[Brain], Iterator[Finding]]]


def examine(wired: Brain, looks: Sequence[Look] = ()) -> list[Finding]:
    """Look at everything that the product stands on; one finding each, in the order in which they depend on each other.

    Args:
        looks: at these parts alone.
    """
    looks = looks or (
        ("Python", _python),
        ("Home", _home),
        ("Database", _database),
        ("Data", _data),
        ("Model registry", _registry),
        ("Champion", _champion),
        *TELEMETRY,
        ("Ray", _ray),
    )
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


def _inbox(wired: Brain) -> Iterator[Finding]:
    where = wired.settings.telemetry_database.rpartition("@")[2]
    try:
        last = wired.telemetry.stores.inbox.last_seq()
    except NotInitialisedError:
        yield Finding("Telemetry inbox", "ok", f"{where}, nothing yet: the first `brain serve` makes its tables")
        return
    yield Finding("Telemetry inbox", "ok", f"{where}, taken until batch {last:,}")


def _lake(wired: Brain) -> Iterator[Finding]:
    lake, where = wired.telemetry.stores.lake, wired.settings.lake
    detail = f"moved until batch {lake.stored_until():,}" if lake.look() else "nothing yet"
    yield Finding("Telemetry lake", "ok", f"{where}, {detail}")


def _room(wired: Brain) -> Iterator[Finding]:
    free, least = shutil.disk_usage(wired.settings.home.resolve()).free / 1e6, wired.settings.free_megabytes
    detail = f"{free:,.0f} MB free, of which {least:,} stay free"
    if free >= least:
        yield Finding("Room for telemetry", "ok", detail)
    else:
        yield Finding(
            "Room for telemetry", "fail", f"{detail}: readings are refused", "Make room, or set BRAIN_FREE_MEGABYTES."
        )


def _detectors(wired: Brain) -> Iterator[Finding]:
    champion = wired.anomaly_registry.current()
    if champion is None:
        detail = "none: every channel is watched without; declared equipment gets one by `brain train anomaly`"
        yield Finding("Anomaly champion", "ok", detail)
        return
    bundle = wired.detectors_of(champion.version)
    detail = f"version {champion.version}, {plural(len(bundle.classes), 'class', 'classes')} of equipment"
    yield Finding("Anomaly champion", "ok", f"{detail}, vintage {written(champion.vintage)}")


#: what telemetry and its anomalies stand on
TELEMETRY: tuple[Look, ...] = (
    ("Telemetry inbox", _inbox),
    ("Telemetry lake", _lake),
    ("Room for telemetry", _room),
    ("Anomaly champion", _detectors),
)


def _ray(wired: Brain) -> Iterator[Finding]:
    with wired.executor():
        where = wired.settings.ray_address or "this machine"
    yield Finding("Ray", "ok", f"starts on {where}")
