"""What every customer of the crash test does, on whatever channel they write."""

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot.signatures import sign
from tests.crash.client import Answer, Client
from tests.crash.diary import Acknowledgement, Diary, Said
from tests.e2e.phrases import PHRASES

PRODUCTS = ("brio", "clara", "volta")
MOMENTS = 8
"""How often a customer writes before they leave."""
PATIENCE_SECONDS = 15.0
"""How long a customer waits for an answer before they write again all the same."""
DOUBLED = 0.15
"""How often the same message is sent twice at once."""
_AT_ONCE, _QUICKLY, _BUYS = 0.1, 0.2, 0.1
_IMPATIENT = 0.2
_HUMAN = 0.03


class Writer(ABC):
    """A customer who writes, waits for answers, buys, and leaves."""

    def __init__(self, diary: Diary, client: Client, rng: random.Random, secret: str) -> None:
        """
        Args:
            secret: with which the shop signs its purchase events.
        """
        self.diary = diary
        self._client = client
        self._rng = rng
        self._secret = secret
        self._count = self._moment = 0
        self._words = PHRASES[rng.choice(("en", "en", "vi", "th", "fa"))]

    @abstractmethod
    async def live(self, goes_on: Callable[[], bool]) -> None:
        """Come, write, and leave; what is written is acknowledged and, as a rule, answered.

        Args:
            goes_on: whether to go on writing.
        """

    @abstractmethod
    async def _post(self, said: Said) -> Answer:
        """Try to send a message."""

    @abstractmethod
    async def _wait_until_heard(self, seq: int) -> None:
        """Until the other side has said something after a message."""

    @property
    @abstractmethod
    def _as_buyer(self) -> dict[str, str]:
        """The customer, as the shop's events name them."""

    async def _write(self, goes_on: Callable[[], bool]) -> None:
        for _ in range(MOMENTS):
            if not goes_on():
                break
            await self._act()
        if self.diary.said:
            await self._wait_for_answer(PATIENCE_SECONDS)

    async def _act(self) -> None:
        kind = self._rng.random()
        if kind < _AT_ONCE:  # their order among themselves is open
            self._moment += 1
            wanted = [self._new(self._moment) for _ in range(self._rng.randint(2, 4))]
            await asyncio.gather(*(self._say(each) for each in wanted))
        elif kind < _AT_ONCE + _QUICKLY:
            for _ in range(self._rng.randint(2, 4)):
                await self._say(self._new())
        else:
            await self._say(self._new())
        if self._rng.random() < _BUYS:
            await self._buy()
        await self._wait_for_answer(0 if self._rng.random() < _IMPATIENT else PATIENCE_SECONDS)

    def _new(self, moment: int | None = None) -> Said:
        """Something new to say.

        Args:
            moment: with what else it is said; nothing: after everything else.
        """
        self._count += 1
        if moment is None:
            moment = self._moment = self._moment + 1
        words = self._words
        text = self._rng.choice((words.greeting, words.thanks, words.question, words.question))
        if self._rng.random() < _HUMAN:
            text = words.human
        mark = chr(ord("a") + self._count % 26)  # what is said together shall not be the same
        said = Said(f"{self.diary.name}-{self._count}", f"{text} ({mark})", moment)
        self.diary.said.append(said)
        return said

    async def _say(self, said: Said) -> None:
        """Until it is acknowledged; now and then twice at once."""

        async def post() -> None:
            answer = await self._client.until_answered(lambda: self._post(said), {202})
            fields = ("message_id", "conversation_id", "seq")
            said.acknowledged.add(Acknowledgement(*(answer.body[each] for each in fields)))

        copies = 2 if self._rng.random() < DOUBLED else 1
        await asyncio.gather(*(post() for _ in range(copies)))

    async def _buy(self) -> None:
        self._count += 1
        number = f"{self.diary.name}-{self._count}"
        event = {
            "event_id": number,
            "order_id": number,
            "customer": self._as_buyer,
            "products": [self._rng.choice(PRODUCTS)],
        }
        copies = 2 if self._rng.random() < DOUBLED else 1
        path = "/webhooks/purchases/generic"
        await asyncio.gather(
            *(
                self._client.until_answered(
                    lambda: self._post_signed(path, event, self._secret), {200, 202}
                )
                for _ in range(copies)
            )
        )
        self.diary.purchases.append(number)

    async def _post_signed(self, path: str, event: dict[str, Any], secret: str) -> Answer:
        body = json.dumps(event).encode()
        headers = {"Usher-Signature": sign(body, secret), "Content-Type": "application/json"}
        return await self._client.once("POST", path, data=body, headers=headers)

    async def _wait_for_answer(self, seconds: float) -> None:
        last = max(each.seq for said in self.diary.said for each in said.acknowledged)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wait_until_heard(last)
