"""One sender for each channel in the whole fleet: a lease in the database with a fencing token.

Limits of a vendor so hold with any number of workers, and messages of one customer are in
order. Whoever takes a channel over decides what becomes of what its predecessor was sending.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.clock import elapsed
from bot.conversations.database import Database, now
from bot.conversations.tables import ChannelLease, Delivery
from bot.deliveries.states import State
from bot.errors import UsherError

LEASE = timedelta(seconds=10)
"""How long a channel stands still after its sender was killed or frozen."""
RENEW_SECONDS = 3.0
MARGIN_SECONDS = 1.0
"""So long before the end nothing is sent any more."""
MAX_WAIT = timedelta(minutes=5)
"""The longest time between two tries."""


class LeaseLost(UsherError):
    """Another sender has taken the channel over; nothing may be written or sent."""

    code = "lease_lost"


@dataclass
class Lease:
    """The right to send on a channel."""

    channel: str
    token: int
    ends_at: float
    """By a clock of this machine that nobody sets, from before the lease was written."""

    def is_ours(self) -> bool:
        """Whether nobody else can have taken the channel yet."""
        return elapsed() < self.ends_at - MARGIN_SECONDS


def acquire(database: Database, channel: str, worker: str, *, restarted: bool) -> Lease | None:
    """Take a channel that nobody has, with what its last sender left behind.

    Args:
        worker: who takes it; the same name again after a restart.
        restarted: a lease under our own name is that of our last life.

    Returns:
        None: another sender has it.
    """
    mine = worker if restarted else None
    with database.read() as session:  # who only waits must not take the writer's lock
        known = session.get(ChannelLease, channel)
        if known is not None and not _is_free(known, mine):
            return None
    began = elapsed()
    with database.write("channel_lease") as session:
        lease = _locked(session, channel)
        if lease is None or not _is_free(lease, mine):
            return None
        lease.token += 1
        lease.leased_until = now() + LEASE
        lease.leased_by = worker
        _take_over(session, channel)
        return Lease(channel, lease.token, began + LEASE.total_seconds())


def _locked(session: Session, channel: str) -> ChannelLease | None:
    """The channel's row, made when it is the first time; None: another made it this moment."""
    lease = session.get(ChannelLease, channel, with_for_update=True)
    if lease is None:
        lease = ChannelLease(channel=channel, token=0)
        try:
            with session.begin_nested():
                session.add(lease)
        except IntegrityError:
            return None
    return lease


def _is_free(lease: ChannelLease, mine: str | None) -> bool:
    end = lease.leased_until
    if end is None or lease.leased_by == mine:
        return True
    at = now()
    # One that ends much later than any lease can was made by a clock that was put back since.
    # The clocks of two machines always differ by something: hence not after one length already.
    return end < at or end > at + 2 * LEASE


def _take_over(session: Session, channel: str) -> None:
    """Of what was being sent nobody knows whether it arrived."""
    unfinished = update(Delivery).where(
        Delivery.channel == channel, text("deliveries.state IN ('pending', 'attempting')")
    )
    attempting = unfinished.where(Delivery.state == State.ATTEMPTING)
    unknown = {"state": State.UNKNOWN, "problem": "The sender died while it was sending."}
    again = {"state": State.PENDING, "due_at": now()}
    put_off = unfinished.where(
        Delivery.state == State.PENDING,
        Delivery.due_at > now() + 2 * MAX_WAIT,  # by a clock that has been put back since
    )
    for change in (
        attempting.where(Delivery.is_tip).values(unknown),
        attempting.where(~Delivery.is_tip).values(again),
        put_off.values(due_at=now()),
    ):
        session.execute(change.execution_options(synchronize_session=False))


def renew(database: Database, lease: Lease) -> None:
    """Hold the channel for longer.

    Raises:
        LeaseLost: it is another's now.
    """
    began = elapsed()
    with database.write("channel_heartbeat") as session:
        check(session, lease).leased_until = now() + LEASE
    lease.ends_at = began + LEASE.total_seconds()


def release(database: Database, lease: Lease) -> None:
    """Give the channel to whoever asks next; of another's lease nothing is changed."""
    with database.write("channel_release") as session:
        session.execute(
            update(ChannelLease)
            .where(ChannelLease.channel == lease.channel, ChannelLease.token == lease.token)
            .values(leased_until=None)
        )


def check(session: Session, lease: Lease) -> ChannelLease:
    """The channel's row, locked: nobody can take it over before this transaction has ended.

    Raises:
        LeaseLost: somebody has.
    """
    held = session.get(ChannelLease, lease.channel, with_for_update=True, populate_existing=True)
    if held is None or held.token != lease.token:
        raise LeaseLost(f"The channel {lease.channel} has another sender now.")
    return held
