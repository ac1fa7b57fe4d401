"""Due steps become tips in the customer's chat."""

from datetime import timedelta

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import aliased

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Customer
from bot.conversations.timeline import append, lock_customer, open_conversation
from bot.journeys.tables import Step
from bot.messages import Author

EXPIRES_AFTER = timedelta(days=2)
"""A tip that could not be sent for this long would only surprise."""


def send_next(database: Database, silence: timedelta) -> tuple[str, str] | None:
    """Send the longest due tip; it is marked as sent in the transaction that writes it.

    Returns:
        The customer and the conversation that got it, or None when nothing is due.
    """
    at = now()
    # A step that another sender holds locked is skipped, but not overtaken by its successor.
    earlier = aliased(Step)
    first = ~exists().where(
        earlier.enrolment_id == Step.enrolment_id,
        earlier.number < Step.number,
        earlier.state == "due",
    )
    due = (
        select(Step)
        .where(Step.state == "due", Step.due_at <= at, first, ~_is_held())
        .order_by(Step.due_at)
        .limit(1)
    )
    with database.read() as session:  # idle workers must not take the writer's lock
        if session.scalars(due).one_or_none() is None:
            return None
    with database.write("tip") as session:
        step = session.scalars(due.with_for_update(skip_locked=True)).one_or_none()
        if step is None:
            return None
        if step.due_at < at - EXPIRES_AFTER:
            step.state = "expired"
            return step.customer_id, ""
        customer = lock_customer(session, step.customer_id)
        conversation = open_conversation(session, customer, silence)
        message = append(
            session,
            customer,
            conversation,
            Author.ASSISTANT,
            step.texts[conversation.language],
            context=step.context,
            is_tip=True,
        )
        conversation.context = {**conversation.context, "asked": step.context.get("asks", "")}
        session.flush()  # the message, before the step that refers to it
        step.state, step.message_id = "sent", message.id
        return customer.id, conversation.id


def _is_held() -> ColumnElement[bool]:
    """Whether a customer wants no tips, or talks to a human or waits for one."""
    return exists().where(
        Customer.id == Step.customer_id,
        or_(
            Customer.tips_stopped_at.is_not(None),
            exists().where(
                Conversation.customer_id == Customer.id,
                Conversation.owner.in_((Owner.WAITING, Owner.AGENT)),
            ),
        ),
    )
