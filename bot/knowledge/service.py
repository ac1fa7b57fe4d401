"""The knowledge process: the only one that loads the embedding model. Loopback only."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bot.knowledge.articles import read_articles
from bot.knowledge.embedding import Embedder
from bot.knowledge.index import Index
from bot.knowledge.matching import Matcher
from bot.settings import Settings

log = structlog.get_logger()


class MatchRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=10_000)
    language: str = "en"
    products: list[str] = []


def load_matcher(settings: Settings) -> Matcher:
    """Model, articles and index as the settings say; broken articles are logged."""
    embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
    articles, problems = read_articles(settings.knowledge_base)
    for problem in problems:
        log.error(
            "article not served", file=str(problem.file), line=problem.line, why=problem.message
        )
    return Matcher(embedder, Index(articles, embedder), settings.answer_precision)


def create_app(settings: Settings) -> FastAPI:
    # A question keeps one core busy; the engine lets go of Python's lock meanwhile.
    pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="match")
    state: dict[str, Matcher] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        state["matcher"] = await loop.run_in_executor(pool, load_matcher, settings)
        yield
        pool.shutdown(cancel_futures=True)

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/match")
    async def match(request: MatchRequest) -> JSONResponse:
        matcher = state["matcher"]
        found = await asyncio.get_running_loop().run_in_executor(
            pool, partial(matcher.match, request.text, request.language, request.products)
        )
        return JSONResponse(asdict(found))  # FastAPI would check all of it once more

    @app.post("/reload")
    async def reload() -> dict[str, Any]:
        """Read the articles again; the old index serves until the new one is complete."""

        def rebuild() -> tuple[int, list[str]]:
            matcher = state["matcher"]
            articles, problems = read_articles(settings.knowledge_base)
            matcher.index = Index(articles, matcher.embedder)
            return len(articles), [str(problem) for problem in problems]

        articles, problems = await asyncio.to_thread(rebuild)
        return {"articles": articles, "problems": problems}

    @app.get("/articles/{language}/{article_id}")
    async def article(language: str, article_id: str) -> dict[str, str]:
        found = state["matcher"].index.article(language, article_id)
        if found is None:
            raise HTTPException(404)
        return {
            "article": found.id,
            "language": found.language,
            "title": found.title,
            "text": found.short_answer,
        }

    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        return {"articles": len(state["matcher"].index.articles)}

    return app
