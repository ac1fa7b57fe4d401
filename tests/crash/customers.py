"""Visitors of a page: they write through the public API and keep a diary of what they saw."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

from tests.crash.client import SECONDS, Answer, Client, Refused
from tests.crash.diary import Diary, Said
from tests.crash.writer import Writer

_ON_THE_SOCKET_TOO = 0.4
_WRITES_ON_THE_SOCKET = 0.3
_JUDGES = 0.3


class Visitor(Writer):
    """A customer with a page that fetches, and perhaps a second one on a websocket."""

    def __init__(self, client: Client, name: str, rng: random.Random, secret: str) -> None:
        super().__init__(Diary(name), client, rng, secret)
        self._headers: dict[str, str] = {}
        self._socket_too = rng.random() < _ON_THE_SOCKET_TOO
        self._changed = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._accepted: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def live(self, goes_on: Callable[[], bool]) -> None:
        made = await self._call("POST", "/api/v1/visitors", {201}, json={"language": "en"})
        self.diary.customer_id = made.body["visitor_id"]
        self._headers = {"Authorization": f"Bearer {made.body['token']}"}
        reading = [asyncio.create_task(self._fetch())]
        if self._socket_too:
            reading.append(asyncio.create_task(self._listen()))
        try:
            await self._write(goes_on)
            if self._rng.random() < _JUDGES:
                await self._judge()
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def come_back(self) -> None:
        """Fetch what was missed, on every connection: now each has seen everything."""
        for connection, shown in self.diary.seen.items():
            while True:
                after = shown[-1].seq if shown else 0
                answer = await self._call("GET", f"/api/v1/messages?after={after}", {200})
                if not answer.body["messages"]:
                    break
                self.diary.show(connection, answer.body["messages"])

    @property
    def _as_buyer(self) -> dict[str, str]:
        return {"visitor_id": self.diary.customer_id}

    async def _post(self, said: Said) -> Answer:
        body = {"client_message_id": said.client_message_id, "text": said.text}
        if self._socket is not None and self._rng.random() < _WRITES_ON_THE_SOCKET:
            return await self._post_on_socket(self._socket, body)
        return await self._client.once("POST", "/api/v1/messages", json=body, headers=self._headers)

    async def _post_on_socket(
        self, socket: aiohttp.ClientWebSocketResponse, body: dict[str, str]
    ) -> Answer:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._accepted[body["client_message_id"]] = answer
        try:
            async with asyncio.timeout(SECONDS):
                await socket.send_json({"type": "message", **body})
                return Answer(202, await answer, {})
        finally:
            self._accepted.pop(body["client_message_id"], None)

    async def _judge(self) -> None:
        answers = [each.seq for each in self.diary.seen["fetching"] if each.author == "assistant"]
        if answers:  # not every reply is an answer: what is refused is no fault
            path = f"/api/v1/messages/{answers[-1]}/feedback"
            await self._client.until_answered(
                lambda: self._client.once(
                    "POST", path, json={"helpful": True}, headers=self._headers
                ),
                {200},
                or_final=True,
            )

    async def _wait_until_heard(self, seq: int) -> None:
        while not self.diary.heard_after(seq):
            self._changed.clear()
            await self._changed.wait()

    async def _call(self, method: str, path: str, accepted: set[int], json: Any = None) -> Answer:
        return await self._client.until_answered(
            lambda: self._client.once(method, path, json=json, headers=self._headers), accepted
        )

    def _show(self, connection: str, messages: list[dict[str, Any]]) -> None:
        self.diary.show(connection, messages)
        self._changed.set()

    def _last(self, connection: str) -> int:
        shown = self.diary.seen[connection]
        return shown[-1].seq if shown else 0

    async def _fetch(self) -> None:
        """A page without websockets: long polls, for ever."""
        while True:
            path = f"/api/v1/messages?after={self._last('fetching')}&wait=2"
            answer = await self._call("GET", path, {200})
            self._show("fetching", answer.body["messages"])

    async def _listen(self) -> None:
        """A page with a websocket that is opened again whenever it breaks."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, ValueError, TypeError, OSError):
                await self._listen_once()
            self._socket = None
            await asyncio.sleep(self._rng.uniform(0.05, 0.3))

    async def _listen_once(self) -> None:
        async with self._client.socket() as socket:
            token = self._headers["Authorization"].removeprefix("Bearer ")
            await socket.send_json({"type": "hello", "token": token, "after": self._last("socket")})
            while True:
                # TypeError: it was closed instead.
                frame = await socket.receive_json(timeout=10 * SECONDS)
                self._socket = socket
                if frame["type"] == "messages" and frame["messages"]:
                    self._show("socket", frame["messages"])
                    await socket.send_json({"type": "seen", "seq": self._last("socket")})
                elif frame["type"] == "accepted":
                    waiting = self._accepted.get(frame["client_message_id"])
                    if waiting is not None and not waiting.done():
                        waiting.set_result(frame)
                elif frame["type"] == "error" and frame["error"]["code"] == "unauthenticated":
                    self._client.refusals.found.append(str(frame))
                    raise Refused(str(frame))
