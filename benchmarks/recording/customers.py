"""Simulated customers who write into the record, and how long they wait for the commit."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol
from uuid import uuid4

import aiohttp
import numpy as np

from bot.conversations import intake
from bot.conversations.batching import Batcher
from bot.conversations.customers import new_visitor
from bot.conversations.database import Database
from bot.conversations.nudges import TIMELINE, TURNS, Nudges
from bot.settings import Settings

TEXTS = (
    "Where is my order?",
    "How do I descale the machine? The light has been blinking since this morning.",
    "đơn hàng của tôi đang ở đâu",
    "سفارش من کجاست؟",
    "I would like to send it back because it is too loud for our small kitchen. What do I do?",
)


class Way(Protocol):
    """How a message gets into the record; returns when it is acknowledged."""

    async def send(self, customer: str, text: str) -> None: ...

    async def close(self) -> None: ...


class Direct:
    """Intake as a gateway does it, without HTTP: batches, one commit each, nudges."""

    def __init__(self, settings: Settings, database: Database) -> None:
        silence = timedelta(minutes=settings.conversation_silence_minutes)
        self._intake = Batcher(partial(intake.accept_all, database, silence=silence))
        self._nudges = Nudges(settings.effective_redis_url)

    async def send(self, customer: str, text: str) -> None:
        accepted = await self._intake(intake.incoming(customer, uuid4().hex, text, "en"))
        self._nudges.send(TURNS, accepted.conversation_id)
        self._nudges.send(TIMELINE, customer)

    async def close(self) -> None:
        await self._nudges.close()


class OverHttp:
    """Through the public API of a gateway process; a customer is known by their token."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"http://127.0.0.1:{settings.port}/api/v1/messages"
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=400))

    async def send(self, customer: str, text: str) -> None:
        body = {"client_message_id": uuid4().hex, "text": text, "language": "en"}
        headers = {"Authorization": f"Bearer {customer}"}
        async with self._http.post(self._url, json=body, headers=headers) as response:
            await response.read()
            if response.status != 202:
                raise RuntimeError(f"status {response.status}")

    async def close(self) -> None:
        await self._http.close()


def new_customers(database: Database, count: int, *, tokens: bool) -> list[str]:
    """Ids of new customers, or their tokens."""
    visitors = [new_visitor(database, "en") for _ in range(count)]
    return [each.token if tokens else each.customer_id for each in visitors]


async def write_all(way: Way, customers: Sequence[str], messages: int) -> None:
    """Every customer writes as fast as they are acknowledged, until all messages are in."""
    left = iter(range(messages))

    async def one(customer: str) -> None:
        for number in left:
            await way.send(customer, TEXTS[number % len(TEXTS)])

    await asyncio.gather(*(one(each) for each in customers))


async def write_at(
    way: Way, customers: Sequence[str], rate: float, seconds: float, seed: int
) -> list[float]:
    """Messages come at a rate by chance, however long the others take (an open loop).

    Returns:
        Milliseconds from the moment at which each was to be sent to its acknowledgement.
    """
    chance = random.Random(seed)
    waited: list[float] = []

    async def one(at: float) -> None:
        await way.send(chance.choice(customers), chance.choice(TEXTS))
        waited.append((time.perf_counter() - at) * 1000)

    sending: set[asyncio.Task[None]] = set()
    at = time.perf_counter()
    until = at + seconds
    while (at := at + chance.expovariate(rate)) < until:
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(at))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await asyncio.gather(*list(sending))
    return waited


async def until_answered(count_answered: Callable[[], int], wanted: int, patience: float) -> None:
    """Wait until so many replies are committed.

    Raises:
        TimeoutError: none came for so many seconds.
    """
    last, news_at = -1, time.monotonic()
    while (found := await asyncio.to_thread(count_answered)) < wanted:
        if found != last:
            last, news_at = found, time.monotonic()
        elif time.monotonic() - news_at > patience:
            raise TimeoutError(f"{found} of {wanted} messages were answered")
        await asyncio.sleep(0.05)


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    values = np.percentile(milliseconds, [50, 95, 99])
    return {
        name: round(float(value), 2)
        for name, value in zip(("p50", "p95", "p99"), values, strict=True)
    }
