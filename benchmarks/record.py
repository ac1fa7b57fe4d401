"""How many messages a second the record takes, with an assistant that costs nothing.

.venv/bin/python benchmarks/record.py            # about five minutes
.venv/bin/python benchmarks/record.py --rounds 1 --messages 2000 --seconds 5

benchmarks/README.md says what is measured.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import structlog
import uvloop
from loading import results
from recording import parts
from recording.customers import (
    Direct,
    OverHttp,
    Way,
    new_customers,
    percentiles,
    until_answered,
    write_all,
    write_at,
)
from rich.console import Console
from sqlalchemy import func, select

from bot.conversations.database import Database
from bot.conversations.tables import Customer
from bot.operations.processes import programs
from bot.settings import ROOT, Settings

RESULTS = Path(__file__).parent / "results"
WORKER = Path(__file__).parent / "recording" / "echo_worker.py"
ASKED = {"sqlite": 300, "postgres": 600}
"""Messages a second."""
ASKED_P95_MS = 20.0
WORKERS = {"sqlite": 1, "postgres": 2}
"""SQLite has one writer at a time, so a second worker only waits."""
WAYS = {"direct": "intake called directly", "http": "over HTTP"}
PATIENCE_SECONDS = 20.0


class Bench:
    """One database, one Valkey, one way in, and a worker."""

    def __init__(
        self, folder: Path, settings: Settings, kind: str, way: str, options: argparse.Namespace
    ) -> None:
        self._folder, self._settings, self._way, self._options = folder, settings, way, options
        self._workers = options.workers or WORKERS[kind]
        self._processes: dict[str, psutil.Process] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        settings, options = self._settings, self._options
        with ExitStack() as started:
            started.enter_context(parts.valkey(settings, self._folder / "valkey.log"))
            for number in range(self._workers):
                command = [sys.executable, str(WORKER)]
                if options.profile:
                    command += ["--profile", f"{options.profile}.{self._way}.{number}"]
                worker = started.enter_context(
                    parts.process(
                        command, settings, self._folder / "worker.log",
                        USHER_WORKER_NAME=f"bench:{number}",
                    )
                )  # fmt: skip
                self._processes[f"worker {number + 1}"] = psutil.Process(worker.pid)
            if self._way == "http":
                (program,) = (each for each in programs(settings) if each.name == "gateway")
                log = self._folder / "gateway.log"
                gateway = started.enter_context(parts.process(program.command, settings, log))
                self._processes["gateway"] = psutil.Process(gateway.pid)
                _wait_for(f"http://127.0.0.1:{settings.port}/healthz", log)
            self._processes["customers and intake" if self._way == "direct" else "customers"] = (
                psutil.Process()
            )
            yield

    def throughput(self, messages: int) -> dict[str, Any]:
        """All messages as fast as they are acknowledged; ends with the last committed reply."""

        async def run(way: Way, database: Database) -> dict[str, Any]:
            customers = new_customers(database, self._options.customers, tokens=self._way == "http")
            answered = _counting(database)
            before, cpu, started = answered(), self._cpu(), time.perf_counter()
            await write_all(way, customers, messages)
            written = time.perf_counter()
            await until_answered(answered, before + 2 * messages, PATIENCE_SECONDS)
            ended = time.perf_counter()
            used = self._cpu()
            return {
                "messages_per_second": round(messages / (ended - started), 1),
                "intake_per_second": round(messages / (written - started), 1),
                "cpu_ms_per_message": {
                    name: round((used[name] - cpu[name]) / messages * 1000, 2) for name in used
                },
            }

        return self._with_way(run)

    def latency(self, rate: float, seconds: float, seed: int) -> dict[str, float]:
        """Milliseconds until the acknowledgement while messages come at a rate."""

        async def run(way: Way, database: Database) -> dict[str, float]:
            customers = new_customers(database, self._options.customers, tokens=self._way == "http")
            await write_at(way, customers, rate, 1.0, seed)  # what is made once is made now
            return percentiles(await write_at(way, customers, rate, seconds, seed + 1))

        return self._with_way(run)

    def _with_way(self, run: Callable[[Way, Database], Any]) -> Any:
        async def opened() -> Any:
            database = Database(self._settings.effective_database_url)
            way: Way = (
                OverHttp(self._settings)
                if self._way == "http"
                else Direct(self._settings, database)
            )
            try:
                return await run(way, database)
            finally:
                await way.close()
                database.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(opened())

    def _cpu(self) -> dict[str, float]:
        return {name: sum(each.cpu_times()[:2]) for name, each in self._processes.items()}


def _counting(database: Database) -> Callable[[], int]:
    def everything_said() -> int:
        with database.read() as session:
            return int(session.scalar(select(func.sum(Customer.last_seq))) or 0)

    return everything_said


def _wait_for(url: str, log: Path) -> None:
    until = time.monotonic() + parts.READY_SECONDS
    while True:
        try:
            httpx.get(url, timeout=5)  # 503: no Rasa is running
            break
        except httpx.HTTPError:
            if time.monotonic() > until:
                raise parts.DidNotStart(log.read_text()[-1000:]) from None
            time.sleep(0.1)


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in options.databases:
        found[kind] = {}
        for way in options.ways:
            rounds = []
            with (
                tempfile.TemporaryDirectory(prefix="usher-record-", dir=options.folder) as name,
                parts.database_urls(kind, Path(name)) as urls,
            ):
                Path(name).chmod(0o755)
                for number in range(options.rounds):
                    console.print(f"{kind}, {WAYS[way]}, round {number + 1}", highlight=False)
                    rounds.append(_round(Path(name), next(urls), way, kind, number, options))
            found[kind][way] = {
                "messages_per_second": statistics.median(
                    each["throughput"]["messages_per_second"] for each in rounds
                ),
                "intake_per_second": statistics.median(
                    each["throughput"]["intake_per_second"] for each in rounds
                ),
                "intake_ms": {
                    key: statistics.median(each["intake_ms"][key] for each in rounds)
                    for key in ("p50", "p95", "p99")
                },
                "rate": ASKED[kind] / 2,
                "rounds": rounds,
            }
    return found


def _round(
    folder: Path, url: str, way: str, kind: str, number: int, options: argparse.Namespace
) -> dict[str, Any]:
    settings = parts.make_settings(
        folder / f"{way}-{number}",
        url,
        turns_at_once=options.turns_at_once,
        combine_messages=options.combine,
    )
    settings.data_dir.mkdir(parents=True)
    bench = Bench(settings.data_dir, settings, kind, way, options)
    with bench.running():
        bench.throughput(200)  # warm-up
        throughput = bench.throughput(options.messages)
        waited = bench.latency(ASKED[kind] / 2, options.seconds, number)
    return {"throughput": throughput, "intake_ms": waited}


def as_markdown(result: dict[str, Any]) -> str:
    machine, options = result["machine"], result["options"]
    lines = [
        "# Throughput of the record",
        "",
        f"Measured {result['date']} with `{result['command']}` on {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}; load average before "
        f"the start {machine['load_average_before']}; {result['fsync_ms']:.2f} ms for a synced "
        f"write of 4 KB. PostgreSQL {result['postgres']}, on the same machine. What the numbers "
        "mean: [README](../README.md).",
        "",
        f"{options['messages']:,} messages of {options['customers']} customers, "
        f"{options['workers'] or 'one worker on SQLite, two on PostgreSQL,'} with "
        f"{options['turns_at_once']} turns at once, "
        f"{options['rounds']} rounds, medians. Messages that come together are "
        f"{'' if options['combine'] else 'not '}answered together.",
        "",
        "| database | way in | messages/s | asked | accepted/s | intake at "
        "| p50 ms | p95 ms | p99 ms | asked p95 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, ways in result["found"].items():
        for way, each in ways.items():
            waited = each["intake_ms"]
            lines.append(
                f"| {kind} | {WAYS[way]} | {each['messages_per_second']:.0f} | {ASKED[kind]} "
                f"| {each['intake_per_second']:.0f} | {each['rate']:.0f}/s | {waited['p50']} "
                f"| {waited['p95']} | {waited['p99']} | {ASKED_P95_MS:.0f} |"
            )
    lines += [
        "",
        "## CPU a message (ms, of every process)",
        "",
        "| database | way in | |",
        "|---|---|---|",
    ]
    for kind, ways in result["found"].items():
        for way, each in ways.items():
            last = each["rounds"][-1]["throughput"]["cpu_ms_per_message"]
            shown = ", ".join(f"{name} {used}" for name, used in last.items())
            lines.append(f"| {kind} | {WAYS[way]} | {shown} |")
    return "\n".join(lines) + "\n"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", nargs="+", choices=parts.DATABASES, default=parts.DATABASES)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of intake at a rate")
    parser.add_argument("--workers", type=int, help="else one on SQLite, two on PostgreSQL")
    parser.add_argument("--turns-at-once", type=int, default=64)
    parser.add_argument(
        "--combine", action="store_true", help="answer together what comes together"
    )
    parser.add_argument("--folder", type=Path, help="where the databases are put, else /tmp")
    parser.add_argument("--profile", default="", help="files for where the workers' time goes")
    parser.add_argument("--trial", action="store_true", help="print, and keep no results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else PostgreSQL would stay behind
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    console, options = Console(), _options(arguments)
    result = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": " ".join([".venv/bin/python benchmarks/record.py", *arguments]),
        "machine": results.machine(),
        "postgres": parts.postgres_version(),
        "fsync_ms": parts.fsync_ms(options.folder or Path(tempfile.gettempdir())),
        "options": {key: value for key, value in vars(options).items() if key != "folder"},
        "found": measure(options, console),
    }
    console.print(as_markdown(result), markup=False, highlight=False, soft_wrap=True)
    if not options.trial:
        (RESULTS / "record.md").write_text(as_markdown(result), "utf-8")
        (RESULTS / "record.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        console.print(f"Written to {(RESULTS / 'record.md').relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
