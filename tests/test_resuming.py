"""Turns after crashes and freezes: resumed as they were begun, and written by one worker only."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot import clock
from bot.conversations.database import Database, now
from bot.conversations.intake import accept_all, incoming
from bot.conversations.tables import Conversation, Message, Turn
from bot.errors import UsherError
from bot.journeys import tips
from bot.journeys.definitions import read_journeys
from bot.journeys.purchases import PurchaseEvent, record
from bot.messages import TurnResult
from bot.settings import ROOT
from bot.turns import beginning, leases
from bot.turns.beginning import MAX_TOGETHER, Work
from bot.turns.leases import LEASE, MAX_DELAY, LeaseLost
from tests.players import Asked, Stage, echo
from tests.scenes import (
    JOURNEYS,
    SILENCE,
    at_once,
    change,
    conversation_of,
    new_customer,
    say,
    successes,
    timeline,
)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def turns_of(database: Database, conversation_id: str) -> Sequence[Turn]:
    with database.read() as session:
        wanted = select(Turn).where(Turn.conversation_id == conversation_id)
        return session.scalars(wanted.order_by(Turn.last_seq)).all()


def crash(stage: Stage, work: Work) -> None:
    """The worker dies: nobody ends the lease, and it expires."""
    stage.expire_lease(work.lease.conversation_id)


def test_a_turn_is_resumed_with_the_messages_that_it_was_begun_with(stage: Stage) -> None:
    stage.together = True
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer, "one").conversation_id
    first = stage.lease()
    assert first is not None
    say(stage.database, customer, "two")
    crash(stage, first)
    resumed = stage.lease()
    assert resumed is not None
    assert (resumed.turn_id, resumed.message) == (first.turn_id, first.message)
    asyncio.run(stage.take(resumed))
    assert stage.take_all() == 1
    assert [each.message.text for each in stage.assistant.asked] == ["one", "two"]
    assert [each.state for each in turns_of(stage.database, conversation)] == ["done", "done"]


def test_what_a_customer_writes_while_the_assistant_is_busy_is_one_turn(stage: Stage) -> None:
    stage.together = True
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer, "hello").conversation_id

    async def interrupted(asked: Asked) -> TurnResult:
        stage.assistant.act = echo
        for text in ("my order", "my order", "1234", "where is it?"):
            await asyncio.to_thread(say, stage.database, customer, text)
        return await echo(asked)

    stage.assistant.act = interrupted
    assert stage.take_all() == 2
    last = stage.assistant.asked[-1].message
    assert (last.seq, last.text) == (5, "my order\n1234\nwhere is it?")
    said = timeline(stage.database, customer)
    assert [each.text for each in said[5:]] == ["re: hello", f"re: {last.text}"]
    assert not any(each.pending for each in said)
    second = turns_of(stage.database, conversation)[1]
    assert {each.turn_id for each in said[1:5]} == {second.id} == {said[-1].turn_id}
    assert second.trace["messages"] == 4


def test_one_turn_takes_no_more_than_may_be_said_at_once(stage: Stage) -> None:
    stage.together = True
    customer = new_customer(stage.database)
    for number in range(MAX_TOGETHER + 3):
        say(stage.database, customer, f"number {number}")
    long, longer = "x" * 3000, "y" * 3000
    say(stage.database, customer, long)
    say(stage.database, customer, longer)
    assert stage.take_all() == 3
    texts = [each.message.text for each in stage.assistant.asked]
    assert [text.count("number") for text in texts] == [MAX_TOGETHER, 3, 0]
    assert texts[1].endswith(long)
    assert texts[2] == longer


def test_a_heartbeat_keeps_leases_and_takes_no_lost_one_back(stage: Stage) -> None:
    for _ in range(2):
        say(stage.database, new_customer(stage.database))
    mine, lost = stage.lease("one"), stage.lease("one")
    assert mine is not None
    assert lost is not None
    for work in (mine, lost):
        crash(stage, work)
    leases.renew(stage.database, "one", [mine.lease])
    taken = stage.lease("two")
    assert taken is not None
    assert taken.lease.conversation_id == lost.lease.conversation_id
    leases.renew(stage.database, "one", [mine.lease, lost.lease])
    holders = [
        conversation_of(stage.database, work.lease.conversation_id).leased_by
        for work in (mine, taken)
    ]
    assert holders == ["one", "two"]
    assert stage.lease("three") is None
    with pytest.raises(LeaseLost):
        asyncio.run(stage.take(lost))


def test_of_a_batch_only_the_turns_whose_lease_was_lost_are_not_written(stage: Stage) -> None:
    customers = [new_customer(stage.database) for _ in range(3)]
    for customer in customers:
        say(stage.database, customer)
    works = beginning.begin(stage.database, "one", 3, together=False)
    stolen = works[1]
    crash(stage, stolen)
    thief = stage.lease("two")
    assert thief is not None

    async def all_at_once() -> list[BaseException | None]:
        taker = stage.taker()
        return list(
            await asyncio.gather(*(taker.take(work) for work in works), return_exceptions=True)
        )

    results = asyncio.run(all_at_once())
    assert [type(each) for each in results] == [type(None), LeaseLost, type(None)]
    asyncio.run(stage.take(thief))
    for customer in customers:
        said = [each.text for each in timeline(stage.database, customer)]
        assert said == ["Where is my order?", "re: Where is my order?"]


FROZEN = """
import asyncio, sys
from bot.conversations.database import Database
from tests.players import Stage

