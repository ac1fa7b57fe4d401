"""A customer is erased: everything that the record has of them, and their trackers.

It goes in small transactions, so that other customers' messages are not kept waiting. Already
the first one makes the customer unreachable: no token, no address, no turn, no place in the
agents' queue. What is cut short can be repeated, and a worker repeats it by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Act, Owner, after
from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Message,
    Turn,
    VisitorToken,
)
from bot.errors import NotFound, Unavailable
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.keeping import leftovers
from bot.keeping.belongings import (
    MAX_MESSAGES,
    leave_over,
    remove_belongings,
    remove_conversations,
    remove_customers,
    remove_messages,
)
from bot.keeping.trackers import Trackers

RECENTLY = timedelta(minutes=1)
"""Of a conversation in which something was written so lately Rasa may be writing a tracker."""

TRIES = 3
"""Of one transaction."""


@dataclass(frozen=True)
class Erased:
    """What came of an erasure; the record has nothing of the customer any more."""

    trackers_left: int
    """Redis did not answer: so many trackers are still to be removed."""
    is_settling: bool
    """A turn was running: its tracker is removed once more by a worker, in a minute."""


def find(
    database: Database,
    customer_id: str = "",
    external_id: str = "",
    address: tuple[str, str] | None = None,
) -> str:
    """The id of the customer that is meant.

    Args:
        external_id: the shop's own id of them.
        address: a channel, and their id there.

    Raises:
        NotFound: there is none.
    """
    with database.read() as session:
        if customer_id:
            found = session.get(Customer, customer_id)
            meant, named = (found.id if found else None), f"with the id {customer_id}"
        elif external_id:
            by_shop = select(Customer.id).where(Customer.external_id == external_id)
            meant, named = session.scalar(by_shop), f"whom the shop knows as {external_id}"
        else:
            assert address is not None
            at = session.get(Address, address)
            meant, named = (at.customer_id if at else None), f"at {':'.join(address)}"
    if meant is None:
        raise NotFound(f"There is no customer {named}; perhaps they are erased already.")
    return meant


def holdings(database: Database, customer_id: str) -> dict[str, int]:
    """How many rows the record has of a customer, by what they are."""
    tables: dict[str, ColumnElement[bool]] = {
        "tokens": VisitorToken.customer_id == customer_id,
        "addresses": Address.customer_id == customer_id,
        "conversations": Conversation.customer_id == customer_id,
        "messages": Message.customer_id == customer_id,
        "purchases": Purchase.customer_id == customer_id,
        "enrolments": Enrolment.customer_id == customer_id,
        "tips to come": (Step.customer_id == customer_id) & (Step.state == "due"),
    }
    with database.read() as session:
        return {
            name: session.scalar(select(func.count()).where(where)) or 0
            for name, where in tables.items()
        }


def erase(database: Database, customer_id: str, trackers: Trackers) -> Erased:
    """Erase a customer; for one who is erased already, the trackers that were left over.

    Raises:
        NotFound: there is no such customer, and nothing is left over of them.
        Unavailable: the database does not answer. What was begun can be repeated.
    """
    busy: set[str] = set()
    existed = False
    while (more := _remove_some_or_retry(database, customer_id, busy)) is not None:
        existed = True
        if not more:
            break
    left = leftovers.of_customer(database, customer_id)
    if not existed and not left:
        raise NotFound(
            f"There is no customer with the id {customer_id}; perhaps they are erased already."
        )
    try:
        leftovers.remove(database, trackers, left, [each for each in left if each not in busy])
    except Unavailable:
        # The record has forgotten, and a worker removes them when Redis is back.
        return Erased(trackers_left=len(left), is_settling=bool(busy))
    return Erased(trackers_left=0, is_settling=bool(busy))


def _remove_some_or_retry(database: Database, customer_id: str, busy: set[str]) -> bool | None:
    """As `_remove_some`, which may meet a sweep the other way round: then one of them fails."""
    for _ in range(TRIES - 1):
        try:
            return _remove_some(database, customer_id, busy)
        except Unavailable:
            continue
    return _remove_some(database, customer_id, busy)


def _remove_some(database: Database, customer_id: str, busy: set[str]) -> bool | None:
    """One transaction of an erasure; whether there is more, or None without such a customer.

    Args:
        busy: conversations whose trackers may be written at this moment are added to it.
    """
    with database.write("erase") as session:
        # Before the customer, as the sender of tips does, so that neither waits for the other.
        session.scalars(
            select(Step.id).where(Step.customer_id == customer_id).with_for_update()
        ).all()
        customer = session.scalars(
            select(Customer).where(Customer.id == customer_id).with_for_update()
        ).one_or_none()
        if customer is None:
            return None
        conversations = session.scalars(
            select(Conversation)
            .where(Conversation.customer_id == customer_id)
            .order_by(Conversation.opened_at)
            .with_for_update()
        ).all()
        busy |= {
            each.id
            for each in conversations
            if each.leased_until is not None or each.last_message_at > now() - RECENTLY
        }
        _silence(session, customer, conversations)
        removed, emptied = remove_messages(session, conversations, MAX_MESSAGES)
        if removed == MAX_MESSAGES:
            return True
        remove_conversations(session, emptied, is_erasure=True)
        remove_customers(session, [customer_id])
        return False


def _silence(session: Session, customer: Customer, conversations: Sequence[Conversation]) -> None:
    """Nobody can write as the customer, answer them or find them any more."""
    remove_belongings(session, [customer.id])
    customer.external_id = None
    ids = [each.id for each in conversations]
    session.execute(delete(Handoff).where(Handoff.conversation_id.in_(ids)))
    session.execute(
        update(Message)
        .where(Message.conversation_id.in_(ids), Message.pending)
        .values(pending=False)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Turn)
        .where(Turn.conversation_id.in_(ids), Turn.state.in_(("open", "dead")))
        .values(state="dropped", ended_at=now())
        .execution_options(synchronize_session=False)
    )
    for each in conversations:
        if each.owner != Owner.CLOSED:
            each.owner = after(Owner(each.owner), Act.CLOSE)
        each.context = {}
        each.turn_due_at = each.leased_until = None
        each.lease_token += 1  # a worker that is in its turn can write nothing
    leave_over(session, conversations, is_erasure=True)
