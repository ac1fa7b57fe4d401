"""The worker's part of keeping and forgetting: what has to happen again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.conversations.database import Database, now
from bot.errors import Unavailable
from bot.keeping import leftovers, retention
from bot.keeping.erasing import erase
from bot.keeping.retention import Swept
from bot.keeping.trackers import Trackers
from bot.settings import Settings

log = structlog.get_logger()

PAUSE_SECONDS = 60.0
"""Between looks at what erasures have left over; also before the first sweep after a start."""
SWEEP_SECONDS = 3600.0

T = TypeVar("T")


class Keeping:
    """Removes what is older than the settings say. Any number of workers may do so at once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._trackers = Trackers(settings.effective_redis_url)
        self._retention = timedelta(days=settings.retention_days)
        self._trace_retention = timedelta(days=settings.trace_retention_days)
        self._clock = clock

    async def run(self) -> None:
        """Sweep every hour and settle every minute, until cancelled."""
        sweep_at = time.monotonic()
        try:
            while True:
                await asyncio.sleep(PAUSE_SECONDS)
                await self._attempt(self.settle)
                if time.monotonic() >= sweep_at:  # also while Redis is down
                    await self._attempt(self.sweep)
                    sweep_at = time.monotonic() + SWEEP_SECONDS
        finally:
            self._trackers.close()

    async def _attempt(self, job: Callable[[], Awaitable[object]]) -> None:
        """Do it now; what fails is done the next time, and turns go on all the same."""
        try:
            await job()
        except Unavailable as problem:
            log.warning("keeping waits", job=job.__name__, problem=str(problem))
        except SQLAlchemyError:  # a table that `belongings` does not know
            log.exception("keeping failed", job=job.__name__)

    async def settle(self) -> None:
        """Finish erasures that were cut short, and remove the trackers that are left over.

        Raises:
            Unavailable: the database or Redis does not answer; the next time does the rest.
        """
        for customer in await asyncio.to_thread(leftovers.interrupted_erasures, self._database):
            log.info("an erasure that was cut short is finished", customer=customer)
            await asyncio.to_thread(erase, self._database, customer, self._trackers)
        while await _gently(partial(leftovers.settle, self._database, self._trackers)):
            pass

    async def sweep(self) -> Swept:
        """Remove all that is older than the retention.

        Raises:
            Unavailable: the database does not answer; the next sweep does the rest.
        """
        total = Swept()
        if self._retention:
            before = self._clock() - self._retention
            for remove in (retention.remove_conversations, retention.remove_customers):
                swept = Swept(more=True)
                while swept.more:
                    work = partial(remove, self._database, before, swept.place)
                    swept = await _gently(work)
                    total = _sum(total, swept)
        traces = 0
        if self._trace_retention:
            before = self._clock() - self._trace_retention
            empty = partial(retention.empty_traces, self._database, before)
            while emptied := await _gently(empty):
                traces += emptied
        if total != Swept() or traces:
            log.info(
                "removed what is older than the retention",
                conversations=total.conversations,
                messages=total.messages,
                customers=total.customers,
                traces=traces,
            )
        return total


async def _gently(work: Callable[[], T]) -> T:
    """Do one transaction, then leave the database to others for as long as it took."""
    started = time.monotonic()
    done = await asyncio.to_thread(work)
    await asyncio.sleep(time.monotonic() - started)
    return done


def _sum(total: Swept, swept: Swept) -> Swept:
    return replace(
        total,
        conversations=total.conversations + swept.conversations,
        messages=total.messages + swept.messages,
        customers=total.customers + swept.customers,
    )