stage = Stage(Database(sys.argv[1]))
work = stage.lease("frozen")
print("leased", flush=True)
try:
    asyncio.run(stage.take(work))
except Exception as problem:
    print(type(problem).__name__, flush=True)
else:
    print("written", flush=True)
"""


def test_a_worker_that_is_frozen_beyond_its_lease_writes_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "turn.before_assistant").write_text("SIGSTOP")
    url = stage.database.engine.url.render_as_string(hide_password=False)
    frozen = subprocess.Popen(
        [sys.executable, "-c", FROZEN, url],
        cwd=ROOT,
        env={**os.environ, "USHER_FAULTS": str(faults)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert frozen.stdout is not None
    try:
        assert frozen.stdout.readline() == "leased\n"
        _, status = os.waitpid(frozen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        stage.expire_lease(conversation)
        assert stage.next_turn()
        frozen.send_signal(signal.SIGCONT)
        assert frozen.stdout.readline() == "LeaseLost\n"
        frozen.wait(10)
    finally:
        frozen.kill()
        frozen.stdout.close()
    said = [each.text for each in timeline(stage.database, customer)]
    assert said == ["Where is my order?", "re: Where is my order?"]


def test_fifty_copies_of_five_hundred_ids_are_five_hundred_messages(database: Database) -> None:
    customers = [new_customer(database) for _ in range(10)]
    messages = [
        incoming(customers[number % 10], f"id {number}", f"text {number}") for number in range(500)
    ]
    copies = [message for message in messages for _ in range(50)]
    random.Random(4).shuffle(copies)
    batches = [copies[start : start + 64] for start in range(0, len(copies), 64)]
    answers = [
        answer
        for batch in successes(at_once(lambda some: accept_all(database, some, SILENCE), batches))
        for answer in batch
    ]
    assert len(answers) == 25_000
    assert not any(isinstance(each, UsherError) for each in answers)
    assert len({(each.message_id, each.seq) for each in answers}) == 500
    assert Counter(each.repeated for each in answers) == {True: 24_500, False: 500}
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 500
        assert session.scalar(select(func.count()).select_from(Conversation)) == 10


def test_many_rapid_messages_over_three_workers_keep_their_order(stage: Stage) -> None:
    database = stage.database
    customers = [new_customer(database) for _ in range(200)]

    def writes(customer: str) -> None:
        for number in range(20):
            successes(accept_all(database, [incoming(customer, f"{number}", f"{number}")], SILENCE))

    async def worker(name: str) -> None:
        taker = stage.taker()
        while works := await asyncio.to_thread(beginning.begin, database, name, 64, False):
            await asyncio.gather(*(taker.take(work) for work in works))

    async def work() -> None:
        writing = asyncio.create_task(asyncio.to_thread(at_once, writes, customers, 8))
        while not writing.done():
            await asyncio.gather(*(worker(f"worker {number}") for number in range(3)))
        successes(await writing)
        await asyncio.gather(*(worker(f"worker {number}") for number in range(3)))

    asyncio.run(work())
    for customer in customers:
        said = timeline(database, customer)
        asked = [each.text for each in said if each.author == "customer"]
        assert asked == [f"{number}" for number in range(20)]
        answered = [each.text for each in said if each.author == "assistant"]
        assert answered == [f"re: {number}" for number in range(20)]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_put_forward_or_back_makes_nothing_early_and_nothing_twice(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    steady = clock.Clock()
    before = steady.now()
    real = clock.time.time
    monkeypatch.setattr(clock.time, "time", lambda: real() + hours * 3600)
    during = steady.now()
    monkeypatch.setattr(clock.time, "time", real)
    after = steady.now()
    assert before <= during <= after
    assert after - before < timedelta(minutes=1)


@pytest.mark.parametrize("hours", [-1, 1])
def test_while_the_machines_clock_is_wrong_no_tip_is_early_and_no_turn_is_taken_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    database = stage.database
    customer = new_customer(database)
    event = PurchaseEvent(
        source="test",
        event_id="1",
        order_id="1",
        customer_external_id="",
        visitor_id=customer,
        language="en",
        products=("brio",),
        purchased_at=now() - timedelta(minutes=1),
    )
    record(database, event, read_journeys(JOURNEYS), "en")
    assert tips.send_next(database, SILENCE) is not None, "the first tip is due at once"
    say(database, customer)
    work = stage.lease("one")
    assert work is not None
    real = clock.time.time
    monkeypatch.setattr(clock.time, "time", lambda: real() + hours * 3600)
    assert tips.send_next(database, SILENCE) is None
    assert stage.lease("two") is None
    leases.renew(database, "one", [work.lease])
    say(database, customer, "and meanwhile?")
    monkeypatch.setattr(clock.time, "time", real)
    assert tips.send_next(database, SILENCE) is None
    assert stage.lease("two") is None
    asyncio.run(stage.take(work))
    assert stage.take_all() == 1
    answered = [each.text for each in timeline(database, customer) if each.answers is not None]
    assert answered == ["re: Where is my order?", "re: and meanwhile?"]


def test_small_corrections_of_the_clock_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = clock.Clock()
    real = clock.time.time
    for step in range(1, 6):
        monkeypatch.setattr(clock.time, "time", lambda step=step: real() + step)
        ahead = steady.now().timestamp() - real()
    assert ahead == pytest.approx(5, abs=0.5)


def test_what_a_clock_ahead_has_put_off_is_not_waited_for(stage: Stage) -> None:
    """A machine started an hour ahead, wrote this, and its clock was set right."""
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    change(
        stage.database,
        conversation,
        turn_due_at=now() + timedelta(hours=1),
        leased_until=now() + timedelta(hours=1),
    )
    assert stage.next_turn()
    assert [each.author for each in timeline(stage.database, customer)] == ["customer", "assistant"]


def test_a_lease_of_a_machine_whose_clock_is_a_little_ahead_holds(stage: Stage) -> None:
    conversation = say(stage.database, new_customer(stage.database)).conversation_id
    change(stage.database, conversation, leased_until=now() + LEASE + MAX_DELAY / 2)
    assert stage.lease() is None
