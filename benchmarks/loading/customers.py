"""Simulated customers: each says one thing, waits for the reply, says the next."""

import asyncio
import csv
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import httpx
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bot.languages import LANGUAGES
from bot.settings import ROOT
from bot.texts import texts

REPLY_SECONDS = 15.0
MESSAGES_A_CONVERSATION = 10
QUESTIONS_TO_SMALL_TALK = 2


@dataclass(frozen=True)
class Exchange:
    """One message and what became of it; times in seconds of one clock."""

    sent: float
    accepted: float
    """When the acknowledgement was there; the stock way has none, so when it was sent."""
    replied: float
    failure: str = ""
    """Why there was no reply."""
    handed_off: bool = False
    """The conversation goes to a human: the assistant says nothing more in it."""
    answered: bool = False
    """The reply names an article."""


class Line(Protocol):
    """A conversation of one customer, one way or the other."""

    async def say(self, text: str) -> Exchange: ...


OpenLine = Callable[[str], Any]
"""Language → an asynchronous context manager of a `Line`."""


class ChatLine:
    """The public chat API: messages go by POST, replies come over the websocket."""

    def __init__(
        self, http: httpx.AsyncClient, token: str, language: str, socket: ClientConnection
    ) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}
        self._language = language
        self._socket = socket

    async def say(self, text: str) -> Exchange:
        sent = accepted = time.monotonic()
        body = {"client_message_id": uuid4().hex, "text": text, "language": self._language}
        try:
            response = await self._http.post("/api/v1/messages", json=body, headers=self._headers)
            accepted = time.monotonic()
            if response.status_code != httpx.codes.ACCEPTED:
                return Exchange(sent, accepted, accepted, f"status {response.status_code}")
            async with asyncio.timeout(REPLY_SECONDS):
                replies = await self._replies(response.json()["seq"])
        except (httpx.HTTPError, WebSocketException, TimeoutError) as error:
            return Exchange(sent, accepted, time.monotonic(), type(error).__name__)
        replied = time.monotonic()
        apology = texts(self._language)["system_unavailable"]
        system = [each["text"] for each in replies if each["author"] == "system"]
        return Exchange(
            sent,
            accepted,
            replied,
            failure="apology" if apology in system else "",
            handed_off=bool(system),
            answered=any(each["sources"] for each in replies),
        )

    async def _replies(self, after: int) -> list[dict[str, Any]]:
        while True:
            frame = json.loads(await self._socket.recv())
            found = [
                each
                for each in frame.get("messages", ())
                if each["seq"] > after and each["author"] != "customer"
            ]
            if found:
                return found


def chat_lines(url: str, http: httpx.AsyncClient) -> OpenLine:
    @asynccontextmanager
    async def open_line(language: str) -> AsyncIterator[Line]:
        visitor = await http.post("/api/v1/visitors", json={"language": language})
        visitor.raise_for_status()
        token = visitor.json()["token"]
        async with connect(url.replace("http", "ws", 1) + "/api/v1/chat", compression=None) as ws:
            await ws.send(json.dumps({"type": "hello", "token": token, "after": 0}))
            await ws.recv()  # the first frame says that we are connected
            yield ChatLine(http, token, language, ws)

    return open_line


class StockLine:
    """Rasa's own REST channel, which answers a message with the replies to it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._sender = uuid4().hex

    async def say(self, text: str) -> Exchange:
        sent = time.monotonic()
        body = {"sender": self._sender, "message": text}
        try:
            response = await self._http.post("/webhooks/rest/webhook", json=body)
            replies = response.json()
        except (httpx.HTTPError, ValueError) as error:
            return Exchange(sent, sent, time.monotonic(), type(error).__name__)
        replied = time.monotonic()
        if response.status_code != httpx.codes.OK:
            return Exchange(sent, sent, replied, f"status {response.status_code}")
        custom = [each.get("custom") or {} for each in replies]
        return Exchange(
            sent,
            sent,
            replied,
            # The channel swallows every error and answers 200 with what it has.
            failure="" if replies else "empty answer",
            handed_off=any("handoff" in each for each in custom),
            answered=any(each.get("sources") for each in custom),
        )


def stock_lines(http: httpx.AsyncClient) -> OpenLine:
    @asynccontextmanager
    async def open_line(_: str) -> AsyncIterator[Line]:
        yield StockLine(http)

    return open_line


class Phrases:
    """What customers say: the benchmark's questions, and small talk from the training data."""

    def __init__(self) -> None:
        self.questions = {language: _questions(language) for language in LANGUAGES}
        self._small_talk = {language: _small_talk(language) for language in LANGUAGES}

    def conversation(self, language: str, dice: random.Random) -> list[str]:
        pools = [self.questions[language]] * QUESTIONS_TO_SMALL_TALK + [self._small_talk[language]]
        return [dice.choice(dice.choice(pools)) for _ in range(MESSAGES_A_CONVERSATION)]

    def conversations(self, seed: str) -> Iterator[tuple[str, list[str]]]:
        """(language, messages) without end; the same ones for the same seed."""
        dice = random.Random(seed)
        languages = list(LANGUAGES)
        dice.shuffle(languages)
        for language in itertools.cycle(languages):
            yield language, self.conversation(language, dice)


def _questions(language: str) -> list[str]:
    path = ROOT / "benchmarks" / "questions" / f"{language}.csv"
    with path.open(encoding="utf-8", newline="") as rows:
        return [row["text"] for row in csv.DictReader(rows)]


def _small_talk(language: str) -> list[str]:
    path = ROOT / "data" / "nlu" / language / "smalltalk.yml"
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return [
        line.strip().removeprefix("- ")
        for item in content["nlu"]
        for line in item["examples"].splitlines()
        if line.strip()
    ]


async def customers(
    open_line: OpenLine, phrases: Phrases, count: int, seconds: float, seed: str
) -> list[Exchange]:
    """Let some customers talk side by side for a time; what was begun is finished."""
    until = time.monotonic() + seconds
    seen: list[Exchange] = []

    async def customer(number: int) -> None:
        for language, messages in phrases.conversations(f"{seed}:{number}"):
            async with open_line(language) as line:
                for text in messages:
                    if time.monotonic() >= until:
                        return
                    seen.append(await line.say(text))
                    if seen[-1].handed_off or seen[-1].failure:
                        break

    await asyncio.gather(*(customer(number) for number in range(count)))
    return seen


async def long_conversation(
    open_line: OpenLine, language: str, messages: Sequence[str], turns: int
) -> list[Exchange]:
    """One conversation; it ends early only when the assistant hands it over."""
    seen: list[Exchange] = []
    async with open_line(language) as line:
        for text in itertools.islice(itertools.cycle(messages), turns):
            seen.append(await line.say(text))
            if seen[-1].handed_off:
                break
    return seen


async def answered(
    open_line: OpenLine, language: str, questions: Sequence[str], wanted: int
) -> list[str]:
    """The first questions that the assistant answers from an article, each asked alone."""
    found: list[str] = []
    for text in questions:
        async with open_line(language) as line:
            if (await line.say(text)).answered:
                found.append(text)
        if len(found) == wanted:
            break
    return found
