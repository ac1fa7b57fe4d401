"""The record: customers, conversations, messages, turns, deliveries, judgements."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bot.conversations.database import Base, UtcDateTime, now


def new_id() -> str:
    return uuid4().hex


class Customer(Base):
    """A person who writes to us; `last_seq` numbers everything that they see."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    external_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    """The shop's own id of this customer."""
    language: Mapped[str] = mapped_column(String(8))
    """What we speak with them; a wish of theirs outlives the page's language."""
    page_language: Mapped[str | None] = mapped_column(String(8))
    """Of the page that they wrote from last, when it was told."""
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    seen_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    tips_stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the customer has said that they want no tips; none while they may be sent."""


class VisitorToken(Base):
    """A bearer token of the chat API; only its hash is kept."""

    __tablename__ = "visitor_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Address(Base):
    """Where a customer is reached on a channel: their id at the vendor."""

    __tablename__ = "addresses"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    address: Mapped[str] = mapped_column(String(255), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Conversation(Base):
    """Messages of one customer without a long silence; its id is Rasa's sender id."""

    __tablename__ = "conversations"
    __table_args__ = (
        # Ten simultaneous first messages open one conversation.
        Index(
            "one_open_conversation",
            "customer_id",
            unique=True,
            sqlite_where=text("owner != 'closed'"),
            postgresql_where=text("owner != 'closed'"),
        ),
        # Every message changes its conversation three times: as few indexes as can be.
        Index(
            "due_conversations",
            "turn_due_at",
            sqlite_where=text("turn_due_at IS NOT NULL"),
            postgresql_where=text("turn_due_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    channel: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(8))
    owner: Mapped[str] = mapped_column(String(16))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    last_message_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    tracker_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """The last message that the assistant's tracker is known to hold."""
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the next turn has to know of the last one, see `bot.messages.Context`."""
    turn_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a worker should take the next turn; none while nothing is pending."""
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_by: Mapped[str | None] = mapped_column(String(255))


class Message(Base):
    """One thing said; `seq` is without gaps for each customer."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("customer_id", "seq"),
        UniqueConstraint("customer_id", "client_message_id"),
        Index("messages_of_conversation", "conversation_id", "seq"),
        Index(
            "pending_messages",
            "conversation_id",
            "seq",
            sqlite_where=text("pending = 1"),
            postgresql_where=text("pending"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    author: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    buttons: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the tracker has to know of it: of a tip its product and what it asks."""
    match: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Of a customer's message: outcome, confidence and candidates of its turn."""
    client_message_id: Mapped[str | None] = mapped_column(String(128))
    body_hash: Mapped[str | None] = mapped_column(String(64))
    answers: Mapped[str | None] = mapped_column(String(32))
    """Of an assistant's reply: the message whose turn produced it."""
    turn_id: Mapped[str | None] = mapped_column(String(32))
    """The turn that it was taken in, or that produced it. No foreign key: removing a turn
    would need an index that every message pays for."""
    pending: Mapped[bool] = mapped_column(default=False)
    """It waits for its turn to be done."""
    apologised: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Turn(Base):
    """The assistant's work on one or more pending messages, kept as its trace.

    Which messages belong to it is written when it begins, so that after a crash the same
    turn is resumed, whatever the customer has written since.
    """

    __tablename__ = "turns"
    __table_args__ = (
        Index(
            "one_open_turn",
            "conversation_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "dead_letters",
            "ended_at",
            sqlite_where=text("state = 'dead'"),
            postgresql_where=text("state = 'dead'"),
        ),
        Index("turns_of_conversation", "conversation_id", "last_seq"),
        Index(
            "traces_kept",
            "begun_at",
            sqlite_where=text("trace != '{}' OR problem IS NOT NULL"),
            postgresql_where=text("trace::text != '{}' OR problem IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    customer_id: Mapped[str] = mapped_column(String(32))
    """The conversation's, which holds it in the record."""
    last_seq: Mapped[int] = mapped_column(BigInteger)
    """Of its last message; the assistant knows the turn by it."""
    state: Mapped[str] = mapped_column(String(16), default="open")
    """`open`, `done`, `dead` (a dead letter) or `dropped`."""
    tries: Mapped[int] = mapped_column(default=0)
    """That failed."""
    problem: Mapped[str | None] = mapped_column(String(500))
    """Why the last try failed; never a customer's words."""
    trace: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was understood, what decided, and how long it took; see `bot.turns.trace`."""
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delivery(Base):
    """The intent to bring a message to the customer, committed together with it.

    A web page fetches its messages; to every other channel they are sent, see
    `bot.deliveries`.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_of_customer", "customer_id", "seq"),
        Index(
            "deliveries_to_send",
            "channel",
            "due_at",
            sqlite_where=text("state IN ('pending', 'attempting')"),
            postgresql_where=text("state IN ('pending', 'attempting')"),
        ),
        Index(
            "failed_deliveries",
            "updated_at",
            sqlite_where=text("state IN ('failed', 'unknown')"),
            postgresql_where=text("state IN ('failed', 'unknown')"),
        ),
        # The next one of a customer waits for those before it.
        Index(
            "unfinished_deliveries",
            "channel",
            "customer_id",
            "seq",
            sqlite_where=text("state IN ('pending', 'attempting')"),
            postgresql_where=text("state IN ('pending', 'attempting')"),
        ),
        Index(
            "deliveries_by_receipt",
            "channel",
            "receipt",
            sqlite_where=text("receipt IS NOT NULL"),
            postgresql_where=text("receipt IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(32))
    is_tip: Mapped[bool] = mapped_column(default=False)
    """A tip is sent at most once, everything else at least once."""
    state: Mapped[str] = mapped_column(String(16), default="pending")
    """`pending`, `attempting`, `sent`, `delivered`, `read`, `failed` or `unknown`."""
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    """When the next try may be made."""
    problem: Mapped[str | None] = mapped_column(String(500))
    """Why the last try failed."""
    receipt: Mapped[str | None] = mapped_column(String(255))
    """The vendor's id of what was sent."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)

    message: Mapped[Message] = relationship()


class ChannelLease(Base):
    """One sender at a time for each channel, in whichever worker: it alone keeps the limits."""

    __tablename__ = "channel_leases"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_by: Mapped[str | None] = mapped_column(String(255))


class Remark(Base):
    """An opinion that a customer has given when asked for it, for the team to read."""

    __tablename__ = "remarks"
    __table_args__ = (
        Index(
            "unread_remarks",
            "made_at",
            sqlite_where=text("read_at IS NULL"),
            postgresql_where=text("read_at IS NULL"),
        ),
    )

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    """The customer's message."""
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_by: Mapped[str | None] = mapped_column(String(32))
    """Id of the agent."""


class Judgement(Base):
    """What one person says: whether an article answers a customer's question."""

    __tablename__ = "judgements"
    __table_args__ = (
        UniqueConstraint("question_id", "judge", "article"),
        Index("judgements_by_time", "source", "judged_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    question_id: Mapped[str] = mapped_column(ForeignKey("messages.id"))
    """The customer's message that is to be answered."""
    article: Mapped[str] = mapped_column(String(100))
    """Empty: no article answers it. Not null, or the constraint would not hold for it."""
    is_right: Mapped[bool]
    source: Mapped[str] = mapped_column(String(16))
    """The kind of judge: `customer` or `agent`."""
    judge: Mapped[str] = mapped_column(String(32))
    """Id of that customer or agent."""
    judged_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
