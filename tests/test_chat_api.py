"""The chat API through real HTTP: its contract and everything that it refuses."""

import threading
import time
from typing import Any

import httpx
import jwt

from bot.conversations.database import Database
from bot.gateway.http import SECURITY_HEADERS
from bot.handoff import queue
from bot.messages import MAX_TEXT_LENGTH
from tests.chatting import assert_error, visitor
from tests.conftest import Serve
from tests.scenes import add_agent, at_once, conversation_of, successes, waiting


def test_a_message_is_acknowledged_and_read_back(gateway: httpx.Client) -> None:
    customer = visitor(gateway, language="fa")
    sent = customer.send("سلام", language="fa")
    assert sent.status_code == 202
    assert set(sent.json()) == {"message_id", "conversation_id", "seq"}
    [message] = customer.read()
    assert set(message) == {"seq", "author", "text", "buttons", "sources", "created_at"}
    assert (message["seq"], message["author"], message["text"]) == (1, "customer", "سلام")
    assert message["created_at"].endswith("+00:00")


def test_the_same_id_and_body_give_the_same_answer_and_no_second_message(
    gateway: httpx.Client,
) -> None:
    customer = visitor(gateway)
    first = customer.send("hello", client_message_id="1")
    again = customer.send("hello", client_message_id="1")
    assert (again.status_code, again.json()) == (202, first.json())
    other = customer.send("bye", client_message_id="1")
    assert_error(other, 409, "conflict")
    assert len(customer.read()) == 1


def test_concurrent_messages_over_http_are_numbered_without_gaps(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    answers = successes(at_once(lambda n: customer.send(f"message {n}"), range(20), threads=10))
    assert sorted(each.json()["seq"] for each in answers) == list(range(1, 21))
    assert len({each.json()["conversation_id"] for each in answers}) == 1
    assert [each["seq"] for each in customer.read(after=5)] == list(range(6, 21))
    assert customer.read(after=20) == []


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"", "JSON"),
    (b"\x00\xff\xfe", "JSON"),
    (b"{", "JSON"),
    (b"[" * 30_000, "JSON"),
    (b'{"a":' * 10_000, "JSON"),
    (b"[]", "body"),
    (b"null", "body"),
    (b'"text"', "body"),
    (b"1" * 5000, "JSON"),
    (b"{}", "client_message_id"),
    (b'{"client_message_id": "1"}', "text"),
    (b'{"client_message_id": "", "text": "a"}', "client_message_id"),
    (b'{"client_message_id": 1, "text": "a"}', "client_message_id"),
    (b'{"client_message_id": "1", "text": 1}', "text"),
    (b'{"client_message_id": "1", "text": null}', "text"),
    (b'{"client_message_id": "1", "text": ["a"]}', "text"),
    (b'{"client_message_id": "1", "text": NaN}', "text"),
    (b'{"client_message_id": "1", "text": "a", "author": "agent"}', "author"),
    (b'{"client_message_id": "1", "text": "a", "\\ud800": 1}', ""),
    (b'{"client_message_id": "1", "text": ""}', "empty"),
    (b'{"client_message_id": "1", "text": " \\u200b\\n "}', "empty"),
    (b'{"client_message_id": "1", "text": "\\ud800"}', "text"),
    (b'{"client_message_id": "\\udfff", "text": "a"}', "client_message_id"),
    (b'{"client_message_id": "a\\u0000b", "text": "a"}', "client_message_id"),
    (b'{"client_message_id": "1", "text": "a", "language": "fr"}', "language"),
    (b'{"client_message_id": "1", "text": "a", "language": 5}', "language"),
]


