"""What belongs to a conversation or a customer, removed in the order that foreign keys allow.

Whoever calls these holds the customer's lock. A table that is new to the record and tells of a
customer has to be removed here and exported in `bot.keeping.exporting`; a test looks for what
was forgotten.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Delete, Update, delete, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Judgement,
    Message,
    Remark,
    Turn,
    VisitorToken,
)
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.keeping.tables import Leftover

MAX_MESSAGES = 200
"""The most messages that one transaction removes: so long others wait for the writer's lock."""

OF_CUSTOMER: Sequence[InstrumentedAttribute[str]] = (
    VisitorToken.customer_id,
    Address.customer_id,
    Step.customer_id,
    Enrolment.customer_id,
    Purchase.customer_id,
)
"""Which tables have a customer's rows besides conversations; steps before their enrolments."""


def remove_messages(
    session: Session, conversations: Iterable[Conversation], limit: int
) -> tuple[int, list[Conversation]]:
    """Remove the oldest messages of conversations, in their order, with all that hangs on them.

    Returns:
        How many, at most `limit`, and which conversations have none any more.
    """
    ids: list[str] = []
    emptied = []
    for conversation in conversations:
        rows = session.execute(
            select(Message.id, Message.seq)
            .where(Message.conversation_id == conversation.id)
            .order_by(Message.seq)
            .limit(limit - len(ids))
        ).all()
        ids += [row.id for row in rows]
        if len(ids) == limit:  # perhaps not all of it
            _execute(
                session,
                delete(Turn).where(
                    Turn.conversation_id == conversation.id, Turn.last_seq <= rows[-1].seq
                ),
            )
            break
        emptied.append(conversation)
    _execute(
        session,
        delete(Judgement).where(Judgement.question_id.in_(ids)),
        delete(Remark).where(Remark.message_id.in_(ids)),
        update(Step).where(Step.message_id.in_(ids)).values(message_id=None),
        delete(Delivery).where(Delivery.message_id.in_(ids)),
        delete(Message).where(Message.id.in_(ids)),
    )
    return len(ids), emptied


def remove_conversations(
    session: Session, conversations: Sequence[Conversation], *, is_erasure: bool
) -> None:
    """Remove conversations that have no messages any more; their trackers are left over."""
    ids = [each.id for each in conversations]
    leave_over(session, conversations, is_erasure=is_erasure)
    _execute(
        session,
        delete(Handoff).where(Handoff.conversation_id.in_(ids)),
        delete(Turn).where(Turn.conversation_id.in_(ids)),
        delete(Conversation).where(Conversation.id.in_(ids)),
    )


def leave_over(
    session: Session, conversations: Sequence[Conversation], *, is_erasure: bool
) -> None:
    """Note which trackers are to be removed; noting it again changes nothing."""
    ids = [each.id for each in conversations]
    noted = set(
        session.scalars(select(Leftover.conversation_id).where(Leftover.conversation_id.in_(ids)))
    )
    session.add_all(
        Leftover(conversation_id=each.id, customer_id=each.customer_id, is_erasure=is_erasure)
        for each in conversations
        if each.id not in noted
    )
    session.flush()


def remove_belongings(session: Session, customer_ids: Sequence[str]) -> None:
    """Remove tokens, addresses, purchases and journeys: nobody can act as these customers."""
    _execute(session, *(delete(each.class_).where(each.in_(customer_ids)) for each in OF_CUSTOMER))


def remove_customers(session: Session, customer_ids: Sequence[str]) -> None:
    """Remove customers who have no conversation any more."""
    remove_belongings(session, customer_ids)
    _execute(session, delete(Customer).where(Customer.id.in_(customer_ids)))


def _execute(session: Session, *statements: Update | Delete) -> None:
    for statement in statements:
        session.execute(statement, execution_options={"synchronize_session": False})
