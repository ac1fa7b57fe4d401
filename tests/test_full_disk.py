"""A database that cannot write: refused and never acknowledged, and well again afterwards."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event, text

from bot.conversations import database as database_module
from bot.conversations.database import Database
from bot.errors import Unavailable
from bot.operations.migrating import migrate
from bot.turns import beginning
from tests.chatting import assert_error, visitor
from tests.conftest import Serve
from tests.players import Stage
from tests.scenes import new_customer, say, timeline

BIG = "x" * 3900
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"NOT TESTED ON A FULL DISK: this user may not mount one ({done.stderr})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{small_disk / 'usher.db'}")
    migrate(database)
    yield database
    database.close()


def fill(folder: Path) -> Path:
    """Take what room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    return ballast


def talk(stage: Stage, customer: str) -> None:
    """Messages and turns, until the database refuses."""
    for _ in range(1000):
        stage.next_turn()
        say(stage.database, customer, BIG)


def test_on_a_full_disk_nothing_is_acknowledged_and_nothing_lost(
    database: Database, small_disk: Path, on_small_disk: Database
) -> None:
    stage = Stage(on_small_disk)
    customer = new_customer(on_small_disk)
    say(on_small_disk, customer, "before")
    ballast = fill(small_disk)
    with pytest.raises(Unavailable):
        talk(stage, customer)
    acknowledged = len(timeline(on_small_disk, customer))
    ballast.unlink()
    say(on_small_disk, customer, "after")
    stage.take_all()
    said = timeline(on_small_disk, customer)
    assert len(said) > acknowledged
    assert [each.seq for each in said] == list(range(1, len(said) + 1))
    asked = [each.text for each in said if each.author == "customer"]
    assert (asked[0], asked[-1]) == ("before", "after")
    answered = [each.text for each in said if each.author == "assistant"]
    assert answered == [f"re: {each}" for each in asked]
    with on_small_disk.read() as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"


def test_the_chat_api_says_when_to_come_again(serve: Serve, database: Database) -> None:
    client: httpx.Client = serve()
    customer = visitor(client)
    assert customer.send("before").status_code == 202

    def limit(pages: int) -> None:
        database.engine.dispose()  # so that every connection is a new one

        @event.listens_for(database.engine, "connect")
        def limited(connection: object, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    limit(1)  # SQLite raises this to the pages that there are
    message = {"client_message_id": "one", "text": BIG}
    for _ in range(50):
        answer = customer.send(**message)
        if answer.status_code != 202:
            break
        message["client_message_id"] += "1"
    assert_error(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    acknowledged = len(customer.read())
    limit(1_000_000)
    assert customer.send(**message).status_code == 202
    assert len(customer.read()) == acknowledged + 1


def test_a_database_that_another_holds_is_refused_and_then_works(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(database)
    customer = new_customer(database)
    say(database, customer)
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 20)
    impatient = Database(str(database.engine.url))
    with database.write("test") as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(Unavailable):
            say(impatient, customer, "while it is held")
        with pytest.raises(Unavailable):
            beginning.begin(impatient, "worker", 1, together=False)
    impatient.close()
    assert stage.take_all() == 1
    assert len(timeline(database, customer)) == 2
