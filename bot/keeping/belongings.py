"""What belongs to a conversation or a customer, removed in the order that foreign keys allow.

Whoever calls these holds the customer's lock. A table that is new to the record and tells of a
customer has to be removed here and exported in `bot.keeping.exporting`; a test looks for what
was forgotten.
"""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Judgement,
    Message,
    Turn,
    VisitorToken,
)
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.keeping.tables import Leftover

MAX_MESSAGES = 500
"""The most messages that one transaction removes: so long others wait for the writer's lock."""

OF_CUSTOMER: Sequence[InstrumentedAttribute[str]] = (
    VisitorToken.customer_id,
    Address.customer_id,
    Step.customer_id,
    Enrolment.customer_id,
    Purchase.customer_id,
)
"""Which tables have a customer's rows besides conversations; steps before their enrolments."""


def remove_messages(session: Session, conversation_id: str, limit: int) -> int:
    """Remove the oldest messages of a conversation with all that hangs on them.

    Returns:
        How many there were, at most `limit`.
    """
    rows = session.execute(
        select(Message.id, Message.seq)
        .where(Message.conversation_id == conversation_id)
        .order_by(Message.seq)
        .limit(limit)
    ).all()
    if not rows:
        return 0
    ids = [row.id for row in rows]
    for statement in (
        delete(Judgement).where(Judgement.question_id.in_(ids)),
        update(Step).where(Step.message_id.in_(ids)).values(message_id=None),
        delete(Delivery).where(Delivery.message_id.in_(ids)),
        delete(Message).where(Message.id.in_(ids)),
        delete(Turn).where(Turn.conversation_id == conversation_id, Turn.last_seq <= rows[-1].seq),
    ):
        session.execute(statement, execution_options={"synchronize_session": False})
    return len(ids)


def remove_conversation(session: Session, conversation: Conversation, *, is_erasure: bool) -> None:
    """Remove a conversation that has no messages any more; its tracker is left over."""
    for statement in (
        delete(Handoff).where(Handoff.conversation_id == conversation.id),
        delete(Turn).where(Turn.conversation_id == conversation.id),
        delete(Conversation).where(Conversation.id == conversation.id),
    ):
        session.execute(statement, execution_options={"synchronize_session": False})
    leave_over(session, conversation, is_erasure=is_erasure)


def leave_over(session: Session, conversation: Conversation, *, is_erasure: bool) -> None:
    """Note that a conversation's tracker is to be removed; noting it again changes nothing."""
    if session.get(Leftover, conversation.id) is None:
        session.add(
            Leftover(
                conversation_id=conversation.id,
                customer_id=conversation.customer_id,
                is_erasure=is_erasure,
            )
        )


def remove_belongings(session: Session, customer_id: str) -> None:
    """Remove tokens, addresses, purchases and journeys: nobody can act as the customer any more."""
    for column in OF_CUSTOMER:
        session.execute(
            delete(column.class_).where(column == customer_id),
            execution_options={"synchronize_session": False},
        )


def remove_customer(session: Session, customer_id: str) -> None:
    """Remove a customer who has no conversation any more."""
    remove_belongings(session, customer_id)
    session.execute(
        delete(Customer).where(Customer.id == customer_id),
        execution_options={"synchronize_session": False},
    )
