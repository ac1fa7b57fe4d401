"""The record's schema, from whichever version."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

import bot.handoff.tables
import bot.journeys.tables
import bot.keeping.tables  # noqa: F401
from bot.conversations.database import Base, Database
from bot.operations.migrating import SCRIPTS, is_current, migrate


def test_the_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_a_record_of_the_first_version_keeps_what_it_holds(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'usher.db'}")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("INSERT INTO agents VALUES ('1', 'a@example.test', 'A', '-', '2026-01-01')")
        )
        connection.commit()
    migrate(database)
    assert is_current(database)
    with database.read() as session:
        assert session.execute(text("SELECT name FROM agents")).scalars().all() == ["A"]
    database.close()
