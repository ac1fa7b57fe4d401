"""What a dead channel costs the others: time from the commit of a message to its sending.

.venv/bin/python benchmarks/channels.py
"""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from loading import results
from recording import parts
from recording.customers import percentiles
from rich.console import Console

from bot.channels.base import Limits, Outgoing
from bot.conversations.customers import new_visitor
from bot.conversations.database import Database
from bot.conversations.nudges import DELIVERIES, Nudges
from bot.conversations.tables import Address
from bot.conversations.timeline import append, lock_customer, open_conversation
from bot.deliveries.outbox import Outbox
from bot.messages import Author
from bot.settings import ROOT

RESULTS = Path(__file__).parent / "results"
NOWHERE = "redis://127.0.0.1:1/0"
"""Nudges stay within this process."""
CUSTOMERS, BACKLOG = 40, 200
ASKED = 0.05


class Healthy:
    """Takes every message at once and remembers when the last one came."""

    name = "healthy"
    limits = Limits(per_second=10_000, at_once=20)

    def __init__(self) -> None:
        self.sent_at = 0.0
        self.arrived = asyncio.Event()

    async def send(self, address: str, outgoing: Outgoing) -> str | None:
        self.sent_at = time.perf_counter()
        self.arrived.set()
        return f"{address}:{outgoing.seq}"

    async def close(self) -> None:
        pass


class Dead:
    """Takes the connection and never answers."""

    name = "dead"
    limits = Limits(per_second=10_000, at_once=20)

    async def send(self, address: str, outgoing: Outgoing) -> str | None:
        await asyncio.sleep(5)
        raise TimeoutError(f"{address} does not answer to {outgoing.delivery_id}")

    async def close(self) -> None:
        pass


def _customers(database: Database, channel: str) -> list[str]:
    ids = [new_visitor(database, "en").customer_id for _ in range(CUSTOMERS)]
    with database.write("fill") as session:
        session.add_all(Address(channel=channel, address=each, customer_id=each) for each in ids)
    return ids


def _write(database: Database, customer_id: str, channel: str, text: str) -> None:
    with database.write("fill") as session:
        customer = lock_customer(session, customer_id)
        conversation = open_conversation(session, customer, timedelta(hours=12), channel)
        append(session, customer, conversation, Author.AGENT, text)


async def _round(database: Database, options: argparse.Namespace, *, dead: bool) -> list[float]:
    """Milliseconds from commit to sending, on the healthy channel."""
    healthy, nudges = Healthy(), Nudges(NOWHERE)
    mine = _customers(database, healthy.name)
    channels: list[Healthy | Dead] = [healthy]
    if dead:
        channels.append(Dead())
        for number, each in enumerate(_customers(database, Dead.name) * (BACKLOG // CUSTOMERS)):
            _write(database, each, Dead.name, f"{number}")
    outbox = asyncio.create_task(
        Outbox(database, channels, "bench", nudges, "http://localhost/help").run()
    )
    waited = []
    try:
        for number in range(options.messages):
            customer = mine[number % CUSTOMERS]
            await asyncio.to_thread(_write, database, customer, healthy.name, f"{number}")
            committed = time.perf_counter()
            nudges.dispatch(DELIVERIES)
            await healthy.arrived.wait()
            healthy.arrived.clear()
            waited.append((healthy.sent_at - committed) * 1000)
            await asyncio.sleep(0.01)
    finally:
        outbox.cancel()
        with suppress(asyncio.CancelledError):
            await outbox
        await nudges.close()
    return waited[20:]  # leases are taken, statements compiled


def measure(kind: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, float]]] = {"alone": [], "beside a dead one": []}
    with (
        tempfile.TemporaryDirectory(prefix="usher-channels-") as name,
        parts.database_urls(kind, Path(name)) as urls,
    ):
        Path(name).chmod(0o755)
        for _ in range(options.rounds):
            for state, rounds in found.items():
                database = Database(next(urls))
                waited = asyncio.run(_round(database, options, dead=state != "alone"))
                rounds.append(percentiles(waited))
                database.close()
    return {
        state: {key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]}
        for state, rounds in found.items()
    }


def as_markdown(found: dict[str, dict[str, dict[str, float]]], command: str) -> str:
    machine = results.machine()
    lines = [
        "# A dead channel and the others",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `{command}` on {machine['cores']} cores "
        f"({machine['cpu']}), {machine['system']}; load average {machine['load_average_before']}. "
        f"Milliseconds from the commit of a message to its sending, one channel alone and beside "
        f"one that never answers and has {BACKLOG} messages due. Asked: less than "
        f"{ASKED:.0%} more (median).",
        "",
        "| database | channel | p50 | p95 | p99 |",
        "|---|---|---|---|---|",
    ]
    for kind, states in found.items():
        for state, each in states.items():
            lines.append(f"| {kind} | {state} | {each['p50']} | {each['p95']} | {each['p99']} |")
        more = states["beside a dead one"]["p50"] / states["alone"]["p50"] - 1
        lines.append(f"| {kind} | difference | {more:+.1%} | | |")
    return "\n".join(lines) + "\n"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", nargs="+", choices=parts.DATABASES, default=parts.DATABASES)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trial", action="store_true", help="print, and keep no results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else PostgreSQL would stay behind
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    console, options = Console(), _options(arguments)
    found = {kind: measure(kind, options) for kind in options.databases}
    page = as_markdown(found, " ".join([".venv/bin/python benchmarks/channels.py", *arguments]))
    console.print(page, markup=False, highlight=False, soft_wrap=True)
    if not options.trial:
        (RESULTS / "channels.md").write_text(page, "utf-8")
        console.print(f"Written to {(RESULTS / 'channels.md').relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
