"""Opening a database, its schema, and its transactions. SQLite and PostgreSQL behave alike from here on up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, exc

from industrial_brain.domain.errors import BrainError, InputError, NotInitialisedError, UnavailableError

SchemaState = Literal["absent", "behind", "current"]

#: how long a writer waits for another one on SQLite, in milliseconds; a chunk of an import takes far less
_BUSY_TIMEOUT = 60_000
#: seconds until a PostgreSQL server that does not answer counts as down
_CONNECT_TIMEOUT = 10
#: the one PostgreSQL advisory lock of this product (the bytes of "brai"): writers of history take turns
_WRITERS_LOCK = 0x62726169

_INITIALISE = "Run `brain init`."


def open_database(url: str) -> sa.Engine:
    """An engine for `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`. Connects on first use, not here.

    Raises:
        InputError: the URL names neither database. The message never repeats the URL, which may hold a password.
    """
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise InputError("The database URL can't be read.", _URL_HELP) from error
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        parsed = parsed.set(drivername="postgresql+psycopg").update_query_dict(
            {"connect_timeout": parsed.query.get("connect_timeout", str(_CONNECT_TIMEOUT))}
        )
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        engine = sa.create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    raise InputError(f"The product does not speak to '{parsed.drivername}' databases.", _URL_HELP)


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose reads see one state of the database. Raises as `writing` does."""
    with _translated(engine), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that writes, while every other one waits; committed at the end, undone by an exception.

    Turns are what keeps two imports at once from judging the same period by the same old state: each sees all that
    was committed before it began. Readers never wait.

    Raises:
        NotInitialisedError: the tables are missing.
        UnavailableError: the database can't be reached, opened or written.
    """
    with _translated(engine), engine.connect().execution_options(brain_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS_LOCK)))
        yield connection


@contextmanager
def appending(engine: sa.Engine) -> Iterator[sa.Connection]:
    """As `writing`, for the only writer of some tables, who waits for no writer of others (on PostgreSQL)."""
    with _translated(engine), engine.connect().execution_options(brain_writes=True) as connection, connection.begin():
        yield connection


def advisory_lock(engine: sa.Engine, kind: int, number: int) -> sa.Connection | None:
    """A PostgreSQL lock that is held until the connection is closed; None if another process has it."""
    with _translated(engine):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(kind, number))):
            return connection
        connection.close()
        return None


def release_lock(connection: sa.Connection, kind: int, number: int) -> None:
    """Give an `advisory_lock` back at once: a server notices late that a connection was closed."""
    try:
        connection.scalar(sa.select(sa.func.pg_advisory_unlock(kind, number)))
    except exc.DBAPIError:  # the server has gone, and the lock with it
        connection.invalidate()
    connection.close()


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to today's, from whatever it is; nothing happens where it is current.

    Raises:
        NotInitialisedError: a newer release wrote this database.
        UnavailableError: as `writing`.
    """
    with writing(engine) as connection:
        _refuse_a_newer_schema(connection)
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_state(engine: sa.Engine) -> SchemaState:
    """Whether the tables are there and today's. A schema that a newer release wrote counts as behind."""
    if _is_a_file_to_come(engine.url):
        return "absent"  # to look into it would make it
    with reading(engine) as connection:
        revision = _revision(connection)
    if revision is None:
        return "absent"
    return "current" if revision == ScriptDirectory.from_config(_alembic()).get_current_head() else "behind"


def require_schema(engine: sa.Engine) -> None:
    """Raises NotInitialisedError unless the schema is today's."""
    match schema_state(engine):
        case "absent":
            raise NotInitialisedError(f"The database {_shown(engine)} has no tables yet.", _INITIALISE)
        case "behind":
            with reading(engine) as connection:
                _refuse_a_newer_schema(connection)
            raise NotInitialisedError(f"The tables of {_shown(engine)} are of an older release.", _INITIALISE)


_URL_HELP = "Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME into BRAIN_DATABASE_URL."


def _is_a_file_to_come(url: sa.URL) -> bool:
    name = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or name == ":memory:" or name.startswith("file:"):
        return False
    path = Path(name)
    return path.parent.is_dir() and not path.exists()


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "industrial_brain.storage:migrations")
    return config


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_a_newer_schema(connection: sa.Connection) -> None:
    revision = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if revision is not None and revision not in known:
        raise NotInitialisedError(
            f"A newer release of this program wrote the database (schema {revision}).", "Upgrade the program."
        )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # this module begins transactions itself, see _begin_sqlite
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT}",
        "journal_mode = WAL",  # readers and one writer side by side
        "synchronous = FULL",  # what was reported as stored survives a power cut
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -32768",  # KiB
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # a writer takes its lock at once: upgrading a read later would fail, not wait, when another writer came between
    writes = connection.get_execution_options().get("brain_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        translated = _translation(error, engine)
        if translated is None:
            raise
        raise translated from error


def _translation(error: exc.DBAPIError, engine: sa.Engine) -> BrainError | None:
    text = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    if engine.url.password:
        text = text.replace(str(engine.url.password), "***")
    if "no such table" in text or getattr(error.orig, "sqlstate", None) == "42P01":  # undefined_table
        return NotInitialisedError(f"The database {_shown(engine)} has no tables yet.", _INITIALISE)
    wrong_statement = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # a fault of ours
    outside = isinstance(error, exc.OperationalError | exc.InterfaceError) or "not a database" in text
    if outside and not wrong_statement:
        return UnavailableError(
            f"The database {_shown(engine)} can't be used: {text}.", "Check that it runs, and BRAIN_DATABASE_URL."
        )
    return None


def _shown(engine: sa.Engine) -> str:
    return engine.url.set(query={}).render_as_string(hide_password=True)
