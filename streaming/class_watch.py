"""Trained detectors in the stream: readings of a machine's sensors become rows of its class' grid, and rows are judged.

A row is complete when a reading of the same machine comes for a later one; it is judged then. Which version judges is part of
what a replay must find again: a version takes over at a seq, and that is written down before it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from industrial_brain.domain.equipment import machine_name
from industrial_brain.domain.errors import BrainError, BundleError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import (
    Batch,
    Cause,
    Channels,
    Decided,
    Declaration,
    Keys,
    Micros,
    Quality,
    Scored,
)
from models.anomaly.decisions import LiveDecider
from models.anomaly.equipment.bundle import AnomalyBundle, TrainedClass
from models.anomaly.equipment.detector import Judgement, RunState
from models.anomaly.equipment.grid import LONGEST_GAP, slot_of
from models.anomaly.equipment.runs import REACH

log = structlog.get_logger(__name__)

Arrays = dict[str, npt.NDArray[np.generic]]

#: p-value up to which the sensors' shares are worked out
_EXPLAINED = 0.05

#: rows kept as they were read, for a version that takes over
_KEPT = REACH + 16

#: rows that one batch may bring of a machine; more are a jump of its clock
_MOST_ROWS = 100_000

_SMALLEST = 1e-30

Version = tuple[int, AnomalyBundle]


class Takeovers(Protocol):
    """Which version judged from which seq on, durably."""

    def all(self) -> list[tuple[int, int]]:
        """Pairs of seq and version, in order."""
        ...

    def add(self, seq: int, version: int) -> None:
        """Write down that a version judges from this seq on; on the disk when this returns. Raises UnavailableError."""
        ...


class Detectors:
    """The version that is to judge. Whoever follows the registry says so here."""

    def __init__(self) -> None:
        self._source: Callable[[], Version | None] = lambda: None

    def follow(self, source: Callable[[], Version | None]) -> None:
        """Ask this from now on. It must answer at once."""
        self._source = source

    def __call__(self) -> Version | None:
        return self._source()


@dataclass(slots=True)
class _Machine:
    """A device of a class that there are detectors for.

    Attributes:
        keys: of its channels, in the order of the class' sensors.
        slot: number of the row that is not complete yet; -1 before the first reading.
        values: of that row.
        raw: rows that were complete, as they were read.
        run: what the detector remembers of them.
    """

    name: str
    equipment: str
    keys: Keys
    slot: int
    values: Floats
    raw: Floats
    run: RunState


class ClassWatch:
    """`Watcher` of equipment. One thread owns it.

    Args:
        champion: the version that is to judge, or None; asked at every batch, so it must not wait for anything. None in a
            replay, which follows what is written down.
        load: reads a version.
        taken: the last seq whose episodes are durable: no version takes over at one that has been judged before.
        decider: shared with the fleet's watch, so that both spend one budget; who shares it, saves it.
    """

    def __init__(
        self,
        index: Channels,
        champion: Callable[[], Version | None] | None,
        load: Callable[[int], AnomalyBundle],
        takeovers: Takeovers,
        taken: Callable[[], int],
        decider: LiveDecider,
    ) -> None:
        self._index, self._champion, self._load = index, champion, load
        self._takeovers, self._taken, self._decider = takeovers, taken, decider
        self._written = takeovers.all()
        self._version: int | None = None
        self._bundle: AnomalyBundle | None = None
        self._unreadable: int | None = None
        self._classes: dict[tuple[str, str], str] = {}  # of devices, as declared
        self._machines: list[_Machine] = []
        self._number: dict[str, int] = {}
        self._machine_of: npt.NDArray[np.int32] = np.full(0, -1, np.int32)
        self._sensor_of: npt.NDArray[np.int32] = np.zeros(0, np.int32)

    @property
    def version(self) -> int | None:
        """Who judges."""
        return self._version

    @property
    def machines(self) -> list[str]:
        """Names of the machines that are watched."""
        return [machine.name for machine in self._machines]

    def take(self, batch: Batch) -> Sequence[Decided]:
        """Judgements of the rows that this batch completes."""
        self._follow(batch.seq)
        if self._bundle is None or not len(batch) or not self._machines:
            return ()
        known = np.minimum(batch.channel, len(self._machine_of) - 1)
        machine = np.where(batch.channel < len(self._machine_of), self._machine_of[known], -1)
        rows = np.flatnonzero((machine >= 0) & ~batch.late & (batch.quality != Quality.BAD))
        if not len(rows):
            return ()
        rows = rows[np.lexsort((rows, batch.ts[rows], machine[rows]))]
        edges = np.flatnonzero(np.diff(machine[rows])) + 1
        found: list[_Found] = []
        for part in np.split(rows, edges):
            one = self._machines[int(machine[part[0]])]
            trained = self._bundle.classes[one.equipment]
            found += _advance(one, trained, self._sensor_of[batch.channel[part]], batch.ts[part], batch.value[part])
        if not found:
            return ()
        scored, share = _joined(batch.seq, found)
        return (self._decider.decide(scored, batch.received_at, f"ib-anomaly {self._version}", share),)

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        """Take over which devices are of which class."""
        touched: dict[tuple[str, str], None] = {}
        for key, said in zip(keys, declarations, strict=True):
            name = self._index.name(key)
            device = name.site, name.device
            if said.metric is None:
                if said.equipment is None:
                    self._classes.pop(device, None)
                else:
                    self._classes[device] = said.equipment
            touched[device] = None
        if any(device in self._classes or machine_name(*device) in self._number for device in touched):
            self._wire()

    def save(self) -> Arrays:
        """The whole state as arrays, by name."""
        who = {
            "version": self._version,
            "classes": [[*device, equipment] for device, equipment in self._classes.items()],
            "machines": [[one.name, one.equipment] for one in self._machines],
        }
        arrays: Arrays = {"who": np.frombuffer(json.dumps(who).encode(), np.uint8)}
        for number, one in enumerate(self._machines):
            arrays |= {
                f"{number}/keys": one.keys,
                f"{number}/slot": np.array([one.slot], np.int64),
                f"{number}/values": one.values,
                f"{number}/raw": one.raw,
                f"{number}/rows": one.run.rows,
                f"{number}/drift": one.run.drift,
            }
        return arrays

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. Raises BundleError."""
        try:
            who = json.loads(bytes(arrays["who"]))
            machines = [
                _Machine(
                    name,
                    equipment,
                    np.array(arrays[f"{number}/keys"], np.int32),
                    int(np.array(arrays[f"{number}/slot"], np.int64)[0]),
                    np.array(arrays[f"{number}/values"], np.float64),
                    np.array(arrays[f"{number}/raw"], np.float64),
                    RunState(
                        np.array(arrays[f"{number}/rows"], np.float64), np.array(arrays[f"{number}/drift"], np.float64)
                    ),
                )
                for number, (name, equipment) in enumerate(who["machines"])
            ]
            bundle = None if who["version"] is None else self._load(who["version"])
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError("This is no state of equipment's watch.", "Start without it.") from error
        self._classes = {(site, device): equipment for site, device, equipment in who["classes"]}
        self._version, self._bundle, self._machines = who["version"], bundle, machines
        self._point()

    def _follow(self, seq: int) -> None:
        """Let the version take over that is written down for this seq, or write down that the champion does."""
        if self._written and seq <= self._written[-1][0]:
            due = [version for at, version in self._written if at <= seq]
            if due and due[-1] != self._version:
                self._take_over(due[-1], self._readable(due[-1]))
            return
        if self._written and self._written[-1][1] != self._version:
            last = self._written[-1][1]
            self._take_over(last, self._readable(last))
        if self._champion is None or seq <= self._taken():
            return
        champion = self._champion()
        if champion is None or champion[0] == self._version:
            return
        try:
            self._takeovers.add(seq, champion[0])
        except BrainError as error:
            log.warning("takeover_not_written", version=champion[0], error=str(error))
            return
        self._written.append((seq, champion[0]))
        self._take_over(*champion)
        log.info("detectors_took_over", version=champion[0], seq=seq, machines=len(self._machines))

    def _readable(self, version: int) -> AnomalyBundle | None:
        try:
            return self._load(version)
        except BrainError as error:
            if self._unreadable != version:  # told once
                log.warning("detectors_not_loaded", version=version, error=str(error))
            self._unreadable = version
            return None

    def _take_over(self, version: int, bundle: AnomalyBundle | None) -> None:
        before, self._bundle, self._version = self._bundle, bundle, version
        for one in self._machines:
            ours = None if bundle is None else bundle.classes.get(one.equipment)
            theirs = None if before is None else before.classes.get(one.equipment)
            if ours is None or theirs is None or not _alike(ours, theirs):
                one.slot, one.raw, one.values = -1, one.raw[:0], np.full_like(one.values, np.nan)
        self._wire(anew=True)

    def _wire(self, *, anew: bool = False) -> None:
        """Machines of the classes that there are detectors for, in order of name; those that were watched keep their rows.

        Args:
            anew: whether detectors are other ones, and have to see these rows first.
        """
        bundle = self._bundle
        before = {one.name: one for one in self._machines}
        self._machines = []
        for (site, device), equipment in sorted(self._classes.items()):
            trained = None if bundle is None else bundle.classes.get(equipment)
            if trained is None:
                continue
            channels = {name.metric: name.key for name in self._index.of_device(site, device)}
            sensors = trained.equipment.sensors
            if any(sensor not in channels for sensor in sensors):
                continue  # not all of its sensors have spoken yet
            name = machine_name(site, device)
            keys = np.array([channels[sensor] for sensor in sensors], np.int32)
            detector = trained.equipment.of(name)
            old = before.get(name)
            if old is None or old.equipment != equipment or not np.array_equal(old.keys, keys):
                nothing = np.full(len(keys), np.nan)
                self._machines.append(
                    _Machine(name, equipment, keys, -1, nothing, np.empty((0, len(keys))), detector.begin())
                )
            elif anew:
                _, run = detector.score(detector.begin(), old.raw) if len(old.raw) else (None, detector.begin())
                self._machines.append(replace(old, run=run))
            else:
                self._machines.append(old)
        self._point()

    def _point(self) -> None:
        """From channels to machines."""
        self._number = {one.name: number for number, one in enumerate(self._machines)}
        size = max((int(one.keys.max()) + 1 for one in self._machines), default=0)
        self._machine_of, self._sensor_of = np.full(size, -1, np.int32), np.zeros(size, np.int32)
        for number, one in enumerate(self._machines):
            self._machine_of[one.keys] = number
            self._sensor_of[one.keys] = np.arange(len(one.keys))


