"""One turn of the assistant: pending message → match → Rasa → replies, committed at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Customer, Message
from bot.conversations.timeline import append, append_reply, lock_customer
from bot.errors import Unavailable
from bot.handoff import queue
from bot.journeys.purchases import products_of
from bot.knowledge.client import KnowledgeClient
from bot.messages import Author, HandoffRequest, Match, Outcome, TurnResult
from bot.texts import texts
from bot.turns import leases
from bot.turns.assistant import Assistant, HistoryItem, TrackerBehind
from bot.turns.leases import Lease

log = structlog.get_logger()

MAX_RETRY_SECONDS = 30
WORTH_SHOWING = 0.05
"""The least probability of an article that an agent is shown."""
HISTORY_LIMIT = 60
"""The most messages that a lost tracker is rebuilt from."""


@dataclass(frozen=True)
class Turn:
    """A customer's message that waits for the assistant, with all the turn needs."""

    conversation: Conversation
    message: Message
    history: tuple[HistoryItem, ...]
    products: tuple[str, ...]
    topic: str
    """The question that was answered just before, or nothing."""


async def take(
    database: Database,
    lease: Lease,
    knowledge: KnowledgeClient,
    assistant: Assistant,
    recovery: timedelta,
) -> str | None:
    """Take the next turn of a leased conversation and give the lease back.

    Returns:
        The customer who has something new to see, or None.
    """
    turn = await asyncio.to_thread(load, database, lease)
    if turn is None:
        return None
    message = turn.message
    try:
        match = await knowledge.match(
            message.text, turn.conversation.language, turn.products, turn.topic
        )
        result = await _ask(database, turn, match, assistant)
    except Exception as problem:
        log.warning(
            "turn failed",
            conversation=lease.conversation_id,
            message=message.id,
            attempt=message.attempts + 1,
            problem=str(problem),
            exc_info=not isinstance(problem, Unavailable),
        )
        await asyncio.to_thread(fail, database, lease, message.id, recovery)
    else:
        await asyncio.to_thread(complete, database, lease, message.id, match, result)
        log.info(
            "turn",
            conversation=lease.conversation_id,
            message=message.id,
            outcome=match.outcome,
            confidence=round(match.confidence, 3),
            handoff=result.handoff.reason if result.handoff else None,
        )
    return message.customer_id


async def _ask(database: Database, turn: Turn, match: Match, assistant: Assistant) -> TurnResult:
    conversation, history = turn.conversation, turn.history
    item = _as_history(turn.message)
    after = conversation.tracker_seq
    for _ in range(2):
        try:
            return await assistant.turn(conversation.id, after, history, item, match)
        except TrackerBehind as behind:
            after = behind.seq
            history = await asyncio.to_thread(
                history_of, database, conversation.id, after, item.seq, everything=True
            )
    raise Unavailable("The assistant's tracker cannot be brought up to date.")


def _as_history(message: Message) -> HistoryItem:
    return HistoryItem(message.seq, message.author, message.text, message.context)


def history_of(
    database: Database, conversation_id: str, after: int, before: int, *, everything: bool = False
) -> tuple[HistoryItem, ...]:
    """Messages between two `seq`s that a tracker has not seen.

    Args:
        everything: also the assistant's own replies, for a tracker that was lost; otherwise
            it has written those itself.
    """
    with database.read() as session:
        return _history(session, conversation_id, after, before, everything=everything)


def _history(
    session: Session, conversation_id: str, after: int, before: int, *, everything: bool = False
) -> tuple[HistoryItem, ...]:
    wanted = (
        select(Message)
        .where(
            Message.conversation_id == conversation_id, Message.seq > after, Message.seq < before
        )
        .order_by(Message.seq.desc())
        .limit(HISTORY_LIMIT)
    )
    if not everything:
        wanted = wanted.where(Message.answers.is_(None))
    return tuple(_as_history(message) for message in session.scalars(wanted).all()[::-1])


