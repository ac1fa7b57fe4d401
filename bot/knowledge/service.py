"""The knowledge process: the only one that loads the embedding model. Loopback only."""

import asyncio
import ctypes
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, TypeVar, cast

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bot import metrics
from bot.errors import WrongSetting
from bot.knowledge.acts.acts import ActFolder, Acts
from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.folder import ArticleFolder
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.live import LiveArticles
from bot.knowledge.search.feedback import JudgedQuestions, ReadFeedback, no_feedback
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.knowledge.search.saying import beginning
from bot.messages import Context, Feedback
from bot.settings import Settings

T = TypeVar("T")


class ContextRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    topic: str = Field(default="", max_length=10_000)
    article: str = ""
    asked: str = ""
    choices: tuple[str, ...] = ()
    unhelped: int = 0


class MatchRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=10_000)
    language: str = "en"
    products: list[str] = []
    context: ContextRequest = ContextRequest()


def load_folder(settings: Settings) -> ArticleFolder:
    """The articles as the settings say, read once.

    Raises:
        WrongSetting: there is no such folder, and none of its articles is remembered.
    """
    folder = ArticleFolder(settings.knowledge_base, settings.data_dir)
    folder.refresh()
    if not folder.articles and not settings.knowledge_base.is_dir():
        raise WrongSetting(
            f"USHER_KNOWLEDGE_BASE is {settings.knowledge_base}, and there is no such folder. "
            "Mend it in the environment or in the .env file."
        )
    return folder


def load_matcher(
    settings: Settings,
    folder: ArticleFolder | None = None,
    acts: Acts | None = None,
    feedback: Sequence[Feedback] = (),
) -> Matcher:
    """Model and index as the settings say, of what is read now or was just before."""
    folder = folder or load_folder(settings)
    embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
    index = Index(
        folder.articles,
        embedder,
        acts=ActFolder(settings.acts).acts if acts is None else acts,
        products=folder.products,
        feedback=feedback,
    )
    return Matcher(embedder, index, settings.answer_precision, settings.offer_precision)


class _State:
    """What the process works with once the articles are indexed."""

    def __init__(self, settings: Settings, feedback: ReadFeedback) -> None:
        self._precision = settings.answer_precision
        self.judged = JudgedQuestions(feedback)
        self.judged.refresh()
        self._folder = load_folder(settings)
        self._acts = ActFolder(settings.acts)
        self.matcher = load_matcher(settings, self._folder, self._acts.acts, self.judged.current)
        self._settle()
        self.live = LiveArticles(self._folder, settings.knowledge_base, self._acts, self._serve)
        metrics.ARTICLE_PROBLEMS.set_function(lambda: len(self.live.problems))

    def _serve(self, articles: Sequence[Article]) -> None:
        matcher = self.matcher
        matcher.index = Index(
            articles,
            matcher.embedder,
            acts=self._acts.acts,
            products=self._folder.products,
            feedback=self.judged.current,
            previous=matcher.index,
        )
        self._settle()

    def _settle(self) -> None:
        """What follows a new index."""
        index = self.matcher.index
        self._count(index)
        # Of a question that the record has forgotten no vector stays in the cache.
        self.matcher.embedder.keep_judged(index.judged_texts)
        _give_memory_back()

    def _count(self, index: Index) -> None:
        metrics.INDEXED.set_to_current_time()
        metrics.ARTICLES.clear()  # of languages that are gone
        metrics.BAR.clear()
        for language, number in Counter(each.language for each in index.articles).items():
            metrics.ARTICLES.labels(language).set(number)
            metrics.BAR.labels(language).set(index.bar(language, self._precision))


def _give_memory_back() -> None:
    """Making an index takes a third more than keeping it, and glibc would keep what was freed."""
    with suppress(OSError, AttributeError):  # other systems have no such function
        ctypes.CDLL(None).malloc_trim(0)


class _Pool:
    """Does as many jobs at once as there are cores: the engine lets go of Python's lock."""

    def __init__(self) -> None:
        cores = os.cpu_count() or 1
        self.threads = ThreadPoolExecutor(cores, thread_name_prefix="match")
        self._room = asyncio.Semaphore(cores)

    async def run(self, request: Request, job: Callable[[], T]) -> T:
        """Do a job for whoever still waits: under a peak nobody else would be in time.

        Raises:
            HTTPException: the request was given up before there was room.
        """
        async with self._room:
            if await request.is_disconnected():
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT)
            return await asyncio.get_running_loop().run_in_executor(self.threads, job)


def create_app(settings: Settings, feedback: ReadFeedback = no_feedback) -> FastAPI:
    pool = _Pool()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        state = await loop.run_in_executor(pool.threads, _State, settings, feedback)
        app.state.knowledge = state
        watching = asyncio.gather(
            state.live.watch(),
            state.judged.watch(settings.feedback_refresh_minutes * 60, state.live.serve_again),
        )
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        pool.threads.shutdown(cancel_futures=True)

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    def state() -> _State:
        return cast(_State, app.state.knowledge)

    def summary() -> dict[str, Any]:
        served = state()
        return {
            "articles": len(served.matcher.index.articles),
            "problems": served.live.problems,
        }

    @app.post("/match")
    async def match(asked: MatchRequest, request: Request) -> JSONResponse:
        started = perf_counter()
        context = Context(**asked.context.model_dump())
        job = partial(
            state().matcher.match_all, asked.text, asked.language, asked.products, context
        )
        found = await pool.run(request, job)
        metrics.MATCH_SECONDS.labels(found[0].outcome).observe(perf_counter() - started)
        # FastAPI would check all of it once more.
        return JSONResponse([asdict(each) for each in found])

    @app.post("/reload")
    async def reload() -> dict[str, Any]:
        """Read articles and feedback now, without waiting to be told by the file system."""
        if await asyncio.to_thread(state().judged.refresh):
            await state().live.serve_again()
        await state().live.reload(again=True)
        return summary() | {"failure": state().live.failure}

    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        """How many articles are served, and which are not as they were last saved."""
        return summary()

    def served_index() -> Index:
        return state().matcher.index

    _serve_contents(app, served_index)
    return app


def _serve_contents(app: FastAPI, index: Callable[[], Index]) -> None:
    """What the actions look up."""

    @app.get("/products")
    async def products() -> list[str]:
        """Ids of all that has a name, in the order of their file."""
        return list(dict.fromkeys(index().products.values()))

    @app.get("/articles/{language}/{article_id}")
    async def article(language: str, article_id: str) -> dict[str, str]:
        found = index().article(language, article_id)
        if found is None:
            raise HTTPException(404)
        return {
            "article": found.id,
            "language": found.language,
            "title": found.title,
            "text": beginning(found.short_answer),
        }
