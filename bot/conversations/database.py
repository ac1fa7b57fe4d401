"""The one SQL database: SQLite by default, PostgreSQL by its URL.

SQLite runs in WAL mode with `synchronous=FULL`, so a committed message survives a power cut
as far as the disk keeps its word. Writing transactions begin with `BEGIN IMMEDIATE`: a
deferred one that reads first and writes later fails at once when another writer was faster,
whatever the busy timeout (https://www.sqlite.org/lang_transaction.html).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, TypeDecorator, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from bot.clock import now as now
from bot.errors import InvalidInput, Unavailable
from bot.faults import point

BUSY_TIMEOUT_MS = 5000
IDLE_TIMEOUT_MS = 5000


class Base(DeclarativeBase):
    """All tables of all rooms."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which has no time zones, stores it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # pysqlite's own transaction control begins too late; ours is below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what was erased is not left in the file's free places
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        if not connection.get_execution_options().get("usher_writing", False):
            connection.exec_driver_sql("BEGIN")
        elif not _begin_writing(connection.connection.driver_connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails again, with a proper error


def _begin_writing(connection: sqlite3.Connection) -> bool:
    """Wait for the writer's lock, looking every millisecond.

    SQLite's own waiting sleeps up to 100 ms between two looks, where others hold the lock for
    five; so the lucky ones overtake the rest.
    """
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < until:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
                time.sleep(0.001)
            else:
                return True
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return False


def _prepare_postgres(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # A process that is frozen in a transaction must not hold its locks for ever.
        connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}")
        connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
        connection.commit()


class Database:
    """Sessions on the record. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: SQLAlchemy URL; of `sqlite:///` URLs the folder is made when missing.
        """
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                parsed,
                hide_parameters=True,  # an error must not show what a customer wrote
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
            )
            _prepare_sqlite(self.engine)
        else:
            self.engine = create_engine(
                parsed,
                hide_parameters=True,
                pool_pre_ping=True,
                pool_size=10,
                connect_args={"connect_timeout": 5},
            )
            _prepare_postgres(self.engine)
        self._writing = self.engine.execution_options(usher_writing=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one consistent state and writes nothing."""
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, name: str) -> Iterator[Session]:
        """A session that commits at its end, or rolls everything back on any error.

        Args:
            name: what is written, for the crash test: it strikes before and after the commit.
        """
        with (
            _translated(),
            Session(self._writing, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
            session.flush()
            point(f"{name}.before_commit")
        point(f"{name}.after_commit")

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DataError as error:  # PostgreSQL stores no null character
        raise InvalidInput("A value has a character that cannot be stored.") from error
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
        # InternalError: PostgreSQL has ended the transaction of a process that was frozen in it.
        raise Unavailable("The database does not answer. Try again in a moment.") from error
