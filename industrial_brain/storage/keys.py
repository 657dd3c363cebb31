"""API keys in SQL: what is stored can't open anything."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.moments import from_microseconds, to_microseconds
from industrial_brain.storage.tables import api_key

#: tells a leaked key from other random text, for people and for secret scanners
_PREFIX = "ib_"


class SqlKeyStore:
    """`KeyStore` on SQLite or PostgreSQL.

    A secret is `ib_` and 32 random bytes as URL-safe text. 256 random bits can't be guessed or tabulated, so a plain
    SHA-256 guards them; a slow password hash would only slow every request.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], dt.datetime]) -> None:
        self._engine = engine
        self._clock = clock

    def create(self, name: str, role: Role, sites: Sequence[str] = ()) -> tuple[ApiKey, str]:
        secret = _PREFIX + secrets.token_urlsafe(32)
        created_at = to_microseconds(self._clock())
        key = ApiKey(secrets.token_hex(4), name, role, tuple(sites), from_microseconds(created_at))
        row = {
            "id": key.id,
            "name": name,
            "role": role.value,
            "sites": list(sites),
            "secret_sha256": _digest(secret),
            "created_at": created_at,
        }
        with writing(self._engine) as connection:
            connection.execute(sa.insert(api_key), row)
        return key, secret

    def authenticate(self, secret: str) -> ApiKey | None:
        digest = _digest(secret)
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(api_key).where(api_key.c.secret_sha256 == digest)).one_or_none()
        # the index finds the digest, whose bytes a caller can't steer; the last word is compared in constant time
        if row is None or not hmac.compare_digest(row.secret_sha256, digest) or row.revoked_at is not None:
            return None
        return _key(row)

    def list_keys(self) -> list[ApiKey]:
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(api_key).order_by(api_key.c.created_at, api_key.c.id))
            return [_key(row) for row in rows]

    def revoke(self, key_id: str) -> ApiKey:
        with writing(self._engine) as connection:
            living = sa.update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
            connection.execute(living.values(revoked_at=to_microseconds(self._clock())))
            row = connection.execute(sa.select(api_key).where(api_key.c.id == key_id)).one_or_none()
        if row is None:
            raise UnknownIdError(f"No key has the id '{key_id}'.", "List them with `brain keys list`.")
        return _key(row)


def _digest(secret: str) -> str:
    # "surrogatepass": whatever bytes a client sent, the answer is "unknown key", not an encoding error
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        sites=tuple(row.sites),
        created_at=from_microseconds(row.created_at),
        revoked_at=None if row.revoked_at is None else from_microseconds(row.revoked_at),
    )
