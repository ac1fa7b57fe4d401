"""The chat API, over HTTP and websocket: the same functions, the same rules."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from pydantic import Field

from bot import metrics
from bot.conversations import customers, feedback, timeline
from bot.conversations.nudges import wait_for
from bot.conversations.timeline import Seen
from bot.errors import InvalidInput, Unauthenticated, UnknownCustomer, UsherError
from bot.gateway import http
from bot.gateway.accepting import accept
from bot.gateway.context import Gateway, gateway_of
from bot.gateway.http import Body, bearer, parse, read_body
from bot.languages import LANGUAGES
from bot.texts import texts

log = structlog.get_logger()
router = APIRouter()

MAX_WAIT_SECONDS = 25
PING_SECONDS = 20


class NewVisitor(Body):
    language: str | None = None
    identity: Annotated[str, Field(max_length=4096)] | None = None


class NewMessage(Body):
    client_message_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    text: str
    language: str | None = None


class AnswerFeedback(Body):
    helpful: bool


class Frame(Body):
    """A websocket frame of the client; which fields count depends on the type."""

    type: str
    token: str = ""
    after: Annotated[int, Field(ge=0, le=2**53)] = 0
    seq: Annotated[int, Field(ge=0, le=2**53)] = 0
    client_message_id: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")] = ""
    text: str = ""
    language: str | None = None


@router.post("/api/v1/visitors")
async def new_visitor(request: Request) -> JSONResponse:
    gateway = gateway_of(request)
    gateway.visitor_limit.take(request.client.host if request.client else "")
    body = await read_body(request, NewVisitor)
    external_id = None
    if body.identity is not None:
        external_id = customers.identity(body.identity, gateway.settings.identity_secret)
    visitor = await asyncio.to_thread(
        customers.new_visitor,
        gateway.database,
        body.language or gateway.settings.default_language,
        external_id,
    )
    return JSONResponse({"visitor_id": visitor.customer_id, "token": visitor.token}, 201)


@router.post("/api/v1/messages")
async def send_message(request: Request) -> JSONResponse:
    gateway = gateway_of(request)
    async with _customer(gateway, bearer(request)) as customer_id:
        body = await read_body(request, NewMessage)
        return JSONResponse(await _accept(gateway, customer_id, body), 202)


@router.get("/api/v1/messages")
async def messages(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
) -> dict[str, Any]:
    gateway = gateway_of(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    async with (
        _customer(gateway, bearer(request)) as customer_id,
        gateway.watch.interest(customer_id) as nudged,
    ):
        if after:
            await gateway.seen(Seen(customer_id, after))
        while True:
            found = await _read(gateway, customer_id, after)
            left = until - loop.time()
            if found or left <= 0:
                return {"messages": found}
            await wait_for(nudged, left)


@router.post("/api/v1/messages/{seq}/feedback")
async def judge(request: Request, seq: Annotated[int, Path(ge=1, le=2**53)]) -> dict[str, Any]:
    gateway = gateway_of(request)
    async with _customer(gateway, bearer(request)) as customer_id:
        body = await read_body(request, AnswerFeedback)
        gateway.message_limit.take(customer_id)
        await asyncio.to_thread(
            feedback.judge_answer, gateway.database, customer_id, seq, body.helpful
        )
    return {"seq": seq, "helpful": body.helpful}


@router.get("/api/v1/texts/{language}")
async def page_texts(language: str) -> dict[str, str]:
    if language not in LANGUAGES:
        raise InvalidInput(f"'language' must be one of {', '.join(LANGUAGES)}.")
    words = {key: text for key, text in texts(language).items() if not key.startswith("system_")}
    return words | {"direction": LANGUAGES[language].direction}


@router.websocket("/api/v1/chat")
async def chat(socket: WebSocket) -> None:
    gateway = gateway_of(socket)
    origin = socket.headers.get("origin")
    if origin is not None and not gateway.is_own_origin(origin, socket.headers.get("host", "")):
        await socket.close(1008)
        return
    await socket.accept()
    try:
        hello = await asyncio.wait_for(_frame(socket), timeout=10)
        if hello.type != "hello":
            raise InvalidInput("The first frame must be of type 'hello'.")
        async with _customer(gateway, hello.token) as customer_id:
            await _talk(gateway, socket, customer_id, hello.after)
    except UsherError as error:
        await _say_error(socket, error)
        await socket.close(1008)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        pass  # RuntimeError: one task found the socket closed by the other


async def _talk(gateway: Gateway, socket: WebSocket, customer_id: str, after: int) -> None:
    """Send and receive until the socket is closed.

    Raises:
        UnknownCustomer: the customer has been erased meanwhile.
    """
    metrics.WEBSOCKETS.inc()
    tasks = [
        asyncio.create_task(_push(gateway, socket, customer_id, after)),
        asyncio.create_task(_receive(gateway, socket, customer_id)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        metrics.WEBSOCKETS.dec()
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _push(gateway: Gateway, socket: WebSocket, customer_id: str, after: int) -> None:
    loop = asyncio.get_running_loop()
    ping_at = loop.time() + PING_SECONDS
    first = True  # the first frame comes at once, also without messages: "you are connected"
    async with gateway.watch.interest(customer_id) as nudged:
        while True:
            try:
                found = await _read(gateway, customer_id, after)
            except UnknownCustomer:
                raise
            except UsherError as error:
                await _say_error(socket, error)
                await asyncio.sleep(http.RETRY_AFTER_SECONDS)
                continue
            if first and not found:
                await socket.send_json({"type": "messages", "messages": []})
            first = False
            if found:
                await socket.send_json({"type": "messages", "messages": found})
                after = found[-1]["seq"]
                if len(found) == timeline.PAGE:
                    continue  # there may be more; of anything newer a nudge will tell
            if loop.time() >= ping_at:
                await socket.send_json({"type": "ping"})
                ping_at = loop.time() + PING_SECONDS
            await wait_for(nudged, max(ping_at - loop.time(), 0))


async def _receive(gateway: Gateway, socket: WebSocket, customer_id: str) -> None:
    while True:
        try:
            frame = await _frame(socket)
            if frame.type == "message":
                body = NewMessage(
                    client_message_id=frame.client_message_id or "?",
                    text=frame.text,
                    language=frame.language,
                )
                if not frame.client_message_id:
                    raise InvalidInput("client_message_id: Field required")
                accepted = await _accept(gateway, customer_id, body)
                await socket.send_json(
                    {
                        "type": "accepted",
                        "client_message_id": frame.client_message_id,
                        **accepted,
                    }
                )
            elif frame.type == "seen":
                await gateway.seen(Seen(customer_id, frame.seq))
            elif frame.type != "pong":
                raise InvalidInput("'type' must be one of hello, message, seen, pong.")
        except UnknownCustomer:
            raise
        except UsherError as error:
            await _say_error(socket, error)


async def _frame(socket: WebSocket) -> Frame:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    return parse(text.encode("utf-8", "replace") if text else b"", Frame)


async def _say_error(socket: WebSocket, error: UsherError) -> None:
    text = {"type": "error", "error": {"code": error.code, "message": str(error)}}
    await socket.send_text(json.dumps(text))


@asynccontextmanager
async def _customer(gateway: Gateway, token: str) -> AsyncIterator[str]:
    """The customer whose token it is; of one who was erased it is known no more.

    Raises:
        Unauthenticated: nobody's.
    """
    known = gateway.customers.get(token)
    if known is None:
        known = await asyncio.to_thread(customers.customer_of, gateway.database, token)
        gateway.customers.put(token, known)
    try:
        yield known
    except UnknownCustomer:
        gateway.customers.forget(token)
        raise Unauthenticated(customers.NOT_KNOWN) from None


async def _accept(gateway: Gateway, customer_id: str, body: NewMessage) -> dict[str, Any]:
    return await accept(gateway, customer_id, body.client_message_id, body.text, body.language)


async def _read(gateway: Gateway, customer_id: str, after: int) -> Sequence[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        with gateway.database.read() as session:
            found = timeline.messages_after(session, customer_id, after)
            if not found:
                timeline.check_customer(session, customer_id)
            said = feedback.helpful(session, customer_id, found)
        return [
            timeline.as_seen_by_customer(each, gateway.help_url)
            | ({"helpful": said[each.seq]} if each.seq in said else {})
            for each in found
        ]

    return await asyncio.to_thread(read)
