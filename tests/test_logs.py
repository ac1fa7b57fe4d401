"""Logs: every line says what it belongs to, and none says what a person wrote or who they are.

Words that nobody else uses are sent in at every door; what is logged meanwhile must not hold
one of them, whatever goes wrong.
"""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import jwt
import pytest
import structlog
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bot import logs
from bot.conversations.database import Database
from bot.errors import Unavailable
from bot.handoff import queue
from bot.messages import HandoffRequest, Reply, TurnResult
from bot.rasa_extensions import private_logs
from bot.settings import ROOT
from bot.signatures import sign
from tests.chatting import visitor
from tests.conftest import Serve, wait_until
from tests.outboxes import customer_on, deliveries, run_outbox, tell
from tests.players import Asked, Stage
from tests.scenes import add_agent, new_customer, say, waiting
from tests.test_console_api import console
from tests.vendor import Answer, vendor

WORDS = "Nachtigall-47"
"""In every message, reply and reason of these tests."""
NAME = "Marlene-Quast"
EMAIL = f"{NAME}@example.test".lower()
ADDRESS = "+49-171-555-0147"
SECRETS = (WORDS, NAME, EMAIL, ADDRESS)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a process would have written."""
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    out = io.StringIO()
    logs.configure(out)
    yield out
    structlog.configure(**before)
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks


def lines(logged: io.StringIO) -> list[dict[str, Any]]:
    """All lines, each of which is one JSON object without anybody's words."""
    written = logged.getvalue()
    for secret in SECRETS:
        assert secret.lower() not in written.lower()
    return [json.loads(line) for line in written.splitlines()]


