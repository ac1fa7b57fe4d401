"""What a customer sees, in order and without gaps; every message enters through `append`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations.database import now
from bot.conversations.ownership import Act, Owner, after
from bot.conversations.tables import Conversation, Customer, Delivery, Message
from bot.errors import NotFound
from bot.messages import Author, Reply

WEB_CHAT = "web_chat"
PAGE = 200
"""The most messages that are read at once."""


def lock_customer(session: Session, customer_id: str) -> Customer:
    """The customer's row, locked: whoever holds it is alone in numbering their messages."""
    customer = session.get(Customer, customer_id, with_for_update=True)
    if customer is None:
        raise NotFound("There is no such customer.")
    return customer


def open_conversation(
    session: Session, customer: Customer, silence: timedelta, channel: str = WEB_CHAT
) -> Conversation:
    """The customer's open conversation, or a new one after a long silence.

    A conversation that a human has or should have is never ended by silence.
    """
    current = session.scalars(
        select(Conversation).where(
            Conversation.customer_id == customer.id, Conversation.owner != Owner.CLOSED
        )
    ).one_or_none()
    if current is not None:
        fresh = current.last_message_at > now() - silence
        if fresh or current.owner != Owner.ASSISTANT or current.turn_due_at is not None:
            return current
        current.owner = after(Owner(current.owner), Act.CLOSE)
        session.flush()  # before the insert: only one may be open
    conversation = Conversation(
        customer_id=customer.id,
        channel=channel,
        language=customer.language,
        owner=Owner.ASSISTANT,
    )
    session.add(conversation)
    session.flush()
    return conversation


def append(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    author: Author,
    text: str,
    **columns: Any,
) -> Message:
    """Write the next message of a locked customer, and its delivery if it is for them."""
    customer.last_seq += 1
    message = Message(
        conversation_id=conversation.id,
        customer_id=customer.id,
        seq=customer.last_seq,
        author=author,
        text=text,
        created_at=now(),
        **columns,
    )
    conversation.last_message_at = message.created_at
    session.add(message)
    session.flush()
    if author is not Author.CUSTOMER:
        session.add(
            Delivery(
                message_id=message.id,
                customer_id=customer.id,
                seq=message.seq,
                channel=conversation.channel,
            )
        )
    return message


def append_reply(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    reply: Reply,
    answers: str,
) -> Message:
    return append(
        session,
        customer,
        conversation,
        Author.ASSISTANT,
        reply.text,
        buttons=[asdict(button) for button in reply.buttons],
        sources=[asdict(source) for source in reply.sources],
        context={"asks": reply.asks} if reply.asks else {},
        answers=answers,
    )


def messages_after(
    session: Session, customer_id: str, seq: int, limit: int = PAGE
) -> Sequence[Message]:
    return session.scalars(
        select(Message)
        .where(Message.customer_id == customer_id, Message.seq > seq)
        .order_by(Message.seq)
        .limit(limit)
    ).all()


def seen(session: Session, customer_id: str) -> int:
    """The last `seq` that the customer's page is known to have."""
    return session.scalars(select(Customer.seen_seq).where(Customer.id == customer_id)).one()


def mark_seen(session: Session, customer_id: str, seq: int) -> None:
    """The customer's page has everything up to `seq`."""
    changed = session.execute(
        update(Customer)
        .where(Customer.id == customer_id, Customer.seen_seq < seq, Customer.last_seq >= seq)
        .values(seen_seq=seq)
    )
    if changed.rowcount:  # type: ignore[attr-defined]
        session.execute(
            update(Delivery)
            .where(
                Delivery.customer_id == customer_id,
                Delivery.seq <= seq,
                Delivery.state != "delivered",
            )
            .values(state="delivered", updated_at=now())
        )


def as_seen_by_customer(message: Message, source_url: str) -> dict[str, Any]:
    """A message as the chat API shows it.

    Args:
        source_url: address of the help center, under which articles are found.
    """
    created: datetime = message.created_at
    return {
        "seq": message.seq,
        "author": message.author,
        "text": message.text,
        "buttons": message.buttons,
        "sources": [
            {**source, "url": f"{source_url}/{source['language']}/{source['article']}"}
            for source in message.sources
        ],
        "created_at": created.isoformat(),
    }
