"""How much slower the record gets from a thousand messages to a million.

.venv/bin/python benchmarks/growth.py                       # up to a million, half an hour
.venv/bin/python benchmarks/growth.py --largest 10000 --trial
"""

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from loading import results
from recording import parts
from recording.echo_worker import CANDIDATES, SOURCES, VECTOR
from recording.filling import Filled, Filler, sizes
from rich.console import Console

from bot.conversations import intake
from bot.conversations.database import Database
from bot.conversations.timeline import Seen, last_seqs, mark_seen, messages_after
from bot.deliveries import attempts
from bot.handoff import queue
from bot.journeys import tips
from bot.messages import Match, Outcome, Reply, TurnResult
from bot.settings import ROOT
from bot.turns import beginning, ending, leases
from bot.turns.ending import Finished

RESULTS = Path(__file__).parent / "results"
SILENCE = timedelta(hours=12)
MATCH = Match(
    Outcome.ANSWER, CANDIDATES, 0.93, "en", "en", "Follow it.", "", "Where is it?", VECTOR
)
RESULT = TurnResult((Reply("Follow it.", sources=SOURCES),))

Measured = dict[str, list[float]]


class Probe:
    """Does what gateway and worker do all the time, and times it."""

    def __init__(self, database: Database, filled: Filled) -> None:
        self._database, self._filled = database, filled
        self._chance = random.Random(1)
        self.times: Measured = {}

    def _timed(self, name: str, what: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = what()
        self.times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
        return found

    def once(self) -> None:
        """Everything once, for a customer by chance."""
        database, chance = self._database, self._chance
        place = chance.randrange(len(self._filled.customers))
        customer, conversation = self._filled.customers[place], self._filled.conversations[place]
        long_customer, _, long_length = self._filled.longest
        for name, who in (("", customer), (", longest conversation", long_customer)):
            message = intake.incoming(who, uuid4().hex, "Where is my order?", "en")
            self._timed(f"intake{name}", lambda m=message: intake.accept(database, m, SILENCE))
            (work,) = self._timed(
                f"turn: lease and begin{name}", lambda: beginning.begin(database, "w", 1, True)
            )
            done = [Finished(work, MATCH, RESULT, {"match": 30, "assistant": 20})]
            self._timed(f"turn: complete{name}", lambda d=done: ending.complete_all(database, d))
        self._timed("nothing due", lambda: leases.any_due(database))
        self._timed("history: newest page", lambda: self._page(customer, 0))
        after = long_length // 2
        self._timed("history: page of the longest", lambda: self._page(long_customer, after))
        self._timed("last numbers of 20 pages", lambda: last_seqs(database, self._some(20)))
        last = last_seqs(database, [customer])[customer]
        self._timed("seen", lambda: mark_seen(database, [Seen(customer, last)]))
        self._timed("queue of the console", lambda: queue.entries(database))
        self._timed("transcript", lambda: queue.transcript(database, conversation))
        self._timed("tips that are due", lambda: tips.send_next(database, SILENCE))
        self._timed("deliveries that are due", self._deliveries)

    def _page(self, customer: str, after: int) -> None:
        with self._database.read() as session:
            messages_after(session, customer, after)

    def _some(self, count: int) -> list[str]:
        return self._chance.sample(self._filled.customers, count)

    def _deliveries(self) -> None:
        with self._database.read() as session:
            found = session.execute(attempts.due("webhook", 10)).all()
        assert len(found) == 10


def measure(kind: str, options: argparse.Namespace, console: Console) -> dict[int, Measured]:
    probes: dict[int, Probe] = {}
    with (
        tempfile.TemporaryDirectory(prefix="usher-growth-", dir=options.folder) as name,
        parts.database_urls(kind, Path(name)) as urls,
        ExitStack() as opened,
    ):
        Path(name).chmod(0o755)
        for size in sizes(options.largest):
            started = time.perf_counter()
            database = Database(next(urls))
            opened.callback(database.close)
            filled = Filler(database).fill(size)
            took = time.perf_counter() - started
            console.print(f"{kind}: {size:,} messages, filled in {took:.0f} s", highlight=False)
            Probe(database, filled).once()  # statements are compiled, pages are read
            probes[size] = Probe(database, filled)
        for _ in range(options.times):
            for probe in probes.values():  # in turn: other work on the machine counts for all
                probe.once()
    return {size: probe.times for size, probe in probes.items()}


def _tables(found: dict[str, dict[int, Measured]]) -> Iterator[str]:
    for kind, by_size in found.items():
        smallest, largest = min(by_size), max(by_size)
        yield f"## {kind}"
        yield ""
        head = [f"{size:,}" for size in by_size]
        yield f"| median ms (p95) at … messages | {' | '.join(head)} | ratio |"
        yield f"|---|{'---|' * (len(by_size) + 1)}"
        for name in by_size[smallest]:
            cells = []
            for size in by_size:
                times = by_size[size][name]
                p95 = statistics.quantiles(times, n=20)[-1]
                cells.append(f"{statistics.median(times):.2f} ({p95:.2f})")
            ratio = statistics.median(by_size[largest][name]) / statistics.median(
                by_size[smallest][name]
            )
            yield f"| {name} | {' | '.join(cells)} | {ratio:.2f} |"
        yield ""


def as_markdown(found: dict[str, dict[int, Measured]], command: str, fsync: float) -> str:
    machine = results.machine()
    lines = [
        "# Growth of the record",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `{command}` on {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}; {fsync:.2f} ms for a "
        f"synced write of 4 KB; PostgreSQL {parts.postgres_version()} with its own settings. One "
        "after the other, each in a transaction of its own: what a single message waits for when "
        "nothing else goes on. *Ratio*: the largest size to the smallest.",
        "",
        *_tables(found),
    ]
    return "\n".join(lines)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", nargs="+", choices=parts.DATABASES, default=parts.DATABASES)
    parser.add_argument("--largest", type=int, default=1_000_000, help="messages")
    parser.add_argument("--times", type=int, default=200, help="each is measured so often")
    parser.add_argument("--folder", type=Path, help="where the databases are put, else /tmp")
    parser.add_argument("--trial", action="store_true", help="print, and keep no results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else PostgreSQL would stay behind
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    console, options = Console(), _options(arguments)
    fsync = parts.fsync_ms(options.folder or Path(tempfile.gettempdir()))
    found = {kind: measure(kind, options, console) for kind in options.databases}
    command = " ".join([".venv/bin/python benchmarks/growth.py", *arguments])
    page = as_markdown(found, command, fsync)
    console.print(page, markup=False, highlight=False, soft_wrap=True)
    if not options.trial:
        (RESULTS / "growth.md").write_text(page, "utf-8")
        console.print(f"Written to {(RESULTS / 'growth.md').relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
