"""Saved edits of articles and of acts are served, without a restart and without a gap."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog
from watchfiles import awatch

from bot.knowledge.acts.acts import ActFolder
from bot.knowledge.articles.articles import Article, Problem
from bot.knowledge.articles.folder import ArticleFolder

log = structlog.get_logger()

QUIET_MILLISECONDS = 200
"""An editor writes in pieces, by renaming, and beside the file: wait until it has done."""
MOST_MILLISECONDS = 1000
"""Look even when the writing does not end."""
_TICK_MILLISECONDS = 1000
_TICKS = 5
"""Look this seldom without having been told: network folders tell nothing."""


class LiveArticles:
    """Brings what is served up to date with a folder; the old serves until the new is complete."""

    def __init__(
        self,
        folder: ArticleFolder,
        path: Path,
        acts: ActFolder,
        serve: Callable[[Sequence[Article]], None],
    ) -> None:
        """
        Args:
            folder: read, and served as it stands.
            path: where the folder is.
            acts: the same.
            serve: indexes articles and serves them from then on; called in a thread, never
                twice at a time.
        """
        self._folder = folder
        self._acts = acts
        self._paths = (path, acts.path)
        self._serve = serve
        self._one_at_a_time = asyncio.Lock()
        self._served: Sequence[Article] = folder.articles
        self._besides = (folder.products, acts.acts)
        self._failure = ""
        self._unread = ""
        self._told: frozenset[Problem] = frozenset()
        self._tell()

    @property
    def failure(self) -> str:
        """Why the articles of now are not served; empty when they are."""
        return self._unread or self._failure

    @property
    def problems(self) -> list[str]:
        """What is not served as it was last saved, and what to do; empty when all is well."""
        found = (*map(str, self._all_problems()), self._unread, self._failure)
        return [each for each in found if each]

    async def reload(self, again: bool = False) -> None:
        """Serve what is on disk now. Of several at once the last one sees the last state.

        Args:
            again: try once more what could not be indexed before.
        """
        async with self._one_at_a_time:
            await asyncio.to_thread(self._reload, again)

    async def serve_again(self) -> None:
        """Index the same articles anew: something else that an index is made of has changed."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._index)

    def _reload(self, again: bool) -> None:
        try:
            self._folder.refresh()
            self._acts.refresh()
        except Exception as error:  # the watch must go on: the next change may mend it
            if not self._unread:
                log.exception("articles cannot be read")
            self._unread = f"the articles cannot be read ({error!r}); those of before are served"
            return
        self._unread = ""
        self._tell()
        articles, besides = self._folder.articles, (self._folder.products, self._acts.acts)
        if (articles, besides) == (self._served, self._besides) and not (again and self._failure):
            return
        self._served, self._besides = articles, besides
        self._index()

    def _index(self) -> None:
        articles, self._failure = self._served, ""
        try:
            self._serve(articles)
        except Exception as error:  # whatever it is, the old index goes on serving
            # Not tried at every tick: the same articles would fail the same way.
            self._failure = (
                f"the articles cannot be indexed ({error!r}); what was served before still is. "
                "Mend the cause, then run `usher index`"
            )
            log.exception("articles cannot be indexed")
        else:
            log.info("articles are served", articles=len(articles), problems=len(self._told))

    def _all_problems(self) -> tuple[Problem, ...]:
        return (*self._folder.problems, *self._acts.problems)

    def _tell(self) -> None:
        problems = frozenset(self._all_problems())
        for problem in problems - self._told:
            log.error("article not served as saved", problem=str(problem))
        for problem in self._told - problems:
            log.info("article problem is gone", was=str(problem))
        self._told = problems

    async def watch(self) -> None:
        """Reload whenever a file changes; runs until it is cancelled."""
        async with aclosing(self._signals()) as signals:
            async for _ in signals:
                await self.reload()

    async def _signals(self) -> AsyncGenerator[None, None]:
        said = ""
        while True:
            watched, ticks = [*map(_identity, self._paths)], 0
            try:
                async for changes in awatch(
                    *self._paths,
                    watch_filter=None,
                    step=QUIET_MILLISECONDS,
                    debounce=MOST_MILLISECONDS,
                    rust_timeout=_TICK_MILLISECONDS,
                    yield_on_timeout=True,
                    ignore_permission_denied=True,
                ):
                    ticks += 1
                    replaced = [*map(_identity, self._paths)] != watched
                    if changes or replaced or ticks % _TICKS == 0:
                        yield
                    if replaced:  # another folder under the same name: watch that one
                        break
            except (
                OSError,
                RuntimeError,
            ) as error:  # no folder, or the system's watches are used up
                if said != str(error):
                    said = str(error)
                    log.warning("the folder of articles is looked at every second", why=said)
                await asyncio.sleep(_TICK_MILLISECONDS / 1000)
                yield


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
