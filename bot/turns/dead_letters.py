"""Turns that could not be taken: listed, tried once more, or dropped by an operator.

The customer of a dead letter has been told and a human asked, so nothing waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Customer, Message, Turn
from bot.conversations.timeline import lock_customer
from bot.errors import Conflict, NotFound
from bot.handoff import queue
from bot.turns.beginning import IS_OPEN


@dataclass(frozen=True)
class DeadLetter:
    """A turn that was given up; who may see the words finds them in the console."""

    id: str
    conversation_id: str
    customer_id: str
    tries: int
    problem: str
    begun_at: datetime
    given_up_at: datetime


def waiting(database: Database, limit: int = 1000) -> Sequence[DeadLetter]:
    """Dead letters that nobody has dealt with, the oldest first."""
    with database.read() as session:
        dead = select(Turn).where(text("turns.state = 'dead'")).order_by(Turn.ended_at).limit(limit)
        return [
            DeadLetter(
                each.id,
                each.conversation_id,
                each.customer_id,
                each.tries,
                each.problem or "",
                each.begun_at,
                each.ended_at or each.begun_at,
            )
            for each in session.scalars(dead)
        ]


def retry(database: Database, turn_id: str) -> str:
    """Take a dead letter's turn once more, as if it were new.

    Where its customer still waits for a human, the assistant takes the conversation back.

    Returns:
        The conversation.

    Raises:
        NotFound: there is no such dead letter.
        Conflict: an agent has the conversation, it has ended, or another turn is being taken.
    """
    with database.write("dead_letter") as session:
        turn, customer = _locked(session, turn_id)
        conversation = session.get_one(Conversation, turn.conversation_id, populate_existing=True)
        is_busy = session.scalars(
            select(Turn.id).where(Turn.conversation_id == conversation.id, IS_OPEN)
        ).first()
        if is_busy is not None:
            raise Conflict("Another turn of this conversation is being taken. Try again later.")
        if conversation.owner == Owner.AGENT:
            raise Conflict("An agent has this conversation now and answers it.")
        if conversation.owner == Owner.CLOSED:
            raise Conflict("This conversation has ended; its customer writes in another one now.")
        if conversation.owner == Owner.WAITING:
            queue.take_back(session, customer, conversation)
        turn.state, turn.tries, turn.problem, turn.ended_at = "open", 0, None, None
        turn.begun_at = conversation.turn_due_at = now()
        said = select(Message).where(
            Message.conversation_id == conversation.id,
            Message.turn_id == turn.id,
            Message.answers.is_(None),
        )
        for message in session.scalars(said):
            message.pending, message.apologised = True, False
        return conversation.id


def drop(database: Database, turn_id: str) -> None:
    """Take a dead letter off the list; what was said stays in the record.

    Raises:
        NotFound: there is no such dead letter.
    """
    with database.write("dead_letter") as session:
        turn, _ = _locked(session, turn_id)
        turn.state = "dropped"


def _locked(session: Session, turn_id: str) -> tuple[Turn, Customer]:
    turn = session.get(Turn, turn_id)
    if turn is not None:
        customer = lock_customer(session, turn.customer_id)
        session.refresh(turn)
        if turn.state == "dead":
            return turn, customer
    raise NotFound(f"There is no dead letter {turn_id}. See: usher dead-letters list")