def load(database: Database, lease: Lease) -> Turn | None:
    """The oldest pending message, or None (and no lease any more) when the turn is not ours."""
    with database.read() as session:
        conversation = leases.check(session, lease)
        message = session.scalars(_pending(conversation.id)).first()
        if message is not None and conversation.owner == Owner.ASSISTANT:
            products = products_of(session, conversation.customer_id)
            after = conversation.tracker_seq
            history = _history(session, conversation.id, after, message.seq)
            topic = _topic(session, conversation.id)
            return Turn(conversation, message, history, products, topic)
    with _writing(database, lease) as (session, _, conversation):
        if conversation.owner != Owner.ASSISTANT:
            for message in session.scalars(_pending(conversation.id)):
                message.pending = False
        _give_back(session, conversation)
    return None


def complete(
    database: Database, lease: Lease, message_id: str, match: Match, result: TurnResult
) -> None:
    """Commit a turn: replies, deliveries, ownership and the end of the lease together."""
    with _writing(database, lease) as (session, customer, conversation):
        message = session.get_one(Message, message_id)
        question: Message | None = message
        if result.handoff is not None and result.handoff.reason != "not_sure":
            # "A person, please" has no article: the agent wants to know what came before it.
            question = _last_matched(session, conversation.id)
        message.pending = False
        message.match = {
            "outcome": match.outcome,
            "confidence": match.confidence,
            "language": match.language,
            "question": match.question,
            "candidates": [asdict(candidate) for candidate in match.candidates],
        }
        conversation.tracker_seq = message.seq
        conversation.language = result.language or match.language
        if result.language:
            customer.language = result.language
        for reply in result.replies:
            append_reply(session, customer, conversation, reply, answers=message.id)
        if result.handoff is not None:
            found = question.match["candidates"] if question and question.match else ()
            likely = [each for each in found if each["probability"] >= WORTH_SHOWING]
            question_id = question.id if question else None
            queue.request(session, customer, conversation, result.handoff, likely, question_id)
        _give_back(session, conversation)


def fail(database: Database, lease: Lease, message_id: str, recovery: timedelta) -> None:
    """Keep the message for another try, apologise once, and after `recovery` ask a human."""
    with _writing(database, lease) as (session, customer, conversation):
        message = session.get_one(Message, message_id)
        message.attempts += 1
        words = texts(conversation.language)
        unheard = [
            each for each in session.scalars(_pending(conversation.id)) if not each.apologised
        ]
        if message.created_at < now() - recovery:
            text = words["system_recovered_handoff"]
            append(session, customer, conversation, Author.SYSTEM, text)
            wanted = HandoffRequest("assistant_unavailable")
            queue.request(session, customer, conversation, wanted, ())
        elif unheard:
            append(session, customer, conversation, Author.SYSTEM, words["system_unavailable"])
            for each in unheard:
                each.apologised = True
        wait = min(2 ** min(message.attempts, 10), MAX_RETRY_SECONDS)
        _give_back(session, conversation, timedelta(seconds=wait))


def _last_matched(session: Session, conversation_id: str) -> Message | None:
    """The customer's last message that the assistant has answered."""
    return session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.match.is_not(None))
        .order_by(Message.seq.desc())
        .limit(1)
    ).first()


def _topic(session: Session, conversation_id: str) -> str:
    """What the customer asked last, if an article answered it."""
    asked = _last_matched(session, conversation_id)
    if asked is None or asked.match is None:
        return ""
    reply = session.scalars(
        select(Message).where(Message.answers == asked.id).order_by(Message.seq).limit(1)
    ).first()
    answered = asked.match["outcome"] == Outcome.ANSWER and reply is not None and reply.sources
    return str(asked.match.get("question") or asked.text) if answered else ""


def _pending(conversation_id: str) -> Select[Message]:
    return (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.pending)
        .order_by(Message.seq)
    )


@contextmanager
def _writing(database: Database, lease: Lease) -> Iterator[tuple[Session, Customer, Conversation]]:
    """A transaction on a conversation that is still ours, with its customer locked."""
    with database.write("turn") as session:
        conversation = leases.check(session, lease)
        customer = lock_customer(session, conversation.customer_id)
        yield session, customer, leases.check(session, lease)


def _give_back(
    session: Session, conversation: Conversation, wait: timedelta = timedelta(0)
) -> None:
    session.flush()
    more = session.scalars(_pending(conversation.id).limit(1)).first()
    conversation.turn_due_at = now() + wait if more is not None else None
    conversation.leased_until = None
