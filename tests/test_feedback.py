"""Feedback: customers and agents judge answers, and the knowledge base hears of it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

import bot.handoff.tables
import bot.journeys.tables  # noqa: F401
from bot.conversations.database import Base, Database
from bot.conversations.feedback import MAX_OF_ONE_CUSTOMER, collected, judge_answer
from bot.conversations.tables import Conversation
from bot.conversations.timeline import append, lock_customer
from bot.errors import NotFound
from bot.handoff import queue
from bot.knowledge.articles import Article
from bot.knowledge.feedback import JudgedQuestions, weighed
from bot.messages import Author, Button, Feedback, HandoffRequest, Reply, Source, TurnResult
from bot.operations.migrating import SCRIPTS, is_current, migrate
from tests.chatting import Visitor, assert_error, visitor
from tests.conftest import Serve
from tests.players import CANDIDATE, Stage
from tests.scenes import add_agent, at_once, new_customer, say, successes, timeline, waiting
from tests.test_console_api import API, console

ARTICLE = CANDIDATE.article
SOURCE = Source(ARTICLE, "en", CANDIDATE.title)
ANSWER = TurnResult((Reply("Open the link in our e-mail.", sources=(SOURCE,)),))
HANDOFF = TurnResult((), HandoffRequest("not_sure"))


def talk(database: Database, customer: str, words: str, result: TurnResult = ANSWER) -> str:
    """A customer's message and the assistant's turn; the conversation's id."""
    conversation = say(database, customer, words).conversation_id
    stage = Stage(database)

    async def act(_: object) -> TurnResult:
        return result

    stage.assistant.act = act
    assert stage.next_turn()
    return conversation


def thumb(customer: Visitor, seq: int, helpful: object = True) -> httpx.Response:
    path = f"/api/v1/messages/{seq}/feedback"
    return customer.client.post(path, json={"helpful": helpful}, headers=customer.headers)


def facts(database: Database, limit: int = 100) -> list[tuple[str, str | None, bool, str]]:
    return [
        (each.text, each.article, each.right, each.source) for each in collected(database, limit)
    ]


# Customers


def test_a_customer_judges_an_answer_and_sees_it_after_a_reload(
    gateway: httpx.Client, database: Database
) -> None:
    customer = visitor(gateway)
    talk(database, customer.id, "Where is my parcel?")
    assert customer.read()[1]["helpful"] is None
    for helpful in (True, True, False):
        answer = thumb(customer, 2, helpful)
        assert (answer.status_code, answer.json()) == (200, {"seq": 2, "helpful": helpful})
        assert customer.read()[1]["helpful"] is helpful
    assert facts(database) == [("Where is my parcel?", ARTICLE, False, "customer")]


def test_each_answer_has_a_judgement_of_its_own(gateway: httpx.Client, database: Database) -> None:
    customer = visitor(gateway)
    for words in ("Where is my parcel?", "And now?"):
        talk(database, customer.id, words)
    thumb(customer, 2, True)
    thumb(customer, 4, False)
    assert [each.get("helpful") for each in customer.read()] == [None, True, None, False]


def test_only_answers_from_an_article_can_be_judged(
    gateway: httpx.Client, database: Database
) -> None:
    customer = visitor(gateway)
    asks_back = Reply("Try this. Does it work?", sources=(SOURCE,), asks="tip_check")
    clarify = Reply("Which one do you mean?", buttons=(Button("Track", "Track"),))
    for reply in (asks_back, clarify, Reply("Hello!")):
        conversation = talk(database, customer.id, "hello", TurnResult((reply,)))
    with database.write() as session:
        opened = session.get_one(Conversation, conversation)
        locked = lock_customer(session, customer.id)
        append(session, locked, opened, Author.ASSISTANT, "A tip", context={"tip": {}})
        append(session, locked, opened, Author.SYSTEM, "A notice")
    messages = customer.read()
    assert len(messages) == 8
    assert all("helpful" not in each for each in messages)
    for message in messages:
        assert_error(thumb(customer, message["seq"]), 422, "invalid_input")
    assert collected(database, 10) == []


