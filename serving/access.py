"""Who may call what. One table; the check comes before routing, so a stranger learns nothing, not even a 404."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.errors import AuthenticationError, BrainError, PermissionDeniedError
from industrial_brain.domain.protocols import KeyStore
from serving.problems import problem_of, speaks_influx


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call `path` and everything below it. `roles` of None: anyone, without a key."""

    path: str
    roles: frozenset[Role] | None

    def holds(self, path: str) -> bool:
        return path == self.path or path.startswith(self.path + "/")


_ALL = frozenset(Role)
_OFFICE = frozenset({Role.PLANNER, Role.SCIENTIST, Role.ADMIN})
_WRITERS = frozenset({Role.FACTORY, Role.ADMIN})

#: the first rule that holds decides
RULES = (
    Rule("/health", None),
    Rule("/ping", None),  # what InfluxDB's clients ask before they write
    Rule("/ready", None),
    Rule("/openapi.json", _ALL),
    Rule("/metrics", _OFFICE),
    Rule("/v1/regions", _ALL),
    Rule("/v1/clusters", _ALL),
    Rule("/v1/anomalies", _ALL),
    Rule("/v1/anomalies:stream", _ALL),
    Rule("/v1/anomalies:score", _ALL),
    Rule("/v1/devices", _ALL),  # a factory's key sees the devices of its own sites
    Rule("/v1/telemetry", _WRITERS),
    Rule("/api/v2/write", _WRITERS),
    Rule("/v1/devices", _ALL),  # a factory's key sees the devices of its own sites
    Rule("/v1", _OFFICE),
)

#: where no rule holds there is no route either: a caller with a key is told so by a 404
_ELSEWHERE = Rule("", _ALL)


def rule_for(path: str) -> Rule:
    """The rule that decides on this path."""
    return next((rule for rule in RULES if rule.holds(path)), _ELSEWHERE)


class AccessMiddleware:
    """Answers 401 without a good key and 403 where its role may not go; else puts the key into `scope["state"]`."""

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            rule = rule_for(scope["path"])
            if rule.roles is not None:
                try:
                    key = await self._keyring.open(bearer_secret(scope))
                    _require(key, rule.roles)
                except BrainError as error:
                    await problem_of(scope, error)(scope, receive, send)
                    return
                scope["state"]["key"] = key
        await self._app(scope, receive, send)


class Keyring:
    """Remembers for `seconds` which secrets opened a key, so that not every request asks the database.

    A revoked key therefore opens doors for up to `seconds` more. Refusals are not remembered: a new key works at once.
    Secrets are kept as SHA-256 digests only.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, keys: KeyStore, seconds: float, monotonic: Callable[[], float], size: int = 1024) -> None:
        self._keys = keys
        self._seconds = seconds
        self._monotonic = monotonic
        self._size = size
        self._known: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()
        self._lock = threading.Lock()

    async def open(self, secret: str) -> ApiKey:
        """The key that the secret opens.

        Raises:
            AuthenticationError: it opens none.
            UnavailableError: the key store does not answer.
        """
        digest = hashlib.sha256(secret.encode()).digest()
        with self._lock:
            key, until = self._known.get(digest, (None, 0.0))
        if key is not None and self._monotonic() < until:
            return key
        found = await anyio.to_thread.run_sync(self._keys.authenticate, secret)
        if found is None:
            raise AuthenticationError(
                "The key is unknown or was revoked.", "Ask your administrator for one (`brain keys create`)."
            )
        with self._lock:
            self._known[digest] = (found, self._monotonic() + self._seconds)
            self._known.move_to_end(digest)
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return found


#: longer than any secret that we issue; a longer header is not worth hashing
_LONGEST_SECRET = 256


def bearer_secret(scope: Scope) -> str:
    """The secret that a request carries. Raises AuthenticationError."""
    header = Headers(scope=scope).get("authorization", "")
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    schemes = ("bearer", "token") if speaks_influx(scope["path"]) else ("bearer",)
    if scheme.lower() not in schemes or not secret or len(secret) > _LONGEST_SECRET or not secret.isascii():
        shown = schemes[-1].capitalize()
        raise AuthenticationError("The request carries no API key.", f"Send the header `Authorization: {shown} KEY`.")
    return secret


def _require(key: ApiKey, roles: frozenset[Role]) -> None:
    if key.role not in roles:
        raise PermissionDeniedError(
            f"A key of role {key.role} may not call this address.",
            f"Use a key of role {', '.join(sorted(roles))}.",
        )
