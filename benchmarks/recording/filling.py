"""A record of any size: what months of customers would have left behind."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, text

from bot.conversations.database import Base, Database, now
from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Message,
    Turn,
    VisitorToken,
)
from bot.handoff.tables import Agent, Handoff
from bot.journeys.tables import Enrolment, Step

MESSAGES_EACH = 20
"""Of a usual conversation; half of them are the customer's."""
LONG_SHARE, LONG, LONGEST = 0.1, 400, 20_000
"""One conversation holds a tenth of everything, within these bounds."""
OPEN_HANDOFFS = 50
"""At every size: the queue is as long as the agents let it be."""
TO_SEND = 20
BATCH = 4000
TEXT = "Where is my order? It should have been here on Monday, and I am out on Thursday."
MATCH = {
    "outcome": "answer", "confidence": 0.93, "language": "en", "question": TEXT,
    "candidates": [{"article": "delivery-tracking", "title": "Track it", "probability": 0.93}],
}  # fmt: skip


@dataclass
class Filled:
    """What is in the record, to be asked for."""

    messages: int = 0
    customers: list[str] = field(default_factory=list)
    """With a usual conversation, open and owned by the assistant."""
    conversations: list[str] = field(default_factory=list)
    """Of these customers, in the same order."""
    longest: tuple[str, str, int] = ("", "", 0)
    """Customer, conversation and number of messages of the longest one."""


