"""The outbox's two writes: before the channel is called, and when it has answered.

`attempting` is committed before the call. So after a crash it is known which messages may
have been sent: replies are sent again under the same delivery id, tips never.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Select, func, select, text, update
from sqlalchemy.orm import Session, aliased

from bot import metrics
from bot.channels.base import Outgoing, SourceLink
from bot.conversations.database import Database, now
from bot.conversations.tables import Address, Conversation, Delivery, Message
from bot.deliveries import leases
from bot.deliveries.leases import Lease
from bot.deliveries.states import State
from bot.help_links import source_url
from bot.messages import Button

log = structlog.get_logger()

MAX_AGE = timedelta(days=1)
"""What could not be sent for this long would only surprise."""
MAX_TRIES = 15
"""About a quarter of an hour of failures while the channel works for other messages."""
MAX_PROBLEM_LENGTH = 500


@dataclass(frozen=True)
class Attempt:
    """A delivery that is being sent, by whoever holds the channel's lease."""

    delivery_id: str
    is_tip: bool
    tries: int
    """This one included."""
    address: str
    outgoing: Outgoing


@dataclass(frozen=True)
class Result:
    """What became of an attempt."""

    delivery_id: str
    state: State
    problem: str | None = None
    receipt: str | None = None
    wait: float = 0.0
    """Seconds until the next try of what is pending again."""
    counts: bool = True
    """Whether the try is used up; not when the channel as a whole does not work."""


def due(channel: str, limit: int) -> Select[Any]:
    """The deliveries that are to be sent now, with what that takes.

    Of each customer only the first that is unfinished: the next one waits for it.
    """
    earlier = aliased(Delivery, name="earlier")
    address = (
        select(Address.address)
        .where(Address.channel == Delivery.channel, Address.customer_id == Delivery.customer_id)
        .order_by(Address.created_at.desc())
        .limit(1)
        .correlate(Delivery)
        .scalar_subquery()
    )
    # The states are written out: for a parameter neither database takes a partial index. And a
    # minimum is looked up for each row, where a join would read the whole backlog.
    first = (
        select(func.min(earlier.seq))
        .where(
            earlier.channel == Delivery.channel,
            earlier.customer_id == Delivery.customer_id,
            text("earlier.state IN ('pending', 'attempting')"),
        )
        .correlate(Delivery)
        .scalar_subquery()
    )
    return (
        select(Delivery, Message, Conversation.language, address)
        .join(Message, Message.id == Delivery.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Delivery.channel == channel,
            text("deliveries.state = 'pending'"),
            text("deliveries.state IN ('pending', 'attempting')"),
            Delivery.due_at <= now(),
            Delivery.seq == first,
        )
        .order_by(Delivery.due_at)
        .limit(limit)
    )


def take(database: Database, lease: Lease, limit: int, help_url: str) -> list[Attempt]:
    """Mark what is due as being attempted; when this returns it may be sent.

    Args:
        help_url: address of the help center, under which articles are found.

    Raises:
        LeaseLost: another sender has the channel.
    """
    with database.read() as session:  # an idle sender must not take the writer's lock
        if session.execute(due(lease.channel, 1)).first() is None:
            return []
    with database.write("delivery_attempt") as session:
        leases.check(session, lease)
        attempts = []
        # Locked: a report of the vendor may come at this moment.
        found = session.execute(due(lease.channel, limit).with_for_update(of=Delivery))
        for delivery, message, language, address in found:
            if address is None:
                _end(delivery, "The customer has no address on this channel.")
            elif message.created_at < now() - MAX_AGE:
                _end(delivery, f"Not sent for {MAX_AGE.days} day. Last: {delivery.problem}")
            elif delivery.tries >= MAX_TRIES:  # senders died of it, or else it would have ended
                _end(delivery, f"Given up after {delivery.tries} tries. Last: {delivery.problem}")
            else:
                delivery.state = State.ATTEMPTING
                delivery.tries += 1
                outgoing = _outgoing(delivery.id, message, language, help_url)
                attempts.append(
                    Attempt(delivery.id, delivery.is_tip, delivery.tries, address, outgoing)
                )
        return attempts


def withdraw(database: Database, lease: Lease, sending: Sequence[str]) -> None:
    """Take back attempts of this lease that were written, but of which the sender never knew.

    Args:
        sending: ids of those that it does know.

    Raises:
        LeaseLost: another sender has the channel.
    """
    with database.write("delivery_withdrawal") as session:
        leases.check(session, lease)
        session.execute(
            update(Delivery)
            .where(
                Delivery.channel == lease.channel,
                Delivery.state == State.ATTEMPTING,
                text("deliveries.state IN ('pending', 'attempting')"),
                Delivery.id.not_in(sending),
            )
            .values(state=State.PENDING, tries=Delivery.tries - 1)
            .execution_options(synchronize_session=False)
        )


def _end(delivery: Delivery, problem: str) -> None:
    delivery.state = State.FAILED
    delivery.problem = _storable(problem)
    metrics.DELIVERIES.labels(delivery.channel, State.FAILED).inc()
    log.warning("delivery failed", delivery=delivery.id, channel=delivery.channel, problem=problem)


def _storable(problem: str) -> str:
    return problem.replace("\0", "")[:MAX_PROBLEM_LENGTH]


def _outgoing(delivery_id: str, message: Message, language: str, help_url: str) -> Outgoing:
    return Outgoing(
        delivery_id=delivery_id,
        seq=message.seq,
        author=message.author,
        text=message.text,
        buttons=tuple(Button(each["title"], each["text"]) for each in message.buttons),
        sources=tuple(
            SourceLink(each["title"], source_url(help_url, each)) for each in message.sources
        ),
        language=language,
    )


def finish(database: Database, lease: Lease, results: Sequence[Result]) -> Sequence[State]:
    """Record what became of attempts.

    Returns:
        The state of each delivery, which a report of the vendor may have settled before us.

    Raises:
        LeaseLost: another sender has the channel, and has decided already.
    """
    with database.write("delivery_result") as session:
        leases.check(session, lease)
        found = _locked(session, [each.delivery_id for each in results])
        return [_settle(found.get(each.delivery_id), each) for each in results]


def _locked(session: Session, ids: Sequence[str]) -> dict[str, Delivery]:
    wanted = select(Delivery).where(Delivery.id.in_(ids)).order_by(Delivery.id).with_for_update()
    return {delivery.id: delivery for delivery in session.scalars(wanted)}


def _settle(delivery: Delivery | None, result: Result) -> State:
    if delivery is None:  # the customer has been erased
        return result.state
    delivery.receipt = result.receipt or delivery.receipt
    if delivery.state != State.ATTEMPTING:
        return State(delivery.state)
    delivery.state = result.state
    delivery.problem = _storable(result.problem) if result.problem else None
    delivery.due_at = now() + timedelta(seconds=result.wait)
    if not result.counts:
        delivery.tries -= 1
    return result.state
