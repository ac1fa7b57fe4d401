"""Customers of whom every table of the record has something, for tests of forgetting."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from sqlalchemy import select, update

import bot.handoff.tables
import bot.journeys.tables  # noqa: F401  all tables are looked through
from bot.conversations.customers import Visitor, new_visitor
from bot.conversations.database import Base, Database, now
from bot.conversations.feedback import judge_answer
from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Message,
    Remark,
    Turn,
    VisitorToken,
)
from bot.handoff import queue
from bot.handoff.tables import Handoff
from bot.journeys.tips import send_next
from bot.keeping.trackers import PREFIX
from bot.messages import HandoffRequest, Reply, Source, TurnResult
from tests.players import Stage
from tests.scenes import SILENCE, add_agent, conversations, say, timeline
from tests.test_tips import buy

SOURCE = Source("delivery-tracking", "en", "Track your order")
TIMES: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (Message, ("created_at",)),
    (Turn, ("begun_at", "ended_at")),
    (Conversation, ("opened_at", "last_message_at")),
    (VisitorToken, ("created_at",)),
    (Address, ("created_at",)),
)


@dataclass
class Life:
    """A customer, and a word that stands in everything they say and are told."""

    database: Database
    word: str
    visitor: Visitor
    conversations: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.visitor.customer_id

    def talk(self, text: str = "") -> str:
        """A question and its answer; gives the conversation."""
        accepted = say(self.database, self.id, text or f"Where is my {self.word}?")
        stage = Stage(self.database)

        async def act(asked: object) -> TurnResult:
            return TurnResult((Reply(f"Your {self.word} is coming.", sources=(SOURCE,)),))

        stage.assistant.act = act
        assert stage.next_turn()
        if accepted.conversation_id not in self.conversations:
            self.conversations.append(accepted.conversation_id)
        return accepted.conversation_id

    def ask_for_human(self, agent_id: str) -> str:
        """A conversation that an agent has and has answered."""
        accepted = say(self.database, self.id, f"A person for my {self.word}, please")
        stage = Stage(self.database)

        async def act(asked: object) -> TurnResult:
            return TurnResult((), HandoffRequest("not_sure"))

        stage.assistant.act = act
        assert stage.next_turn()
        queue.claim(self.database, accepted.conversation_id, agent_id)
        queue.reply(
            self.database, accepted.conversation_id, agent_id, "1", f"I see a {self.word}", SOURCE
        )
        return accepted.conversation_id

    def close(self, conversation_id: str, ago: timedelta) -> None:
        """Let the conversation have ended, and everything in it have happened, so long ago."""
        with self.database.write("test") as session:
            for kind, columns in TIMES:
                mine = kind.id if kind is Conversation else getattr(kind, "conversation_id", None)
                if mine is None:
                    continue
                session.execute(
                    update(kind)
                    .where(mine == conversation_id)
                    .values({each: now() - ago for each in columns})
                    .execution_options(synchronize_session=False)
                )
            session.get_one(Conversation, conversation_id).owner = "closed"

    def be_old(self, ago: timedelta) -> None:
        """Let the customer have come so long ago."""
        with self.database.write("test") as session:
            session.get_one(Customer, self.id).created_at = now() - ago
            for kind in (VisitorToken, Address):
                session.execute(
                    update(kind).where(kind.customer_id == self.id).values(created_at=now() - ago)
                )


def newcomer(database: Database, word: str, external_id: str | None = None) -> Life:
    return Life(database, word, new_visitor(database, "en", external_id))


def full_life(database: Database, word: str) -> Life:
    """A customer with something in every table, still talking to an agent.

    They have talked twice, bought and got a tip, judged an answer and been judged, and have a
    dead letter, another token and an address.
    """
    life = newcomer(database, word, f"{word}-at-the-shop")
    new_visitor(database, "en", f"{word}-at-the-shop")
    first = life.talk()
    answer = next(each for each in timeline(database, life.id) if each.sources)
    judge_answer(database, life.id, answer.seq, True)
    with database.write("test") as session:
        session.add(Address(channel="line", address=f"{word}-on-line", customer_id=life.id))
        dead = session.scalars(select(Turn).where(Turn.conversation_id == first)).one()
        dead.state, dead.problem = "dead", f"Rasa knows no {word}"
        receipt = session.scalars(select(Delivery).where(Delivery.customer_id == life.id)).first()
        assert receipt is not None
        receipt.receipt = f"{word}-receipt"
        asked = session.scalars(select(Message).where(Message.conversation_id == first)).first()
        assert asked is not None
        session.add(Remark(message_id=asked.id, conversation_id=first))
    life.close(first, timedelta(days=2))
    buy(database, life.id, steps=3, ago=timedelta(minutes=2))
    while send_next(database, SILENCE) is not None:
        pass
    second = life.ask_for_human(add_agent(database))
    life.conversations = [each.id for each in conversations(database, life.id)]
    assert {first, second} == set(life.conversations)
    return life


def remember(redis: Redis, life: Life) -> None:
    """A tracker of each conversation, as Rasa keeps it."""
    for conversation in life.conversations:
        tracker = {"sender_id": conversation, "events": [{"text": f"my {life.word}"}]}
        redis.set(PREFIX + conversation, json.dumps(tracker), ex=600)


def all_rows(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """Every row of every table, also of tables that are new to the record."""
    with database.read() as session:
        return [
            (table.name, dict(row))
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table)).mappings()
        ]


def mentions(database: Database, words: list[str]) -> set[str]:
    """`table.column` of every value that has one of the words in it."""
    return {
        f"{table}.{column}"
        for table, row in all_rows(database)
        for column, value in row.items()
        if any(word in _text(value) for word in words)
    }


def rows_of(database: Database, words: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Every row that has one of the words in it."""
    return [
        (table, row)
        for table, row in all_rows(database)
        if any(word in _text(value) for value in row.values() for word in words)
    ]


def identifiers(life: Life) -> list[str]:
    """Every id of a customer's, and their word."""
    kinds = (Conversation, Message, Turn, Delivery)
    with life.database.read() as session:
        found = [
            key
            for kind in kinds
            for key in session.scalars(select(kind.id).where(kind.customer_id == life.id))
        ]
        found += session.scalars(
            select(Handoff.id).where(Handoff.conversation_id.in_(life.conversations))
        )
    return [life.id, life.word, *found]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
