"""The ground truth of simulated telemetry as a file, and how well what was detected agrees with it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from industrial_brain.domain.episode_words import micros_of, moment_of
from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.telemetry import Declaration
from industrial_brain.simulation.faults import Kind
from industrial_brain.simulation.plant import Plant
from industrial_brain.simulation.sensors import METRICS

#: readings after a fault's end during which what it left behind may still be reported: a level that returns is a change too
GRACE_READINGS = 30


#: what shows only while time passes without readings: not in a history that is sent at once
_SILENT = (Kind.DROPOUT, Kind.OUTAGE)

#: stands for the device of an episode that is a whole site's
WHOLE_SITE = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One planted fault as a reader of the file meets it.

    Attributes:
        devices: those that show it: the device itself, and behind a gateway all of its own.
        start, end: microseconds since 1970, UTC, true time.
    """

    id: str
    kind: Kind
    site: str
    device: str
    devices: frozenset[str]
    metrics: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Truth:
    """The file: its faults, and the span of time and the sites within which nothing else is wrong.

    Attributes:
        history_until: what was measured before was sent later than it was measured; None: all of it was sent as it came.
    """

    seed: int
    sites: tuple[str, ...]
    start: int
    end: int
    every: float
    devices: int
    channels: int
    labels: tuple[Label, ...]
    history_until: int | None = None


def truth_of(plant: Plant, end: int | None = None, history_until: int | None = None) -> Truth:
    """The truth about a plant, up to a moment if its telemetry ended early."""
    last = plant.time_of(plant.steps)
    end = last if end is None else min(end, last)
    children: dict[int, list[str]] = {}
    for device in plant.devices:
        children.setdefault(device.parent, []).append(device.name)
    labels = []
    for fault in plant.faults:
        device, start = plant.devices[fault.device], plant.time_of(fault.first)
        if start >= end:
            continue
        shown = [device.name, *(children.get(fault.device, []) if fault.kind is Kind.OUTAGE else [])]
        labels.append(
            Label(
                fault.id,
                fault.kind,
                device.site,
                device.name,
                frozenset(shown),
                tuple(METRICS[device.equipment][metric].name for metric in fault.metrics),
                start,
                min(plant.time_of(fault.last + 1), end),
            )
        )
    return Truth(
        plant.seed,
        plant.sites,
        plant.start,
        end,
        plant.every,
        len(plant.devices),
        plant.channels,
        tuple(labels),
        None if history_until is None else min(history_until, end),
    )


def write_truth(file: Path, truth: Truth) -> None:
    """Raises InputError where the file can't be written."""
    body = {
        "simulated": True,
        "seed": truth.seed,
        "sites": list(truth.sites),
        "start": written(truth.start),
        "end": written(truth.end),
        "history_until": None if truth.history_until is None else written(truth.history_until),
        "every": truth.every,
        "devices": truth.devices,
        "channels": truth.channels,
        "faults": [
            {
                "id": label.id,
                "kind": label.kind.value,
                "site": label.site,
                "device": label.device,
                "devices": sorted(label.devices),
                "metrics": list(label.metrics),
                "start": written(label.start),
                "end": written(label.end),
            }
            for label in truth.labels
        ],
    }
    try:
        file.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"'{file}' can't be written: {error.strerror}.", "Name another file.") from error


def write_declarations(file: Path, plant: Plant) -> None:
    """What an operator would say of the plant's devices, as the CSV file of `brain devices import`.

    Raises InputError where the file can't be written.
    """
    names = [field.name for field in fields(Declaration)]
    try:
        with file.open("w", encoding="utf-8", newline="") as written_to:
            table = csv.writer(written_to, lineterminator="\n")
            table.writerow(names)
            for one in plant.declarations():
                cells = [getattr(one, name) for name in names]
                table.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in cells])
    except OSError as error:
        raise InputError(f"'{file}' can't be written: {error.strerror}.", "Name another file.") from error


def read_truth(file: Path) -> Truth:
    """Raises InputError where there is no such file, FileFormatError where it is none of labels."""
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        return Truth(
            int(body["seed"]),
            tuple(body["sites"]),
            read_moment(body["start"]),
            read_moment(body["end"]),
            float(body["every"]),
            int(body["devices"]),
            int(body["channels"]),
            tuple(_label(one) for one in body["faults"]),
            None if body.get("history_until") is None else read_moment(body["history_until"]),
        )
    except OSError as error:
        raise InputError(f"'{file}' can't be read: {error.strerror}.", "Name a file of labels.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FileFormatError(
            f"'{file}' is not a file of labels.", "Write one with `brain simulate telemetry --labels FILE`."
        ) from error


