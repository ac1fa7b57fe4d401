"""What a customer wants done with the conversation itself, done when the turn ends."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.conversations.database import now
from bot.conversations.tables import Conversation, Customer, Message, Remark
from bot.conversations.timeline import append
from bot.handoff import queue
from bot.journeys.tables import Purchase, Step
from bot.messages import Author
from bot.texts import texts


def grant(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    messages: Sequence[Message],
    wish: str | None,
) -> None:
    """Do what a locked customer wants.

    Args:
        messages: in which they have said so.
        wish: see `TurnResult.wish`.
    """
    if wish == "stop_tips":
        customer.tips_stopped_at = customer.tips_stopped_at or now()
    elif wish == "resume_tips":
        customer.tips_stopped_at = None
    elif wish == "feedback":
        for each in messages:
            session.add(Remark(message_id=each.id, conversation_id=conversation.id))
    elif wish == "leave_queue":
        queue.leave(session, customer, conversation)
    elif wish == "my_data":
        text = _kept(session, customer, conversation.language)
        append(session, customer, conversation, Author.SYSTEM, text)


def _kept(session: Session, customer: Customer, language: str) -> str:
    """What is kept of a customer, in numbers."""
    mine = Message.customer_id == customer.id
    messages, since = session.execute(
        select(func.count(), func.min(Message.created_at)).where(mine)
    ).one()
    bought = select(func.count()).where(Purchase.customer_id == customer.id)
    to_come = select(func.count()).where(Step.customer_id == customer.id, Step.state == "due")
    words = texts(language)
    return words["kept_of_you"].format(
        messages=messages,
        since=f"{since or customer.created_at:%d.%m.%Y}",
        purchases=session.scalar(bought),
        tips=session.scalar(to_come),
    )