def test_nobody_judges_what_another_customer_was_told(
    gateway: httpx.Client, database: Database
) -> None:
    customer, other = visitor(gateway), visitor(gateway)
    talk(database, customer.id, "Where is my parcel?")
    assert_error(thumb(other, 2), 404, "not_found")
    nobody = Visitor(gateway, customer.id, "guess")
    assert_error(thumb(nobody, 2), 401, "unauthenticated")
    assert collected(database, 10) == []


def test_a_bad_judgement_is_refused_by_the_name_of_what_is_wrong(
    gateway: httpx.Client, database: Database
) -> None:
    customer = visitor(gateway)
    talk(database, customer.id, "Where is my parcel?")
    wrongs: tuple[object, ...] = (1, "true", None, [], {})
    for wrong in wrongs:
        assert "helpful" in assert_error(thumb(customer, 2, wrong), 422, "invalid_input")
    for seq in (0, -1, 2**60):
        assert "seq" in assert_error(thumb(customer, seq), 422, "invalid_input")
    assert_error(thumb(customer, 3), 404, "not_found")
    path = "/api/v1/messages/2/feedback"
    for body in (b"", b"{", b"[]", b'{"helpful": true, "customer": "x"}'):
        answer = gateway.post(path, content=body, headers=customer.headers)
        assert_error(answer, 422, "invalid_input")
    assert collected(database, 10) == []


def test_many_presses_at_once_leave_one_judgement(
    gateway: httpx.Client, database: Database
) -> None:
    customer = visitor(gateway)
    talk(database, customer.id, "Where is my parcel?")
    successes(at_once(lambda n: thumb(customer, 2, n % 2 == 0), range(20), threads=10))
    assert len(collected(database, 100)) == 1


def test_presses_count_as_messages_do_when_there_are_too_many(
    serve: Serve, database: Database
) -> None:
    customer = visitor(serve(messages_per_minute=3))
    talk(database, customer.id, "Where is my parcel?")
    answers = [thumb(customer, 2) for _ in range(5)]
    assert answers[0].status_code == 200
    assert_error(answers[-1], 429, "rate_limited")


# Agents


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """The candidate as an article, in English alone."""
    folder = tmp_path / "articles"
    folder.mkdir()
    head = f"---\nid: {ARTICLE}\nlanguage: en\ntitle: {CANDIDATE.title}\n---\n"
    (folder / "tracking.md").write_text(f"{head}Open the link in our e-mail.\n\nMore.\n")
    return folder


@pytest.fixture
def desk(serve: Serve, database: Database, articles: Path) -> httpx.Client:
    """An agent's browser."""
    return console(serve(knowledge_base=articles), database)


def handed_over(database: Database, language: str = "en") -> tuple[str, str]:
    """A conversation that the assistant gave up on, and its path in the console's API."""
    customer = new_customer(database, language)
    conversation = talk(database, customer, "Where is my parcel?", HANDOFF)
    return conversation, f"{API}/conversations/{conversation}"


def mark(desk: httpx.Client, path: str, article: str | None, right: bool | None) -> httpx.Response:
    return desk.post(f"{path}/judgement", json={"article": article, "right": right})


def test_an_agent_sees_the_question_and_the_articles_considered_for_it(
    desk: httpx.Client, database: Database
) -> None:
    _, path = handed_over(database)
    shown = desk.get(path).json()
    assert shown["question"] == {"text": "Where is my parcel?", "no_article": False}
    [candidate] = shown["candidates"]
    assert candidate["article"] == ARTICLE
    assert candidate["short_answer"] == "Open the link in our e-mail."
    assert candidate["right"] is None


