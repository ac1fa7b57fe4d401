"""What a customer sees, in order and without gaps; every message enters through `append`."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Act, Owner, after
from bot.conversations.tables import Address, Conversation, Customer, Delivery, Message, new_id
from bot.errors import UnknownCustomer
from bot.help_links import source_url
from bot.messages import Author, Reply

WEB_CHAT = "web_chat"
PAGE = 200
"""The most messages that are read at once."""


def lock_customers(session: Session, customer_ids: Iterable[str]) -> dict[str, Customer]:
    """The rows of those who exist, locked: whoever holds one is alone in numbering its messages.

    Always locked before the customer's conversation, and in the order of their ids, so that
    two who lock several never wait for each other.
    """
    wanted = (
        select(Customer)
        .where(Customer.id.in_(sorted(set(customer_ids))))
        .order_by(Customer.id)
        # Rows that only refer to a customer may be written meanwhile, by whoever holds a lease.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {customer.id: customer for customer in session.scalars(wanted)}


def lock_customer(session: Session, customer_id: str) -> Customer:
    """One customer's row, locked.

    Raises:
        UnknownCustomer: there is none.
    """
    customer = lock_customers(session, [customer_id]).get(customer_id)
    if customer is None:
        raise UnknownCustomer("There is no such customer.")
    return customer


def check_customer(session: Session, customer_id: str) -> None:
    """See that there still is such a customer.

    Raises:
        UnknownCustomer: there is none.
    """
    if session.get(Customer, customer_id) is None:
        raise UnknownCustomer("There is no such customer.")


def current_conversations(session: Session, customer_ids: Iterable[str]) -> dict[str, Conversation]:
    """The open conversation of each customer who has one, by customer."""
    found = session.scalars(
        select(Conversation).where(
            Conversation.customer_id.in_(list(customer_ids)), Conversation.owner != Owner.CLOSED
        )
    )
    return {conversation.customer_id: conversation for conversation in found}


def continue_conversation(
    session: Session,
    customer: Customer,
    current: Conversation | None,
    silence: timedelta,
    channel: str = WEB_CHAT,
) -> Conversation:
    """The customer's open conversation, or a new one after a long silence.

    A conversation that a human has or should have is never ended by silence.
    """
    if current is not None:
        fresh = current.last_message_at > now() - silence
        if fresh or current.owner != Owner.ASSISTANT or current.turn_due_at is not None:
            return current
        current.owner = after(Owner(current.owner), Act.CLOSE)
        session.flush()  # before the insert: only one may be open
    conversation = Conversation(
        id=new_id(),
        customer_id=customer.id,
        channel=channel,
        language=customer.language,
        owner=Owner.ASSISTANT,
        lease_token=0,
        tracker_seq=0,
    )
    session.add(conversation)
    session.flush()
    return conversation


def open_conversation(
    session: Session, customer: Customer, silence: timedelta, channel: str | None = None
) -> Conversation:
    """See `continue_conversation`; of a locked customer.

    Args:
        channel: of a new conversation; None: the one that the customer was on last.
    """
    current = current_conversations(session, [customer.id]).get(customer.id)
    channel = channel or _last_channel(session, customer.id)
    return continue_conversation(session, customer, current, silence, channel)


def _last_channel(session: Session, customer_id: str) -> str:
    """Where a customer is reached who has not written to us just now."""
    last = session.scalars(
        select(Conversation.channel)
        .where(Conversation.customer_id == customer_id)
        .order_by(Conversation.opened_at.desc())
        .limit(1)
    ).one_or_none()
    address = select(Address.channel).where(Address.customer_id == customer_id)
    newest = address.order_by(Address.created_at.desc()).limit(1)
    return last or session.scalars(newest).one_or_none() or WEB_CHAT


def append(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    author: Author,
    text: str,
    *,
    is_tip: bool = False,
    **columns: Any,
) -> Message:
    """Write the next message of a locked customer, and its delivery if it is for them."""
    customer.last_seq += 1
    message = Message(
        id=new_id(),
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
    if author is not Author.CUSTOMER:
        session.add(
            Delivery(
                id=new_id(),
                message=message,
                customer_id=customer.id,
                seq=message.seq,
                channel=conversation.channel,
                # A web page fetches it; to other channels it has to be sent.
                state="sent" if conversation.channel == WEB_CHAT else "pending",
                is_tip=is_tip,
            )
        )
    return message


def append_reply(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    reply: Reply,
    answers: Message,
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
        answers=answers.id,
        turn_id=answers.turn_id,
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


def last_seqs(database: Database, customer_ids: Sequence[str]) -> dict[str, int]:
    """The number of the last message that each customer has."""
    with database.read() as session:
        wanted = select(Customer.id, Customer.last_seq).where(Customer.id.in_(customer_ids))
        return {row.id: row.last_seq for row in session.execute(wanted)}


@dataclass(frozen=True)
class Seen:
    """A customer's page has everything up to `seq`."""

    customer_id: str
    seq: int


def mark_seen(database: Database, seen: Sequence[Seen]) -> Sequence[bool]:
    """Record what customers' pages have.

    Returns:
        For each, whether it is news.
    """
    highest: dict[str, int] = {}
    for each in seen:
        highest[each.customer_id] = max(each.seq, highest.get(each.customer_id, 0))
    with database.read() as session:  # what is known already must not cost a write
        wanted = select(Customer.id, Customer.seen_seq).where(Customer.id.in_(highest))
        highest = {
            row.id: highest[row.id]
            for row in session.execute(wanted)
            if row.seen_seq < highest[row.id]
        }
    if not highest:
        return [False] * len(seen)
    with database.write("seen") as session:
        customers = lock_customers(session, highest)
        news = set()
        for customer_id, customer in customers.items():
            seq = highest[customer_id]
            if not customer.seen_seq < seq <= customer.last_seq:
                continue
            customer.seen_seq = seq
            news.add(customer_id)
            session.execute(
                update(Delivery)
                .where(
                    Delivery.customer_id == customer_id,
                    Delivery.seq <= seq,
                    Delivery.channel == WEB_CHAT,
                    Delivery.state == "sent",
                )
                .values(state="delivered", updated_at=now())
                .execution_options(synchronize_session=False)
            )
    return [each.customer_id in news for each in seen]


def as_seen_by_customer(message: Message, help_url: str) -> dict[str, Any]:
    """A message as the chat API shows it.

    Args:
        help_url: address of the help center, under which articles are found.
    """
    created: datetime = message.created_at
    return {
        "seq": message.seq,
        "author": message.author,
        "text": message.text,
        "buttons": message.buttons,
        "sources": [
            {
                "article": source["article"],
                "language": source["language"],
                "title": source["title"],
                "url": source_url(help_url, source),
            }
            for source in message.sources
        ],
        "created_at": created.isoformat(),
    }
