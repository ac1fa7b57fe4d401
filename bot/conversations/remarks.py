"""Remarks: the opinions that customers give when asked for them, read by agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from bot.conversations.database import Database, now
from bot.conversations.tables import Conversation, Message, Remark
from bot.errors import NotFound

MOST_SHOWN = 50


@dataclass(frozen=True)
class Opinion:
    """A remark with what the customer wrote."""

    message_id: str
    conversation_id: str
    language: str
    text: str
    made_at: datetime


def unread(database: Database) -> Sequence[Opinion]:
    """Those that no agent has marked as read, the oldest first, at most `MOST_SHOWN`."""
    with database.read() as session:
        found = session.execute(
            select(
                Remark.message_id,
                Remark.conversation_id,
                Conversation.language,
                Message.text,
                Remark.made_at,
            )
            .join(Message, Message.id == Remark.message_id)
            .join(Conversation, Conversation.id == Remark.conversation_id)
            .where(Remark.read_at.is_(None))
            .order_by(Remark.made_at)
            .limit(MOST_SHOWN)
        ).all()
    return [Opinion(*row) for row in found]


def mark_read(database: Database, message_id: str, agent_id: str) -> None:
    """An agent has read a remark; who was first stays.

    Raises:
        NotFound: there is no such remark.
    """
    with database.write("remark") as session:
        if session.get(Remark, message_id) is None:
            raise NotFound("There is no such remark.")
        session.execute(
            update(Remark)
            .where(Remark.message_id == message_id, Remark.read_at.is_(None))
            .values(read_at=now(), read_by=agent_id)
        )
