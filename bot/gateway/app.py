"""The gateway: the only public process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from bot.conversations.database import Database
from bot.conversations.nudges import TIMELINE, Nudges
from bot.gateway import channels, chat, console, http, pages, purchases
from bot.gateway.context import Gateway
from bot.gateway.health import health
from bot.journeys.definitions import read_journeys
from bot.knowledge.articles.folder import ArticleFolder
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
        jobs = asyncio.gather(gateway.nudges.listen(TIMELINE), gateway.watch.run())
        yield
        jobs.cancel()
        with suppress(asyncio.CancelledError):
            await jobs
        await gateway.nudges.close()
        await gateway.internal.aclose()
        database.close()

    app = FastAPI(lifespan=lifespan, title="Usher", openapi_url=None)
    http.install(app)
    app.add_api_route("/healthz", health)
    for module in (chat, channels, purchases, console, pages):
        app.include_router(module.router)
    return app