def test_bad_bodies_are_refused_by_the_name_of_what_is_wrong(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    for body, named in BAD_BODIES:
        message = assert_error(customer.send_raw(body), 422, "invalid_input")
        assert named in message, body[:60]
    long = customer.send("x" * (MAX_TEXT_LENGTH + 1))
    assert str(MAX_TEXT_LENGTH) in assert_error(long, 422, "invalid_input")
    assert_error(customer.send(client_message_id="x" * 101), 422, "invalid_input")
    assert customer.read() == []


def test_a_megabyte_is_refused_before_it_is_read(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    assert_error(customer.send("x" * 1_000_000), 413, "payload_too_large")
    assert_error(customer.send_raw(b"\x00" * 1_000_000), 413, "payload_too_large")
    assert customer.send("still welcome").status_code == 202


def test_controls_and_overrides_are_taken_out_of_what_is_stored(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    customer.send("a\0b\x1b[31m \u202egpj.exe\u202c\u2066x\u2069 می‌خواهم")
    assert customer.read()[0]["text"] == "ab[31m gpj.exex می‌خواهم"


def test_a_leading_slash_and_markup_are_only_text(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    for text in ('/restart{"a": 1}', "<script>alert(1)</script>", "'; DROP TABLE messages; --"):
        customer.send(text)
        assert customer.read()[-1]["text"] == text


def test_nothing_is_shown_without_a_token_or_with_a_foreign_one(gateway: httpx.Client) -> None:
    visitor(gateway).send("secret")
    values = [
        "",
        "Bearer",
        "Basic abc",
        "Bearer guess",
        "Bearer " + "x" * 4000,
        "bearer é",
    ]
    for value in values:
        headers = {"Authorization": value.encode()}
        assert_error(gateway.get("/api/v1/messages", headers=headers), 401, "unauthenticated")
        body = {"client_message_id": "1", "text": "a"}
        answer = gateway.post("/api/v1/messages", json=body, headers=headers)
        assert_error(answer, 401, "unauthenticated")
    assert_error(gateway.get("/api/v1/messages"), 401, "unauthenticated")


def test_a_visitor_never_sees_what_another_wrote(gateway: httpx.Client) -> None:
    one, other = visitor(gateway), visitor(gateway)
    sent = one.send("mine", client_message_id="same")
    assert other.read() == []
    theirs = other.send("theirs", client_message_id="same")
    assert theirs.json()["conversation_id"] != sent.json()["conversation_id"]
    assert [each["text"] for each in one.read()] == ["mine"]
    found = one.client.get(
        "/api/v1/messages", params={"customer_id": other.id}, headers=one.headers
    )
    assert [each["text"] for each in found.json()["messages"]] == ["mine"]


def test_a_bad_query_is_refused_by_its_name(gateway: httpx.Client) -> None:
    headers = visitor(gateway).headers
    wrong = {"after": [-1, "x", 2**60], "wait": [26, -1, "nan"]}
    for name, values in wrong.items():
        for value in values:
            answer = gateway.get("/api/v1/messages", params={name: value}, headers=headers)
            assert name in assert_error(answer, 422, "invalid_input")


def test_too_many_messages_are_refused_and_others_are_not_affected(serve: Serve) -> None:
    gateway = serve(messages_per_minute=5)
    busy, other = visitor(gateway), visitor(gateway)
    answers = [busy.send() for _ in range(7)]
    assert [each.status_code for each in answers[:5]] == [202] * 5
    assert_error(answers[-1], 429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) > 0
    assert other.send().status_code == 202


def test_too_many_visitors_from_one_address_are_refused(serve: Serve) -> None:
    gateway = serve(visitors_per_minute=3)
    answers = [gateway.post("/api/v1/visitors", json={}) for _ in range(5)]
    assert [each.status_code for each in answers[:3]] == [201] * 3
    assert_error(answers[-1], 429, "rate_limited")


def test_a_visitor_in_a_language_that_usher_does_not_speak_is_refused(
    gateway: httpx.Client,
) -> None:
    for language in ("fr", "EN", "", "en\0"):
        answer = gateway.post("/api/v1/visitors", json={"language": language})
        if language == "":
            assert answer.status_code in {201, 422}
        else:
            assert_error(answer, 422, "invalid_input")


def test_a_customer_known_to_the_shop_is_the_same_on_every_device(serve: Serve) -> None:
    key = "k" * 32
    gateway = serve(identity_secret=key)

    def token(secret: str = key, **claims: Any) -> str:
        return jwt.encode({"sub": "c1", "exp": time.time() + 60} | claims, secret, "HS256")

    first, second = (visitor(gateway, identity=token()) for _ in range(2))
    assert first.id == second.id
    assert visitor(gateway, identity=token(sub="c2")).id != first.id
    first.send("from the phone")
    assert second.read()[0]["text"] == "from the phone"
    forever = jwt.encode({"sub": "c1"}, key, "HS256")
    unsigned = jwt.encode({"sub": "c1", "exp": time.time() + 60}, "", "none")
    for bad in (token(secret="g" * 32), token(exp=time.time() - 1), forever, unsigned, "x.y.z", ""):
        answer = gateway.post("/api/v1/visitors", json={"identity": bad})
        assert_error(answer, 401, "unauthenticated")


def test_a_long_poll_wakes_up_when_something_is_written(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    sending = threading.Timer(0.2, customer.send, args=["wake up"])
    started = time.monotonic()
    sending.start()
    [message] = customer.read(wait=20)
    assert message["text"] == "wake up"
    assert time.monotonic() - started < 10
    sending.join()


def test_a_long_poll_hears_of_an_agent_through_another_gateway(
    serve: Serve, database: Database
) -> None:
    conversation = waiting(database).conversation_id
    queue.claim(database, conversation, add_agent(database))
    assert conversation_of(database, conversation).owner == "agent"
    one, other = serve(), serve()
    customer = visitor(one)
    here = type(customer)(other, customer.id, customer.token)
    sending = threading.Timer(0.2, customer.send, args=["to all my windows"])
    sending.start()
    assert here.read(wait=20)[0]["text"] == "to all my windows"
    sending.join()


def test_a_long_poll_without_news_ends_empty_when_its_time_is_up(gateway: httpx.Client) -> None:
    assert visitor(gateway).read(wait=0.2) == []


def test_every_answer_has_the_security_headers(gateway: httpx.Client) -> None:
    customer = visitor(gateway)
    answers = [
        customer.send(),
        customer.send_raw(b"{"),
        gateway.get("/"),
        gateway.get("/nowhere"),
        gateway.get("/api/v1/messages"),
        gateway.request("PATCH", "/api/v1/messages"),
    ]
    for answer in answers:
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value
        assert "access-control-allow-origin" not in answer.headers
    assert "'unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_unknown_addresses_and_methods_are_told_in_the_one_format(gateway: httpx.Client) -> None:
    assert_error(gateway.get("/api/v1/nowhere"), 404, "not_found")
    assert_error(gateway.delete("/api/v1/messages"), 405, "method_not_allowed")
    for hidden in ("/openapi.json", "/docs", "/redoc", "/static/../settings.py", "/.env"):
        assert gateway.get(hidden).status_code == 404


def test_the_health_page_names_what_is_missing(gateway: httpx.Client) -> None:
    answer = gateway.get("/healthz")
    assert answer.status_code == 503
    components = answer.json()["components"]
    assert components["database"] == components["redis"] == "ready"
    assert components["rasa"] == "unavailable"


def test_pages_get_their_texts_but_not_the_systems_own(gateway: httpx.Client) -> None:
    found = gateway.get("/api/v1/texts/th").json()
    assert found["web_send"]
    assert not [key for key in found if key.startswith("system_")]
    assert found["direction"] == "ltr"
    assert gateway.get("/api/v1/texts/fa").json()["direction"] == "rtl"
    assert_error(gateway.get("/api/v1/texts/fr"), 422, "invalid_input")
    assert_error(gateway.get("/api/v1/texts/..%2fen"), 404, "not_found")
