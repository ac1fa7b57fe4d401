"""The chat over a websocket: the same rules, pushed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.chatting import Visitor, visitor

Open = Callable[..., "Chat"]


class Chat:
    """One websocket, speaking JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **frame: Any) -> None:
        self.socket.send(json.dumps(frame))

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self.socket.recv(timeout=10))
        return heard

    def hear_of(self, kind: str) -> dict[str, Any]:
        while (heard := self.hear())["type"] != kind:
            pass
        return heard

    def error_code(self) -> str:
        error = self.hear_of("error")["error"]
        assert set(error) == {"code", "message"}
        assert "Traceback" not in error["message"]
        return str(error["code"])

    def closed_with(self) -> int:
        try:
            while True:
                self.hear()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture
def open_socket(gateway: httpx.Client) -> Iterator[Open]:
    with ExitStack() as stack:

        def start(**options: Any) -> Chat:
            address = str(gateway.base_url.join("/api/v1/chat")).replace("http", "ws", 1)
            return Chat(stack.enter_context(connect(address, proxy=None, **options)))

        yield start


@pytest.fixture
def customer(gateway: httpx.Client) -> Visitor:
    return visitor(gateway)


@pytest.fixture
def chat(open_socket: Open, customer: Visitor) -> Chat:
    """Greeted, and told that there is nothing yet."""
    opened = open_socket()
    opened.say(type="hello", token=customer.token, after=0)
    assert opened.hear() == {"type": "messages", "messages": []}
    return opened


def test_a_sent_message_is_accepted_and_pushed_to_every_window(
    chat: Chat, open_socket: Open, customer: Visitor
) -> None:
    other = open_socket()
    other.say(type="hello", token=customer.token)
    chat.say(type="message", client_message_id="1", text="hello")
    accepted = chat.hear_of("accepted")
    assert (accepted["client_message_id"], accepted["seq"]) == ("1", 1)
    while not (pushed := other.hear_of("messages")["messages"]):
        pass
    assert [each["text"] for each in pushed] == ["hello"]
    assert customer.read() == pushed


def test_what_was_missed_is_sent_first(open_socket: Open, customer: Visitor) -> None:
    for text in ("one", "two", "three"):
        customer.send(text)
    chat = open_socket()
    chat.say(type="hello", token=customer.token, after=1)
    assert [each["text"] for each in chat.hear()["messages"]] == ["two", "three"]


def test_the_same_id_is_accepted_again_and_refused_with_another_text(
    chat: Chat, customer: Visitor
) -> None:
    chat.say(type="message", client_message_id="1", text="hello")
    first = chat.hear_of("accepted")
    chat.say(type="message", client_message_id="1", text="hello")
    assert chat.hear_of("accepted") == first
    chat.say(type="message", client_message_id="1", text="bye")
    assert chat.error_code() == "conflict"
    assert len(customer.read()) == 1


def test_a_message_over_http_reaches_the_socket(chat: Chat, customer: Visitor) -> None:
    customer.send("from elsewhere")
    assert chat.hear_of("messages")["messages"][0]["text"] == "from elsewhere"


FIRST_FRAMES: list[tuple[str | bytes, str]] = [
    ('{"type": "message", "client_message_id": "1", "text": "a"}', "invalid_input"),
    ('{"type": "hello"}', "unauthenticated"),
    ('{"type": "hello", "token": "guess"}', "unauthenticated"),
    ('{"type": "hello", "token": 1}', "invalid_input"),
    ('{"type": "hello", "token": "a", "after": -1}', "invalid_input"),
    ("not json", "invalid_input"),
    ("[" * 30_000, "invalid_input"),
    ("", "invalid_input"),
    (b"\x00\x01", "invalid_input"),
]


def test_a_wrong_first_frame_is_named_and_ends_the_connection(open_socket: Open) -> None:
    for first, code in FIRST_FRAMES:
        chat = open_socket()
        chat.socket.send(first)
        assert chat.error_code() == code
        assert chat.closed_with() == 1008


BAD_FRAMES: list[str | bytes] = [
    b"\x00\xff",
    b'{"type": "pong"}',
    "{",
    "[]",
    '{"type": "unknown"}',
    '{"type": "hello", "token": "again"}',
    '{"type": "message", "text": "no id"}',
    '{"type": "message", "client_message_id": "1", "text": ""}',
    '{"type": "message", "client_message_id": "1", "text": "\\ud800"}',
    '{"type": "message", "client_message_id": "a\\u0000b", "text": "a"}',
    '{"type": "message", "client_message_id": "1", "text": "a", "language": "fr"}',
    '{"type": "message", "client_message_id": "1", "text": "a", "author": "agent"}',
    '{"type": "message", "client_message_id": "1", "text": "a", "\\ud800": "agent"}',
    '{"type": "seen", "seq": -1}',
    '{"type": "seen", "seq": 1e400}',
]


def test_bad_frames_are_refused_and_the_conversation_goes_on(chat: Chat, customer: Visitor) -> None:
    for frame in BAD_FRAMES:
        chat.socket.send(frame)
        assert chat.error_code() == "invalid_input", frame
    chat.say(type="message", client_message_id="after", text="still here")
    assert chat.hear_of("accepted")["client_message_id"] == "after"
    assert [each["text"] for each in customer.read()] == ["still here"]


def test_an_oversized_frame_ends_the_connection_and_not_the_gateway(
    chat: Chat, open_socket: Open, customer: Visitor
) -> None:
    chat.socket.send("x" * 100_000)
    assert chat.closed_with() == 1009
    again = open_socket()
    again.say(type="hello", token=customer.token)
    assert again.hear()["type"] == "messages"


def test_a_seen_frame_beyond_everything_is_harmless(chat: Chat, customer: Visitor) -> None:
    chat.say(type="seen", seq=10**15)
    chat.say(type="pong")
    chat.say(type="message", client_message_id="1", text="hello")
    assert chat.hear_of("accepted")["seq"] == 1


def test_a_page_of_another_site_cannot_open_a_socket(open_socket: Open) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(origin=origin)
        assert refused.value.response.status_code == 403


def test_our_own_page_can_open_a_socket(open_socket: Open, gateway: httpx.Client) -> None:
    own = f"http://{gateway.base_url.netloc.decode()}"
    chat = open_socket(origin=own)
    chat.say(type="hello", token="guess")
    assert chat.error_code() == "unauthenticated"
