"""What uvicorn starts: each a factory without arguments."""

import resource
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import bootstrap
from bot.gateway import app as gateway_app
from bot.internal_http import is_authorized

if TYPE_CHECKING:
    from sanic import Sanic


class Guarded:
    """A server that answers only our own processes.

    On loopback the machine is the guard. On a private network a caller shows the secret that
    all machines share; Rasa's channel asks for it everywhere.
    """

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            given = Headers(scope=scope).get("authorization", "")
            if not is_authorized(given, self._secret):
                refusal = JSONResponse({"error": "unauthenticated"}, 401)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _guarded(app: ASGIApp) -> ASGIApp:
    settings = bootstrap.settings()
    return app if settings.is_on_loopback else Guarded(app, settings.secret("rasa"))


def gateway() -> FastAPI:
    bootstrap.configure_logging()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a websocket is an open file
    return gateway_app.create_app(bootstrap.settings(), bootstrap.database())


def knowledge() -> ASGIApp:
    from bot.knowledge import service  # torch is loaded by this process alone

    bootstrap.configure_logging()
    return _guarded(service.create_app(bootstrap.settings(), bootstrap.feedback_reader()))


def actions() -> ASGIApp:
    """One process, unlike `python -m rasa_sdk`, whose children outlive it and keep the port."""
    from rasa_sdk.endpoint import create_app
    from rasa_sdk.executor import ActionExecutor

    bootstrap.configure_logging()
    executor = ActionExecutor()
    executor.register_package("actions")
    app: Sanic[Any, Any] = create_app(executor, cors_origins=None)
    return _guarded(app)
