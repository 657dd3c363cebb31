"""The broker's side of the bridge: a persistent session whose messages are acknowledged when we say so."""

from __future__ import annotations

import queue
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from industrial_brain.domain.errors import AuthenticationError, BrainError, InputError
from serving.mqtt.topics import Message

_log = structlog.get_logger(__name__)

_KEEPALIVE_SECONDS = 30
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 30  # seconds between two attempts to connect

#: messages of QoS 0 that wait; nobody can be told to send such a one later
_MOST_UNASSURED = 20_000

#: reasons to be refused that trying again will not mend: MQTT 5's codes, which paho also gives for 3.1.1
_REFUSED_FOR_GOOD = {"Bad user name or password", "Not authorized", "Client identifier not valid", "Banned"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and how one is let in.

    Attributes:
        window: messages that the broker may have under way to us, unacknowledged.
        session_seconds: how long the broker keeps what comes while the bridge is away.
        version: of MQTT, `5` or `3.1.1`.
    """

    host: str
    port: int
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    username: str | None = None
    password: str | None = None
    client_id: str = "industrial-brain"
    version: str = "5"
    window: int = 1000
    session_seconds: int = 7 * 86_400

    @classmethod
    def of(cls, url: str, **how: Any) -> Address:
        """Read `mqtt://HOST[:1883]` or `mqtts://HOST[:8883]`. Raises InputError for anything else."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == 0 or parts.path.strip("/"):
            raise InputError(
                f"'{url}' is not the address of a broker.", "Write it like mqtt://HOST:1883 or mqtts://HOST."
            )
        if parts.username or parts.password:
            raise InputError(
                "The broker's address holds a user name.", "Give --username, and the password in MQTT_PASSWORD."
            )
        tls = parts.scheme == "mqtts" or bool(how.pop("tls", False))
        return cls(parts.hostname, port or (8883 if tls else 1883), tls, **how)


class Broker:
    """A connection that comes back by itself. Messages come by `next`, in the broker's order; `acknowledge` ends them.

    Args:
        filters: topics to subscribe to, with QoS 1.
        host_id: Sparkplug host application id, whose STATE is published; None: none.
        lost: told once for each message of QoS 0 that found no room.
    """

    def __init__(
        self, address: Address, filters: tuple[str, ...], *, host_id: str | None, now_ms: int, lost: Any
    ) -> None:
        self._address, self._filters, self._lost = address, filters, lost
        self._state = f"spBv1.0/STATE/{host_id}" if host_id else None
        self._now_ms = now_ms
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connection = 0
        self._connected = False
        self._failure: BrainError | None = None
        self._client = self._made()

    @property
    def connection(self) -> int:
        """How many connections there have been; messages of earlier ones are delivered again."""
        return self._connection

    @property
    def connected(self) -> bool:
        return self._connected

    def start(self) -> None:
        """Connect, and go on trying until it succeeds; `next` tells of what can't succeed."""
        properties = None
        if self._address.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
            properties.SessionExpiryInterval = self._address.session_seconds
            properties.ReceiveMaximum = self._address.window
        clean: Any = False if properties is not None else paho.MQTT_CLEAN_START_FIRST_ONLY
        self._client.connect_async(
            self._address.host, self._address.port, _KEEPALIVE_SECONDS, clean_start=clean, properties=properties
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye. The session stays, and with it what is not acknowledged."""
        if self._state is not None and self._connected:
            told = self._client.publish(self._state, self._presence(online=False), qos=1, retain=True)
            told.wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def next(self, seconds: float) -> Message | None:
        """The next message, or None if none comes within `seconds`.

        Raises:
            AuthenticationError, InputError: the broker will never let us in, or not subscribe.
        """
        if self._failure is not None:
            raise self._failure
        try:
            while True:
                message = self._waiting.get(timeout=seconds)
                if message.qos == 0 or message.connection == self._connection:
                    return message  # those of an earlier connection come again
        except queue.Empty:
            return None

    def acknowledge(self, messages: list[Message]) -> int:
        """Acknowledge those that this connection brought, in order; how many these are."""
        with self._lock:
            ours = [message for message in messages if message.qos and message.connection == self._connection]
            for message in ours:
                self._client.ack(message.mid, message.qos)
        return len(ours)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a command, at most once."""
        self._client.publish(topic, payload, qos=0)

    def _made(self) -> paho.Client:
        address = self._address
        five = address.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else False,
            manual_ack=True,
        )
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            try:
                context = ssl.create_default_context(cafile=address.ca)
                if address.certificate is not None:
                    context.load_cert_chain(address.certificate, address.private_key)
            except OSError as error:
                raise InputError(
                    f"The certificates can't be read: {error}.", "Check --ca, --cert and --cert-key."
                ) from error
            client.tls_set_context(context)
        if self._state is not None:
            client.will_set(self._state, self._presence(online=False), qos=1, retain=True)
        client.reconnect_delay_set(_FIRST_PAUSE, _LONGEST_PAUSE)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        client.on_connect_fail = self._on_connect_fail
        return client

    def _presence(self, *, online: bool) -> str:
        return f'{{"online":{str(online).lower()},"timestamp":{self._now_ms}}}'

    # ---- called by paho's thread ----

    def _on_connect(self, client: paho.Client, _: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            if str(reason) in _REFUSED_FOR_GOOD:
                self._failure = AuthenticationError(
                    f"The broker refuses the connection: {reason}.", "Check --username, MQTT_PASSWORD and --client-id."
                )
            else:
                _log.warning("broker refuses the connection", detail=str(reason))
            return
        with self._lock:
            self._connection += 1
        self._connected = True
        _log.info("connected", host=self._address.host, port=self._address.port, session=flags.session_present)
        options: list[Any] = [(topic, self._options()) for topic in self._filters]
        client.subscribe(options)
        if self._state is not None:
            client.publish(self._state, self._presence(online=True), qos=1, retain=True)

    def _on_connect_fail(self, client: paho.Client, _: Any) -> None:
        """Called where paho has caught the reason, and does not hand it on."""
        reason = sys.exc_info()[1]
        if isinstance(reason, ssl.SSLCertVerificationError):
            self._failure = InputError(
                f"The broker's certificate is not to be trusted: {reason.verify_message}.",
                "Name its authority with --ca.",
            )
        else:
            _log.warning("broker does not answer", host=self._address.host, port=self._address.port, detail=str(reason))

    def _options(self) -> Any:
        if self._address.version != "5":
            return 1
        keep = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        return SubscribeOptions(qos=1, retainHandling=keep)

    def _on_disconnect(self, client: paho.Client, _: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        with self._lock:  # an acknowledgement is given on the connection that brought the message, or not at all
            self._connection += 1
        if self._connected and reason.is_failure:
            _log.warning("connection lost", detail=str(reason))
        self._connected = False

    def _on_subscribe(self, client: paho.Client, _: Any, mid: int, reasons: list[ReasonCode], properties: Any) -> None:
        refused = [topic for topic, reason in zip(self._filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._failure = InputError(
                f"The broker refuses the subscription to {refused[0]}.", "Let the bridge's user read its topics."
            )

    def _on_message(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        if message.qos == 0 and self._waiting.qsize() >= _MOST_UNASSURED:
            self._lost()
            return
        self._waiting.put(
            Message(
                message.topic,
                bytes(message.payload),
                message.qos,
                message.mid if message.qos else 0,
                bool(message.dup),
                bool(message.retain),
                self._connection,
            )
        )
