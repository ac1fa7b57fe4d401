"""The database's schema, brought up to date by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bot.conversations.database import Database

SCRIPTS = Path(__file__).parent.parent / "conversations" / "migrations"
_LOCK = 72_015_001
"""Two servers that start together migrate one after the other (PostgreSQL advisory lock)."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def migrate(database: Database) -> None:
    """Bring the schema to the newest version; nothing happens when it is."""
    config = _config()
    with database.engine.connect() as connection:
        if database.is_sqlite:
            # A changed table is copied and dropped, which its referrers would forbid.
            _enforce_foreign_keys(connection, False)
        else:
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        if database.is_sqlite:
            _enforce_foreign_keys(connection, True)
        else:
            connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
            connection.commit()


def _enforce_foreign_keys(connection: Connection, wanted: bool) -> None:
    """SQLite changes this outside of transactions only."""
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute(f"PRAGMA foreign_keys={'ON' if wanted else 'OFF'}")


def is_current(database: Database) -> bool:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head
