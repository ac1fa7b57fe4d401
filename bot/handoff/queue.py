"""The way of a handoff: request → claim → replies → resolve."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.feedback import judge_article
from bot.conversations.intake import clean_text
from bot.conversations.ownership import Act, Owner, after
from bot.conversations.tables import Conversation, Customer, Message, Turn
from bot.conversations.timeline import append, lock_customer
from bot.errors import Conflict, Forbidden, NotFound
from bot.handoff.tables import Agent, Handoff
from bot.messages import Author, HandoffRequest, Source
from bot.texts import texts


@dataclass(frozen=True)
class QueueEntry:
    """An open handoff as the console lists it."""

    conversation: Conversation
    handoff: Handoff
    agent_name: str | None
    last_message: Message
    """Of a person or the assistant: that somebody waits is known without its notice."""


def request(
    session: Session,
    customer: Customer,
    conversation: Conversation,
    wanted: HandoffRequest,
    candidates: Sequence[dict[str, Any]],
    question_id: str | None = None,
) -> None:
    """Put a conversation of a locked customer into the queue and tell the customer.

    Args:
        question_id: the customer's message that the candidates are for.
    """
    if conversation.owner == Owner.WAITING:  # something more urgent has happened meanwhile
        session.execute(
            update(Handoff)
            .where(Handoff.conversation_id == conversation.id, Handoff.resolved_at.is_(None))
            .values(reason=wanted.reason, is_urgent=wanted.is_urgent)
        )
        return
    conversation.owner = after(Owner(conversation.owner), Act.REQUEST)
    session.add(
        Handoff(
            conversation_id=conversation.id,
            reason=wanted.reason,
            is_urgent=wanted.is_urgent,
            candidates=list(candidates),
            question_id=question_id,
        )
    )
    _tell(session, customer, conversation, "system_waiting")


def entries(database: Database) -> list[QueueEntry]:
    """Open handoffs: what is urgent, then the longest waiting first."""
    with database.read() as session:
        last_seq = (
            select(Message.seq)
            .where(Message.conversation_id == Conversation.id, Message.author != Author.SYSTEM)
            .correlate(Conversation)  # the outer query has a Message of its own
            .order_by(Message.seq.desc())
            .limit(1)
            .scalar_subquery()
        )
        rows = session.execute(
            select(Conversation, Handoff, Agent.name, Message)
            .join(Handoff, Handoff.conversation_id == Conversation.id)
            .join(Message, Message.conversation_id == Conversation.id)
            .outerjoin(Agent, Agent.id == Handoff.agent_id)
            .where(Handoff.resolved_at.is_(None), Message.seq == last_seq)
            .order_by(Handoff.is_urgent.desc(), Handoff.requested_at)
            .limit(500)
        ).all()
        return [QueueEntry(*row) for row in rows]


def transcript(
    database: Database, conversation_id: str
) -> tuple[Conversation, Handoff | None, str | None, Sequence[Message]]:
    """A conversation, its latest handoff with the agent's name, and all that was said."""
    with database.read() as session:
        conversation = session.get(Conversation, conversation_id)
        if conversation is None:
            raise NotFound("There is no such conversation.")
        row = session.execute(
            select(Handoff, Agent.name)
            .outerjoin(Agent, Agent.id == Handoff.agent_id)
            .where(Handoff.conversation_id == conversation_id)
            .order_by(Handoff.requested_at.desc())
            .limit(1)
        ).one_or_none()
        messages = session.scalars(
            select(Message).where(Message.conversation_id == conversation_id).order_by(Message.seq)
        ).all()
        handoff, name = row if row is not None else (None, None)
        return conversation, handoff, name, messages


def claim(database: Database, conversation_id: str, agent_id: str) -> Conversation:
    """Take a waiting conversation; of two agents only one succeeds.

    Raises:
        Conflict: another agent was faster, or nobody is waiting.
    """
    with database.write("claim") as session:
        customer, conversation, handoff = _locked(session, conversation_id)
        if conversation.owner == Owner.AGENT and handoff.agent_id == agent_id:
            return conversation
        conversation.owner = after(Owner(conversation.owner), Act.CLAIM)
        handoff.agent_id, handoff.claimed_at = agent_id, now()
        # What is pending is the agent's. A worker that is at it finds out and says nothing.
        ours = Message.conversation_id == conversation.id
        session.execute(update(Message).where(ours, Message.pending).values(pending=False))
        ours = Turn.conversation_id == conversation.id
        done = {"state": "done", "ended_at": now()}
        session.execute(update(Turn).where(ours, Turn.state == "open").values(done))
        _tell(session, customer, conversation, "system_claimed")
        return conversation


