"""Calls between our own processes: loopback, JSON, and always with an end."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import aiohttp

from bot.errors import Unavailable

CONNECT_SECONDS = 1.0
KEPT_SECONDS = 3.0
"""The servers close an unused connection after five seconds; ours is gone before that."""

T = TypeVar("T")


class InternalClient:
    """A client of one of our processes, with kept connections."""

    def __init__(
        self, name: str, url: str, seconds: float, headers: Mapping[str, str] | None = None
    ) -> None:
        """
        Args:
            name: how the process is called in errors.
            seconds: for a whole call.
        """
        self._name = name
        self._url = url
        self._headers = dict(headers or {})
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: Any, read: Callable[[int, Any], T]) -> T:
        """POST a JSON body.

        Args:
            read: makes a value of the status and the JSON answer; what it cannot read it
                says by a ValueError, TypeError or KeyError.

        Raises:
            Unavailable: no answer in time, or not one that can be read.
        """
        if self._session is None:  # it belongs to the running event loop
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=KEPT_SECONDS),
            )
        try:
            async with self._session.post(self._url + path, json=body) as response:
                return read(response.status, await response.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError, TypeError, KeyError) as error:
            raise Unavailable(f"{self._name} does not answer: {error!r}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
