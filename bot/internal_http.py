"""Calls between our own processes: JSON, on a private network, and always with an end.

A process may run on several machines. Then a call goes to one of them, and when that one
cannot be reached, to the next one within the same call.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import aiohttp
import structlog

from bot.errors import Disconnected, NotReached, TimedOut, Unavailable
from bot.faults import point

log = structlog.get_logger()

CONNECT_SECONDS = 1.0
KEPT_SECONDS = 3.0
"""The servers close an unused connection after five seconds; ours is gone before that."""
HEALTH_PATHS = {"knowledge": "/healthz", "actions": "/health", "rasa": "/webhooks/usher/ready"}
"""Where each kind of server says with 200 that it is ready."""
LEFT_OUT_SECONDS = 5.0
"""A server that did not answer is asked again after this long, by one call at first."""

T = TypeVar("T")


class InternalClient:
    """A client of one kind of our processes, with kept connections."""

    def __init__(
        self,
        name: str,
        urls: str | Sequence[str],
        seconds: float,
        secret: str = "",
        *,
        repeatable: bool = False,
    ) -> None:
        """
        Args:
            name: how the process is called in errors.
            urls: of its servers.
            seconds: for a whole call, however many servers are tried.
            secret: the one that all machines share; shown to the servers.
            repeatable: a call changes nothing, so a server that is slow need not be waited for
                until the end: the next one is asked while there is time.
        """
        self._name = name
        self._urls = (urls,) if isinstance(urls, str) else tuple(urls)
        self._headers = authorization(secret)
        self._seconds = seconds
        self._repeatable = repeatable
        self._session: aiohttp.ClientSession | None = None
        self._turn = 0
        self._left_out_until: dict[str, float] = {}

    async def post(
        self, path: str, body: Any, read: Callable[[int, Any], T], key: str | None = None
    ) -> T:
        """POST a JSON body.

        Args:
            read: makes a value of the status and the JSON answer; what it cannot read it
                says by a ValueError, TypeError or KeyError.
            key: calls with the same key go to the same server, as long as it answers; without
                one the servers take turns.

        Raises:
            Unavailable: no answer in time, or not one that can be read; as `NotReached` when
                nothing was carried out, as `Disconnected` when the server broke off.
        """
        return await self._call("POST", path, body, read, key)

    async def get(self, path: str, read: Callable[[int, Any], T]) -> T:
        """GET; else as `post`."""
        return await self._call("GET", path, None, read, None)

    async def _call(
        self, method: str, path: str, body: Any, read: Callable[[int, Any], T], key: str | None
    ) -> T:
        until = time.monotonic() + self._seconds
        problem: Exception | None = None
        servers = self._in_order(key)
        for tried, url in enumerate(servers):
            left = until - time.monotonic()
            if left <= 0:
                break
            seconds = left / (len(servers) - tried) if self._repeatable else left
            self._before(url)
            point(f"call{path.replace('/', '.')}.before_send")
            try:
                async with self._open_session().request(
                    method, url + path, json=body, timeout=_timeout(seconds)
                ) as response:
                    answer = await response.json(content_type=None)
                    self._left_out_until.pop(url, None)
                    point(f"call{path.replace('/', '.')}.after_answer")
                    return read(response.status, answer)
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                self._left_out_until[url] = time.monotonic() + LEFT_OUT_SECONDS
                problem = error
                log.warning("no answer", process=self._name, server=url, problem=repr(error))
                if not (self._repeatable or _not_reached(error)):
                    break  # it may have died of this very call: the others shall not
            except UnicodeError as error:  # which would show the whole answer
                raise Unavailable(f"{self._name} does not answer in UTF-8.") from error
            except (aiohttp.ClientError, ValueError, TypeError, KeyError) as error:
                raise Unavailable(f"{self._name} does not answer: {error!r}") from error
        kind = NotReached if _not_reached(problem) else Unavailable
        if isinstance(problem, aiohttp.ServerDisconnectedError | ConnectionResetError):
            kind = Disconnected
        elif kind is Unavailable and isinstance(problem, TimeoutError):
            kind = TimedOut
        raise kind(f"{self._name} does not answer: {problem!r}") from problem

    def _in_order(self, key: str | None) -> list[str]:
        """The servers, the one to ask first in front; those left out stand at the end."""
        if key is not None:
            # Rendezvous hashing: when a server goes, only its own keys move to others.
            servers = sorted(self._urls, key=lambda url: _digest(f"{key}\0{url}"))
        else:
            first = self._turn = (self._turn + 1) % len(self._urls)
            servers = [*self._urls[first:], *self._urls[:first]]
        at = time.monotonic()
        return sorted(servers, key=lambda url: self._left_out_until.get(url, 0) > at)

    def _before(self, url: str) -> None:
        if url in self._left_out_until:  # this call is the trial; others go elsewhere meanwhile
            self._left_out_until[url] = time.monotonic() + LEFT_OUT_SECONDS

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:  # it belongs to the running event loop
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=KEPT_SECONDS),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)


def _not_reached(error: Exception | None) -> bool:
    """Whether no connection was made, so that nothing can have been done."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def authorization(secret: str) -> dict[str, str]:
    """The header by which our processes know each other."""
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def is_authorized(header: str, secret: str) -> bool:
    """Whether a caller's `Authorization` header shows the secret."""
    expected = authorization(secret).get("Authorization", "")
    return bool(secret) and hmac.compare_digest(header.encode(), expected.encode())
