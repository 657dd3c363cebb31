"""The contract of `KeyStore`."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from industrial_brain.domain.access import Role
from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.storage.keys import SqlKeyStore
from tests.contract.conftest import Clock, Stores


def test_a_secret_opens_its_key(stores: Stores) -> None:
    key, secret = stores.keys.create("line 3", Role.FACTORY, ["F1", "F2"])
    assert stores.keys.authenticate(secret) == key
    assert (key.role, key.sites, key.revoked_at) == (Role.FACTORY, ("F1", "F2"), None)
    assert secret.startswith("ib_")


@pytest.mark.parametrize("secret", ["", "ib_", "ib_x", "\udcff", "x" * 100_000])
def test_an_unknown_secret_opens_nothing(stores: Stores, secret: str) -> None:
    stores.keys.create("someone", Role.ADMIN)
    assert stores.keys.authenticate(secret) is None


def test_a_revoked_key_opens_nothing_and_stays_as_it_was(stores: Stores, clock: Clock) -> None:
    key, secret = stores.keys.create("gone", Role.PLANNER)
    clock.now += dt.timedelta(hours=1)
    revoked = stores.keys.revoke(key.id)
    assert revoked.revoked_at == clock.now
    clock.now += dt.timedelta(hours=1)
    assert stores.keys.revoke(key.id) == revoked
    assert stores.keys.authenticate(secret) is None
    assert stores.keys.list_keys() == [revoked]


def test_revoking_what_does_not_exist_is_an_error(stores: Stores) -> None:
    with pytest.raises(UnknownIdError):
        stores.keys.revoke("nobody")


def test_keys_are_listed_oldest_first(stores: Stores, clock: Clock) -> None:
    first, _ = stores.keys.create("first", Role.ADMIN)
    clock.now += dt.timedelta(microseconds=1)
    second, _ = stores.keys.create("second", Role.ADMIN)
    assert stores.keys.list_keys() == [first, second]


def test_the_database_never_holds_a_secret(engine: sa.Engine, clock: Clock) -> None:
    _, secret = SqlKeyStore(engine, clock).create("hidden", Role.SCIENTIST)
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM api_key")).one()
    assert not any(secret[3:] in str(cell) for cell in row)
