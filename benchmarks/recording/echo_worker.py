"""A real worker whose assistant repeats what it hears: the record is all that costs time.

A process of its own; its settings come from the environment, as those of any worker.
`--profile FILE` writes where its time goes.
"""

import asyncio
import base64
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import structlog
import uvloop

from bot import bootstrap
from bot.knowledge.client import KnowledgeClient
from bot.messages import Candidate, Match, Outcome, Reply, Source, TurnResult
from bot.turns.assistant import Assistant
from bot.worker import Worker

CANDIDATES = (
    Candidate("delivery-tracking", "Track your order", 0.93),
    Candidate("delivery-time-cost", "Delivery times and costs", 0.04),
    Candidate("order-status", "The status of an order", 0.02),
)
SOURCES = (Source("delivery-tracking", "en", "Track your order"),)
VECTOR = base64.b64encode(bytes(4 * 384)).decode()


class EchoKnowledge:
    """Knows the answer to everything."""

    async def match(self, text: str, language: str, *_: Any) -> Match:
        return Match(
            Outcome.ANSWER, CANDIDATES, 0.93, language, language, "Follow it.", "", text, VECTOR
        )

    async def close(self) -> None:
        pass


class EchoAssistant:
    """Says one thing in every turn."""

    async def turn(self, *asked: Any) -> TurnResult:
        _conversation, _after, _history, message, *_ = asked
        return TurnResult((Reply(f"re: {message.text}", sources=SOURCES),))

    async def tell(self, *_: Any) -> None:
        pass

    async def close(self) -> None:
        pass


async def work() -> None:
    database = bootstrap.database()
    worker = Worker(
        bootstrap.settings(),
        database,
        cast(KnowledgeClient, EchoKnowledge()),
        cast(Assistant, EchoAssistant()),
    )
    running = asyncio.ensure_future(worker.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with suppress(asyncio.CancelledError):
        await running
    database.close()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    sampler = None
    if "--profile" in sys.argv:
        from sampling import Sampler  # beside this file, which is the process's main one

        sampler = Sampler()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
    if sampler:
        sampler.write(Path(sys.argv[sys.argv.index("--profile") + 1]))


if __name__ == "__main__":
    main()