def test_the_question_of_a_wish_for_a_person_is_the_one_before_it(
    desk: httpx.Client, database: Database
) -> None:
    customer = new_customer(database)
    talk(database, customer, "Where is my parcel?")
    wish = TurnResult((), HandoffRequest("asked_for_human"))
    conversation = talk(database, customer, "A person, please", wish)
    shown = desk.get(f"{API}/conversations/{conversation}").json()
    assert shown["question"]["text"] == "Where is my parcel?"
    path = f"{API}/conversations/{waiting(database).conversation_id}"
    assert desk.get(path).json()["question"] is None


def test_an_agent_marks_an_article_and_may_take_it_back(
    desk: httpx.Client, database: Database
) -> None:
    _, path = handed_over(database)
    desk.post(f"{path}/claim")
    for right in (True, True, False):
        assert mark(desk, path, ARTICLE, right).json() == {"article": ARTICLE, "right": right}
        assert desk.get(path).json()["candidates"][0]["right"] is right
    assert facts(database) == [("Where is my parcel?", ARTICLE, False, "agent")]
    for _ in range(2):
        assert mark(desk, path, ARTICLE, None).status_code == 200
    assert desk.get(path).json()["candidates"][0]["right"] is None
    assert facts(database) == []


def test_that_no_article_answers_and_that_one_does_exclude_each_other(
    desk: httpx.Client, database: Database
) -> None:
    _, path = handed_over(database)
    desk.post(f"{path}/claim")
    mark(desk, path, ARTICLE, True)
    mark(desk, path, None, True)
    assert facts(database) == [("Where is my parcel?", None, True, "agent")]
    assert desk.get(path).json()["question"]["no_article"] is True
    mark(desk, path, ARTICLE, False)
    assert len(facts(database)) == 2, "a wrong article is no contradiction"
    mark(desk, path, ARTICLE, True)
    assert facts(database) == [("Where is my parcel?", ARTICLE, True, "agent")]
    assert_error(mark(desk, path, None, False), 422, "invalid_input")


def test_only_the_agent_who_has_the_conversation_judges(
    desk: httpx.Client, gateway: httpx.Client, database: Database
) -> None:
    _, path = handed_over(database)
    assert_error(mark(desk, path, ARTICLE, True), 403, "forbidden")
    colleague = console(gateway, database, "colleague")
    colleague.post(f"{path}/claim")
    assert_error(mark(desk, path, ARTICLE, True), 403, "forbidden")
    assert mark(colleague, path, ARTICLE, True).status_code == 200
    stranger = httpx.Client(base_url=desk.base_url, headers={"X-Usher-Console": "1"})
    assert_error(mark(stranger, path, ARTICLE, True), 401, "unauthenticated")
    del colleague.headers["X-Usher-Console"]
    assert_error(mark(colleague, path, ARTICLE, False), 403, "forbidden")
    assert facts(database) == [("Where is my parcel?", ARTICLE, True, "agent")]


def test_what_cannot_be_judged_is_refused(desk: httpx.Client, database: Database) -> None:
    _, path = handed_over(database)
    desk.post(f"{path}/claim")
    for unknown in ("other-article", "", "a\0b"):
        assert_error(mark(desk, path, unknown, True), 404, "not_found")
    for body in ({}, {"article": ARTICLE}, {"article": ARTICLE, "right": "yes"}, {"right": True}):
        answer = desk.post(f"{path}/judgement", json=body)
        assert_error(answer, 422, "invalid_input")
    nothing_asked = f"{API}/conversations/{waiting(database).conversation_id}"
    desk.post(f"{nothing_asked}/claim")
    assert_error(mark(desk, nothing_asked, None, True), 409, "conflict")
    assert_error(mark(desk, f"{API}/conversations/x", None, True), 404, "not_found")
    desk.post(f"{path}/resolve")
    assert_error(mark(desk, path, ARTICLE, True), 409, "conflict")


