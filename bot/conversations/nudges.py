"""Nudges between processes: "something is new for X". Losing one costs latency, never data.

Whoever waits also looks into the database once in a while, so a dead Redis only makes
Usher slower by that interval.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bot import metrics

log = structlog.get_logger()

TURNS = "usher:turns"
"""A conversation has a pending message."""
TIMELINE = "usher:timeline"
"""A customer has something new to see."""
TIPS = "tips"
"""The key, among turns, that says: a step may be due."""
DELIVERIES = "deliveries"
"""The key, among turns, that says: there is something to send on a channel."""
EVERYTHING = "*"
"""The key of an interest in any nudge."""
FALLBACK_SECONDS = 1.0
MAX_UNSENT = 1000
ALIVE_SECONDS = 9
_RECONNECT_SECONDS = 1.0


class Nudges:
    """One subscription a process, then local dispatch."""

    def __init__(self, url: str) -> None:
        once = Retry(NoBackoff(), 0)  # a nudge that comes late is worth nothing
        self._redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=once)
        self._subscriber = Redis.from_url(url, socket_connect_timeout=1, health_check_interval=15)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._unsent: dict[tuple[str, str], None] = {}
        self._sending: asyncio.Task[None] | None = None

    def send(self, topic: str, key: str) -> None:
        """Tell everybody, without waiting; failing is allowed and only costs time."""
        if len(self._unsent) < MAX_UNSENT:  # a frozen Redis must not fill our memory
            self._unsent[topic, key] = None  # what is said twice at once is said once
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send what there is over one connection; what comes meanwhile goes next."""
        while self._unsent:
            nudges, self._unsent = self._unsent, {}
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for topic, key in nudges:
                        pipeline.publish(topic, key)
                    await pipeline.execute()
            except (RedisError, OSError) as error:
                metrics.NUDGES_UNSENT.inc(len(nudges))
                log.warning("nudges not sent", count=len(nudges), problem=repr(error))
        self._sending = None

    @asynccontextmanager
    async def interest(self, key: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever a nudge for this key arrives."""
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def listen(self, topic: str) -> None:
        """Dispatch nudges for ever; reconnects when Redis was away."""
        while True:
            try:
                async with self._subscriber.pubsub() as channel:
                    await channel.subscribe(topic)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self.dispatch(message["data"].decode())
            except (RedisError, OSError) as error:
                log.warning("no nudges for now", topic=topic, problem=repr(error))
            await asyncio.sleep(_RECONNECT_SECONDS)

    def dispatch(self, key: str) -> None:
        """Wake up everybody in this process who is interested in the key, or in any."""
        for waiting in (key, EVERYTHING):
            for event in self._waiting.get(waiting, ()):
                event.set()

    async def reachable(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def beat(self, process: str) -> None:
        """Say for ever that this process is alive."""
        while True:
            try:
                await self._redis.set(f"usher:alive:{process}", 1, ex=ALIVE_SECONDS)
            except (RedisError, OSError) as error:
                log.warning("heartbeat not sent", problem=repr(error))
            await asyncio.sleep(ALIVE_SECONDS / 3)

    async def is_alive(self, process: str) -> bool:
        """Whether any process of this name has said so lately."""
        try:
            return bool(await self._redis.exists(f"usher:alive:{process}"))
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        await self._redis.aclose()
        await self._subscriber.aclose()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for a nudge, but not longer than the fallback's interval."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    event.clear()
