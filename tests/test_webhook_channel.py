"""The webhook channel: signed both ways, and nothing but what is promised gets through."""

import asyncio
from collections.abc import Iterator

import pytest

from bot.channels.base import Busy, Outgoing, Refused, Uncertain, Unreachable
from bot.channels.webhook import sending
from bot.channels.webhook.sending import WebhookChannel
from bot.messages import Button
from tests.conftest import free_port
from tests.vendor import Answer, Vendor, vendor


@pytest.fixture
def app() -> Iterator[Vendor]:
    with vendor() as listening:
        yield listening
    assert listening.problems == []


OUTGOING = Outgoing("d" * 32, 7, "assistant", "سلام", (Button("Yes", "yes"),), (), "fa")


def send(app: Vendor, answer: Answer | None = None) -> str | None:
    if answer is not None:
        app.act = lambda _: answer

    async def once() -> str | None:
        channel = WebhookChannel(app.settings())
        try:
            return await channel.send("anna", OUTGOING)
        finally:
            await channel.close()

    return asyncio.run(once())


def test_a_message_is_signed_and_carries_its_delivery_as_the_idempotency_key(app: Vendor) -> None:
    assert send(app) == f"r-{OUTGOING.delivery_id}"
    (message,) = app.received  # the app has checked signature and key
    assert message["to"] == "anna"
    assert message["text"] == "سلام"
    assert message["buttons"] == [{"title": "Yes", "text": "yes"}]


@pytest.mark.parametrize(
    ("body", "receipt"),
    [
        (b'{"id": "m-1"}', "m-1"),
        (b'{"id": 17}', "17"),
        (b'{"id": true}', None),
        (b'{"id": "a\\u0000b"}', None),
        (b'{"id": ""}', None),
        (b'{"id": "' + b"x" * 256 + b'"}', None),
        (b'{"id": "' + b"x" * 100_000 + b'"}', None),
        (b'{"id": 1' + b"0" * 10_000 + b"}", None),
        (b"[" * 10_000, None),
        (b"[1]", None),
        (b"\xff", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_any_answer_with_a_good_status_is_a_success(
    app: Vendor, body: bytes, receipt: str | None
) -> None:
    assert send(app, Answer(202, body)) == receipt


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_client_error_is_a_refusal(app: Vendor, status: int) -> None:
    with pytest.raises(Refused, match=str(status)):
        send(app, Answer(status))


@pytest.mark.parametrize("answer", [Answer(500), Answer(502), Answer(504), Answer(408)])
def test_after_a_server_error_nobody_knows(app: Vendor, answer: Answer) -> None:
    with pytest.raises(Uncertain, match=str(answer.status)):
        send(app, answer)


def test_a_connection_that_breaks_before_the_answer_leaves_it_open(app: Vendor) -> None:
    with pytest.raises(Uncertain):
        send(app, Answer(drop=True))


def test_an_app_that_does_not_answer_in_time_leaves_it_open(
    app: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.3)
    with pytest.raises(Uncertain):
        send(app, Answer(body=b"{", headers={"Content-Length": "9"}))


def test_without_a_connection_nothing_was_sent() -> None:
    app = Vendor(port=free_port())
    with pytest.raises(Unreachable):
        send(app)


def test_a_certificate_that_nobody_vouches_for_is_no_connection(app: Vendor) -> None:
    settings = app.settings(webhook_channel_url=f"https://127.0.0.1:{app.port}/")
    with pytest.raises(Unreachable):
        asyncio.run(WebhookChannel(settings).send("anna", OUTGOING))
    assert app.received == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(app: Vendor, status: int) -> None:
    with vendor() as elsewhere, pytest.raises(Unreachable, match="Redirects"):
        send(app, Answer(status, headers={"Location": elsewhere.url}))
    assert elsewhere.received == []


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("", sending.DEFAULT_PAUSE_SECONDS),
        ("soon", sending.DEFAULT_PAUSE_SECONDS),
        ("nan", sending.DEFAULT_PAUSE_SECONDS),
        ("-3", sending.DEFAULT_PAUSE_SECONDS),
        ("Mon, 01 Jan 2001 00:00:00 GMT", sending.DEFAULT_PAUSE_SECONDS),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_app_says_how_long_to_wait(
    app: Vendor, status: int, retry_after: str, seconds: float
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    with pytest.raises(Busy) as busy:
        send(app, Answer(status, headers=headers))
    assert busy.value.retry_after == seconds


def test_a_busy_app_may_name_the_time(app: Vendor) -> None:
    with pytest.raises(Busy) as busy:
        send(app, Answer(429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}))
    assert busy.value.retry_after > 3600
