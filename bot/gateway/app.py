"""The gateway: the only public process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from bot.conversations.database import Database
from bot.conversations.nudges import TIMELINE, Nudges
from bot.errors import Unavailable
from bot.gateway import chat, console, http, pages, purchases
from bot.gateway.context import Gateway, gateway_of
from bot.journeys.definitions import read_journeys
from bot.knowledge.folder import ArticleFolder
from bot.settings import Settings

log = structlog.get_logger()


def create_app(settings: Settings, database: Database) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = Gateway(
            settings,
            database,
            Nudges(settings.effective_redis_url),
            read_journeys(settings.journeys),
            ArticleFolder(settings.knowledge_base, settings.data_dir),
        )
        app.state.gateway = gateway
        listening = asyncio.create_task(gateway.nudges.listen(TIMELINE))
        yield
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await gateway.nudges.close()
        await gateway.internal.aclose()
        database.close()

    app = FastAPI(lifespan=lifespan, title="Usher", openapi_url=None)
    http.install(app)
    app.add_api_route("/healthz", health)
    for module in (chat, purchases, console, pages):
        app.include_router(module.router)
    return app


async def health(request: Request) -> JSONResponse:
    """200 when every part is ready, else 503, with the state of each."""
    gateway = gateway_of(request)
    settings = gateway.settings

    async def answers(url: str) -> bool:
        try:
            return (await gateway.internal.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def record() -> bool:
        try:
            with gateway.database.read() as session:
                session.execute(text("SELECT 1 FROM customers LIMIT 1"))
        except Unavailable:
            return False
        return True

    names = ("database", "redis", "worker", "knowledge", "actions", "rasa")
    states = await asyncio.gather(
        asyncio.to_thread(record),
        gateway.nudges.reachable(),
        gateway.nudges.is_alive("worker"),
        answers(f"{settings.knowledge_url}/healthz"),
        answers(f"{settings.actions_url}/health"),
        answers(f"{settings.rasa_url}/webhooks/usher/ready"),
    )
    components = {
        name: "ready" if ready else "unavailable" for name, ready in zip(names, states, strict=True)
    }
    return JSONResponse(
        {"status": "ready" if all(states) else "unavailable", "components": components},
        200 if all(states) else 503,
    )
