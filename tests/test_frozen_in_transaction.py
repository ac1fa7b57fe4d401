"""PostgreSQL ends the transaction of a process that is frozen in it; its next word is refused."""

import pytest
from sqlalchemy import text

from bot.conversations.database import Database
from bot.errors import Unavailable
from tests.conftest import wait_until


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_transaction_that_was_idle_for_too_long_is_unavailable(database: Database) -> None:
    def is_gone(pid: int) -> bool:
        with database.read() as session:
            alive = session.execute(
                text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid}
            )
            return alive.first() is None

    def be_frozen() -> None:
        with database.write("test") as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            session.execute(text("SET idle_in_transaction_session_timeout = 1"))
            wait_until(lambda: is_gone(pid))
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        be_frozen()
