"""Agents use and judge the articles that the assistant considered."""

from pathlib import Path

import httpx
import pytest

from bot.conversations.database import Database
from bot.messages import HandoffRequest, TurnResult
from tests.chatting import assert_error
from tests.conftest import Serve
from tests.judging import ARTICLE, facts, handed_over, talk
from tests.players import CANDIDATE
from tests.scenes import conversation_of, new_customer, timeline, waiting
from tests.test_console_api import API, console


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


def mark(desk: httpx.Client, path: str, article: str | None, right: bool | None) -> httpx.Response:
    return desk.post(f"{path}/judgement", json={"article": article, "right": right})


def test_an_agent_sees_the_question_and_the_articles_considered_for_it(
    desk: httpx.Client, database: Database
) -> None:
    path = f"{API}/conversations/{handed_over(database)}"
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
    path = f"{API}/conversations/{handed_over(database)}"
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
    path = f"{API}/conversations/{handed_over(database)}"
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
    path = f"{API}/conversations/{handed_over(database)}"
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
    path = f"{API}/conversations/{handed_over(database)}"
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
    conversation = handed_over(database, "th")  # the article is there in English only
    path = f"{API}/conversations/{conversation}"
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
    customer = conversation_of(database, conversation).customer_id
    assert "And this." not in [each.text for each in timeline(database, customer)]
