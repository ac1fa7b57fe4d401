"""An agent who takes over whoever waits for a human, and repeats what was not acknowledged."""

import asyncio
import random
from typing import Any

from tests.crash.client import Answer, Client
from tests.crash.diary import AgentsDiary
from tests.e2e.running import EMAIL, PASSWORD

PAUSE_SECONDS = 0.7
_RELEASES = 0.4
_SIGNS_OUT = 0.1
_JUDGES = 0.7
_COOKIE = "usher_agent"
_FINAL = {200, 403, 404, 409}
"""Refused: what was repeated had been done already, as far as the agent can know."""


class Agent:
    """Claims, replies, judges, sometimes gives back, and resolves."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self.diary = AgentsDiary()
        self._client = client
        self._rng = rng
        self._cookie = ""
        self._count = 0

    async def work(self) -> None:
        """For ever."""
        while True:
            if not self._cookie or self._rng.random() < _SIGNS_OUT:
                await self._sign_in_anew()
            await self.serve_all()
            await asyncio.sleep(PAUSE_SECONDS)

    async def serve_all(self) -> None:
        """Everybody who waits now."""
        if not self._cookie:
            await self._sign_in_anew()
        answer = await self._call("GET", "conversations")
        for each in answer.body["conversations"]:
            await self._serve(each["id"])

    async def _sign_in_anew(self) -> None:
        if self._cookie:
            await self._call("POST", "sign-out")
        answer = await self._call(
            "POST", "sign-in", json={"email": EMAIL, "password": PASSWORD}, accepted={200}
        )
        self._cookie = answer.cookies[_COOKIE]

    async def _serve(self, conversation: str) -> None:
        path = f"conversations/{conversation}"
        await self._call("POST", f"{path}/claim")
        if self._rng.random() < _RELEASES:
            await self._call("POST", f"{path}/release")
            await self._call("POST", f"{path}/claim")
        if self._rng.random() < _JUDGES:
            await self._call("POST", f"{path}/judgement", json={"article": None, "right": True})
        for _ in range(self._rng.randint(1, 2)):
            self._count += 1
            client_message_id = f"reply-{self._count}"
            text = f"This is reply number {self._count}."
            body = {"client_message_id": client_message_id, "text": text}
            answer = await self._call("POST", f"{path}/reply", json=body)
            if answer.status == 200:
                self.diary.replies[conversation, client_message_id] = text
        await self._call("POST", f"{path}/resolve")

    async def _call(
        self, method: str, path: str, json: Any = None, accepted: set[int] = _FINAL
    ) -> Answer:
        headers = {"X-Usher-Console": "1", "Cookie": f"{_COOKIE}={self._cookie}"}
        return await self._client.until_answered(
            lambda: self._client.once(method, f"/console/api/{path}", json=json, headers=headers),
            accepted,
        )
