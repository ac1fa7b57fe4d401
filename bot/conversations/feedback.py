"""Judgements: what customers and agents say of the assistant's answers.

Each is about a customer's question and an article, and every judge has one word on each:
saying it again changes nothing, saying something else replaces it. Whoever writes one
holds the customer's lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.tables import Judgement, Message
from bot.conversations.timeline import lock_customer
from bot.errors import InvalidInput, NotFound
from bot.messages import Author, Feedback

NO_ARTICLE = ""
"""Stands for "no article answers it" in the table."""
MAX_OF_ONE_CUSTOMER = 5
"""The most judgements of one customer that are handed on: nobody speaks for all the others."""


@dataclass(frozen=True)
class Marks:
    """What one agent has said about a question."""

    articles: Mapping[str, bool]
    """Whether an article answers it, by its id; those not judged are missing."""
    no_article: bool
    """That no article answers it."""


def is_answer(message: Message) -> bool:
    """Whether a message answers a question from an article.

    A tip answers nothing, a list of titles has no source, and what asks back belongs to a
    dialogue: its article was not found by the customer's words.
    """
    return (
        message.author == Author.ASSISTANT
        and message.answers is not None
        and bool(message.sources)
        and "asks" not in message.context
    )


def judge_answer(database: Database, customer_id: str, seq: int, helpful: bool) -> None:
    """A customer says whether an answer helped.

    Args:
        seq: of the answer, among the messages of this customer.

    Raises:
        NotFound: the customer has no such message.
        InvalidInput: it is no answer from an article.
    """
    with database.write("judgement") as session:
        lock_customer(session, customer_id)
        answer = session.scalars(
            select(Message).where(Message.customer_id == customer_id, Message.seq == seq)
        ).one_or_none()
        if answer is None:
            raise NotFound("There is no message with this number.")
        if not is_answer(answer):
            raise InvalidInput("Only an answer from an article can be judged; this is another one.")
        assert answer.answers is not None
        article = answer.sources[0]["article"]
        _record(session, answer.answers, article, helpful, Author.CUSTOMER, customer_id)


def judge_article(
    session: Session, question_id: str, article: str | None, right: bool | None, agent_id: str
) -> None:
    """An agent says whether an article answers a question of a locked customer.

    "No article" and "this one" exclude each other: the later word counts.

    Args:
        article: None for "no article answers it".
        right: None takes back what the agent said before.

    Raises:
        InvalidInput: that "no article" is wrong, which says nothing.
    """
    own = (Judgement.question_id == question_id, Judgement.judge == agent_id)
    name = article or NO_ARTICLE
    if right is None:
        session.execute(delete(Judgement).where(*own, Judgement.article == name))
        return
    if not article and not right:
        raise InvalidInput("Say which article answers the question, not only that there is one.")
    if right:
        is_no_article = Judgement.article == NO_ARTICLE
        contrary = is_no_article if article else ~is_no_article & Judgement.is_right
        session.execute(delete(Judgement).where(*own, contrary))
    _record(session, question_id, name, right, Author.AGENT, agent_id)


def _record(
    session: Session, question_id: str, article: str, right: bool, source: Author, judge: str
) -> None:
    known = session.scalars(
        select(Judgement).where(
            Judgement.question_id == question_id,
            Judgement.judge == judge,
            Judgement.article == article,
        )
    ).one_or_none()
    if known is None:
        session.add(
            Judgement(
                question_id=question_id,
                article=article,
                is_right=right,
                source=source,
                judge=judge,
            )
        )
    elif known.is_right != right:
        known.is_right, known.judged_at = right, now()


def helpful(
    session: Session, customer_id: str, messages: Sequence[Message]
) -> dict[int, bool | None]:
    """What the customer said of each answer among their messages, by `seq`; None: nothing."""
    answers = [each for each in messages if is_answer(each)]
    if not answers:
        return {}
    said = {
        (each.question_id, each.article): each.is_right
        for each in session.scalars(
            select(Judgement).where(
                Judgement.judge == customer_id,
                Judgement.question_id.in_([each.answers for each in answers]),
            )
        )
    }
    return {
        each.seq: said.get((each.answers or "", each.sources[0]["article"])) for each in answers
    }


def marks(database: Database, question_id: str | None, agent_id: str) -> Marks:
    """What an agent has said about a question so far."""
    with database.read() as session:
        found = {
            each.article: each.is_right
            for each in session.scalars(
                select(Judgement).where(
                    Judgement.question_id == question_id, Judgement.judge == agent_id
                )
            )
        }
    no_article = found.pop(NO_ARTICLE, False)
    return Marks(found, no_article)


def collected(database: Database, limit: int) -> list[Feedback]:
    """Judged questions for the knowledge base, the newest first.

    Args:
        limit: the most of agents, and the most of customers: however many customers judge,
            they push out no word of an agent's.

    Raises:
        Unavailable: the database does not answer.
    """
    turn = func.row_number().over(
        partition_by=(Judgement.source, Judgement.judge),
        order_by=(Judgement.judged_at.desc(), Judgement.id),
    )
    numbered = select(Judgement.id, turn.label("turn")).subquery()
    with database.read() as session:
        found = [
            row
            for source, most in ((Author.AGENT, limit), (Author.CUSTOMER, MAX_OF_ONE_CUSTOMER))
            for row in session.execute(
                select(
                    Judgement,
                    func.coalesce(Message.match["question"].as_string(), Message.text),
                    Message.match["language"].as_string(),
                )
                .join(numbered, numbered.c.id == Judgement.id)
                .join(Message, Message.id == Judgement.question_id)
                .where(Judgement.source == source, numbered.c.turn <= most)
                .order_by(Judgement.judged_at.desc(), Judgement.id)
                .limit(limit)
            )
        ]
    feedback = [
        Feedback(
            text=text,
            language=language,
            article=judgement.article or None,
            right=judgement.is_right,
            source=Author(judgement.source),
            judged_at=judgement.judged_at,
        )
        for judgement, text, language in found
    ]
    return sorted(feedback, key=lambda each: each.judged_at, reverse=True)
