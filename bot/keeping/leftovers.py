"""Trackers of conversations that are gone from the record.

The record forgets first, in one transaction, and notes which trackers are left over; so a
crash, or a Redis that is down, leaves none behind. A turn that Rasa was in the middle of writes
its tracker once more, so a leftover is kept, and its tracker removed again, until no turn of
that time can be running.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from bot.conversations.database import Database, now
from bot.conversations.tables import Customer
from bot.faults import point
from bot.keeping.tables import Leftover
from bot.keeping.trackers import Trackers

SETTLED_AFTER = timedelta(minutes=1)
"""Longer than any turn that was running when its conversation was removed."""
BATCH = 500


def settle(database: Database, trackers: Trackers) -> int:
    """Remove trackers that are left over and can no longer come back.

    Returns:
        How many leftovers this has settled, at most `BATCH`.

    Raises:
        Unavailable: the database or Redis does not answer; the leftovers stay.
    """
    with database.read() as session:
        ids = session.scalars(
            select(Leftover.conversation_id)
            .outerjoin(Customer, Customer.id == Leftover.customer_id)
            # An erasure that was cut short is finished first: its leftovers say that it was.
            .where(
                Leftover.removed_at <= now() - SETTLED_AFTER,
                ~Leftover.is_erasure | Customer.id.is_(None),
            )
            .limit(BATCH)
        ).all()
    remove(database, trackers, ids, ids)
    return len(ids)


def remove(
    database: Database, trackers: Trackers, conversation_ids: Sequence[str], settled: Sequence[str]
) -> None:
    """Remove trackers, and the note of those that cannot come back.

    Raises:
        Unavailable: the database or Redis does not answer; the leftovers stay.
    """
    if not conversation_ids:
        return
    point("leftovers.before_trackers")
    trackers.remove(conversation_ids)
    point("leftovers.after_trackers")
    if settled:
        with database.write("leftovers") as session:
            session.execute(delete(Leftover).where(Leftover.conversation_id.in_(settled)))


def of_customer(database: Database, customer_id: str) -> Sequence[str]:
    """The conversations of a customer whose trackers are left over."""
    with database.read() as session:
        return session.scalars(
            select(Leftover.conversation_id).where(Leftover.customer_id == customer_id)
        ).all()


def interrupted_erasures(database: Database) -> Sequence[str]:
    """Customers whose erasure has begun and not ended, a few of them."""
    with database.read() as session:
        return session.scalars(
            select(Leftover.customer_id)
            .join(Customer, Customer.id == Leftover.customer_id)
            .where(Leftover.is_erasure, Leftover.removed_at <= now() - SETTLED_AFTER)
            .distinct()
            .limit(10)
        ).all()
