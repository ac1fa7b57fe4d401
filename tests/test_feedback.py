"""Customers judge answers, and the knowledge base is given what everybody judged."""

import httpx
import pytest

from bot.conversations.database import Database
from bot.conversations.feedback import MAX_OF_ONE_CUSTOMER, collected, judge_answer
from bot.conversations.tables import Conversation
from bot.conversations.timeline import append, lock_customer
from bot.errors import NotFound
from bot.handoff import queue
from bot.messages import Author, Button, Reply, TurnResult
from tests.chatting import Visitor, assert_error, visitor
from tests.conftest import Serve
from tests.judging import ARTICLE, SOURCE, facts, handed_over, talk
from tests.scenes import add_agent, at_once, new_customer, successes


def thumb(customer: Visitor, seq: int, helpful: object = True) -> httpx.Response:
    path = f"/api/v1/messages/{seq}/feedback"
    return customer.client.post(path, json={"helpful": helpful}, headers=customer.headers)


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
    with database.write("test") as session:
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


def test_feedback_is_the_question_as_it_was_typed_the_newest_first(database: Database) -> None:
    agent = add_agent(database)
    conversation = handed_over(database, "fa")
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
    conversation = handed_over(database)
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
