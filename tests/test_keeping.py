"""What is older than the retention is removed, and nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, event, select, text

from bot.conversations.database import Base, Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Customer, Delivery, Message, Turn
from bot.conversations.timeline import messages_after
from bot.errors import UnknownCustomer, WrongSetting
from bot.journeys.tips import send_next
from bot.keeping import retention, sweeping
from bot.keeping.belongings import MAX_MESSAGES
from bot.keeping.retention import BATCH, Place, Swept
from bot.keeping.sweeping import Keeping
from bot.keeping.tables import Leftover
from bot.settings import load_settings
from tests.lives import Life, full_life, identifiers, newcomer, rows_of
from tests.players import Stage
from tests.scenes import SILENCE, at_once, change, say, successes, timeline
from tests.test_tips import buy

DAY = timedelta(days=1)
MONTH = timedelta(days=30)


def sweep(
    database: Database,
    days: int = 30,
    trace_days: int = 0,
    clock: Callable[[], datetime] = now,
) -> Swept:
    settings = load_settings(
        _env_file=None,
        retention_days=days,
        trace_retention_days=trace_days,
        redis_url="redis://127.0.0.1:1/0",
    )
    return asyncio.run(Keeping(database, settings, clock).sweep())


def kept(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(Conversation.id)))


def customers(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(Customer.id)))


def seqs(life: Life) -> list[int]:
    return [each.seq for each in timeline(life.database, life.id)]


def ended(life: Life, ago: timedelta) -> str:
    """A conversation that ended so long ago."""
    conversation = life.talk()
    life.close(conversation, ago)
    return conversation


def test_without_a_setting_everything_is_kept_for_ever(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    old = ended(life, 10_000 * DAY)
    assert sweep(database, days=0) == Swept()
    assert kept(database) == {old}


@pytest.mark.parametrize(("seconds", "stays"), [(1, True), (-1, False)])
def test_a_conversation_goes_when_nothing_was_said_for_so_long(
    database: Database, seconds: int, stays: bool
) -> None:
    conversation = newcomer(database, "zebrafish").talk()
    with database.read() as session:
        last = session.get_one(Conversation, conversation).last_message_at
    sweep(database, clock=lambda: last + MONTH - timedelta(seconds=seconds))
    assert (conversation in kept(database)) is stays


def test_all_that_belongs_to_a_removed_conversation_goes_with_it(database: Database) -> None:
    life, other = full_life(database, "zebrafish"), full_life(database, "capybara")
    second = life.conversations[1]
    for each in (life, other):
        with database.write("test") as session:  # the human is done
            session.execute(text("UPDATE handoffs SET resolved_at = requested_at"))
        each.close(each.conversations[0], 80 * DAY)
    life.close(second, 80 * DAY)
    words = [each for each in identifiers(life) if each not in (life.id, life.word)]
    others = [each for each in identifiers(other) if each != other.word]
    before = rows_of(database, others)

    swept = sweep(database)

    assert swept.conversations == 3
    assert {table for table, _ in rows_of(database, words)} == {"leftovers"}
    # Purchases stay: what the customer owns is known, and steps to come are sent.
    mine = {table for table, _ in rows_of(database, [life.id])}
    assert {"customers", "purchases", "enrolments", "steps", "visitor_tokens"} <= mine
    assert not {"messages", "conversations", "turns", "deliveries", "judgements"} & mine
    left = rows_of(database, others)
    assert all((table, row) in before for table, row in left if table not in {"leftovers", "steps"})


@pytest.mark.parametrize(
    "columns",
    [
        {"owner": Owner.WAITING},
        {"owner": Owner.AGENT},
        {"owner": Owner.ASSISTANT, "turn_due_at": now()},
        {"owner": Owner.ASSISTANT, "leased_until": now()},
    ],
)
def test_a_conversation_that_somebody_has_stays(
    database: Database, columns: dict[str, object]
) -> None:
    life = newcomer(database, "zebrafish")
    conversation = ended(life, 80 * DAY)
    change(database, conversation, **columns)
    assert sweep(database) == Swept()
    assert kept(database) == {conversation}


@pytest.mark.parametrize("owed", ["pending", "open turn", "undelivered"])
def test_a_conversation_that_owes_something_stays(database: Database, owed: str) -> None:
    life = newcomer(database, "zebrafish")
    conversation = ended(life, 80 * DAY)
    with database.write("test") as session:
        if owed == "pending":
            message = session.scalars(select(Message).where(Message.author == "customer")).one()
            message.pending = True
        elif owed == "open turn":
            session.scalars(select(Turn)).one().state = "open"
        else:
            delivery = session.scalars(select(Delivery)).one()
            delivery.channel, delivery.state = "line", "pending"
    assert sweep(database) == Swept()
    assert kept(database) == {conversation}


def test_what_a_closed_web_page_never_fetched_does_not_keep_a_conversation(
    database: Database,
) -> None:
    life = newcomer(database, "zebrafish")
    ended(life, 80 * DAY)
    with database.read() as session:
        assert session.scalars(select(Delivery.state)).all() != ["delivered"]
    assert sweep(database).conversations == 1


def test_numbers_of_what_is_left_have_no_gap_and_go_on(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    old, newer = ended(life, 80 * DAY), ended(life, 2 * DAY)
    sweep(database)
    assert kept(database) == {newer}
    assert seqs(life) == [3, 4]
    assert say(database, life.id).seq == 5
    with database.read() as session:  # a page that has seen the first two, or one
        assert [each.seq for each in messages_after(session, life.id, 2)] == [3, 4, 5]
        assert [each.seq for each in messages_after(session, life.id, 1)] == [3, 4, 5]
    assert old not in kept(database)


def test_later_conversations_wait_for_one_that_has_to_stay(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    first, second = ended(life, 90 * DAY), ended(life, 80 * DAY)
    with database.write("test") as session:
        session.get_one(Conversation, first).turn_due_at = now()
    assert sweep(database) == Swept()
    assert kept(database) == {first, second}
    change(database, first, turn_due_at=None)
    assert sweep(database).conversations == 2


def test_many_conversations_of_many_customers_go_in_one_sweep(database: Database) -> None:
    lives = [newcomer(database, f"animal {number}") for number in range(BATCH // 2 + 1)]
    with database.write("test") as session:
        for life in lives:
            session.get_one(Customer, life.id).last_seq = 6
            for n in range(3):
                conversation = Conversation(
                    id=f"{life.id[:30]}-{n}",
                    customer_id=life.id,
                    channel="web_chat",
                    language="en",
                    owner=Owner.CLOSED,
                    opened_at=now() - (90 - n) * DAY,
                    last_message_at=now() - (90 - n) * DAY,
                )
                session.add(conversation)
                session.flush()
                session.add_all(
                    Message(
                        conversation_id=conversation.id,
                        customer_id=life.id,
                        seq=seq,
                        author="customer",
                        text=life.word,
                    )
                    for seq in (2 * n + 1, 2 * n + 2)
                )
    swept = sweep(database)
    assert (swept.conversations, swept.messages) == (3 * len(lives), 6 * len(lives))
    assert kept(database) == set()
    assert customers(database) == {life.id for life in lives}  # they came today


def test_a_very_long_conversation_goes_piece_by_piece_from_its_beginning(
    database: Database,
) -> None:
    life = newcomer(database, "zebrafish")
    conversation = life.talk()
    with database.write("test") as session:
        session.add_all(
            Message(
                conversation_id=conversation,
                customer_id=life.id,
                seq=seq,
                author="customer",
                text="zebrafish",
            )
            for seq in range(3, MAX_MESSAGES + 11)
        )
    life.close(conversation, 80 * DAY)
    swept = retention.remove_conversations(database, now() - MONTH, None)
    assert swept == Swept(0, MAX_MESSAGES, place=None, more=True)
    assert seqs(life) == list(range(MAX_MESSAGES + 1, MAX_MESSAGES + 11))
    assert sweep(database).conversations == 1
    assert seqs(life) == []


def test_a_customer_of_whom_nothing_is_left_goes_too(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    ended(life, 80 * DAY)
    life.be_old(80 * DAY)
    assert sweep(database).customers == 1
    assert customers(database) == set()
    with pytest.raises(UnknownCustomer):
        say(database, life.id)


def test_a_visitor_who_never_wrote_goes_after_the_retention(database: Database) -> None:
    old, new = newcomer(database, "zebrafish"), newcomer(database, "capybara")
    old.be_old(MONTH + DAY)
    new.be_old(MONTH - DAY)
    assert sweep(database) == Swept(customers=1)
    assert customers(database) == {new.id}


def test_a_customer_with_a_purchase_or_with_a_new_token_stays(database: Database) -> None:
    buyer, returned = newcomer(database, "zebrafish"), newcomer(database, "capybara", "shop-1")
    buy(database, buyer.id)
    for each in (buyer, returned):
        each.be_old(80 * DAY)
    newcomer(database, "capybara", "shop-1")  # on another device, today
    assert sweep(database) == Swept()
    assert customers(database) == {buyer.id, returned.id}


def test_a_sent_tip_goes_with_its_conversation_and_its_step_stays(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    buy(database, life.id, steps=1)
    assert send_next(database, SILENCE) is not None
    (conversation,) = kept(database)
    life.close(conversation, 80 * DAY)
    assert sweep(database).conversations == 1
    assert {table for table, _ in rows_of(database, [life.id])} >= {"steps", "enrolments"}
    assert send_next(database, SILENCE) is None


@pytest.mark.parametrize("state", ["done", "dead", "dropped"])
def test_old_traces_are_emptied_and_their_turns_stay(database: Database, state: str) -> None:
    life = newcomer(database, "zebrafish")
    old, new = life.talk("the zebrafish of old"), life.talk("a new zebrafish")
    assert old == new
    with database.write("test") as session:
        turn = session.scalars(select(Turn).order_by(Turn.last_seq)).first()
        assert turn is not None
        turn.begun_at, turn.state, turn.problem = now() - 91 * DAY, state, "no zebrafish"
    sweep(database, days=0, trace_days=90)
    with database.read() as session:
        first, second = session.scalars(select(Turn).order_by(Turn.last_seq))
    assert (first.trace, first.problem, first.state) == ({}, None, state)
    assert "a new zebrafish" in second.trace["match"]["question"]
    assert seqs(life) == [1, 2, 3, 4]
    assert retention.empty_traces(database, now() - 90 * DAY) == 0


def test_the_trace_of_an_open_turn_is_not_touched(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    say(database, life.id)
    assert Stage(database).lease() is not None
    with database.write("test") as session:
        turn = session.scalars(select(Turn)).one()
        turn.begun_at, turn.problem = now() - 91 * DAY, "Rasa does not answer"
    sweep(database, days=0, trace_days=90)
    with database.read() as session:
        assert session.scalars(select(Turn.problem)).one() == "Rasa does not answer"


def test_a_customer_who_is_locked_is_passed_over(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite locks no rows: writers wait for each other")
    locked, other = newcomer(database, "zebrafish"), newcomer(database, "capybara")
    mine = ended(locked, 80 * DAY)
    ended(other, 80 * DAY)
    with database.engine.connect() as connection:
        connection.execute(
            text("SELECT 1 FROM customers WHERE id = :id FOR NO KEY UPDATE"), {"id": locked.id}
        )
        assert sweep(database).conversations == 1
    assert kept(database) == {mine}


def test_several_workers_can_sweep_at_once(database: Database) -> None:
    lives = [newcomer(database, f"animal {number}") for number in range(12)]
    for life in lives:
        ended(life, 90 * DAY)
        life.be_old(90 * DAY)
    results = successes(at_once(lambda _: sweep(database), range(4)))
    sweep(database)  # whom all have passed over
    assert sum(each.messages for each in results) <= 24
    assert kept(database) == set()
    assert customers(database) == set()


def test_customers_who_write_during_a_sweep_lose_nothing(database: Database) -> None:
    lives = [newcomer(database, f"animal {number}") for number in range(10)]
    for life in lives:
        ended(life, 90 * DAY)

    def act(number: int) -> int:
        if number == 0:
            return sweep(database).conversations
        return say(database, lives[number].id, "Hello again").seq

    successes(at_once(act, range(10)))
    sweep(database)  # whom the first one has passed over
    for life in lives[1:]:
        (message,) = timeline(database, life.id)
        assert (message.text, message.seq) == ("Hello again", 3)


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_a_sweep_that_is_killed_is_taken_up_by_the_next_one(
    database: Database, tmp_path: Path, moment: str
) -> None:
    life = newcomer(database, "zebrafish")
    ended(life, 90 * DAY)
    (tmp_path / f"retention.{moment}").write_text("SIGKILL")
    script = (
        "import sys; from bot.conversations.database import Base, Database, now;"
        "from bot.keeping import retention; from datetime import timedelta;"
        "before = now() - timedelta(days=30);"
        "retention.remove_conversations(Database(sys.argv[1]), before, None)"
    )
    url = database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", script, url],
        env={"PATH": os.environ["PATH"], "USHER_FAULTS": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert seqs(life) == ([1, 2] if moment == "before_commit" else [])
    assert sweep(database).messages == (2 if moment == "before_commit" else 0)
    assert kept(database) == set()


def test_whatever_refers_to_what_is_removed_is_found_by_an_index() -> None:
    """Or each removed row would cost a look at every row of the table that refers to it."""
    for table in Base.metadata.sorted_tables:
        found = {
            next(iter(each.columns)).name
            for each in table.constraints
            if isinstance(each, UniqueConstraint | PrimaryKeyConstraint)
        }
        found |= {
            next(iter(each.columns)).name
            for each in table.indexes
            if each.dialect_options["sqlite"]["where"] is None
        }
        for key in table.foreign_keys:
            if key.column.table.name != "agents":  # they stay
                assert key.parent.name in found, f"{table.name}.{key.parent.name} has no index"


def test_the_look_for_old_traces_uses_its_index(database: Database) -> None:
    """A query that differs from the index by a word would read millions of rows."""
    statements: list[str] = []

    def listen(*args: object) -> None:
        statements.append(str(args[2]))

    event.listen(database.engine, "before_cursor_execute", listen)
    retention.empty_traces(database, now())
    (statement,) = [each for each in statements if "trace" in each]
    where = statement.split("WHERE")[1].split(" AND turns.begun_at")[0].strip()
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        query = f"{explain} SELECT id FROM turns WHERE {where} AND begun_at < '2026-01-01'"
        plan = str(connection.execute(text(query)).all())
    assert "traces_kept" in plan


def test_a_place_is_passed_and_not_looked_at_again(database: Database) -> None:
    life = newcomer(database, "zebrafish")
    conversation = ended(life, 90 * DAY)
    place = Place(now() - 89 * DAY, "")
    assert retention.remove_conversations(database, now() - MONTH, place) == Swept()
    assert kept(database) == {conversation}


@pytest.mark.parametrize("name", ["retention_days", "trace_retention_days"])
def test_a_negative_retention_is_refused(name: str) -> None:
    with pytest.raises(WrongSetting, match=f"USHER_{name.upper()}"):
        load_settings(_env_file=None, **{name: -1})


async def _run_until(keeping: Keeping, done: Callable[[], bool]) -> None:
    running = asyncio.create_task(keeping.run())
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110  the record tells, and it has no events
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def test_a_worker_sweeps_by_itself_and_goes_on_when_redis_is_down(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sweeping, "SWEEP_SECONDS", 0.01)
    first, second = newcomer(database, "zebrafish"), newcomer(database, "capybara")
    ended(first, 90 * DAY)
    settings = load_settings(_env_file=None, retention_days=30, redis_url="redis://127.0.0.1:1/0")

    def all_gone() -> bool:
        return not kept(database)

    asyncio.run(_run_until(Keeping(database, settings), all_gone))
    with database.write("test") as session:  # it is high time, and Redis does not answer
        session.scalars(select(Leftover)).one().removed_at = now() - DAY
    ended(second, 90 * DAY)
    asyncio.run(_run_until(Keeping(database, settings), all_gone))
