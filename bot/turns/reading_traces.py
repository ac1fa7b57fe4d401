"""Why the assistant said what it said: turns with their traces, for agents and for writers.

A trace is written once, when its turn ends, and read by people later, perhaps by a newer
Usher: whatever is missing in it is shown as missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.orm import Session

from bot.conversations.database import Database
from bot.conversations.tables import Conversation, Message, Turn
from bot.errors import NotFound
from bot.messages import Author, Outcome

PAGE = 200


@dataclass(frozen=True)
class Said:
    """A message of a turn."""

    id: str
    seq: int
    author: str
    text: str


@dataclass(frozen=True)
class TurnTrace:
    """One turn: what was written, what was understood, what was answered."""

    turn: str
    conversation: str
    state: str
    """`open`, `done`, `dead` or `dropped`."""
    begun_at: datetime
    ended_at: datetime | None
    tries: int
    """That failed."""
    problem: str | None
    messages: tuple[Said, ...]
    """The customer's."""
    replies: tuple[Said, ...]
    trace: Mapping[str, Any]
    """See `docs/observability.md`; empty while the turn is open, and after the time that traces
    are kept."""

    @property
    def match(self) -> Mapping[str, Any]:
        """What the knowledge base had to say."""
        return self.trace.get("match") or {}

    @property
    def dialogue(self) -> Mapping[str, Any]:
        """What the dialogue made of it."""
        return self.trace.get("dialogue") or {}


def of_turn(database: Database, conversation_id: str, turn_id: str) -> TurnTrace:
    """One turn of a conversation.

    Raises:
        NotFound: there is no such turn in it.
    """
    with database.read() as session:
        turn = session.get(Turn, turn_id)
        if turn is None or turn.conversation_id != conversation_id:
            raise NotFound("There is no such turn in this conversation.")
        return next(_with_messages(session, [turn]))


def of(database: Database, some_id: str) -> list[TurnTrace]:
    """The turns of a conversation in order, or the one of a message or with this id.

    Raises:
        NotFound: the id is none of these, or the message was in no turn.
    """
    with database.read() as session:
        if session.get(Conversation, some_id) is not None:
            turns = session.scalars(
                select(Turn).where(Turn.conversation_id == some_id).order_by(Turn.last_seq)
            ).all()
            return list(_with_messages(session, turns))
        message = session.get(Message, some_id)
        if message is not None and message.turn_id is None:
            raise NotFound(
                f"The message {some_id} was in no turn: an agent, the system or a journey wrote "
                "it, or it went to a human."
            )
        turn = session.get(Turn, message.turn_id if message is not None else some_id)
        if turn is None:
            raise NotFound(f"There is no conversation, message or turn {some_id}.")
        return list(_with_messages(session, [turn]))


def of_outcome(
    database: Database,
    outcomes: Sequence[Outcome],
    since: datetime,
    language: str = "",
    limit: int = 1000,
) -> list[TurnTrace]:
    """Turns whose match had one of these outcomes, the newest first.

    Args:
        language: of the question; empty: any.
        limit: at most so many.
    """
    wanted = (
        select(Turn)
        .where(
            _has_trace(database),
            Turn.begun_at >= since,
            or_(*(Turn.trace["match"]["outcome"].as_string() == each for each in outcomes)),
        )
        .order_by(Turn.begun_at.desc(), Turn.id.desc())
    )
    if language:
        wanted = wanted.where(Turn.trace["match"]["language"].as_string() == language)
    with database.read() as session:
        found: list[TurnTrace] = []
        for turns in session.scalars(wanted.execution_options(yield_per=PAGE)).partitions():
            found += _with_messages(session, turns)
            if len(found) >= limit:
                break
        return found[:limit]


def _has_trace(database: Database) -> ColumnElement[bool]:
    """As the index `traces_kept` says it, so that it is used."""
    column = "trace" if database.is_sqlite else "trace::text"
    return text(f"({column} != '{{}}' OR problem IS NOT NULL)")  # type: ignore[return-value]


def _with_messages(session: Session, turns: Iterable[Turn]) -> Iterator[TurnTrace]:
    turns = list(turns)
    said: dict[str, list[Message]] = {turn.id: [] for turn in turns}
    for start in range(0, len(turns), PAGE):
        some = turns[start : start + PAGE]
        wanted = select(Message).where(
            # There is an index on the conversation, and none on the turn.
            Message.conversation_id.in_({turn.conversation_id for turn in some}),
            Message.turn_id.in_([turn.id for turn in some]),
        )
        for message in session.scalars(wanted.order_by(Message.seq)):
            said[str(message.turn_id)].append(message)
    for turn in turns:
        yield TurnTrace(
            turn=turn.id,
            conversation=turn.conversation_id,
            state=turn.state,
            begun_at=turn.begun_at,
            ended_at=turn.ended_at,
            tries=turn.tries,
            problem=turn.problem,
            messages=_said(said[turn.id], by_customer=True),
            replies=_said(said[turn.id], by_customer=False),
            trace=turn.trace or {},
        )


def _said(messages: Iterable[Message], *, by_customer: bool) -> tuple[Said, ...]:
    return tuple(
        Said(each.id, each.seq, each.author, each.text)
        for each in messages
        if (each.author == Author.CUSTOMER) is by_customer
    )
