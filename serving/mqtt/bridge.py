"""From messages to acknowledged readings: decode, gather, post, and only then acknowledge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import structlog

from industrial_brain.domain.errors import AuthenticationError, BrainError, InputError, PermissionDeniedError
from industrial_brain.domain.telemetry import Quality, Receipt
from serving.mqtt.dead_letters import DeadLetters
from serving.mqtt.decoded import Refusals, Rows, UndecodableError
from serving.mqtt.topics import Message, Translator
from serving.sending import arrow_body, patiently, table_of

_log = structlog.get_logger(__name__)

#: refusals that are nobody's fault and come again and again: counted, and told once a topic, but not kept
_ORDINARY = frozenset({"null", "text", "stale-death", "sequence-gap", "no-birth"})

#: seconds without a message after which what was gathered is posted: the broker has sent all that it may, or all that there is
_PAUSE = 0.02

#: seconds between two attempts with a key that the server does not know
_KEY_PAUSE = 10.0

#: the server's word for a reading whose channel can't begin now, and seconds until it is posted again
_NO_CHANNEL, _CHANNEL_PAUSE = "too-many-channels", 60.0

_QUALITY_NAMES = [quality.name.lower() for quality in Quality]


class Inbox(Protocol):
    """Where messages come from."""

    @property
    def connected(self) -> bool: ...

    def next(self, seconds: float) -> Message | None: ...

    def acknowledge(self, messages: list[Message]) -> int: ...


class Server(Protocol):
    """Where readings go."""

    def post(self, site: str, body: bytes) -> Receipt: ...


@dataclass(slots=True)
class Counters:
    """What the bridge has done since it started."""

    received: int = 0
    redelivered: int = 0
    acknowledged: int = 0
    lost: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    requests: int = 0
    retries: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, object]:
        """As fields of a log line."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "refused"}
        return {**plain, "refused": dict(self.refused)}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one batch: `rows`, `messages`, and `seconds` from its first message."""

    rows: int = 20_000
    messages: int = 5_000
    seconds: float = 0.25


class Bridge:
    """One thread's work: `run` until told to stop.

    Args:
        wait: sleeps so many seconds, and says whether to stop.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        inbox: Inbox,
        translator: Translator,
        server: Server,
        letters: DeadLetters,
        counters: Counters,
        *,
        wait: Callable[[float], bool],
        limits: Limits = Limits(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox, self._translator, self._server, self._letters = inbox, translator, server, letters
        self.counters, self._wait, self._limits, self._monotonic = counters, wait, limits, monotonic
        self._connection = 0
        self._told: set[tuple[str, str]] = set()

    def run(self, until_idle: float | None = None, each: Callable[[], None] = lambda: None) -> None:
        """Carry messages until told to stop, or until none has come for `until_idle` seconds.

        Args:
            each: called after every batch, and now and then while there is none.

        Raises:
            AuthenticationError, InputError: the broker refuses for good.
        """
        quiet_since = self._monotonic()
        while not self._wait(0.0):
            messages, batch = self._gather()
            if messages:
                if not self._deliver(messages, batch):
                    return  # told to stop before the server had it all: the broker keeps what is not acknowledged
                quiet_since = self._monotonic()
            elif not self._inbox.connected:
                quiet_since = self._monotonic()  # what is there can't come
            elif until_idle is not None and self._monotonic() - quiet_since >= until_idle:
                return
            each()

    def _gather(self) -> tuple[list[Message], dict[str, Rows]]:
        """Messages that came together, decoded."""
        messages: list[Message] = []
        batch: dict[str, Rows] = {}
        limits, begun = self._limits, 0.0
        while len(messages) < limits.messages and sum(map(len, batch.values())) < limits.rows:
            message = self._inbox.next(_PAUSE if messages else 0.25)
            if message is None:
                break
            begun = begun or self._monotonic()
            if message.connection != self._connection:
                self._connection = message.connection
                self._translator.reconnected()
            self.counters.received += 1
            self.counters.redelivered += message.again
            self._decode(message, len(messages), batch)
            messages.append(message)
            if self._monotonic() - begun > limits.seconds:
                break
        return messages, batch

    def _decode(self, message: Message, number: int, batch: dict[str, Rows]) -> None:
        refusals = Refusals()
        try:
            self._translator.take(message, number, batch, refusals)
        except UndecodableError as error:
            refusals.add(error.reason, error.detail)
        for reason, (count, detail) in refusals.found.items():
            self._refuse(message, reason, detail, count)

    def _refuse(self, message: Message, reason: str, detail: str, count: int = 1) -> None:
        self.counters.refused[reason] += count
        if reason not in _ORDINARY:
            self._letters.add(message.topic, message.payload, reason, detail, count)
        if (reason, message.topic) not in self._told and len(self._told) < 10_000:
            self._told.add((reason, message.topic))
            _log.warning("not taken", topic=message.topic, reason=reason, detail=detail, count=count)

    def _deliver(self, messages: list[Message], batch: dict[str, Rows]) -> bool:
        """Post every site's rows, then acknowledge all messages. False if told to stop before."""
        for site, rows in batch.items():
            if len(rows) and not self._post(site, rows, messages):
                return False
        self.counters.acknowledged += self._inbox.acknowledge(messages)
        return True

    def _post(self, site: str, rows: Rows, messages: list[Message]) -> bool:
        """Post until every row is taken or kept aside. False if told to stop before.

        An answer names only so many rejected rows: those behind the last one that it names are posted again; what was taken
        of them answers duplicate. So are, later, those whose channel could not begin just then.
        """
        table, posting, again = _table(rows), np.arange(len(rows)), False
        aside: dict[int, Refusals] = {}
        while len(posting):
            try:
                receipt = self._receipt(site, arrow_body(table.take(posting)))
            except (PermissionDeniedError, InputError) as error:
                for row in posting.tolist():
                    aside.setdefault(rows.message[row], Refusals()).add(f"refused-{error.slug}", str(error))
                break
            if receipt is None:
                return False
            named = {int(posting[item.index]): item for item in receipt.errors}
            later = [row for row, item in named.items() if item.code == _NO_CHANNEL]
            for row, item in named.items():
                if item.code != _NO_CHANNEL:
                    where = f"{rows.device[row]} {rows.metric[row]}: {item.detail}"
                    aside.setdefault(rows.message[row], Refusals()).add(item.code, where)
            self._count(receipt, len(named) - len(later), again)
            unnamed = posting[posting > max(named)] if receipt.rejected > len(named) > 0 else posting[:0]
            posting, again = np.concatenate([np.array(later, posting.dtype), unnamed]), True
            if later:
                self.counters.retries += 1
                _log.warning("channels can't begin", detail=named[later[0]].detail, again_in=_CHANNEL_PAUSE)
                if self._wait(_CHANNEL_PAUSE):
                    return False
        for number, refusals in sorted(aside.items()):
            for reason, (count, detail) in refusals.found.items():
                self._refuse(messages[number], reason, detail, count)
        return True

    def _receipt(self, site: str, body: bytes) -> Receipt | None:
        """What the server answers, in the end; None if told to stop before."""
        while True:
            try:
                return patiently(lambda: self._server.post(site, body), self._wait, self._retrying)
            except AuthenticationError as error:  # a revoked key is no reason to throw readings away
                self._retrying(error, _KEY_PAUSE)
                if self._wait(_KEY_PAUSE):
                    return None

    def _retrying(self, error: BrainError, seconds: float) -> None:
        self.counters.retries += 1
        _log.warning("server not ready", detail=str(error), again_in=round(seconds, 2))

    def _count(self, receipt: Receipt, rejected: int, again: bool) -> None:
        counters = self.counters
        counters.requests += 1
        counters.accepted += receipt.accepted
        counters.duplicate += 0 if again else receipt.duplicate
        counters.late += receipt.late
        counters.rejected += rejected


def _table(rows: Rows) -> pa.Table:
    return table_of(
        device=pa.array(rows.device, pa.string()).dictionary_encode(),
        metric=pa.array(rows.metric, pa.string()).dictionary_encode(),
        ts=pa.array(rows.ts, pa.int64()),
        value=pa.array(rows.value, pa.float64()),
        unit=pa.array(rows.unit, pa.string()).dictionary_encode(),
        quality=pa.DictionaryArray.from_arrays(pa.array(rows.quality, pa.int8()), _QUALITY_NAMES),
    )
