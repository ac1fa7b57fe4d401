"""Customers of a shop's own app, which the webhook channel connects; the app is not reliable."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.signatures import sign
from tests.crash.client import Answer, Client
from tests.crash.diary import Diary, Said
from tests.crash.writer import Writer
from tests.vendor import Answer as AppsAnswer
from tests.vendor import accept

_WAYS: Mapping[str, float] = {"accept": 0.9, "busy": 0.03, "error": 0.03, "drop": 0.04}
_READ = 0.5


@dataclass(frozen=True)
class Arrival:
    """A message that reached the app."""

    is_refused: bool
    """The app said that it did not take it."""
    delivery_id: str
    seq: int
    author: str
    text: str


class App:
    """What the shop's app was sent, by customer, in the order of arrival."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.arrived: dict[str, list[Arrival]] = defaultdict(list)
        self.reports: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self.is_reliable = False

    async def next_arrival(self) -> None:
        await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def take(self, message: Mapping[str, Any]) -> AppsAnswer:
        """Called in a thread of the app's server."""
        (way,) = self._rng.choices(list(_WAYS), list(_WAYS.values()))
        way = "accept" if self.is_reliable else way
        fields = (message[each] for each in ("delivery_id", "seq", "author", "text"))
        self.arrived[message["to"]].append(Arrival(way == "busy", *fields))
        self._loop.call_soon_threadsafe(self._tell)
        if way == "busy":
            return AppsAnswer(503, headers={"Retry-After": "1"})
        if way == "error":
            return AppsAnswer(500)
        if way == "drop":
            return AppsAnswer(drop=True)
        for state in ("delivered", "read") if self._rng.random() < _READ else ():
            report = {"type": "status", "delivery_id": message["delivery_id"], "state": state}
            self._loop.call_soon_threadsafe(self.reports.put_nowait, report)
        return accept(message)


class AppCustomer(Writer):
    """A customer who writes in the app; its server tells Usher, and repeats what it must."""

    def __init__(
        self, client: Client, name: str, rng: random.Random, secret: str, app: App, key: str
    ) -> None:
        """
        Args:
            key: with which the app signs its events.
        """
        super().__init__(Diary(name, channel="webhook"), client, rng, secret)
        self._app = app
        self._key = key

    async def live(self, goes_on: Callable[[], bool]) -> None:
        await self._write(goes_on)

    @property
    def _as_buyer(self) -> dict[str, str]:
        return {"id": f"shop-{self.diary.name}"}

    async def _post(self, said: Said) -> Answer:
        event = {
            "type": "message",
            "id": said.client_message_id,
            "from": self.diary.name,
            "text": said.text,
            "customer_id": f"shop-{self.diary.name}",
        }
        return await self._post_signed("/webhooks/channels/webhook", event, self._key)

    async def _wait_until_heard(self, seq: int) -> None:
        while not any(each.seq > seq for each in self._app.arrived[self.diary.name]):
            await self._app.next_arrival()


async def send_reports(app: App, client: Client, key: str) -> None:
    """Tell Usher what became of its messages, for ever; each report until it is answered."""
    while True:
        report = await app.reports.get()
        body = json.dumps(report).encode()

        async def post(body: bytes = body) -> Answer:
            headers = {"Usher-Signature": sign(body, key), "Content-Type": "application/json"}
            return await client.once(
                "POST", "/webhooks/channels/webhook", data=body, headers=headers
            )

        await client.until_answered(post, {200, 202})