@dataclass(frozen=True, slots=True)
class _Found:
    """Judged rows of one machine: `m` of them, `k` sensors."""

    keys: Keys
    ts: Micros
    p: Floats
    score: Floats
    value: Floats
    expected: Floats
    share: Floats


def _advance(
    one: _Machine, trained: TrainedClass, sensor: npt.NDArray[np.int32], ts: Micros, value: Floats
) -> list[_Found]:
    """Take a machine's readings, in the order of time; the rows that they complete, judged."""
    slots = slot_of(ts, trained.step)
    if one.slot < 0 or slots[-1] - one.slot > _MOST_ROWS:
        one.slot, one.values = int(slots[-1] if one.slot >= 0 else slots[0]), np.full_like(one.values, np.nan)
        one.raw, one.run = one.raw[:0], trained.equipment.of(one.name).begin()
    fresh = slots >= one.slot  # what is older belongs to a row that was judged
    slots, sensor, value = slots[fresh] - one.slot, sensor[fresh], value[fresh]
    if not len(slots):
        return []
    rows = np.full((int(slots[-1]) + 1, len(one.keys)), np.nan)
    rows[0] = one.values
    rows[slots, sensor] = value  # of several readings in a row, the last one
    found: list[_Found] = []
    first = one.slot
    spoken = np.flatnonzero(~np.isnan(rows[:-1]).all(axis=1))
    silences = np.flatnonzero(np.diff(spoken) > LONGEST_GAP)
    for part in np.split(spoken, silences + 1):
        if len(part):
            begin, end = int(part[0]), int(part[-1]) + 1
            if begin > LONGEST_GAP or (begin > 0 and found):  # what is remembered is too old
                one.raw, one.run = one.raw[:0], trained.equipment.of(one.name).begin()
                found.append(_judged(one, trained, rows[begin:end], first + begin))
            else:
                found.append(_judged(one, trained, rows[:end], first))
    behind = len(rows) - 1 - (int(spoken[-1]) + 1 if len(spoken) else 0)
    if behind > LONGEST_GAP:
        one.raw, one.run = one.raw[:0], trained.equipment.of(one.name).begin()
    elif behind > 0 and len(spoken):  # a short silence just before the row that is open now
        _remember(one, trained, rows[len(rows) - 1 - behind : -1])
    one.slot, one.values = first + len(rows) - 1, rows[-1]
    return found