def _label(one: Mapping[str, Any]) -> Label:
    return Label(
        one["id"],
        Kind(one["kind"]),
        one["site"],
        one["device"],
        frozenset(one["devices"]),
        tuple(one["metrics"]),
        read_moment(one["start"]),
        read_moment(one["end"]),
    )


@dataclass(frozen=True, slots=True)
class Episode:
    """What was detected: an anomaly of one device from `start` to `end` (microseconds), reported at `start` at the earliest.

    Attributes:
        cause: the detector's word.
    """

    site: str
    device: str
    start: int
    end: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class KindScore:
    """How one kind of fault fared. `delays` are seconds from a fault's begin to the first episode that shows it.

    Attributes:
        hidden: silences inside a history, not to be found there: beside those that are `planted`, and no misses.
    """

    kind: Kind
    planted: int
    found: int
    delays: tuple[float, ...]
    causes: tuple[str, ...]
    hidden: int = 0

    @property
    def delay(self) -> float | None:
        """Median, in seconds."""
        return float(np.median(self.delays)) if self.delays else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Episodes beside the truth.

    Attributes:
        episodes: within the span and the sites of the truth; `right` of them belong to a fault.
        device_days: of the whole span, for the rate of false alarms.
    """

    kinds: tuple[KindScore, ...]
    episodes: int
    right: int
    device_days: float

    @property
    def planted(self) -> int:
        return sum(kind.planted for kind in self.kinds)

    @property
    def found(self) -> int:
        return sum(kind.found for kind in self.kinds)

    @property
    def hidden(self) -> int:
        return sum(kind.hidden for kind in self.kinds)

    @property
    def precision(self) -> float | None:
        return self.right / self.episodes if self.episodes else None

    @property
    def recall(self) -> float | None:
        return self.found / self.planted if self.planted else None

    @property
    def false_per_device_day(self) -> float:
        return (self.episodes - self.right) / self.device_days


def agreement(truth: Truth, episodes: Iterable[Episode]) -> Agreement:
    """How many episodes are right, how many faults were found, and how soon.

    An episode belongs to a fault if it is of a device that shows the fault (or of the site, where a gateway is silent) and
    overlaps it, or begins at most `GRACE_READINGS` readings after its end. A fault is found if any episode belongs to it.
    Silences inside a history are `hidden`.

    When not to use it: it counts episodes, so one that lasts all day agrees with every fault of its device.
    """
    grace = round(GRACE_READINGS * truth.every * 1e6)
    of_device: dict[tuple[str, str], list[Label]] = {}
    for label in truth.labels:
        for device in (*label.devices, *((WHOLE_SITE,) if label.kind is Kind.OUTAGE else ())):
            of_device.setdefault((label.site, device), []).append(label)
    first: dict[str, Episode] = {}
    count = right = 0
    for episode in sorted(episodes, key=lambda episode: episode.start):
        if episode.site not in truth.sites or not truth.start <= episode.start <= truth.end + grace:
            continue
        count += 1
        theirs = [
            label
            for label in of_device.get((episode.site, episode.device), [])
            if episode.start <= label.end + grace and episode.end >= label.start
        ]
        right += bool(theirs)
        for label in theirs:
            first.setdefault(label.id, episode)
    kinds = []
    for kind in Kind:
        every = [label for label in truth.labels if label.kind is kind]
        planted = [label for label in every if not _is_hidden(label, truth)]
        found = [label for label in planted if label.id in first]
        delays = tuple(max(first[label.id].start - label.start, 0) / 1e6 for label in found)
        causes = tuple(sorted({first[label.id].cause for label in found} - {""}))
        if every:
            kinds.append(KindScore(kind, len(planted), len(found), delays, causes, len(every) - len(planted)))
    days = truth.devices * max(truth.end - truth.start, 1) / 86_400e6
    return Agreement(tuple(kinds), count, right, days)


def _is_hidden(label: Label, truth: Truth) -> bool:
    """Whether a fault is a silence that was over before its readings were sent."""
    return label.kind in _SILENT and truth.history_until is not None and label.end < truth.history_until


def written(micros: int) -> str:
    """RFC 3339, in UTC."""
    return moment_of(micros).isoformat().replace("+00:00", "Z")


def read_moment(text: str) -> int:
    """Microseconds since 1970 of RFC 3339 text with a zone. Raises ValueError or TypeError."""
    return micros_of(dt.datetime.fromisoformat(text))
