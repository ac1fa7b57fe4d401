"""The webhook channel: signed both ways, and nothing but what is promised gets through."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select

from bot.channels.base import Busy, Outgoing, Refused, Uncertain, Unreachable
from bot.channels.webhook import events, sending
from bot.channels.webhook.sending import WebhookChannel
from bot.conversations.database import Database, now
from bot.conversations.tables import Address, Conversation, Customer, Message
from bot.conversations.timeline import lock_customer, open_conversation
from bot.errors import WrongSetting
from bot.messages import Button
from bot.settings import ROOT, load_settings
from bot.signatures import TOLERANCE_SECONDS, sign, verify
from tests.chatting import assert_error, visitor
from tests.conftest import Serve, free_port
from tests.outboxes import (
    change_delivery,
    customer_on,
    delivery,
    run_outbox,
    states,
    tell,
)
from tests.scenes import (
    SILENCE,
    at_once,
    change,
    conversation_of,
    conversations,
    new_customer,
    successes,
    timeline,
)
from tests.test_console_api import API, console
from tests.vendor import SECRET, Answer, Vendor, vendor


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


# --- inwards

PATH = "/webhooks/channels/webhook"


@pytest.fixture
def shop(serve: Serve) -> httpx.Client:
    """A gateway whose webhook channel is on."""
    return serve(
        webhook_channel_url="http://127.0.0.1:1/",
        webhook_channel_secret=SECRET,
        messages_per_minute=10_000,
    )


def post(
    client: httpx.Client, event: Any, secret: str = SECRET, at: int | None = None
) -> httpx.Response:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return client.post(PATH, content=body, headers={"Usher-Signature": sign(body, secret, at)})


def said(text: str = "hello", sender: str = "anna", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "id": uuid4().hex, "from": sender, "text": text} | fields


def status(delivery_id: str, state: str) -> dict[str, Any]:
    return {"type": "status", "delivery_id": delivery_id, "state": state}


def count(database: Database, table: type[Any]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_message_is_in_the_record_before_it_is_acknowledged(
    database: Database, shop: httpx.Client
) -> None:
    answer = post(shop, said("Where is my order?", language="vi"))
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    conversation = conversation_of(database, accepted["conversation_id"])
    (message,) = timeline(database, conversation.customer_id)
    assert (message.id, message.seq) == (accepted["message_id"], accepted["seq"])
    assert (message.text, message.pending) == ("Where is my order?", True)
    assert (conversation.channel, conversation.language) == ("webhook", "vi")
    assert set(accepted) == {"message_id", "conversation_id", "seq"}


def test_the_same_event_again_is_answered_as_the_first_time(
    database: Database, shop: httpx.Client
) -> None:
    event = said()
    first = post(shop, event)
    assert [post(shop, event).json() for _ in range(3)] == [first.json()] * 3
    assert count(database, Message) == 1
    assert_error(post(shop, event | {"text": "something else"}), 409, "conflict")


def test_two_customers_may_number_their_messages_alike(
    database: Database, shop: httpx.Client
) -> None:
    for sender in ("anna", "bob"):
        assert post(shop, said(sender=sender, id="1")).status_code == 202
    assert count(database, Message) == 2


def test_twenty_first_messages_at_once_make_one_customer(
    database: Database, shop: httpx.Client
) -> None:
    answers = successes(at_once(lambda n: post(shop, said(str(n))), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json()["seq"] for answer in answers) == list(range(1, 21))
    assert (count(database, Address), count(database, Conversation)) == (1, 1)
    assert count(database, Customer) == 1


def test_a_customer_whom_the_shop_knows_is_the_same_one_on_the_page_and_in_the_app(
    database: Database, shop: httpx.Client
) -> None:
    first = post(shop, said(customer_id="c-17")).json()
    second = post(shop, said(sender="anna-s-other-phone", customer_id="c-17")).json()
    assert first["conversation_id"] == second["conversation_id"]
    with database.read() as session:
        assert session.scalars(select(Customer.external_id)).one() == "c-17"


def test_answers_go_where_the_customer_wrote_last(database: Database, shop: httpx.Client) -> None:
    page = visitor(shop)
    page.send("from the page")
    (conversation,) = conversations(database, page.id)
    assert conversation.channel == "web_chat"
    with database.write("test") as session:
        session.add(Address(channel="webhook", address="anna", customer_id=page.id))
    accepted = post(shop, said("from the app")).json()
    assert accepted["conversation_id"] == conversation.id
    assert conversation_of(database, conversation.id).channel == "webhook"
    page.send("from the page again")
    assert conversation_of(database, conversation.id).channel == "web_chat"


def test_an_answer_to_the_app_is_sent_to_who_wrote(
    database: Database, shop: httpx.Client, app: Vendor
) -> None:
    accepted = post(shop, said(sender="anna-9")).json()
    customer = conversation_of(database, accepted["conversation_id"]).customer_id
    tell(database, customer, "an answer")
    run_outbox(database, app, lambda: states(database, customer) == ["sent"])
    assert [(each["to"], each["text"]) for each in app.received] == [("anna-9", "an answer")]


def test_a_tip_goes_where_the_customer_was_last(database: Database, shop: httpx.Client) -> None:
    first = post(shop, said()).json()["conversation_id"]
    customer = conversation_of(database, first).customer_id
    change(database, first, last_message_at=now() - 2 * SILENCE, turn_due_at=None)
    with database.write("test") as session:
        opened = open_conversation(session, lock_customer(session, customer), SILENCE)
    assert (opened.id == first, opened.channel) == (False, "webhook")


def test_agents_see_what_did_not_reach_the_customer(database: Database, shop: httpx.Client) -> None:
    accepted = post(shop, said()).json()
    customer = conversation_of(database, accepted["conversation_id"]).customer_id
    fine, failed, unknown = tell(database, customer, "fine", "failed", "unknown")
    change_delivery(database, fine, state="sent")
    change_delivery(database, failed, state="failed")
    change_delivery(database, unknown, state="unknown")
    browser = console(shop, database)
    shown = browser.get(f"{API}/conversations/{accepted['conversation_id']}").json()
    assert [each["undelivered"] for each in shown["messages"]] == [None, None, "failed", "unknown"]


# --- reports


def test_reports_move_a_delivery_forward_only(database: Database, shop: httpx.Client) -> None:
    (id_,) = tell(database, customer_on(database), "hello")
    change_delivery(database, id_, state="sent")
    seen = []
    for state in ("delivered", "read", "delivered", "failed", "read"):
        answer = post(shop, status(id_, state))
        assert answer.status_code == 200, answer.text
        seen.append(answer.json()["state"])
    assert seen == ["delivered", "read", "read", "read", "read"]
    assert delivery(database, id_).state == "read"


def test_a_report_settles_what_is_not_settled_yet(database: Database, shop: httpx.Client) -> None:
    for state in ("pending", "attempting", "unknown", "sent"):
        for reported in ("delivered", "read", "failed"):
            (id_,) = tell(database, customer_on(database), "hello")
            change_delivery(database, id_, state=state)
            assert post(shop, status(id_, reported)).json()["state"] == reported
            assert delivery(database, id_).state == reported


def test_what_failed_for_good_stays_failed(database: Database, shop: httpx.Client) -> None:
    (id_,) = tell(database, customer_on(database), "hello")
    change_delivery(database, id_, state="failed", problem="refused")
    assert post(shop, status(id_, "delivered")).json()["state"] == "failed"
    assert delivery(database, id_).problem == "refused"


def test_a_report_that_comes_before_the_answer_to_the_send_is_kept(
    database: Database, shop: httpx.Client, app: Vendor
) -> None:
    def act(message: Any) -> Answer:
        assert post(shop, status(message["delivery_id"], "read")).status_code == 200
        return Answer(body=b'{"id": "m-1"}')

    app.act = act
    (id_,) = tell(database, customer_on(database), "hello")
    run_outbox(database, app, lambda: delivery(database, id_).receipt is not None)
    assert delivery(database, id_).state == "read"


def test_reports_of_no_delivery_of_this_channel_are_refused(
    database: Database, shop: httpx.Client
) -> None:
    (other,) = tell(database, new_customer(database), "hello", channel="telegram")
    (page,) = tell(database, new_customer(database), "hello", channel="web_chat")
    for id_ in (other, page, "f" * 32, "x"):
        assert_error(post(shop, status(id_, "read")), 404, "not_found")
    assert set(states(database)) == {"pending", "sent"}


# --- attacks


def test_what_the_app_did_not_sign_is_refused_whatever_it_says(
    database: Database, shop: httpx.Client
) -> None:
    body = json.dumps(said()).encode()
    now = int(time.time())
    good = sign(body, SECRET)
    for header in (
        "",
        "t=1",
        good + "0",
        good.upper(),
        sign(body, "another secret"),
        sign(body + b" ", SECRET),
        sign(body, SECRET, now - TOLERANCE_SECONDS - 5),
        sign(body, SECRET, now + TOLERANCE_SECONDS + 5),
        f"t={now},v1={'0' * 64}",
        sign(body, ""),
    ):
        answer = shop.post(PATH, content=body, headers={"Usher-Signature": header})
        assert_error(answer, 401, "unauthenticated")
    assert_error(shop.post(PATH, content=body), 401, "unauthenticated")
    assert_error(shop.post(PATH, content=b"{"), 401, "unauthenticated")  # verified before parsed
    assert (count(database, Customer), count(database, Message)) == (0, 0)


NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 60_000,
    b'{"type": "message"}',
    b'{"type": "unknown"}',
    b'{"type": ["message"]}',
    json.dumps(said("")).encode(),
    json.dumps(said("\u200b")).encode(),
    json.dumps(said("x" * 4001)).encode(),
    json.dumps(said("\ud800")).encode(),
    json.dumps(said(sender="")).encode(),
    json.dumps(said(sender="a\0b")).encode(),
    json.dumps(said(sender="\ud800")).encode(),
    json.dumps(said(sender="x" * 256)).encode(),
    json.dumps(said(id="a\0b")).encode(),
    json.dumps(said(id="x" * 101)).encode(),
    json.dumps(said(id=17)).encode(),
    json.dumps(said(text={"a": 1})).encode(),
    json.dumps(said(language="xx")).encode(),
    json.dumps(said(customer_id="a\0b")).encode(),
    json.dumps(status("x" * 33, "read")).encode(),
    json.dumps(status("a\0b", "read")).encode(),
    json.dumps(status("f" * 32, "sent")).encode(),
    json.dumps(status("f" * 32, "pending")).encode(),
]


def test_a_signed_event_that_says_nonsense_is_refused(
    database: Database, shop: httpx.Client
) -> None:
    for body in NONSENSE:
        assert_error(post(shop, body), 422, "invalid_input")
    assert count(database, Message) == 0


def test_a_body_beyond_the_limit_is_refused(shop: httpx.Client) -> None:
    assert_error(post(shop, said("x" * 70_000)), 413, "payload_too_large")


def test_an_address_that_looks_like_sql_is_an_address(
    database: Database, shop: httpx.Client
) -> None:
    address = "'; DROP TABLE customers; --"
    assert post(shop, said(sender=address)).status_code == 202
    with database.read() as session:
        assert session.scalars(select(Address.address)).one() == address


def test_while_the_secret_changes_both_are_accepted(serve: Serve) -> None:
    client = serve(
        webhook_channel_url="http://127.0.0.1:1/",
        webhook_channel_secret="new",
        webhook_channel_secret_previous="old",
    )
    assert [post(client, said(), secret).status_code for secret in ("new", "old", "older")] == [
        202,
        202,
        401,
    ]


def test_without_the_channel_nothing_is_accepted(gateway: httpx.Client) -> None:
    for secret in ("", SECRET):
        assert_error(post(gateway, said(), secret), 404, "not_found")


def test_the_channel_is_not_switched_on_without_a_secret(clean_environment: None) -> None:
    with pytest.raises(WrongSetting, match="USHER_WEBHOOK_CHANNEL_SECRET"):
        load_settings(webhook_channel_url="https://shop.example/messages")
    with pytest.raises(WrongSetting, match="USHER_WEBHOOK_CHANNEL_URL"):
        load_settings(webhook_channel_url="ftp://shop.example", webhook_channel_secret="x")


def test_the_documented_example_signs_and_verifies_as_we_do() -> None:
    (example,) = re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / "docs/channels.md").read_text())
    names: dict[str, Any] = {}
    exec(example, names)
    verify(b"body", names["signature"](b"body", SECRET), [SECRET])
    for body, header, genuine in (
        (b"body", sign(b"body", SECRET), True),
        (b"other", sign(b"body", SECRET), False),
        (b"body", sign(b"body", "another"), False),
        (b"body", sign(b"body", SECRET, int(time.time()) - 400), False),
        (b"body", "", False),
        (b"body", "t=x,v1=y", False),
    ):
        assert names["is_from_usher"](body, header, SECRET) is genuine


def test_the_documented_events_are_understood() -> None:
    events_shown = [
        events.parse(block.encode())
        for block in re.findall(
            r"(?ms)^```json\n(\{\"type\".*?)^```", (ROOT / "docs/channels.md").read_text()
        )
    ]
    assert [type(each) for each in events_shown] == [events.MessageEvent, events.StatusEvent]