def _judged(one: _Machine, trained: TrainedClass, rows: Floats, first: int) -> _Found:
    """Rows judged; those without any reading are left out of the answer."""
    equipment = trained.equipment
    detector = equipment.of(one.name)
    before = one.run
    judged = _remember(one, trained, rows)
    p = equipment.p_values(judged.surprise)
    share = np.full(rows.shape, np.nan)
    if (p <= _EXPLAINED).any():
        share = np.where((p <= _EXPLAINED)[:, None], detector.explain(before, rows), np.nan)
    told = ~np.isnan(rows).all(axis=1)
    ts = (first + 1 + np.arange(len(rows), dtype=np.int64)) * trained.step - 1
    score = judged.surprise / (judged.surprise + equipment.level)
    return _Found(one.keys, ts[told], p[told], score[told], rows[told], judged.expected[told], share[told])


def _remember(one: _Machine, trained: TrainedClass, rows: Floats) -> Judgement:
    """Let the detector see rows."""
    judged, one.run = trained.equipment.of(one.name).score(one.run, rows)
    one.raw = np.concatenate((one.raw, rows))[-_KEPT:]
    return judged


def _joined(seq: int, found: Sequence[_Found]) -> tuple[Scored, npt.NDArray[np.float32]]:
    """One row a judgement and sensor."""
    sizes = [(len(one.p), len(one.keys)) for one in found]
    count = sum(m * k for m, k in sizes)

    def each(values: Sequence[Floats]) -> npt.NDArray[np.float32]:
        return np.concatenate([v.ravel() for v in values]).astype(np.float32)

    scored = Scored(
        seq=seq,
        channel=np.concatenate([np.tile(one.keys, len(one.p)) for one in found]).astype(np.int32),
        ts=np.concatenate([np.repeat(one.ts, len(one.keys)) for one in found]),
        p=each([np.repeat(np.maximum(one.p, _SMALLEST), len(one.keys)) for one in found]),
        cause=np.full(count, Cause.PATTERN, np.uint8),
        value=each([one.value for one in found]),
        expected=each([one.expected for one in found]),
        score=each([np.repeat(one.score, len(one.keys)) for one in found]),
    )
    return scored, each([one.share for one in found])


def _alike(one: TrainedClass, other: TrainedClass) -> bool:
    """Whether rows of the one are rows of the other."""
    return one.step == other.step and one.equipment.sensors == other.equipment.sensors
