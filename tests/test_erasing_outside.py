"""What others see of an erasure: pages, files, and whoever calls the command."""

import json
from io import StringIO
from pathlib import Path

import httpx
import pytest
from redis import Redis
from rich.console import Console
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bot.conversations.database import Database
from bot.errors import InvalidInput, NotFound
from bot.keeping import erasing, storage
from bot.keeping.trackers import PREFIX, Trackers
from bot.operations.forgetting import CustomerFinder
from bot.operations.forgetting import erase as erase_customer
from bot.operations.migrating import migrate
from bot.settings import Settings, load_settings
from tests.chatting import Visitor, assert_error, visitor
from tests.conftest import Serve, wait_until
from tests.lives import full_life, mentions, newcomer, remember, rows_of
from tests.scenes import at_once, successes

NOBODY = "redis://127.0.0.1:1/0"
"""No server listens there."""


def test_the_token_of_an_erased_customer_is_good_for_nothing_at_any_gateway(
    serve: Serve, database: Database, trackers: Trackers
) -> None:
    one = visitor(serve())
    both = (one, Visitor(serve(), one.id, one.token))
    for customer in both:
        assert customer.send("My zebrafish").status_code == 202  # its gateway knows the token now
    erasing.erase(database, one.id, trackers)
    for gone in both:
        assert_error(gone.send("One more zebrafish"), 401, "unauthenticated")
        for after in (0, 1):
            got = gone.client.get(f"/api/v1/messages?after={after}", headers=gone.headers)
            assert_error(got, 401, "unauthenticated")
        judged = gone.client.post(
            "/api/v1/messages/2/feedback", json={"helpful": True}, headers=gone.headers
        )
        assert_error(judged, 401, "unauthenticated")
    assert not rows_of(database, ["zebrafish"])


def test_an_open_page_of_an_erased_customer_is_told_to_start_anew(
    gateway: httpx.Client, database: Database, trackers: Trackers
) -> None:
    customer = visitor(gateway)
    address = str(gateway.base_url.join("/api/v1/chat")).replace("http", "ws", 1)
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "token": customer.token}))
        assert json.loads(socket.recv(timeout=10))["type"] == "messages"
        erasing.erase(database, customer.id, trackers)
        heard = json.loads(socket.recv(timeout=10))
        assert (heard["type"], heard["error"]["code"]) == ("error", "unauthenticated")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)


def test_a_page_that_waits_is_told_too(
    gateway: httpx.Client, database: Database, trackers: Trackers
) -> None:
    customer = visitor(gateway)

    def act(number: int) -> httpx.Response | None:
        if number == 0:
            return gateway.get("/api/v1/messages?wait=10", headers=customer.headers)
        erasing.erase(database, customer.id, trackers)
        return None

    answer, _ = successes(at_once(act, range(2)))
    assert answer is not None
    assert_error(answer, 401, "unauthenticated")


