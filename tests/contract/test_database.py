"""Schema and transactions, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from industrial_brain.domain.errors import InputError, NotInitialisedError, UnavailableError
from industrial_brain.storage.catalogue import SqlCatalogue
from industrial_brain.storage.database import migrate, open_database, require_schema, schema_state
from industrial_brain.storage.tables import metadata


def test_migrations_build_what_the_tables_say(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_new_database_goes_from_absent_to_current(absent_database: sa.Engine) -> None:
    assert schema_state(absent_database) == "absent"
    with pytest.raises(NotInitialisedError):
        require_schema(absent_database)
    migrate(absent_database)
    migrate(absent_database)
    assert schema_state(absent_database) == "current"
    require_schema(absent_database)


def test_a_schema_of_a_newer_release_is_left_alone(absent_database: sa.Engine) -> None:
    migrate(absent_database)
    with absent_database.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NotInitialisedError, match="newer"):
        migrate(absent_database)
    with pytest.raises(NotInitialisedError, match="newer"):
        require_schema(absent_database)
    assert schema_state(absent_database) == "behind"


def test_a_read_without_tables_says_what_to_do(absent_database: sa.Engine) -> None:
    with pytest.raises(NotInitialisedError, match="brain init"):
        SqlCatalogue(absent_database).indicators()


def test_migrations_at_the_same_time_take_turns(absent_database: sa.Engine) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            migrate(absent_database)
        except BaseException as error:  # kept for the main thread
            errors.append(error)
            raise

    threads = [threading.Thread(target=run) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    assert schema_state(absent_database) == "current"


def test_a_server_that_is_down_is_unavailable_and_its_password_stays_secret() -> None:
    engine = open_database("postgres://brain:tops3cret@127.0.0.1:1/brain")
    with pytest.raises(UnavailableError) as caught:
        schema_state(engine)
    assert "tops3cret" not in str(caught.value)


def test_a_folder_that_does_not_exist_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="unable to open"):
        schema_state(open_database(f"sqlite:///{tmp_path / 'no' / 'brain.db'}"))


def test_looking_at_a_database_file_does_not_make_it(tmp_path: Path) -> None:
    assert schema_state(open_database(f"sqlite:///{tmp_path / 'brain.db'}")) == "absent"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "brain.db").write_text("a diary\n" * 1000)
    with pytest.raises(UnavailableError, match="not a database"):
        schema_state(open_database(f"sqlite:///{tmp_path / 'brain.db'}"))


@pytest.mark.parametrize("url", ["", "brain.db", "mysql://u:tops3cret@h/d", "postgresql://u:tops3cret@h:port/d"])
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InputError) as caught:
        open_database(url)
    assert "tops3cret" not in str(caught.value)
