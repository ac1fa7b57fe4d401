"""What vendors report of deliveries, and what agents are told of them."""

from collections.abc import Mapping

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import metrics
from bot.conversations.database import Database
from bot.conversations.tables import Delivery, Message
from bot.deliveries.states import REPORTS, State
from bot.errors import NotFound

log = structlog.get_logger()


def report(database: Database, channel: str, delivery_id: str, state: State) -> State:
    """Take a vendor's word on a delivery; it only ever moves forward.

    Returns:
        Its state now.

    Raises:
        NotFound: this channel has no such delivery.
    """
    with database.read() as session:  # vendors repeat themselves: mostly there is nothing to write
        known = State(_of(session, channel, delivery_id).state)
        if known not in REPORTS[state]:
            return known
    with database.write("delivery_report") as session:
        delivery = _of(session, channel, delivery_id, lock=True)
        if delivery.state in REPORTS[state]:
            delivery.state = state
            delivery.problem = "The channel reports a failure." if state is State.FAILED else None
            metrics.DELIVERIES.labels(channel, state).inc()
            log.info("delivery", channel=channel, delivery=delivery_id, state=state, reported=True)
        return State(delivery.state)


def _of(session: Session, channel: str, delivery_id: str, *, lock: bool = False) -> Delivery:
    wanted = select(Delivery).where(Delivery.id == delivery_id, Delivery.channel == channel)
    found = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if found is None:
        raise NotFound("This channel has no such delivery.")
    return found


def undelivered(database: Database, conversation_id: str) -> Mapping[int, State]:
    """The messages of a conversation that did not, or perhaps not, reach the customer, by `seq`."""
    with database.read() as session:
        found = session.execute(
            select(Message.seq, Delivery.state)
            .join(Delivery, Delivery.message_id == Message.id)
            .where(
                Message.conversation_id == conversation_id,
                Delivery.state.in_((State.FAILED, State.UNKNOWN)),
            )
        )
        return {seq: State(state) for seq, state in found}