class Filler:
    """Adds to a record until it has so many messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chance = random.Random(0)
        self._at = now() - timedelta(minutes=5)
        self._agent = self._id()
        self.filled = Filled()
        self._write([(Agent, [{
            "id": self._agent, "email": "agent@example.test", "name": "Agent",
            "password_hash": "-", "created_at": self._at,
        }])])  # fmt: skip
        self._write_waiting()

    def fill(self, messages: int) -> Filled:
        """Add usual conversations, and one that is longer than all before."""
        left = messages - self.filled.messages
        long = min(max(LONG, int(messages * LONG_SHARE)), LONGEST)
        rows = _Rows()
        self.filled.longest = (*self._conversation(rows, long), long)
        for number in range((left - long) // MESSAGES_EACH):
            customer, conversation = self._conversation(rows, MESSAGES_EACH, number)
            self.filled.customers.append(customer)
            self.filled.conversations.append(conversation)
            if len(rows.of[Message]) > BATCH:
                self._write(rows.take())
        self._write(rows.take())
        self.filled.messages = messages
        self._analyse()
        return self.filled

    def _analyse(self) -> None:
        """What autovacuum does by itself a minute later."""
        if not self._database.is_sqlite:
            with self._database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("VACUUM ANALYZE"))

    def _write(self, tables: Sequence[tuple[type[Base], list[dict[str, Any]]]]) -> None:
        with self._database.write("fill") as session:
            for table, rows in tables:
                if rows:
                    session.execute(insert(table.__table__), rows)  # type: ignore[arg-type]

    def _id(self) -> str:
        return f"{self._chance.getrandbits(128):032x}"

    def _conversation(self, rows: "_Rows", messages: int, number: int = 1) -> tuple[str, str]:
        customer, conversation = self._id(), self._id()
        at = self._at
        rows.add(
            Customer, id=customer, language="en", last_seq=messages, seen_seq=messages // 2,
            created_at=at,
        )  # fmt: skip
        rows.add(VisitorToken, token_hash=self._id() * 2, customer_id=customer, created_at=at)
        rows.add(
            Conversation, id=conversation, customer_id=customer, channel="web_chat",
            language="en", owner="assistant", opened_at=at,
            last_message_at=at, tracker_seq=messages, lease_token=messages // 2,
        )  # fmt: skip
        for seq in range(1, messages, 2):
            self._exchange(rows, customer, conversation, seq)
        if number % 50 == 0:
            rows.add(
                Handoff, id=self._id(), conversation_id=conversation, reason="not_sure",
                candidates=[], requested_at=at, agent_id=self._agent, resolved_at=at,
            )  # fmt: skip
        if number % 10 == 1:
            enrolment = self._id()
            rows.add(
                Enrolment, id=enrolment, journey="brio", version="1", customer_id=customer,
                order_id=enrolment, entered_at=at,
            )  # fmt: skip
            for step in range(4):
                rows.add(
                    Step, id=self._id(), enrolment_id=enrolment, customer_id=customer,
                    number=step, texts={"en": "Well?"}, context={}, message_id=None,
                    due_at=at + timedelta(days=step), state="sent" if step == 0 else "due",
                )  # fmt: skip
        return customer, conversation

    def _exchange(self, rows: "_Rows", customer: str, conversation: str, seq: int) -> None:
        """A message of the customer, its turn, the reply and its delivery."""
        turn, asked, reply, at = self._id(), self._id(), self._id(), self._at
        common = {
            "conversation_id": conversation, "customer_id": customer, "turn_id": turn,
            "pending": False, "apologised": False, "created_at": at, "buttons": [], "context": {},
        }  # fmt: skip
        rows.add(
            Turn, id=turn, conversation_id=conversation, customer_id=customer, last_seq=seq,
            state="done", tries=0, begun_at=at, ended_at=at,
            trace={"messages": 1, "match": MATCH, "timings": {"waited": 3, "match": 30}},
        )  # fmt: skip
        rows.add(
            Message, **common, id=asked, seq=seq, author="customer", text=TEXT, sources=[],
            match=MATCH, client_message_id=f"customer:{asked}", body_hash=asked * 2, answers=None,
        )  # fmt: skip
        rows.add(
            Message, **common, id=reply, seq=seq + 1, author="assistant", text=TEXT, match=None,
            sources=[{"article": "delivery-tracking", "language": "en", "title": "Track it"}],
            client_message_id=None, body_hash=None, answers=asked,
        )  # fmt: skip
        rows.add(
            Delivery, id=self._id(), message_id=reply, customer_id=customer, seq=seq + 1,
            channel="web_chat", is_tip=False, due_at=at, updated_at=at, tries=0,
            state="delivered" if seq % 4 == 1 else "pending",
        )  # fmt: skip

    def _write_waiting(self) -> None:
        """Deliveries that are due and customers in the queue: as many at every size."""
        rows = _Rows()
        for number in range(TO_SEND):
            customer, _ = self._conversation(rows, 2)
            rows.add(
                Address, channel="webhook", address=f"{number}", customer_id=customer,
                created_at=self._at,
            )  # fmt: skip
            rows.of[Conversation][-1]["channel"] = rows.of[Delivery][-1]["channel"] = "webhook"
            rows.of[Delivery][-1]["state"] = "pending"
        for _ in range(OPEN_HANDOFFS):
            self._conversation(rows, 2, 0)
            rows.of[Conversation][-1]["owner"] = "waiting"
            rows.of[Handoff][-1] |= {"agent_id": None, "resolved_at": None}
        self.filled.messages = 2 * (TO_SEND + OPEN_HANDOFFS)
        self._write(rows.take())


class _Rows:
    """Rows of all tables, in an order in which they may be written."""

    TABLES = (
        Customer, VisitorToken, Address, Conversation, Turn, Message, Delivery, Handoff,
        Enrolment, Step,
    )  # fmt: skip

    def __init__(self) -> None:
        self.of: dict[type[Base], list[dict[str, Any]]] = {table: [] for table in self.TABLES}

    def add(self, table: type[Base], **columns: Any) -> None:
        self.of[table].append(columns)

    def take(self) -> list[tuple[type[Base], list[dict[str, Any]]]]:
        """All of them; afterwards there are none."""
        taken = list(self.of.items())
        self.of = {table: [] for table in self.TABLES}
        return taken


def sizes(largest: int) -> Iterator[int]:
    """1,000, 10,000, … messages."""
    size = 1000
    while size <= largest:
        yield size
        size *= 10
