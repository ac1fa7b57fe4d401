"""Who of the connected customers has something new: nudged, or found by a look at the record.

One look for all of them every two seconds, so that thousands of open pages cost the database
next to nothing, and a nudge that was lost costs those seconds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bot.conversations import timeline
from bot.conversations.database import Database
from bot.conversations.nudges import Nudges
from bot.errors import Unavailable

log = structlog.get_logger()

FALLBACK_SECONDS = 2.0
"""How soon a dead Redis is made good by a look into the database."""
AT_ONCE = 500
ERASED = -1
"""Stands for the last number of a customer who is not there any more: news for their page."""


class Watch:
    """The customers whose pages wait for news at this gateway."""

    def __init__(self, database: Database, nudges: Nudges) -> None:
        self._database = database
        self._nudges = nudges
        self._waiting: Counter[str] = Counter()
        self._known: dict[str, int] = {}

    @asynccontextmanager
    async def interest(self, customer_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when the customer may have something new to see."""
        self._waiting[customer_id] += 1
        try:
            async with self._nudges.interest(customer_id) as event:
                yield event
        finally:
            self._waiting[customer_id] -= 1
            if not self._waiting[customer_id]:
                del self._waiting[customer_id]
                self._known.pop(customer_id, None)

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(FALLBACK_SECONDS)
            waiting = list(self._waiting)
            for start in range(0, len(waiting), AT_ONCE):
                some = waiting[start : start + AT_ONCE]
                try:
                    found = await asyncio.to_thread(timeline.last_seqs, self._database, some)
                except Unavailable as problem:
                    log.warning("cannot look for news", problem=str(problem))
                    break
                for customer_id in some:
                    seq = found.get(customer_id, ERASED)
                    # Not known yet: something may have come before anybody looked.
                    if self._known.get(customer_id) != seq and customer_id in self._waiting:
                        self._known[customer_id] = seq
                        self._nudges.dispatch(customer_id)
