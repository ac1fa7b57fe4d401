"""A customer who is erased is nowhere in the record any more, and nobody else notices."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select

from bot.conversations.database import Base, Database, now
from bot.conversations.tables import Conversation, Message
from bot.errors import NotFound
from bot.handoff import queue
from bot.journeys.tips import send_next
from bot.keeping import erasing, leftovers
from bot.keeping.belongings import MAX_MESSAGES
from bot.keeping.sweeping import Keeping
from bot.keeping.tables import Leftover
from bot.keeping.trackers import PREFIX, Trackers
from bot.settings import load_settings
from bot.turns import dead_letters
from bot.turns.leases import LeaseLost
from tests.conftest import wait_until
from tests.lives import Life, full_life, identifiers, mentions, newcomer, remember, rows_of
from tests.players import Stage
from tests.scenes import SILENCE, at_once, change, say, timeline

NOBODY = "redis://127.0.0.1:1/0"
"""No server listens there."""


def left_over(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.scalars(select(Leftover.conversation_id)))


def age_leftovers(database: Database) -> None:
    with database.write("test") as session:
        for each in session.scalars(select(Leftover)):
            each.removed_at = now() - timedelta(minutes=2)


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
        change(database, conversation, last_message_at=now() - timedelta(minutes=2))

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


def test_a_leftover_of_a_conversation_that_is_kept_is_none(database: Database) -> None:
    """Nothing that lives is ever noted: a tracker in use would be lost."""
    life = full_life(database, "zebrafish")
    with database.read() as session:
        kept = set(session.scalars(select(Conversation.id)))
    assert kept == set(life.conversations)
    assert left_over(database) == []
    assert leftovers.interrupted_erasures(database) == []


def test_whom_the_shop_names_again_begins_anew(database: Database, trackers: Trackers) -> None:
    life = full_life(database, "zebrafish")
    erasing.erase(database, life.id, trackers)
    again = newcomer(database, "zebrafish", "zebrafish-at-the-shop")
    assert again.id != life.id
    assert timeline(database, again.id) == []