def release(database: Database, conversation_id: str, agent_id: str) -> Conversation:
    """Give a claimed conversation back to the queue."""
    with database.write("release") as session:
        _, conversation, handoff = _locked(session, conversation_id)
        _must_be_mine(handoff, agent_id)
        conversation.owner = after(Owner(conversation.owner), Act.RELEASE)
        handoff.agent_id = handoff.claimed_at = None
        return conversation


def reply(
    database: Database,
    conversation_id: str,
    agent_id: str,
    client_message_id: str,
    text: str,
    source: Source | None = None,
) -> Message:
    """Write to the customer as the agent who has the conversation; the same id writes once.

    Args:
        source: the article that is sent along; sending it says that it answers the question.
    """
    text = clean_text(text)
    sources = [source] if source else []
    # Customers' ids and agents' ids never meet.
    client_message_id = f"agent:{client_message_id}"
    with database.write("agent_reply") as session:
        customer, conversation, handoff = _locked(session, conversation_id)
        known = session.scalars(
            select(Message).where(
                Message.customer_id == customer.id, Message.client_message_id == client_message_id
            )
        ).one_or_none()
        if known is not None:
            if (known.text, [Source(**each) for each in known.sources]) != (text, sources):
                raise Conflict("This client_message_id was already used for another message.")
            return known
        _must_be_mine(handoff, agent_id)
        if source is not None and handoff.question_id is not None:
            judge_article(session, handoff.question_id, source.article, True, agent_id)
        return append(
            session,
            customer,
            conversation,
            Author.AGENT,
            text,
            client_message_id=client_message_id,
            sources=[asdict(each) for each in sources],
        )


def judge(
    database: Database,
    conversation_id: str,
    agent_id: str,
    article: str | None,
    right: bool | None,
) -> None:
    """Say whether an article that the assistant had in mind answers the question.

    Args:
        article: None for "no article answers it".
        right: None takes back what was said before.

    Raises:
        NotFound: the article was not among the candidates.
        Conflict: nothing was asked that could be judged.
    """
    with database.write("judgement") as session:
        _, _, handoff = _locked(session, conversation_id)
        _must_be_mine(handoff, agent_id)
        if handoff.question_id is None:
            raise Conflict("There is no question in this conversation that could be judged.")
        if article is not None and article not in {each["article"] for each in handoff.candidates}:
            raise NotFound("The assistant did not have this article in mind.")
        judge_article(session, handoff.question_id, article, right, agent_id)


def resolve(database: Database, conversation_id: str, agent_id: str) -> Conversation:
    """End the handoff; the assistant answers the customer's next message."""
    with database.write("resolve") as session:
        customer, conversation, handoff = _locked(session, conversation_id)
        _must_be_mine(handoff, agent_id)
        conversation.owner = after(Owner(conversation.owner), Act.RESOLVE)
        handoff.resolved_at = now()
        _tell(session, customer, conversation, "system_resolved")
        return conversation


def leave(session: Session, customer: Customer, conversation: Conversation) -> None:
    """A locked customer needs no human any more."""
    if conversation.owner == Owner.WAITING:
        take_back(session, customer, conversation, "system_left_queue")


def take_back(
    session: Session, customer: Customer, conversation: Conversation, told: str = "system_resolved"
) -> None:
    """End the handoff of a locked customer whom nobody has claimed; the assistant goes on.

    Args:
        told: the text that the customer is told.
    """
    conversation.owner = after(Owner(conversation.owner), Act.RESOLVE)
    session.execute(
        update(Handoff)
        .where(Handoff.conversation_id == conversation.id, Handoff.resolved_at.is_(None))
        .values(resolved_at=now())
    )
    _tell(session, customer, conversation, told)


def _locked(session: Session, conversation_id: str) -> tuple[Customer, Conversation, Handoff]:
    conversation = session.get(Conversation, conversation_id)
    if conversation is None:
        raise NotFound("There is no such conversation.")
    customer = lock_customer(session, conversation.customer_id)
    session.refresh(conversation)
    handoff = session.scalars(
        select(Handoff).where(
            Handoff.conversation_id == conversation_id, Handoff.resolved_at.is_(None)
        )
    ).one_or_none()
    if handoff is None:
        raise Conflict("Nobody is waiting in this conversation any more.")
    return customer, conversation, handoff


def _must_be_mine(handoff: Handoff, agent_id: str) -> None:
    if handoff.agent_id != agent_id:
        raise Forbidden("This conversation is not claimed by you. Claim it first.")


def _tell(session: Session, customer: Customer, conversation: Conversation, key: str) -> None:
    append(session, customer, conversation, Author.SYSTEM, texts(conversation.language)[key])
