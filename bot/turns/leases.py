"""One writer per conversation: a lease in the database with a fencing token.

A worker renews the leases it holds while it lives. One that was killed or frozen loses them
when they expire, and another one takes the conversations over; the first can then write
nothing any more, because every write checks the token.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from bot import metrics
from bot.conversations.database import Database, now
from bot.conversations.tables import Conversation
from bot.errors import UsherError

LEASE = timedelta(seconds=10)
"""How long the customers of a worker that died wait for another one."""
HEARTBEAT_SECONDS = 3.0
MAX_DELAY = timedelta(minutes=1)
"""What is due later than that was put off by a clock that has been set back since."""


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
        .where(
            Conversation.turn_due_at.is_not(None),  # as of all that are leased; it has an index
            Conversation.leased_by == worker,
            Conversation.leased_until.is_not(None),
        )
        .values(leased_until=None, lease_token=Conversation.lease_token + 1)
        .returning(Conversation.id)
    )
    with database.write("resume") as session:
        return len(session.scalars(held).all())


def _due() -> ColumnElement[bool]:
    at = now()
    due_at = Conversation.turn_due_at
    # Said for SQLite, which else does not see that the index of those that wait is enough.
    return and_(due_at.is_not(None), or_(due_at <= at, due_at > at + MAX_DELAY))


def _free() -> ColumnElement[bool]:
    # A lease that ends far later than any can was made by a clock that has been set back.
    at, end = now(), Conversation.leased_until
    return or_(end.is_(None), end < at, end > at + LEASE + MAX_DELAY)


def any_due(database: Database) -> bool:
    """Whether there is something to take; idle workers do not ask for the writer's lock."""
    with database.read() as session:
        due = select(Conversation.id).where(_due(), _free()).limit(1)
        return session.scalars(due).one_or_none() is not None


def take(session: Session, worker: str, limit: int) -> Sequence[Conversation]:
    """Lease the conversations whose turns have been due the longest.

    Args:
        worker: who takes them; the same name again after a restart.
        limit: at most so many.
    """
    due = (
        select(Conversation.id, Conversation.leased_until)
        .where(_due(), _free())
        .order_by(Conversation.turn_due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    found = session.execute(due).all()
    metrics.LEASES.labels("taken_over").inc(sum(until is not None for _, until in found))
    taken = (
        update(Conversation)
        .where(Conversation.id.in_([each for each, _ in found]))
        .values(
            lease_token=Conversation.lease_token + 1,
            leased_until=now() + LEASE,
            leased_by=worker,
        )
        .returning(Conversation)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalars(taken).all()


def renew(database: Database, worker: str, leases: Iterable[Lease]) -> None:
    """Hold leases for longer; those that were taken over are left alone."""
    ids = sorted(lease.conversation_id for lease in leases)
    if not ids:
        return
    with database.write("heartbeat") as session:
        session.execute(
            update(Conversation)
            .where(
                Conversation.id.in_(ids),
                Conversation.leased_by == worker,
                Conversation.leased_until.is_not(None),
            )
            .values(leased_until=now() + LEASE)
            .execution_options(synchronize_session=False)
        )


def lock(session: Session, leases: Sequence[Lease]) -> Mapping[Lease, Conversation]:
    """The conversations whose leases still hold, locked.

    While one is locked nobody can take it over: who froze in the middle of a write either
    ends it or loses it as a whole. Among the leases may be an earlier one of the same
    conversation, when a worker that had frozen took its own turn over.
    """
    wanted = (
        select(Conversation)
        .where(Conversation.id.in_([lease.conversation_id for lease in leases]))
        .order_by(Conversation.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    current = {Lease(each.id, each.lease_token): each for each in session.scalars(wanted)}
    return {lease: current[lease] for lease in leases if lease in current}


def give_back(conversation: Conversation, more: bool, wait: timedelta = timedelta(0)) -> None:
    """End the lease of a locked conversation.

    Args:
        more: another turn is due, after `wait`.
    """
    conversation.turn_due_at = now() + wait if more else None
    conversation.leased_until = None
