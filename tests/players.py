"""An assistant and a knowledge process for tests of turns: the same methods, no servers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import cast

from bot.conversations.batching import Batcher
from bot.conversations.database import Database, now
from bot.errors import Unavailable
from bot.knowledge.client import KnowledgeClient
from bot.messages import NO_CONTEXT, Candidate, Context, Match, Outcome, Reply, TurnResult
from bot.turns import beginning, ending
from bot.turns.assistant import Assistant
from bot.turns.beginning import Work
from bot.turns.history import HistoryItem
from bot.turns.turn import Taker
from tests.scenes import change

CANDIDATE = Candidate("delivery-tracking", "Track your order", 0.93)
RECOVERY = timedelta(minutes=10)


@dataclass
class Knowledge:
    """Knows one article, or one act; `down` makes it silent."""

    down: bool = False
    language: str | None = None
    """Of every message; None: as the page says."""
    products: list[tuple[str, ...]] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    outcome: Outcome = Outcome.ANSWER
    act: str = ""

    async def match(
        self,
        text: str,
        language: str,
        products: Sequence[str] = (),
        context: Context = NO_CONTEXT,
    ) -> Sequence[Match]:
        if self.down:
            raise Unavailable("The knowledge process does not answer.")
        self.products.append(tuple(products))
        self.contexts.append(context)
        found = self.language or language
        match = Match(
            self.outcome, (CANDIDATE,), 0.93, found, found, f"about {text}", "", text, act=self.act
        )
        return [match]


@dataclass(frozen=True)
class Asked:
    """One call of `turn`."""

    conversation_id: str
    after: int
    history: tuple[HistoryItem, ...]
    message: HistoryItem


Act = Callable[[Asked], Awaitable[TurnResult]]


async def echo(asked: Asked) -> TurnResult:
    return TurnResult((Reply(f"re: {asked.message.text}"),))


@dataclass
class Player:
    """Takes turns as `act` says and remembers what it was asked."""

    act: Act = echo
    asked: list[Asked] = field(default_factory=list)

    async def turn(
        self,
        conversation_id: str,
        after: int,
        history: Sequence[HistoryItem],
        message: HistoryItem,
        matches: Sequence[Match],
        context: Context,
        bought: Sequence[str],
        turn_id: str,
        *,
        is_waiting: bool = False,
    ) -> TurnResult:
        asked = Asked(conversation_id, after, tuple(history), message)
        self.asked.append(asked)
        await asyncio.sleep(0)
        return await self.act(asked)


@dataclass
class Stage:
    """A worker's turn without the worker's loop."""

    database: Database
    knowledge: Knowledge = field(default_factory=Knowledge)
    assistant: Player = field(default_factory=Player)
    well: bool = False
    """Whether the parts say that they work, so that a failure is the message's own."""
    together: bool = False

    def lease(self, worker: str = "worker") -> Work | None:
        begun = beginning.begin(self.database, worker, 1, self.together)
        return begun[0] if begun else None

    async def all_well(self) -> bool:
        return self.well

    def taker(self) -> Taker:
        return Taker(
            self.database,
            cast(KnowledgeClient, self.knowledge),
            cast(Assistant, self.assistant),
            Batcher(partial(ending.complete_all, self.database)),
            self.all_well,
            RECOVERY,
        )

    async def take(self, work: Work) -> None:
        await self.taker().take(work)

    def next_turn(self) -> bool:
        """Take the turn that is due now, if there is one."""
        work = self.lease()
        if work is None:
            return False
        asyncio.run(self.take(work))
        return True

    def take_all(self) -> int:
        taken = 0
        while self.next_turn():
            taken += 1
        return taken

    def make_due(self, conversation_id: str) -> None:
        change(self.database, conversation_id, turn_due_at=now())

    def expire_lease(self, conversation_id: str) -> None:
        past = now() - timedelta(seconds=1)
        change(self.database, conversation_id, leased_until=past)
