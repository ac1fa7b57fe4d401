"""What is older than the retention is removed, the oldest first, a little at a time.

A customer's conversations go in their order, and messages in theirs, so what is left of a
customer is always the end of what they saw, numbered without gaps. Every transaction locks
the customers that it touches and passes over those whom somebody else has locked: nobody waits
for it, and several workers can do it at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, takewhile
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select, text, tuple_, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database, UtcDateTime
from bot.conversations.ownership import Owner
from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Message,
    Turn,
    VisitorToken,
)
from bot.conversations.timeline import WEB_CHAT
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase
from bot.keeping import belongings
from bot.keeping.belongings import MAX_MESSAGES, remove_messages

BATCH = 100
"""Conversations or customers of one transaction."""
MAX_TRACES = 200
"""Traces of one transaction."""


@dataclass(frozen=True)
class Place:
    """How far a sweep has come: the time and id of the last row that it has looked at."""

    at: datetime
    id: str


@dataclass(frozen=True)
class Swept:
    """What one transaction of a sweep has done."""

    conversations: int = 0
    messages: int = 0
    customers: int = 0
    place: Place | None = None
    """Where the next one begins; None: at the beginning."""
    more: bool = False
    """Whether there has to be a next one."""


def remove_conversations(database: Database, before: datetime, place: Place | None) -> Swept:
    """Remove conversations in which nothing was said since `before`.

    One that a human has or should have stays, as does one with a message that waits for its
    turn or is still to be sent; the same customer's later ones wait for it.
    """
    old = (
        select(Conversation.id, Conversation.opened_at, Conversation.customer_id)
        # By the time of opening, which never changes: an index of it costs a message nothing.
        .where(Conversation.opened_at < before, Conversation.last_message_at < before)
        .order_by(Conversation.opened_at, Conversation.id)
        .limit(BATCH)
    )
    if place is not None:
        old = old.where(tuple_(Conversation.opened_at, Conversation.id) > _behind(place))
    with database.read() as session:  # without the writer's lock
        found = session.execute(old).all()
    if not found:
        return Swept()
    end = Place(found[-1].opened_at, found[-1].id)
    with database.write("retention") as session:
        locked = _lock(session, {row.customer_id for row in found})
        messages, emptied = remove_messages(
            session, _removable(session, locked, before), MAX_MESSAGES
        )
        belongings.remove_conversations(session, emptied, is_erasure=False)
        if messages == MAX_MESSAGES:  # there may be more: once more from the same place
            return Swept(len(emptied), messages, place=place, more=True)
        customers = _remove_strangers(session, locked, before)
        return Swept(len(emptied), messages, customers, end, more=True)


def remove_customers(database: Database, before: datetime, place: Place | None) -> Swept:
    """Remove customers from before that time of whom nothing is left but their token.

    They opened the chat and never wrote; others go together with their last conversation.
    """
    old = (
        select(Customer.id, Customer.created_at)
        .where(_is_stranger(before))
        .order_by(Customer.created_at, Customer.id)
        .limit(BATCH)
    )
    if place is not None:
        old = old.where(tuple_(Customer.created_at, Customer.id) > _behind(place))
    with database.read() as session:
        found = session.execute(old).all()
    if not found:
        return Swept()
    with database.write("retention") as session:
        removed = _remove_strangers(session, _lock(session, {row.id for row in found}), before)
    end = Place(found[-1].created_at, found[-1].id)
    return Swept(customers=removed, place=end, more=True)


def empty_traces(database: Database, before: datetime) -> int:
    """Empty the traces and problems of turns that began before that time; the rows stay.

    Returns:
        How many, at most `MAX_TRACES`.
    """
    # As the index has it, word for word, or it is not used.
    kept = "(trace != '{}' OR problem IS NOT NULL)"
    if not database.is_sqlite:
        kept = kept.replace("(trace ", "(trace::text ")
    old = (
        select(Turn.id)
        .where(text(kept), Turn.begun_at < before, Turn.state != "open")
        .order_by(Turn.begun_at)
        .limit(MAX_TRACES)
    )
    with database.read() as session:
        if session.scalars(old.limit(1)).one_or_none() is None:
            return 0
    with database.write("trace_retention") as session:
        emptied = session.execute(
            update(Turn)
            .where(Turn.id.in_(old.with_for_update(skip_locked=True)))
            .values(trace={}, problem=None)
            .returning(Turn.id)
            .execution_options(synchronize_session=False)
        )
        return len(emptied.all())


def _behind(place: Place) -> ColumnElement[Any]:
    return tuple_(literal(place.at, UtcDateTime()), place.id)


def _lock(session: Session, customer_ids: set[str]) -> Sequence[str]:
    """Those of the customers who exist and whom nobody else has locked."""
    return session.scalars(
        select(Customer.id)
        .where(Customer.id.in_(customer_ids))
        .order_by(Customer.id)
        .with_for_update(skip_locked=True)
    ).all()


def _removable(
    session: Session, customer_ids: Sequence[str], before: datetime
) -> Iterator[Conversation]:
    """Of each locked customer the first conversations, up to one that has to stay."""
    rows = session.execute(
        select(Conversation, and_(Conversation.last_message_at < before, _is_idle(), ~_is_owed()))
        .where(Conversation.customer_id.in_(customer_ids), Conversation.opened_at < before)
        .order_by(Conversation.customer_id, Conversation.opened_at, Conversation.id)
    ).all()
    for _, of_one in groupby(rows, lambda row: row[0].customer_id):
        yield from (row[0] for row in takewhile(lambda row: row[1], of_one))


def _is_idle() -> ColumnElement[bool]:
    """Neither a human nor a worker has a conversation, or should have."""
    return and_(
        Conversation.owner.in_((Owner.ASSISTANT, Owner.CLOSED)),
        Conversation.turn_due_at.is_(None),
        Conversation.leased_until.is_(None),
    )


def _is_owed() -> ColumnElement[bool]:
    """Something in a conversation is still to be answered or sent.

    Not what waits for a web page that was closed: it would wait for ever.
    """
    of_it = Message.conversation_id == Conversation.id
    return or_(
        exists().where(of_it, Message.pending),
        exists().where(Turn.conversation_id == Conversation.id, Turn.state == "open"),
        exists().where(Handoff.conversation_id == Conversation.id, Handoff.resolved_at.is_(None)),
        exists().where(
            of_it,
            Delivery.message_id == Message.id,
            Delivery.channel != WEB_CHAT,
            Delivery.state.in_(("pending", "attempting")),
        ),
    )


def _remove_strangers(session: Session, customer_ids: Sequence[str], before: datetime) -> int:
    """Remove those of locked customers of whom nothing is left."""
    found = session.scalars(
        select(Customer.id).where(Customer.id.in_(customer_ids), _is_stranger(before))
    ).all()
    belongings.remove_customers(session, found)
    return len(found)


def _is_stranger(before: datetime) -> ColumnElement[bool]:
    """Nothing is left of a customer, and nothing of them is newer than that time."""
    customer = Customer.id
    return and_(
        Customer.created_at < before,
        ~exists().where(Conversation.customer_id == customer),
        ~exists().where(Purchase.customer_id == customer),
        ~exists().where(Enrolment.customer_id == customer),
        ~exists().where(VisitorToken.customer_id == customer, VisitorToken.created_at >= before),
        ~exists().where(Address.customer_id == customer, Address.created_at >= before),
    )
