"""What the assistant's tracker has to be told of before a turn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database
from bot.conversations.tables import Conversation, Message

HISTORY_LIMIT = 60
"""The most messages that a lost tracker is rebuilt from."""


@dataclass(frozen=True)
class HistoryItem:
    """A message as the tracker is told of it."""

    seq: int
    author: str
    text: str
    context: dict[str, Any]


def as_item(message: Message) -> HistoryItem:
    return HistoryItem(message.seq, message.author, message.text, message.context)


def everything(
    database: Database, conversation_id: str, after: int, before: int
) -> tuple[HistoryItem, ...]:
    """All messages between two `seq`s, the newest if there are too many, for a lost tracker."""
    wanted = (
        select(Message)
        .where(
            Message.conversation_id == conversation_id, Message.seq > after, Message.seq < before
        )
        .order_by(Message.seq.desc())
        .limit(HISTORY_LIMIT)
    )
    with database.read() as session:
        return tuple(as_item(message) for message in session.scalars(wanted).all()[::-1])


def unsaid(
    session: Session, conversations: Iterable[Conversation]
) -> dict[str, Sequence[HistoryItem]]:
    """What others than the assistant have said since each conversation's tracker was told.

    Of every conversation only what has been dealt with: what is pending comes as a turn.
    """
    ids = [conversation.id for conversation in conversations]
    found: dict[str, list[HistoryItem]] = {each: [] for each in ids}
    wanted = (
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Message.conversation_id.in_(ids),
            Message.seq > Conversation.tracker_seq,
            Message.answers.is_(None),
            ~Message.pending,
        )
        .order_by(Message.seq)
    )
    for message in session.scalars(wanted):
        found[message.conversation_id].append(as_item(message))
    return {each: items[-HISTORY_LIMIT:] for each, items in found.items()}
