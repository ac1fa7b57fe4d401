"""What all routes share: errors, bodies, tokens, limits, headers."""

import json
import time
from collections import OrderedDict
from typing import Any, TypeVar

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from bot.errors import InvalidInput, PayloadTooLarge, RateLimited, Unauthenticated, UsherError
from bot.faults import point

log = structlog.get_logger()

MAX_BODY_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 2

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

_SECURITY = [(name.lower().encode(), text.encode()) for name, text in SECURITY_HEADERS.items()]

_CODES = {400: "invalid_input", 404: "not_found", 405: "method_not_allowed"}


class Body(BaseModel):
    """A request body: unknown fields and wrong types are refused by name."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


T = TypeVar("T", bound=Body)


def error_response(error: UsherError) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status in {429, 503} else None
    return JSONResponse(
        {"error": {"code": error.code, "message": str(error)}},
        status_code=error.status,
        headers=headers,
    )


def install(app: FastAPI) -> None:
    """Errors in the one format, whatever happens; security headers on everything."""

    async def usher_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, UsherError)
        return error_response(error)

    async def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, "invalid_input")
        return JSONResponse(
            {"error": {"code": code, "message": str(error.detail)}}, error.status_code
        )

    async def validation_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return error_response(InvalidInput(f"{where}: {first['msg']}"))

    app.add_exception_handler(UsherError, usher_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)

    app.add_middleware(Guard)


class Guard:
    """Security headers on every answer, and no word of an unexpected error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: ASGIMessage) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *_SECURITY]
            await send(message)

        try:
            await self._app(scope, receive, guarded)
            point("gateway.answered")
        except Exception:  # nothing of it may reach the customer
            # The route's pattern: what stands in its place may be somebody's name.
            log.exception("unexpected error", route=getattr(scope.get("route"), "path", None))
            if not started:
                error = UsherError("Something went wrong on our side. Try again.")
                await error_response(error)(scope, receive, guarded)


async def read_bytes(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The raw body, read no further than the limit.

    Raises:
        PayloadTooLarge: it is longer.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge(f"The body is larger than {limit:,} bytes.")
    return bytes(body)


async def read_body(request: Request, kind: type[T]) -> T:
    return parse(await read_bytes(request), kind)


def parse(raw: bytes, kind: type[T]) -> T:
    """A JSON body as its model.

    Raises:
        InvalidInput: names the field and what was expected.
    """
    try:
        data: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not valid JSON in UTF-8.") from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(f"{where}: {first['msg']}") from None


def bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send the token: 'Authorization: Bearer TOKEN'.")
    return token.strip()


class RateLimit:
    """A token bucket for each key, in this process; the newest 10,000 keys are kept."""

    KEYS = 10_000

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._burst = float(per_minute)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one request.

        Raises:
            RateLimited: the key has used up its share.
        """
        at = time.monotonic()
        tokens, before = self._buckets.pop(key, (self._burst, at))
        tokens = min(self._burst, tokens + (at - before) * self._rate)
        self._buckets[key] = (max(tokens - 1, 0.0), at)
        if len(self._buckets) > self.KEYS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise RateLimited("Too many requests. Wait a moment and try again.")
