"""What many tests begin with: customers, messages, conversations that wait, agents."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import select

from bot.conversations.customers import new_visitor
from bot.conversations.database import Database
from bot.conversations.intake import Accepted, accept, incoming
from bot.conversations.tables import Conversation, Message
from bot.conversations.timeline import lock_customer, messages_after
from bot.handoff import queue
from bot.handoff.tables import Agent
from bot.messages import HandoffRequest
from bot.settings import ROOT

SILENCE = timedelta(hours=12)
KNOWLEDGE_BASE = ROOT / "knowledge_base"
JOURNEYS = ROOT / "journeys"

T = TypeVar("T")
A = TypeVar("A")


def new_customer(database: Database, language: str = "en") -> str:
    return new_visitor(database, language).customer_id


def say(
    database: Database,
    customer_id: str,
    text: str = "Where is my order?",
    language: str | None = None,
) -> Accepted:
    """A customer's message with an id of its own."""
    return accept(database, incoming(customer_id, uuid4().hex, text, language), SILENCE)


def timeline(database: Database, customer_id: str) -> Sequence[Message]:
    with database.read() as session:
        return messages_after(session, customer_id, 0)


def conversation_of(database: Database, conversation_id: str) -> Conversation:
    with database.read() as session:
        return session.get_one(Conversation, conversation_id)


def conversations(database: Database, customer_id: str) -> Sequence[Conversation]:
    with database.read() as session:
        return session.scalars(
            select(Conversation).where(Conversation.customer_id == customer_id)
        ).all()


def change(database: Database, conversation_id: str, **columns: object) -> None:
    """Set what only time or a crash would set."""
    with database.write("test") as session:
        conversation = session.get_one(Conversation, conversation_id)
        for name, value in columns.items():
            setattr(conversation, name, value)


def add_agent(database: Database, name: str = "agent") -> str:
    """An agent who never signs in; hashing a password takes long."""
    agent = Agent(email=f"{uuid4().hex}@example.test", name=name, password_hash="-")
    with database.write("test") as session:
        session.add(agent)
    return agent.id


def waiting(database: Database, language: str = "en", reason: str = "asked_for_human") -> Accepted:
    """A conversation with one message of its customer, in the queue."""
    accepted = say(database, new_customer(database, language), "A person, please")
    with database.write("test") as session:
        conversation = session.get_one(Conversation, accepted.conversation_id)
        customer = lock_customer(session, conversation.customer_id)
        session.refresh(conversation)
        queue.request(session, customer, conversation, HandoffRequest(reason), ())
        session.get_one(Message, accepted.message_id).pending = False  # its turn has ended
        conversation.turn_due_at = None
    return accepted


def at_once(work: Callable[[A], T], items: Sequence[A], threads: int = 20) -> list[T | Exception]:
    """Results or errors of doing something with every item at the same time."""

    def attempt(item: A) -> T | Exception:
        try:
            return work(item)
        except Exception as error:  # noqa: BLE001  given back to the test
            return error

    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(attempt, items))


def successes(results: Sequence[T | Exception]) -> list[T]:
    """All results, none of which may be an error."""
    for each in results:
        if isinstance(each, Exception):
            raise each
    return [each for each in results if not isinstance(each, Exception)]
