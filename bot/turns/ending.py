"""How a turn ends: replies, ownership and the end of the lease are committed at once."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Customer, Message, Turn
from bot.conversations.timeline import append, append_reply, lock_customers
from bot.handoff import queue
from bot.messages import SILENCE, Author, Context, HandoffRequest, Match, Outcome, Reply, TurnResult
from bot.texts import texts
from bot.turns import leases, wishes
from bot.turns.beginning import NEEDED, Work
from bot.turns.leases import Lease, LeaseLost

MAX_TRIES = 5
"""A message that fails so often while everything else works becomes a dead letter."""
MIN_WAIT, MAX_WAIT = timedelta(seconds=2), timedelta(seconds=30)
LOOKED_BACK = 10
"""Messages among which the last question is looked for."""
WORTH_SHOWING = 0.05
"""The least probability of an article that an agent is shown."""


@dataclass(frozen=True)
class Finished:
    """What a turn has come to."""

    work: Work
    matches: Sequence[Match]
    """At least one."""
    result: TurnResult
    timings: Mapping[str, int]
    """Milliseconds of its parts."""


@dataclass
class _Scene:
    """All that is written when turns end, locked and read at once."""

    conversations: Mapping[Lease, Conversation]
    """Of the leases that still hold."""
    customers: Mapping[str, Customer]
    turns: Mapping[str, Turn]
    messages: Mapping[str, list[Message]]
    """Of each turn."""
    more: Set[str]
    """The conversations in which further messages wait."""


def complete_all(
    database: Database, finished: Sequence[Finished]
) -> Sequence[Finished | LeaseLost]:
    """Commit turns.

    Returns:
        Each, or that its lease was lost and nothing of it was written.

    Raises:
        Unavailable: the database does not answer; nothing was written, and whoever leases the
            conversations next resumes the turns.
    """
    with _writing(database, [each.work for each in finished]) as (session, scene):
        held = set(scene.conversations)
        with session.no_autoflush:  # one flush for all
            for each in finished:
                if each.work.lease in held:
                    _complete(session, scene, each)
    return [each if each.work.lease in held else _lost(each.work) for each in finished]


@contextmanager
def _writing(database: Database, works: Sequence[Work]) -> Iterator[tuple[Session, _Scene]]:
    """A transaction on the conversations that are still ours, with their customers locked."""
    with database.write("turn") as session:
        # Turns and their messages are changed by the lease's holder alone, so they can be read
        # before anything is locked; whether that is still us is found out after it.
        turns = session.scalars(select(Turn).where(Turn.id.in_([work.turn_id for work in works])))
        turn_of = {turn.id: turn for turn in turns}
        own: dict[str, list[Message]] = {work.turn_id: [] for work in works}
        ids = [each for work in works for each in work.message_ids]
        said = select(Message).where(Message.id.in_(ids)).order_by(Message.seq).options(NEEDED)
        for message in session.scalars(said):
            own[message.turn_id or ""].append(message)
        customers = lock_customers(session, (work.customer_id for work in works))
        held = leases.lock(session, [work.lease for work in works])
        others = select(Message.conversation_id).where(
            Message.conversation_id.in_([each.id for each in held.values()]),
            Message.pending,
            Message.turn_id.is_(None),
        )
        more = set(session.scalars(others.distinct()))
        yield session, _Scene(held, customers, turn_of, own, more)


def _complete(session: Session, scene: _Scene, finished: Finished) -> None:
    work, matches, result = finished.work, finished.matches, finished.result
    conversation = scene.conversations[work.lease]
    customer = scene.customers[work.customer_id]
    messages = _end(scene, work, "done")
    message = messages[-1]
    if work.is_waiting and conversation.owner != Owner.WAITING:
        result = SILENCE  # an agent has come meanwhile and answers
    question: Message | None = message
    if result.handoff is not None and result.handoff.reason != "not_sure":
        # "A person, please" has no article: the agent wants to know what came before it.
        question = _last_question(session, conversation.id)
    message.match = _as_kept(matches[0])
    scene.turns[work.turn_id].trace = {
        "messages": len(messages),
        "match": message.match | {"article_language": matches[0].article_language},
        "more": [_as_kept(each) for each in matches[1:]],
        "dialogue": dict(result.trace),
        "handoff": result.handoff.reason if result.handoff else None,
        "timings": {"waited": work.waited_ms, **finished.timings},
    }
    if result != SILENCE:  # else the assistant has not heard of it yet
        conversation.tracker_seq = max(conversation.tracker_seq, message.seq)
    conversation.language = result.language or matches[0].language
    conversation.context = _remembered(work, matches[-1], result) | {
        "heard": {
            "texts": [each.text for each in messages],
            "turn": work.turn_id,
            "until": now().isoformat(),
        }
    }
    if result.language:
        customer.language = result.language
    for reply in result.replies:
        append_reply(session, customer, conversation, reply, answers=message)
    wishes.grant(session, customer, conversation, messages, result.wish)
    leases.give_back(conversation, more=conversation.id in scene.more)
    if result.handoff is not None:
        found = question.match["candidates"] if question and question.match else ()
        likely = [each for each in found if each["probability"] >= WORTH_SHOWING]
        question_id = question.id if question else None
        session.flush()  # what it updates must not come back
        queue.request(session, customer, conversation, result.handoff, likely, question_id)


def _as_kept(match: Match) -> dict[str, Any]:
    return {
        "outcome": match.outcome,
        "confidence": match.confidence,
        "act": match.act,
        "act_probability": match.act_probability,
        "language": match.language,
        "question": match.question,
        "candidates": [asdict(candidate) for candidate in match.candidates],
    }


def _remembered(work: Work, match: Match, result: TurnResult) -> dict[str, Any]:
    """What the next turn has to know of this one."""
    before = work.context
    if result.wish == "start_over":
        return {}
    asking = next((each for each in reversed(result.replies) if each.asks), Reply(""))
    is_act = match.outcome in {Outcome.ACT, Outcome.CONFIRM, Outcome.NOT_UNDERSTOOD}
    topic, article = before.topic, before.article
    if not is_act or asking.asks == "product":
        topic, article = match.question, ""
        if match.outcome == Outcome.ANSWER:
            article = match.candidates[0].article
    unhelped = before.unhelped if result.unhelped is None else result.unhelped
    asked = before.asked if result == SILENCE else asking.asks or ""
    kept = Context(topic, article, asked, asking.choices, unhelped)
    return {key: value for key, value in asdict(kept).items() if value}


def _end(scene: _Scene, work: Work, state: str) -> list[Message]:
    """End a turn; gives its messages, which wait no longer."""
    turn = scene.turns[work.turn_id]
    turn.state, turn.ended_at = state, now()
    for message in scene.messages[turn.id]:
        message.pending = False
    return scene.messages[turn.id]


def fail(database: Database, work: Work, problem: str, counts: bool, recovery: timedelta) -> bool:
    """Keep a turn for another try, apologise once, and at last ask a human.

    Args:
        problem: without a customer's words.
        counts: the turn itself is at fault, not an outage; `MAX_TRIES` of these end it.
        recovery: after this long a human is asked, whosever fault it is.

    Returns:
        Whether the turn has become a dead letter.

    Raises:
        LeaseLost: nothing was written.
    """
    with _writing(database, [work]) as (session, scene):
        conversation = scene.conversations.get(work.lease)
        if conversation is None:
            raise _lost(work)
        customer, turn = scene.customers[work.customer_id], scene.turns[work.turn_id]
        turn.problem = problem[:500]
        turn.tries += counts
        age = now() - turn.begun_at
        first = scene.messages[turn.id][0]
        dead = turn.tries >= MAX_TRIES or first.created_at < now() - recovery
        words = texts(conversation.language)
        pending = select(Message).where(Message.conversation_id == conversation.id, Message.pending)
        unheard = [each for each in session.scalars(pending) if not each.apologised]
        # An outage may end at any moment: 2, 4, 8, 16 seconds, as long again as it has taken so
        # far, then every 30. What may only be a load peak is given time: 2, 6, 18, 54 seconds.
        wait = min(max(age, MIN_WAIT), MAX_WAIT)
        if counts:
            wait = MIN_WAIT * 3 ** (turn.tries - 1)
        if not dead:
            leases.give_back(conversation, more=True, wait=wait)
            # Who waits for a human hears nothing of it, but it may be danger: it is tried again.
            if unheard and not work.is_waiting:
                text = words["system_unavailable"]
                append(session, customer, conversation, Author.SYSTEM, text)
                for each in unheard:
                    each.apologised = True
            return False
        _end(scene, work, "done" if work.is_waiting else "dead")
        leases.give_back(conversation, more=conversation.id in scene.more)
        if work.is_waiting:
            return False
        text = words["system_recovered_handoff"]
        append(session, customer, conversation, Author.SYSTEM, text)
        session.flush()
        queue.request(session, customer, conversation, HandoffRequest("assistant_unavailable"), ())
        return True


def _lost(work: Work) -> LeaseLost:
    return LeaseLost(f"Conversation {work.lease.conversation_id} belongs to another worker now.")


def _last_question(session: Session, conversation_id: str) -> Message | None:
    """The customer's last message that was no act."""
    matched = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.match.is_not(None))
        .order_by(Message.seq.desc())
        .limit(LOOKED_BACK)
    ).all()
    questions = (each for each in matched if (each.match or {}).get("outcome") != Outcome.ACT)
    return next(questions, matched[0] if matched else None)
