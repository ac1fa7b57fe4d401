"""A customer who is erased is nowhere any more, and nobody else notices."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import httpx
import pytest
from redis import Redis
from rich.console import Console
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bot.conversations.database import Base, Database, now
from bot.conversations.tables import Conversation, Message
from bot.errors import InvalidInput, NotFound
from bot.handoff import queue
from bot.journeys.tips import send_next
from bot.keeping import erasing, leftovers, storage
from bot.keeping.belongings import MAX_MESSAGES
from bot.keeping.sweeping import Keeping
from bot.keeping.tables import Leftover
from bot.keeping.trackers import PREFIX, Trackers
from bot.operations.forgetting import CustomerFinder
from bot.operations.forgetting import erase as erase_customer
from bot.operations.migrating import migrate
from bot.settings import Settings, load_settings
from bot.turns import dead_letters
from bot.turns.leases import LeaseLost
from tests.chatting import Visitor, assert_error, visitor
from tests.conftest import Serve, wait_until
from tests.lives import Life, full_life, identifiers, mentions, newcomer, remember, rows_of
from tests.players import Stage
from tests.scenes import SILENCE, at_once, change, say, successes, timeline

NOBODY = "redis://127.0.0.1:1/0"
"""No server listens there."""


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def trackers(valkey_url: str) -> Iterator[Trackers]:
    found = Trackers(valkey_url)
    yield found
    found.close()


def later(minutes: int = 2) -> timedelta:
    return timedelta(minutes=minutes)


def left_over(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.scalars(select(Leftover.conversation_id)))


def age_leftovers(database: Database) -> None:
    with database.write("test") as session:
        for each in session.scalars(select(Leftover)):
            each.removed_at = now() - later()


def fill(life: Life, messages: int) -> str:
    """A conversation with so many messages."""
    conversation = life.talk()
    with life.database.write("test") as session:
        session.add_all(
            Message(
                conversation_id=conversation,
                customer_id=life.id,
                seq=100 + number,
                author="customer",
                text=f"{life.word} {number}",
            )
            for number in range(messages)
        )
    return conversation


def test_the_scene_has_something_in_every_table(database: Database) -> None:
    """Or the tests below would not notice a table that is forgotten."""
    life = full_life(database, "zebrafish")
    elsewhere = {"agents", "agent_sessions", "channel_leases", "leftovers"}
    tables = {table for table, _ in rows_of(database, identifiers(life))}
    assert tables == {table.name for table in Base.metadata.sorted_tables} - elsewhere


def test_nothing_of_an_erased_customer_is_left(
    database: Database, redis: Redis, trackers: Trackers
) -> None:
    life, other = full_life(database, "zebrafish"), full_life(database, "capybara")
    for each in (life, other):
        remember(redis, each)
    words, others = identifiers(life), rows_of(database, identifiers(other))
    for conversation in life.conversations:  # nothing was said for a while
        change(database, conversation, last_message_at=now() - later())

    erased = erasing.erase(database, life.id, trackers)

    assert erased == erasing.Erased(trackers_left=0, is_settling=False)
    assert mentions(database, words) == set()
    assert [redis.exists(PREFIX + each) for each in life.conversations] == [0, 0]
    assert rows_of(database, identifiers(other)) == others
    assert [redis.exists(PREFIX + each) for each in other.conversations] == [1, 1]


def test_an_erased_customer_is_in_no_queue_and_on_no_list(
    database: Database, trackers: Trackers
) -> None:
    life = full_life(database, "zebrafish")
    assert queue.entries(database)
    assert dead_letters.waiting(database)
    erasing.erase(database, life.id, trackers)
    assert queue.entries(database) == []
    assert dead_letters.waiting(database) == []
    assert send_next(database, SILENCE) is None


def test_a_customer_with_very_many_messages_is_erased_in_small_steps(
    database: Database, trackers: Trackers
) -> None:
    life = newcomer(database, "zebrafish")
    fill(life, 2 * MAX_MESSAGES)
    erasing.erase(database, life.id, trackers)
    assert timeline(database, life.id) == []
    assert mentions(database, ["zebrafish"]) == set()


def test_an_unknown_customer_cannot_be_erased(database: Database, trackers: Trackers) -> None:
    with pytest.raises(NotFound, match="no customer with the id nobody"):
        erasing.erase(database, "nobody", trackers)


def test_erasing_twice_says_that_it_is_done(database: Database, trackers: Trackers) -> None:
    life = newcomer(database, "zebrafish")
    erasing.erase(database, life.id, trackers)
    with pytest.raises(NotFound, match="perhaps they are erased already"):
        erasing.erase(database, life.id, trackers)


def test_of_many_who_erase_at_once_all_come_to_an_end(
    database: Database, trackers: Trackers
) -> None:
    life = full_life(database, "zebrafish")
    results = at_once(lambda _: erasing.erase(database, life.id, trackers), range(5))
    assert all(isinstance(each, erasing.Erased | NotFound) for each in results), results
    assert not rows_of(database, ["zebrafish"])


def test_without_redis_the_record_forgets_and_the_trackers_are_removed_later(
    database: Database, redis: Redis, trackers: Trackers
) -> None:
    life = full_life(database, "zebrafish")
    remember(redis, life)
    nowhere = Trackers(NOBODY)
    assert erasing.erase(database, life.id, nowhere).trackers_left == 2
    assert mentions(database, ["zebrafish"]) == set()
    assert left_over(database) == sorted(life.conversations)

    assert erasing.erase(database, life.id, trackers).trackers_left == 0
    assert left_over(database) == []
    assert [redis.exists(PREFIX + each) for each in life.conversations] == [0, 0]


async def _settle(database: Database, url: str) -> None:
    await Keeping(database, load_settings(_env_file=None, redis_url=url)).settle()


def settle(database: Database, url: str) -> None:
    asyncio.run(_settle(database, url))


def test_a_worker_removes_the_tracker_that_a_running_turn_wrote_afterwards(
    database: Database, redis: Redis, trackers: Trackers, valkey_url: str
) -> None:
    life = newcomer(database, "zebrafish")
    life.talk()
    assert erasing.erase(database, life.id, trackers).is_settling
    remember(redis, life)  # Rasa was in the middle of a turn
    settle(database, valkey_url)
    assert left_over(database) == life.conversations  # it might come back once more
    age_leftovers(database)
    settle(database, valkey_url)
    assert left_over(database) == []
    assert redis.exists(PREFIX + life.conversations[0]) == 0


def test_a_turn_that_runs_during_the_erasure_brings_nothing_back(
    database: Database, trackers: Trackers
) -> None:
    life = newcomer(database, "zebrafish")
    say(database, life.id, "My zebrafish")
    stage = Stage(database)
    work = stage.lease()
    assert work is not None
    erasing.erase(database, life.id, trackers)
    with pytest.raises(LeaseLost):
        asyncio.run(stage.take(work))
    assert mentions(database, ["zebrafish"]) == set()
    with pytest.raises(NotFound):
        say(database, life.id, "My zebrafish")
    assert stage.lease() is None


def test_messages_turns_and_tips_at_the_same_time_bring_nothing_back(
    database: Database, trackers: Trackers
) -> None:
    life, other = full_life(database, "zebrafish"), newcomer(database, "capybara")
    stop = threading.Event()

    def write(_: int) -> None:
        while not stop.is_set():
            say(database, life.id, "One more zebrafish")

    def answer(_: int) -> None:
        while not stop.is_set():
            Stage(database).next_turn()
            send_next(database, SILENCE)

    def erase(_: int) -> None:
        try:
            wait_until(lambda: len(timeline(database, life.id)) > 20)
            erasing.erase(database, life.id, trackers)
            say(database, other.id, "Am I still here?")
        finally:
            stop.set()

    results = at_once(lambda n: (erase, write, write, answer)[n](n), range(4))
    problems = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, NotFound) for each in problems), problems  # the writers
    assert not rows_of(database, ["zebrafish"])
    assert timeline(database, other.id)[0].text == "Am I still here?"


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_an_erasure_that_is_killed_is_finished_by_repeating_it_or_by_a_worker(
    database: Database, valkey_url: str, tmp_path: Path, moment: str
) -> None:
    life = newcomer(database, "zebrafish", "shop-17")
    fill(life, 2 * MAX_MESSAGES)
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / f"erase.{moment}").write_text("SIGKILL")
    url = database.engine.url.render_as_string(hide_password=False)
    script = (
        "import sys; from bot.conversations.database import Database;"
        "from bot.keeping import erasing; from bot.keeping.trackers import Trackers;"
        "erasing.erase(Database(sys.argv[1]), sys.argv[2], Trackers(sys.argv[3]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, url, life.id, valkey_url],
        env={"PATH": os.environ["PATH"], "USHER_FAULTS": str(faults)},
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    if moment == "before_commit":
        assert erasing.find(database, external_id="shop-17") == life.id  # nothing has happened
        erasing.erase(database, life.id, Trackers(valkey_url))
    else:
        with pytest.raises(NotFound):  # unreachable from the first step on
            erasing.find(database, external_id="shop-17")
        age_leftovers(database)
        settle(database, valkey_url)
    assert mentions(database, ["zebrafish", life.id]) <= {"leftovers.customer_id"}


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


def contents(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


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


def test_a_leftover_of_a_conversation_that_is_kept_is_none(database: Database) -> None:
    """Nothing that lives is ever noted: a tracker in use would be lost."""
    life = full_life(database, "zebrafish")
    with database.read() as session:
        kept = set(session.scalars(select(Conversation.id)))
    assert kept == set(life.conversations)
    assert left_over(database) == []
    assert leftovers.interrupted_erasures(database) == []


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


def test_whom_the_shop_names_again_begins_anew(database: Database, trackers: Trackers) -> None:
    life = full_life(database, "zebrafish")
    erasing.erase(database, life.id, trackers)
    again = newcomer(database, "zebrafish", "zebrafish-at-the-shop")
    assert again.id != life.id
    assert timeline(database, again.id) == []


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
