"""What a database's files still hold of removed rows, and what can be done about it."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.conversations.database import Base, Database


@dataclass(frozen=True)
class Scrubbed:
    """What was done to the files after an erasure."""

    done: bool
    said: str
    """In one sentence, for a person."""


def scrub(database: Database) -> Scrubbed:
    """Have the database forget removed rows also in its files, as far as it can."""
    return _scrub_sqlite(database) if database.is_sqlite else _scrub_postgres(database)


def _scrub_sqlite(database: Database) -> Scrubbed:
    """Empty the write-ahead log; in the database itself removed rows are overwritten.

    See `secure_delete` in `bot.conversations.database`.
    """
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection  # outside of a transaction of ours
        assert raw is not None
        busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        return Scrubbed(
            False,
            "SQLite's write-ahead log is in use and still has old pages. They go when Usher is "
            "stopped next.",
        )
    return Scrubbed(
        True, "SQLite has overwritten the rows in its file, and emptied its write-ahead log."
    )


def _scrub_postgres(database: Database) -> Scrubbed:
    """Vacuum our tables. Others read and write them meanwhile."""
    autocommit = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    try:
        with autocommit.connect() as connection:
            connection.execute(text(f"VACUUM {names}"))
    except DBAPIError:
        return Scrubbed(False, f"PostgreSQL could not be vacuumed; do it yourself: VACUUM {names};")
    return Scrubbed(
        True,
        "PostgreSQL has been vacuumed: it reads the rows no more. Their bytes stay in its files "
        "until new rows take the place, and in its write-ahead log and archives.",
    )
