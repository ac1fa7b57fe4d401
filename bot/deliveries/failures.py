"""Deliveries that did not, or perhaps not, reach their customers: listed, and tried once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select, text, update

from bot.conversations.database import Database, now
from bot.conversations.tables import Delivery, Message
from bot.deliveries.attempts import MAX_AGE
from bot.deliveries.states import State
from bot.errors import Conflict, NotFound


@dataclass(frozen=True)
class Failure:
    """A delivery that ended badly; who may see the words finds them in the console."""

    id: str
    state: str
    """`failed`, or of a tip `unknown`."""
    channel: str
    conversation_id: str
    customer_id: str
    tries: int
    problem: str
    ended_at: datetime


# The states are written out: for a parameter neither database takes a partial index.
_ENDED_BADLY = text("deliveries.state IN ('failed', 'unknown')")


def latest(database: Database, limit: int = 100) -> Sequence[Failure]:
    """What ended badly, the latest first."""
    wanted = (
        select(Delivery, Message.conversation_id)
        .join(Message, Message.id == Delivery.message_id)
        .where(_ENDED_BADLY)
        .order_by(Delivery.updated_at.desc())
        .limit(limit)
    )
    with database.read() as session:
        return [
            Failure(
                each.id,
                each.state,
                each.channel,
                conversation,
                each.customer_id,
                each.tries,
                each.problem or "",
                each.updated_at,
            )
            for each, conversation in session.execute(wanted)
        ]


def retry(database: Database, delivery_id: str) -> None:
    """Send a failed message once more, when what made it fail is mended.

    Raises:
        NotFound: there is no such delivery.
        Conflict: it did not fail, or it may have arrived, or it is too old.
    """
    with database.write("delivery_retry") as session:
        delivery = session.get(Delivery, delivery_id, with_for_update=True)
        if delivery is None:
            raise NotFound(f"There is no delivery {delivery_id}. See: usher deliveries list")
        if delivery.state == State.UNKNOWN:
            raise Conflict("The tip may have arrived, and no tip is sent twice.")
        if delivery.state != State.FAILED:
            raise Conflict(f"The delivery did not fail: it is '{delivery.state}'.")
        if delivery.message.created_at < now() - MAX_AGE:
            raise Conflict("The message is older than a day: the customer would only be surprised.")
        delivery.state, delivery.tries, delivery.due_at = State.PENDING, 0, now()


def retry_all(database: Database) -> int:
    """Send everything that failed within the last day once more.

    Returns:
        How many there are.
    """
    young = exists().where(Message.id == Delivery.message_id, Message.created_at >= now() - MAX_AGE)
    again = (
        update(Delivery)
        .where(
            _ENDED_BADLY,
            Delivery.state == State.FAILED,
            Delivery.updated_at >= now() - MAX_AGE,
            young,
        )
        .values(state=State.PENDING, tries=0, due_at=now())
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    with database.write("delivery_retry") as session:
        return len(session.scalars(again).all())
