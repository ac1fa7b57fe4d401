"""What uvicorn starts: each a factory without arguments."""

import resource
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from prometheus_client import REGISTRY
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import bootstrap, metrics
from bot.gateway import app as gateway_app
from bot.internal_http import is_authorized
from bot.operations.record_gauges import RecordGauges
from bot.settings import Settings

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


def _serves_metrics(settings: Settings, process: str) -> bool:
    port = metrics.port_of(settings.metrics_port, process)
    return metrics.serve(settings.metrics_host, port, process) is not None


def gateway() -> FastAPI:
    bootstrap.configure_logging()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a websocket is an open file
    settings, database = bootstrap.settings(), bootstrap.database()
    if _serves_metrics(settings, "gateway"):
        REGISTRY.register(RecordGauges(database))
    return gateway_app.create_app(settings, database)


def knowledge() -> ASGIApp:
    from bot.knowledge import service  # torch is loaded by this process alone

    bootstrap.configure_logging()
    settings = bootstrap.settings()
    _serves_metrics(settings, "knowledge")
    return _guarded(service.create_app(settings, bootstrap.feedback_reader()))


def actions() -> ASGIApp:
    """One process, unlike `python -m rasa_sdk`, whose children outlive it and keep the port."""
    from rasa_sdk.endpoint import create_app
    from rasa_sdk.executor import ActionExecutor

    bootstrap.configure_logging()
    executor = ActionExecutor()
    executor.register_package("actions")
    app: Sanic[Any, Any] = create_app(executor, cors_origins=None)
    return _guarded(app)