def lines_of(logged: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [each for each in lines(logged) if each["event"] == event]


class Deep(Exception):
    """An error that says what it was given."""


def fail_deeply() -> None:
    try:
        {}[WORDS]
    except KeyError as error:
        raise Deep(f"cannot read {WORDS}") from error


def test_an_exception_is_logged_by_kind_and_place_without_its_message(
    logged: io.StringIO,
) -> None:
    log = structlog.get_logger()
    try:
        fail_deeply()
    except Deep as error:
        log.exception("it failed")
        log.exception("it failed", exc_info=error)
        log.exception("it failed", exc_info=(type(error), error, error.__traceback__))
    for line in lines(logged):
        assert "Deep" in line["exception"]
        assert "KeyError" in line["exception"]
        assert "test_logs.py" in line["exception"]
        assert "fail_deeply" in line["exception"]
        assert line["level"] == "error"
        assert line["timestamp"].endswith("Z")


def test_rasa_logs_errors_by_kind_and_place_too() -> None:
    try:
        fail_deeply()
    except Deep:
        told = private_logs.frames(sys.exc_info())
    for part in ("Deep", "KeyError", "test_logs.py", "fail_deeply"):
        assert part in told
    assert WORDS not in told
    assert private_logs.frames((None, None, None)) == "no exception"


def test_what_our_own_errors_and_the_system_say_is_kept() -> None:
    assert "The database does not answer" in logs.describe(
        Unavailable("The database does not answer.")
    )
    assert "No such file" in logs.describe(OSError(2, "No such file or directory", WORDS))
    assert WORDS not in logs.describe(OSError(2, "No such file or directory", WORDS))
    assert logs.describe(ValueError(WORDS)) == "builtins.ValueError"


def test_an_error_without_end_is_described_with_an_end() -> None:
    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    assert len(logs.describe(caught.value).splitlines()) <= logs.MAX_FRAMES + 1


def test_lines_of_libraries_keep_the_template_and_lose_what_was_filled_in(
    logged: io.StringIO,
) -> None:
    library = logging.getLogger("some.library")
    library.warning("cannot read %s", WORDS)
    library.warning(f"cannot read {WORDS}")
    library.error(ValueError(WORDS))
    library.info("said %s", WORDS)
    try:
        fail_deeply()
    except Deep:
        library.exception("failed with %s", WORDS)
    found = lines(logged)
    assert [each["event"] for each in found] == [
        "cannot read %s",
        "test_lines_of_libraries_keep_the_template_and_lose_what_was_filled_in",
        "builtins.ValueError",
        "failed with %s",
    ]
    assert all(each["at"].startswith("test_logs:") for each in found)
    assert "Deep" in found[-1]["exception"]


def test_a_task_that_nobody_waits_for_is_logged_without_its_error(logged: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(WORDS)

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        asyncio.get_running_loop().call_exception_handler(
            {
                "message": "Task exception was never retrieved",
                "exception": task.exception(),
                "future": task,
            }
        )

    asyncio.run(forget())
    (line,) = lines(logged)
    assert line["event"] == "Task exception was never retrieved"
    assert "ValueError" in line["exception"]


IN_A_THREAD = """
import threading
def work(): raise ValueError(words)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("dies", ["raise ValueError(words)", IN_A_THREAD])
def test_a_process_or_thread_that_dies_says_where_and_not_why(dies: str) -> None:
    begin = "import sys; from bot import bootstrap; bootstrap.configure_logging()"
    done = subprocess.run(
        [sys.executable, "-c", f"{begin}; words = sys.argv[1]\n{dies}", WORDS],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert WORDS not in done.stdout + done.stderr
    (line,) = [json.loads(each) for each in done.stdout.splitlines()]
    assert line["event"].endswith("ends by an error")
    assert "ValueError" in line["exception"]


def test_a_message_at_the_gateway_is_logged_with_its_ids(
    gateway: httpx.Client, logged: io.StringIO
) -> None:
    customer = visitor(gateway)
    sent = [customer.send(WORDS, client_message_id=NAME).json() for _ in range(2)]
    customer.send(WORDS + " " + ADDRESS, client_message_id=NAME)
    customer.send(WORDS * 1000)
    customer.send_raw(f'{{"{WORDS}": "{ADDRESS}"}}'.encode())
    found = lines_of(logged, "message")
    assert [(each["message"], each["conversation"]) for each in found] == [
        (each["message_id"], each["conversation_id"]) for each in sent
    ]
    assert [each["repeated"] for each in found] == [False, True]


def test_nothing_of_the_shops_customer_is_logged(serve: Serve, logged: io.StringIO) -> None:
    gateway = serve(identity_secret="k" * 32, webhook_secret="w" * 32)
    token = jwt.encode({"sub": EMAIL, "name": NAME, "exp": 2**32}, "k" * 32)
    customer = visitor(gateway, identity=token)
    customer.send(WORDS)
    gateway.post("/api/v1/visitors", json={"identity": token + NAME})
    gateway.get("/api/v1/messages", headers={"Authorization": f"Bearer {NAME}"})
    body = json.dumps(
        {
            "event_id": NAME,
            "order_id": WORDS,
            "customer": {"id": EMAIL, "language": "en"},
            "products": ["brio"],
        }
    ).encode()
    for signature in (sign(body, "w" * 32), sign(body, "w" * 32), NAME):
        gateway.post(
            "/webhooks/purchases/generic", content=body, headers={"Usher-Signature": signature}
        )
    assert [each["new"] for each in lines_of(logged, "purchase")] == [True, False]


def break_messages(database: Database) -> None:
    """No message of a customer can be written any more."""
    with database.write("test") as session:
        if database.is_sqlite:
            session.execute(
                text(
                    "CREATE TRIGGER broken BEFORE INSERT ON messages "
                    "BEGIN SELECT RAISE(ABORT, 'broken'); END"
                )
            )
        else:
            # The error of PostgreSQL shows the whole row.
            session.execute(
                text("ALTER TABLE messages ADD CONSTRAINT broken CHECK (author = 'nobody')")
            )


def test_a_row_that_the_database_refuses_is_not_logged(
    gateway: httpx.Client, database: Database, logged: io.StringIO
) -> None:
    customer = visitor(gateway)
    break_messages(database)
    answer = customer.send(WORDS, client_message_id=NAME)
    assert answer.status_code == 500
    assert WORDS not in answer.text
    (line,) = lines_of(logged, "unexpected error")
    assert "IntegrityError" in line["exception"]
    assert line["route"] == "/api/v1/messages"


def test_an_error_on_a_websocket_is_not_logged_with_its_words(
    gateway: httpx.Client,
    database: Database,
    logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    customer = visitor(gateway)
    address = str(gateway.base_url.join("/api/v1/chat")).replace("http", "ws", 1)
    break_messages(database)
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "token": customer.token}))
        socket.recv(timeout=10)
        message = {"type": "message", "client_message_id": NAME, "text": WORDS}
        socket.send(json.dumps(message))
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=10)
    wait_until(lambda: "uvicorn.error" in logged.getvalue())
    (line,) = [each for each in lines(logged) if each.get("logger") == "uvicorn.error"]
    assert "IntegrityError" in line["exception"]
    assert WORDS not in "".join(capfd.readouterr())


def test_what_an_agent_does_is_logged_without_words(
    gateway: httpx.Client, database: Database, logged: io.StringIO
) -> None:
    conversation = waiting(database).conversation_id
    browser = console(gateway, database, NAME.lower())
    path = f"/console/api/conversations/{conversation}"
    browser.post(f"{path}/claim")
    browser.post(f"{path}/reply", json={"client_message_id": NAME, "text": WORDS})
    browser.post(f"{path}/judgement", json={"article": WORDS, "right": True})
    browser.post(f"{path}/resolve")
    browser.post("/console/api/sign-in", json={"email": EMAIL, "password": WORDS})
    found = lines_of(logged, "agent")
    assert [each["act"] for each in found] == ["claim", "reply", "resolve"]
    assert {each["conversation"] for each in found} == {conversation}


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def test_a_turn_is_logged_with_conversation_message_and_turn(
    stage: Stage, logged: io.StringIO
) -> None:
    accepted = say(stage.database, new_customer(stage.database), WORDS)
    stage.take_all()
    (line,) = lines_of(logged, "turn")
    assert line["conversation"] == accepted.conversation_id
    assert line["message"] == accepted.message_id
    assert len(line["turn"]) == 32
    assert line["outcome"] == "answer"


def test_a_handoff_is_logged_by_its_reason(stage: Stage, logged: io.StringIO) -> None:
    async def hand_off(asked: Asked) -> TurnResult:
        return TurnResult((Reply(WORDS),), HandoffRequest("complaint"))

    stage.assistant.act = hand_off
    accepted = say(stage.database, new_customer(stage.database), WORDS)
    stage.take_all()
    (line,) = lines_of(logged, "turn")
    assert line["handoff"] == "complaint"
    queue.claim(stage.database, accepted.conversation_id, add_agent(stage.database, NAME))
    lines(logged)


@pytest.mark.parametrize(
    "problem", [ValueError(WORDS), KeyError(WORDS), Deep(f"{WORDS} {ADDRESS}"), TypeError(WORDS)]
)
def test_a_turn_that_fails_tells_no_words_in_the_log_or_in_the_record(
    stage: Stage, logged: io.StringIO, problem: Exception
) -> None:
    async def fail(asked: Asked) -> TurnResult:
        raise problem

    stage.assistant.act = fail
    accepted = say(stage.database, new_customer(stage.database), WORDS)
    stage.next_turn()
    (line,) = lines_of(logged, "turn failed")
    assert line["conversation"] == accepted.conversation_id
    assert line["turn"]
    assert type(problem).__name__ in line["exception"]
    with stage.database.read() as session:
        [kept] = session.execute(text("SELECT problem FROM turns")).scalars()
    assert kept
    assert WORDS not in kept


def test_a_delivery_is_logged_without_address_and_without_what_the_vendor_says(
    database: Database, logged: io.StringIO
) -> None:
    def refuse(_: Any) -> Answer:
        return Answer(400, json.dumps({"error": f"{ADDRESS} {WORDS}"}).encode())

    customer = customer_on(database, address=ADDRESS)
    tell(database, customer, WORDS)
    with vendor() as app:
        app.act = refuse
        run_outbox(database, app, lambda: deliveries(database)[0].state == "failed")
    (line,) = lines_of(logged, "delivery")
    assert line["state"] == "failed"
    assert line["delivery"] == deliveries(database)[0].id


def test_every_event_is_described_in_the_documents() -> None:
    described = set(re.findall(r"`([^`\n]+)`", (ROOT / "docs/observability.md").read_text("utf-8")))
    call = re.compile(r'\blog\.(?:info|warning|error|exception|critical)\(\s*"([^"]+)"')
    sources = [path for path in (ROOT / "bot").rglob("*.py") if "rasa_extensions" not in path.parts]
    events = {event for path in sources for event in call.findall(path.read_text("utf-8"))}
    assert len(events) > 25
    assert events - described == set()
