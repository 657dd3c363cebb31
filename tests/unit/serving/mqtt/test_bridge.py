"""The bridge between a broker and a server that are both made up: what is acknowledged when, and what becomes of the rest."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from industrial_brain.domain.errors import (
    AuthenticationError,
    BrainError,
    InputError,
    PermissionDeniedError,
    UnavailableError,
)
from industrial_brain.domain.telemetry import BackPressureError, ItemError, Receipt
from serving.mqtt.bridge import Bridge, Counters, Limits
from serving.mqtt.dead_letters import DeadLetters
from serving.mqtt.sparkplug import Sparkplug
from serving.mqtt.stamps import Stamps
from serving.mqtt.topics import Message, Translator

TOPIC = "ib/v1/plant/l1/pump/telemetry"


@dataclass
class FakeInbox:
    """A broker that has these messages, and no more."""

    waiting: deque[Message] = field(default_factory=deque)
    acknowledged: list[int] = field(default_factory=list)
    connected: bool = True

    def next(self, seconds: float) -> Message | None:
        return self.waiting.popleft() if self.waiting else None

    def acknowledge(self, messages: list[Message]) -> int:
        self.acknowledged += [message.mid for message in messages]
        return len(messages)


@dataclass
class FakeServer:
    """A server that answers with these failures first, and then takes everything."""

    failures: list[BrainError] = field(default_factory=list)
    taken: list[tuple[str, list[dict[str, object]]]] = field(default_factory=list)
    errors: tuple[ItemError, ...] = ()
    before: Callable[[], None] = lambda: None

    def post(self, site: str, body: bytes) -> Receipt:
        self.before()
        if self.failures:
            raise self.failures.pop(0)
        rows = pa.ipc.open_stream(body).read_all().to_pylist()
        self.taken.append((site, rows))
        return Receipt(len(rows) - len(self.errors), rejected=len(self.errors), errors=self.errors)


@dataclass
class Scene:
    folder: Path
    inbox: FakeInbox = field(default_factory=FakeInbox)
    server: FakeServer = field(default_factory=FakeServer)
    pauses: list[float] = field(default_factory=list)
    stop_after: int = 1_000
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.now = 1_800_000_000_000_000
        self.counters = Counters()
        self.letters = DeadLetters(self.folder / "dead.jsonl", lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.pauses.append(seconds)
        return len(self.pauses) >= self.stop_after

    def run(self) -> None:
        sparkplug = Sparkplug(self.folder / "births", lambda: 0.0, lambda topic, body: None)
        stamps = Stamps(self.folder / "arrivals", lambda: self.now)
        translator = Translator(stamps, sparkplug, sites={"group": "mill"}, gateway_site="campus")
        bridge = Bridge(
            self.inbox, translator, self.server, self.letters, self.counters, wait=self.wait, limits=self.limits
        )
        bridge.run(until_idle=0.0)

    @property
    def dead(self) -> list[dict[str, object]]:
        file = self.folder / "dead.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def message(mid: int, body: object = None, topic: str = TOPIC) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body or {"ts": mid, "flow": mid}).encode()
    return Message(topic, payload, 1, mid, again=False, retained=False, connection=1)


def test_messages_are_acknowledged_only_after_the_server_took_them(scene: Scene) -> None:
    scene.inbox.waiting.extend(message(mid) for mid in (1, 2, 3))
    seen: list[list[int]] = []
    scene.server.before = lambda: seen.append(list(scene.inbox.acknowledged))
    scene.run()
    assert seen == [[]]
    assert scene.inbox.acknowledged == [1, 2, 3]
    ((site, rows),) = scene.server.taken
    assert site == "plant"
    assert [row["value"] for row in rows] == [1.0, 2.0, 3.0]


def test_messages_of_several_sites_go_to_each_and_are_acknowledged_in_their_order(scene: Scene) -> None:
    scene.inbox.waiting.extend([message(1), message(2, topic="ib/v1/mill/l1/saw/telemetry"), message(3)])
    scene.run()
    assert [(site, len(rows)) for site, rows in scene.server.taken] == [("plant", 2), ("mill", 1)]
    assert scene.inbox.acknowledged == [1, 2, 3]


@pytest.mark.parametrize(
    "failure",
    [BackPressureError("busy", "", 7.0), BackPressureError("full", "", 7.0, full=True), UnavailableError("away")],
    ids=["429", "503", "away"],
)
def test_a_server_that_is_not_ready_is_waited_for_with_everything_unacknowledged(
    scene: Scene, failure: BrainError
) -> None:
    scene.server.failures = [failure, failure]
    scene.inbox.waiting.append(message(1))
    scene.server.before = lambda: pytest.fail("acknowledged too early") if scene.inbox.acknowledged else None
    scene.run()
    assert len(scene.pauses) == 2
    assert scene.inbox.acknowledged == [1]
    if isinstance(failure, BackPressureError):
        assert min(scene.pauses) >= 7.0


def test_told_to_stop_while_it_waits_it_acknowledges_nothing(scene: Scene) -> None:
    scene.server.failures = [UnavailableError("away")] * 100
    scene.stop_after = 3
    scene.inbox.waiting.append(message(1))
    scene.run()
    assert scene.inbox.acknowledged == []


def test_a_revoked_key_throws_nothing_away(scene: Scene) -> None:
    scene.server.failures = [AuthenticationError("revoked")] * 2
    scene.inbox.waiting.append(message(1))
    scene.run()
    assert scene.inbox.acknowledged == [1]
    assert len(scene.server.taken) == 1
    assert scene.dead == []


@pytest.mark.parametrize("failure", [PermissionDeniedError("not this site"), InputError("no such thing")])
def test_a_site_that_the_server_refuses_for_good_does_not_block_the_others(scene: Scene, failure: BrainError) -> None:
    scene.server.failures = [failure]
    scene.inbox.waiting.extend([message(1), message(2, topic="ib/v1/mill/l1/saw/telemetry")])
    scene.run()
    assert [site for site, _ in scene.server.taken] == ["mill"]
    assert scene.inbox.acknowledged == [1, 2]
    (letter,) = scene.dead
    assert (letter["topic"], letter["payload"]) == (TOPIC, '{"ts": 1, "flow": 1}')
    assert letter["reason"] == f"refused-{failure.slug}"


@pytest.mark.parametrize(
    ("body", "topic", "reason"),
    [
        (b"{", TOPIC, "not-json"),
        (b"\xff", TOPIC, "not-json"),
        (b"\xff", "spBv1.0/group/NBIRTH/edge", "not-sparkplug"),
        ({"t": 1}, "ib/v1/plant/pump/telemetry", "unknown-topic"),
        ([], "v1/gateway/telemetry", "wrong-shape"),
    ],
    ids=str,
)
def test_what_can_not_be_read_is_kept_aside_and_acknowledged(
    scene: Scene, body: object, topic: str, reason: str
) -> None:
    scene.inbox.waiting.extend([message(1, body if body else b"[]", topic), message(2)])
    scene.run()
    assert scene.inbox.acknowledged == [1, 2]
    assert [letter["reason"] for letter in scene.dead] == [reason]
    assert scene.counters.refused[reason] == 1
    assert len(scene.server.taken) == 1


def test_readings_that_the_server_rejects_are_kept_aside_with_its_reason(scene: Scene) -> None:
    scene.server.errors = (ItemError(1, "in-the-future", "Its time is still to come."),)
    scene.inbox.waiting.extend([message(1), message(2)])
    scene.run()
    (letter,) = scene.dead
    assert (letter["reason"], letter["payload"]) == ("in-the-future", '{"ts": 2, "flow": 2}')
    assert scene.counters.rejected == 1


@dataclass
class JudgingServer(FakeServer):
    """A server that names at most 1,000 rejected readings, and remembers what it took.

    Values below 0 are rejected; above 99 they need a channel that begins only after some requests.
    """

    begins_after: int = 0
    known: set[tuple[object, ...]] = field(default_factory=set)

    def post(self, site: str, body: bytes) -> Receipt:
        super().post(site, body)
        rows, before, errors = self.taken[-1][1], len(self.known), list[ItemError]()
        for index, row in enumerate(rows):
            value = row["value"]
            assert isinstance(value, float)
            if value < 0:
                errors.append(ItemError(index, "too-old", "It is too old."))
            elif value > 99 and len(self.taken) <= self.begins_after:
                errors.append(ItemError(index, "too-many-channels", "Later."))
            else:
                self.known.add((row["metric"], row["ts"]))
        accepted = len(self.known) - before
        duplicate = len(rows) - accepted - len(errors)
        return Receipt(accepted, duplicate, rejected=len(errors), errors=tuple(errors[:1_000]))


def test_more_rejected_readings_than_an_answer_names_are_all_kept_aside(tmp_path: Path) -> None:
    scene = Scene(tmp_path, server=JudgingServer(), limits=Limits(seconds=1e9))
    scene.inbox.waiting.extend(message(mid, {"ts": mid, "flow": -1 if mid % 4 else 1}) for mid in range(1, 4_001))
    scene.run()
    assert [letter["payload"] for letter in scene.dead] == [
        json.dumps({"ts": mid, "flow": -1}) for mid in range(1, 4_001) if mid % 4
    ]
    counters = scene.counters
    assert (counters.accepted, counters.duplicate, counters.rejected) == (1_000, 0, 3_000)
    assert scene.inbox.acknowledged == list(range(1, 4_001))


def test_rejected_readings_of_one_message_are_one_letter_that_counts_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path, server=JudgingServer())
    scene.inbox.waiting.append(message(1, [{"ts": ts, "flow": -1} for ts in range(1, 2_501)]))
    scene.run()
    assert [(letter["reason"], letter["count"]) for letter in scene.dead] == [("too-old", 2_500)]


def test_a_reading_whose_channel_can_not_begin_now_is_posted_again_until_it_can(tmp_path: Path) -> None:
    server = JudgingServer(begins_after=2)
    scene = Scene(tmp_path, server=server)
    scene.inbox.waiting.extend(message(mid, {"ts": mid, "flow": 100 * (mid % 2)}) for mid in range(1, 5))
    scene.run()
    assert [len(rows) for _, rows in server.taken] == [4, 2, 2]
    assert len(server.known) == 4
    assert scene.dead == []
    assert (scene.counters.accepted, scene.counters.rejected, len(scene.pauses)) == (4, 0, 2)


def test_told_to_stop_while_a_channel_can_not_begin_it_acknowledges_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, server=JudgingServer(begins_after=99), stop_after=2)
    scene.inbox.waiting.append(message(1, {"ts": 1, "flow": 100}))
    scene.run()
    assert scene.inbox.acknowledged == []
    assert scene.dead == []


def test_a_message_that_comes_again_without_a_time_keeps_the_time_of_its_first_arrival(tmp_path: Path) -> None:
    first = Scene(tmp_path, stop_after=1)
    first.server.failures = [UnavailableError("away")] * 9
    first.inbox.waiting.append(message(5, {"flow": 1}))
    first.run()
    later = Scene(tmp_path)  # another process
    later.now += 60_000_000
    later.inbox.waiting.append(replace(message(5, {"flow": 1}), again=True))
    later.inbox.waiting.append(message(6, {"flow": 1}))
    later.run()
    ((_, rows),) = later.server.taken
    times = [row["ts"].timestamp() for row in rows]  # type: ignore[attr-defined]
    assert times == [1_800_000_000, 1_800_000_060]


def test_an_identifier_that_is_used_again_for_another_message_has_another_time(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "arrivals", iter([10, 20, 30]).__next__)
    assert stamps.arrival(5, "t", b"a", again=False) == 10
    assert stamps.arrival(5, "t", b"b", again=True) == 20
    assert stamps.arrival(5, "t", b"b", again=True) == 20
    assert stamps.arrival(0, "t", b"b", again=False) == 30


def test_messages_of_one_moment_have_times_of_their_own(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "arrivals", lambda: 7)
    assert [stamps.arrival(mid, "t", b"a", again=False) for mid in (1, 2, 3)] == [7, 8, 9]


def test_a_retained_message_without_a_time_is_not_taken_for_new(scene: Scene) -> None:
    scene.inbox.waiting.append(replace(message(1, {"flow": 1}), retained=True))
    scene.inbox.waiting.append(replace(message(2, {"ts": 9, "flow": 1}), retained=True))
    scene.run()
    ((_, rows),) = scene.server.taken
    assert len(rows) == 1
    assert [letter["reason"] for letter in scene.dead] == ["retained-without-time"]


def test_devices_of_two_lines_with_one_name_are_not_mixed(scene: Scene) -> None:
    scene.inbox.waiting.extend([message(1), message(2, topic="ib/v1/plant/l2/pump/telemetry")])
    scene.run()
    ((_, rows),) = scene.server.taken
    assert len(rows) == 1
    assert [letter["reason"] for letter in scene.dead] == ["ambiguous-device"]


def test_a_batch_is_no_larger_than_its_limits(tmp_path: Path) -> None:
    scene = Scene(tmp_path, limits=Limits(rows=3))
    scene.inbox.waiting.extend(message(mid) for mid in range(1, 8))
    scene.run()
    assert [len(rows) for _, rows in scene.server.taken] == [3, 3, 1]


def test_a_message_without_readings_needs_no_server(scene: Scene) -> None:
    scene.inbox.waiting.append(message(1, {"state": "on"}))
    scene.run()
    assert scene.server.taken == []
    assert scene.inbox.acknowledged == [1]
    assert scene.counters.refused == {"text": 1}


def test_dead_letters_stay_within_their_bound(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead.jsonl", lambda: datetime(2026, 1, 1, tzinfo=UTC), most_bytes=1_000)
    for number in range(50):
        letters.add("t", f"{number}".encode(), "why", "because")
    kept = sorted(tmp_path.iterdir())
    assert [file.name for file in kept] == ["dead.jsonl", "dead.jsonl.1"]
    assert all(file.stat().st_size <= 1_000 for file in kept)
    assert json.loads((tmp_path / "dead.jsonl").read_text().splitlines()[-1])["payload"] == "49"
