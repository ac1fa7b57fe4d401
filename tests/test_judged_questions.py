"""Judged questions in the knowledge room: kept at hand, and weighed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.conversations.database import Database
from bot.conversations.feedback import collected, judge_answer
from bot.knowledge.articles.articles import Article
from bot.knowledge.search.feedback import JudgedQuestions, weighed
from bot.messages import Author, Feedback
from tests.judging import talk
from tests.scenes import new_customer

LONG_AGO, LATELY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def judged(
    question: str,
    article: str | None = "returns",
    right: bool = True,
    source: Author = Author.AGENT,
    at: datetime = LATELY,
) -> Feedback:
    return Feedback(question, "en", article, right, source, at)


def article(name: str, updated: str = "2026-06-01") -> Article:
    values: dict[str, Any] = dict.fromkeys(Article.__dataclass_fields__, "")
    return Article(**(values | {"id": name, "language": "en", "updated": updated}))


ARTICLES = [article("returns"), article("delivery", updated="last spring")]


def weights(*feedback: Feedback, questions: int = 1000) -> list[float]:
    return [each.weight for each in weighed(feedback, ARTICLES, questions)]


def test_a_record_that_does_not_answer_leaves_what_was_read_before(
    database: Database, tmp_path: Path
) -> None:
    customer = new_customer(database)
    talk(database, customer, "Where is my parcel?")
    judge_answer(database, customer, 2, True)
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")  # there are no tables in it
    records = [database, database, empty]
    judged = JudgedQuestions(lambda: collected(records.pop(0), 10))
    assert judged.refresh()
    assert not judged.refresh(), "nothing is new"
    assert not judged.refresh()
    assert [each.text for each in judged.current] == ["Where is my parcel?"]
    empty.close()


def test_the_knowledge_base_is_told_of_new_feedback() -> None:
    read: list[Sequence[Feedback]] = [(), (judged("Where?"),)]

    async def watch() -> tuple[Feedback, ...]:
        questions = JudgedQuestions(lambda: read.pop(0) if len(read) > 1 else read[0])
        told = asyncio.Event()

        async def tell() -> None:
            told.set()

        watching = asyncio.create_task(questions.watch(0, tell))
        await asyncio.wait_for(told.wait(), timeout=20)
        watching.cancel()
        return questions.current

    assert [each.text for each in asyncio.run(watch())] == ["Where?"]


def test_a_knowledge_base_without_a_record_has_no_feedback() -> None:
    questions = JudgedQuestions()
    assert not questions.refresh()
    assert questions.current == ()


def test_a_customer_weighs_less_than_an_agent() -> None:
    agent, customer = weights(judged("one"), judged("two", source=Author.CUSTOMER))
    assert agent == 1
    assert 0 < customer < agent / 2


def test_an_agents_word_stands_above_customers_on_the_same_question() -> None:
    crowd = [judged("WHERE  is it", right=False, source=Author.CUSTOMER) for _ in range(9)]
    assert weights(judged("where is it"), *crowd) == [1]


def test_a_crowd_on_one_question_weighs_as_much_as_one_agent() -> None:
    crowd = [judged("Where is it?", right=False, source=Author.CUSTOMER) for _ in range(500)]
    assert sum(weights(*crowd)) == pytest.approx(1)


def test_all_customers_together_are_a_small_part_of_what_the_index_asks_itself() -> None:
    flood = [judged(f"question {n}", right=False, source=Author.CUSTOMER) for n in range(1000)]
    found = weights(judged("mine"), *flood, questions=50)
    assert found[0] == 1, "agents are not scaled down with them"
    assert sum(found[1:]) == pytest.approx(10)


def test_a_judgement_fades_when_its_article_was_changed_afterwards() -> None:
    fresh, faded = weights(judged("one"), judged("two", at=LONG_AGO))
    assert faded < fresh / 2
    assert weights(judged("one", "delivery", at=LONG_AGO)) == [1], "no date is no change"


def test_that_no_article_answers_fades_as_articles_are_written() -> None:
    assert weights(judged("one", None), judged("two", None, at=LONG_AGO)) == [1, 0.5]


def test_a_judgement_of_an_article_that_is_gone_is_left_out() -> None:
    assert weights(judged("one", "gone"), judged("two")) == [1]
