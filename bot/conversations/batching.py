"""Many small writes as one: what is asked for while a batch is written makes up the next.

A commit costs the same for one message as for fifty. So a process writes one batch at a time,
and everything that arrives meanwhile goes into the next one. When little is going on, a batch
is a single item and waits for nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bot import metrics
from bot.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")

MAX_BATCH = 64
"""The most items of one transaction: so long others may wait for the writer's lock."""


class Batcher(Generic[T, R]):
    """Calls of one function, gathered; each caller gets its own result or error."""

    def __init__(
        self, work: Callable[[Sequence[T]], Sequence[R | Exception]], name: str = "other"
    ) -> None:
        """
        Args:
            work: does all items in one transaction, in a thread; a result or an error for
                each. When it raises, nothing was done.
            name: what the batches are counted as.
        """
        self._work = work
        self._size = metrics.BATCH_SIZE.labels(name)
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._size.observe(len(batch))
            results = await asyncio.to_thread(self._attempt, [item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # its caller has gone; what was written stays written
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._running = None

    def _attempt(self, items: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return self._work(items)
        except Unavailable as problem:
            return [problem] * len(items)
        except Exception as problem:  # noqa: BLE001  given to who asked
            if len(items) == 1:
                return [problem]
        # One of them spoils the others' transaction: each for itself.
        return [result for item in items for result in self._attempt([item])]
