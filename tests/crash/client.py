"""A client as careful as Usher asks of one: it repeats what was not acknowledged."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.crash.diary import Refusals

SECONDS = 4.0
"""How long one try may take; a frozen gateway takes longer, and then it is the other one's turn."""
_CLOSE = aiohttp.ClientWSTimeout(ws_close=1)
_PASSING = {429, 500, 502, 503, 504}


class Refused(Exception):
    """The gateway said no, and would say so again."""


@dataclass(frozen=True)
class Answer:
    """Status, body and cookies of an HTTP answer."""

    status: int
    body: Any
    cookies: dict[str, str]


class Client:
    """Speaks to all gateways in turn."""

    def __init__(
        self, http: aiohttp.ClientSession, gateways: Sequence[str], rng: random.Random
    ) -> None:
        self._http = http
        self._gateways = gateways
        self._next = rng.randrange(len(gateways))
        self._rng = rng
        self.refusals = Refusals()
        self.retries: Counter[str] = Counter()
        """Requests that had to be repeated, by what was wrong."""

    def gateway(self) -> str:
        """The next one's address."""
        self._next += 1
        return self._gateways[self._next % len(self._gateways)]

    def socket(self) -> Any:
        """A context manager of a websocket; a gateway that answers no ping is left."""
        address = f"{self.gateway()}/api/v1/chat".replace("http", "ws", 1)
        return self._http.ws_connect(address, heartbeat=SECONDS, timeout=_CLOSE)

    async def once(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One try.

        Raises:
            aiohttp.ClientError, TimeoutError: there was no answer.
        """
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        address = f"{self.gateway()}{path}"
        async with self._http.request(
            method, address, data=data, json=json, headers=headers, timeout=timeout
        ) as answer:
            body = await answer.json(content_type=None)
            cookies = {name: cookie.value for name, cookie in answer.cookies.items()}
            return Answer(answer.status, body, cookies)

    async def until_answered(
        self, make: Callable[[], Awaitable[Answer]], accepted: set[int], *, or_final: bool = False
    ) -> Answer:
        """Repeat a try until it is answered with an accepted status.

        Args:
            or_final: give back any answer that a retry would not change.

        Raises:
            Refused: another answer, which a retry would not change.
        """
        while True:
            try:
                answer = await make()
                if answer.status in accepted:
                    return answer
                problem = str(answer.status)
                if answer.status not in _PASSING:
                    if or_final:
                        return answer
                    self.refusals.found.append(f"{answer.status}: {answer.body}")
                    raise Refused(self.refusals.found[-1])
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                problem = type(error).__name__  # ValueError: the body was cut off
            self.retries[problem] += 1
            await asyncio.sleep(self._rng.uniform(0.05, 0.3))
