"""One writer per conversation: a lease in the database with a fencing token."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.tables import Conversation
from bot.errors import UsherError

LEASE = timedelta(seconds=30)
"""Longer than the longest turn: every call inside one has a timeout far below."""


class LeaseLost(UsherError):
    """Another worker has taken the conversation over; nothing may be written."""

    code = "lease_lost"


@dataclass(frozen=True)
class Lease:
    """The right to take a conversation's next turn."""

    conversation_id: str
    token: int


def end_those_of(database: Database, worker: str) -> int:
    """End the leases that a worker of this name held when it died, so that nobody waits for them.

    Returns:
        How many there were.
    """
    held = (
        update(Conversation)
        .where(Conversation.leased_by == worker, Conversation.leased_until.is_not(None))
        .values(leased_until=None, lease_token=Conversation.lease_token + 1)
        .returning(Conversation.id)
    )
    with database.write("resume") as session:
        return len(session.scalars(held).all())


def take_next(database: Database, worker: str = "") -> Lease | None:
    """Lease the conversation whose turn has been due the longest, if any is due.

    Args:
        worker: who takes it; the same name again after a restart.
    """
    at = now()
    due = (
        select(Conversation.id)
        .where(
            Conversation.turn_due_at <= at,
            or_(Conversation.leased_until.is_(None), Conversation.leased_until < at),
        )
        .order_by(Conversation.turn_due_at)
        .limit(1)
    )
    with database.read() as session:  # idle workers must not take the writer's lock
        if session.scalars(due).one_or_none() is None:
            return None
    take = (
        update(Conversation)
        .where(Conversation.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(lease_token=Conversation.lease_token + 1, leased_until=at + LEASE, leased_by=worker)
        .returning(Conversation.id, Conversation.lease_token)
    )
    with database.write("lease") as session:
        taken = session.execute(take).one_or_none()
        return Lease(*taken) if taken is not None else None


def check(session: Session, lease: Lease) -> Conversation:
    """The leased conversation, or `LeaseLost` when the lease was taken over."""
    conversation = session.get(Conversation, lease.conversation_id, populate_existing=True)
    if conversation is None or conversation.lease_token != lease.token:
        raise LeaseLost(f"Conversation {lease.conversation_id} belongs to another worker now.")
    return conversation