def contents(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_files_of_sqlite_hold_nothing_of_an_erased_customer(
    tmp_path: Path, trackers: Trackers
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'usher.db'}")
    migrate(database)
    try:
        life = full_life(database, "zebrafish")
        talker, listener = newcomer(database, "zebrafish"), newcomer(database, "capybara")
        for number in range(40):  # rows change, grow and move from page to page
            for each in (talker, listener):
                each.talk(f"{each.word} {number} " + "long " * 5 * number)
        assert b"zebrafish" in contents(tmp_path)
        erasing.erase(database, life.id, trackers)
        erasing.erase(database, talker.id, trackers)
        scrubbed = storage.scrub(database)
        assert scrubbed.done, scrubbed.said
        assert b"zebrafish" not in contents(tmp_path)
        assert b"capybara" in contents(tmp_path)
    finally:
        database.close()


def test_postgres_reads_removed_rows_no_more(database: Database, trackers: Trackers) -> None:
    life = full_life(database, "zebrafish")
    erasing.erase(database, life.id, trackers)
    assert storage.scrub(database).done


def test_valkeys_file_holds_nothing_of_an_erased_customer(
    database: Database, redis: Redis, trackers: Trackers, valkey: Settings
) -> None:
    life = newcomer(database, "quokka")
    life.talk()
    remember(redis, life)
    folder = valkey.data_dir / "valkey"
    wait_until(lambda: b"quokka" in contents(folder))
    erasing.erase(database, life.id, trackers)
    trackers.rewrite_log()
    wait_until(lambda: not trackers.is_rewriting_log())
    wait_until(lambda: b"quokka" not in contents(folder))


class Terminal:
    """Where the command asks and tells."""

    def __init__(self, answer: bool = True) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.out = Console(file=StringIO(), width=200)

    def confirm(self, what: str) -> bool:
        self.asked.append(what)
        return self._answer

    @property
    def said(self) -> str:
        file = self.out.file
        assert isinstance(file, StringIO)
        return file.getvalue()


@pytest.fixture
def own_settings(
    database: Database, valkey: Settings, tmp_path: Path, clean_environment: None
) -> Settings:
    """Of an Usher with the bundled Valkey."""
    return load_settings(
        data_dir=valkey.data_dir,
        internal_port=valkey.internal_port,
        database_url=database.engine.url.render_as_string(hide_password=False),
    )


def command(settings: Settings, terminal: Terminal, customer_id: str) -> bool:
    finder = CustomerFinder(customer_id, "", "")
    return erase_customer(settings, finder, terminal.confirm, terminal.out)


def test_the_command_says_what_will_be_gone_what_was_done_and_what_remains(
    database: Database, own_settings: Settings
) -> None:
    life = full_life(database, "zebrafish")
    terminal = Terminal()
    assert command(own_settings, terminal, life.id)
    (asked,) = terminal.asked
    for each in ("2 tokens", "1 addresses", "2 conversations", "1 purchases", "tips to come"):
        assert each in asked
    assert "zebrafish" not in asked + terminal.said
    for each in (
        "is erased",
        "append-only file",
        "when it starts",
        "What remains: backups",
        "docs/privacy.md",
    ):
        assert each in terminal.said
    assert mentions(database, ["zebrafish"]) == set()


def test_the_command_erases_nothing_when_it_is_told_not_to(
    database: Database, own_settings: Settings
) -> None:
    life = full_life(database, "zebrafish")
    before = rows_of(database, ["zebrafish"])
    terminal = Terminal(answer=False)
    assert command(own_settings, terminal, life.id)
    assert terminal.said == "Nothing was erased.\n"
    assert rows_of(database, ["zebrafish"]) == before


def test_the_command_fails_while_redis_is_down_and_can_be_repeated(
    database: Database, own_settings: Settings, redis: Redis
) -> None:
    life = full_life(database, "zebrafish")
    remember(redis, life)
    down = own_settings.model_copy(update={"redis_url": NOBODY})
    terminal = Terminal()
    assert not command(down, terminal, life.id)
    assert "2 trackers remain" in terminal.said
    again = Terminal()
    assert command(own_settings, again, life.id)
    assert "trackers in Redis are removed" in again.said
    assert [redis.exists(PREFIX + each) for each in life.conversations] == [0, 0]
    with pytest.raises(NotFound, match="perhaps they are erased already"):
        command(own_settings, Terminal(), life.id)


def test_the_command_does_not_ask_about_a_customer_who_is_not_there(
    own_settings: Settings,
) -> None:
    terminal = Terminal()
    with pytest.raises(NotFound, match="no customer with the id nobody"):
        command(own_settings, terminal, "nobody")
    assert terminal.asked == []


def test_a_customer_is_found_by_each_of_their_names(database: Database) -> None:
    life = full_life(database, "zebrafish")
    for finder in (
        CustomerFinder(life.id, "", ""),
        CustomerFinder("", "zebrafish-at-the-shop", ""),
        CustomerFinder("", "", "line:zebrafish-on-line"),
    ):
        assert finder.find(database) == life.id
    for stranger in (
        CustomerFinder("nobody", "", ""),
        CustomerFinder("", "nobody", ""),
        CustomerFinder("", "", "line:nobody"),
    ):
        with pytest.raises(NotFound, match="There is no customer"):
            stranger.find(database)


@pytest.mark.parametrize("given", [("", "", ""), ("a", "b", ""), ("", "", "line"), ("", "", ":x")])
def test_one_customer_has_to_be_named(given: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidInput):
        CustomerFinder(*given)