def test_sending_an_article_says_that_it_is_the_right_one(
    desk: httpx.Client, database: Database
) -> None:
    conversation, path = handed_over(database, "th")  # the article is there in English only
    desk.post(f"{path}/claim")
    reply = {"client_message_id": "1", "text": "Open the link.", "article": ARTICLE}
    first = desk.post(f"{path}/reply", json=reply)
    assert first.status_code == 200, first.text
    assert desk.post(f"{path}/reply", json=reply).json() == first.json()
    other = reply | {"article": None}
    assert_error(desk.post(f"{path}/reply", json=other), 409, "conflict")
    shown = desk.get(path).json()
    sent = shown["messages"][-1]
    [source] = sent["sources"]
    assert (sent["author"], source["title"]) == ("agent", CANDIDATE.title)
    assert source["url"].endswith(f"/help/en/{ARTICLE}")
    assert shown["candidates"][0]["url"].endswith(f"/help/en/{ARTICLE}")
    assert facts(database) == [("Where is my parcel?", ARTICLE, True, "agent")]
    gone = {"client_message_id": "2", "text": "And this.", "article": "gone"}
    assert_error(desk.post(f"{path}/reply", json=gone), 404, "not_found")
    with database.read() as session:
        customer = session.get_one(Conversation, conversation).customer_id
    assert "And this." not in [each.text for each in timeline(database, customer)]


# What the knowledge base is given


def test_feedback_is_the_question_as_it_was_typed_the_newest_first(database: Database) -> None:
    agent = add_agent(database)
    conversation, _ = handed_over(database, "fa")
    queue.claim(database, conversation, agent)
    queue.judge(database, conversation, agent, ARTICLE, False)
    customer = new_customer(database, "vi")
    talk(database, customer, "đơn hàng của mình ĐÂU RỒI???")
    judge_answer(database, customer, 2, True)
    newest, oldest = collected(database, 10)
    assert (newest.text, newest.language) == ("đơn hàng của mình ĐÂU RỒI???", "vi")
    assert (newest.source, newest.right) == (Author.CUSTOMER, True)
    assert (oldest.language, oldest.article, oldest.right) == ("fa", ARTICLE, False)
    assert newest.judged_at > oldest.judged_at
    queue.judge(database, conversation, agent, ARTICLE, True)
    assert [each.source for each in collected(database, 10)] == ["agent", "customer"]


def test_one_customer_speaks_for_few_and_all_customers_push_out_no_agent(
    database: Database,
) -> None:
    agent = add_agent(database)
    conversation, _ = handed_over(database)
    queue.claim(database, conversation, agent)
    queue.judge(database, conversation, agent, None, True)
    busy = new_customer(database)
    for n in range(MAX_OF_ONE_CUSTOMER + 3):
        talk(database, busy, f"question {n}")
        judge_answer(database, busy, 2 * n + 2, False)
    heard = [each.text for each in collected(database, 100) if each.source == Author.CUSTOMER]
    newest = range(MAX_OF_ONE_CUSTOMER + 2, 2, -1)
    assert heard == [f"question {n}" for n in newest]
    for _ in range(2):
        customer = new_customer(database)
        talk(database, customer, "Where?")
        judge_answer(database, customer, 2, True)
    few = collected(database, 2)
    assert [each.source for each in few] == ["customer", "customer", "agent"]


def test_a_judgement_of_a_message_that_is_not_there_is_refused(database: Database) -> None:
    customer = new_customer(database)
    with pytest.raises(NotFound):
        judge_answer(database, customer, 1, True)
    with pytest.raises(NotFound):
        judge_answer(database, "0" * 32, 1, True)


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


# What it weighs

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


# The record


def test_the_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_a_record_of_the_first_version_keeps_what_it_holds(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'usher.db'}")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("INSERT INTO agents VALUES ('1', 'a@example.test', 'A', '-', '2026-01-01')")
        )
        connection.commit()
    migrate(database)
    assert is_current(database)
    with database.read() as session:
        assert session.execute(text("SELECT name FROM agents")).scalars().all() == ["A"]
    database.close()
