"""A load run through the public chat API, beside the same assistant served the stock way.

Run it with `.venv/bin/python benchmarks/load.py`. It starts a whole Usher of its own and a
second, stock Rasa server; benchmarks/README.md says what is measured and what is compared.
"""

import argparse
import asyncio
import json
import random
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from loading import results
from loading.customers import (
    OpenLine,
    Phrases,
    answered,
    chat_lines,
    customers,
    long_conversation,
    stock_lines,
)
from loading.servers import Servers, running
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.settings import ROOT

RESULTS = Path(__file__).parent / "results"
WARM_UP_SECONDS = 3.0
SETTLE_SECONDS = 1.0
QUESTIONS_IN_GROWTH = 12


class Run:
    """The phases of one run."""

    def __init__(
        self, servers: Servers, lines: dict[str, OpenLine], options: argparse.Namespace
    ) -> None:
        self._servers = servers
        self._lines = lines
        self._options = options
        self._phrases = Phrases()

    async def warm_up(self) -> None:
        """What loads at the first message, loads now."""
        for way in results.WAYS:
            self._servers.wake(way)
            await customers(self._lines[way], self._phrases, 4, WARM_UP_SECONDS, "warm-up")

    async def load(self, progress: Progress) -> list[dict[str, Any]]:
        options = self._options
        steps = len(options.customers) * options.rounds * len(results.WAYS)
        task = progress.add_task("Load", total=steps)
        found = []
        for count in options.customers:
            rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in results.WAYS}
            for number in range(options.rounds):
                # Whoever is first in one round is second in the next.
                for way in list(results.WAYS)[:: 1 if number % 2 == 0 else -1]:
                    progress.update(
                        task, description=f"Load: {count} customers, {results.WAYS[way]}"
                    )
                    rounds[way].append(await self._round(way, count, f"{count}:{number}"))
                    progress.advance(task)
            medians = {way: results.median_of(measured) for way, measured in rounds.items()}
            ratio = medians["usher"]["messages_per_second"] / max(
                medians["stock"]["messages_per_second"], 0.01
            )
            found.append(
                {
                    "customers": count,
                    "throughput_ratio": round(ratio, 2),
                    **{
                        way: {"median": medians[way], "rounds": rounds[way]} for way in results.WAYS
                    },
                }
            )
        return found

    async def _round(self, way: str, count: int, seed: str) -> dict[str, Any]:
        servers, line = self._servers, self._lines[way]
        servers.wake(way)
        await customers(line, self._phrases, 1, SETTLE_SECONDS, f"settle:{seed}")
        client = psutil.Process()
        loop = asyncio.get_running_loop()
        busy = _busy_seconds()
        started, cpu, client_cpu = loop.time(), servers.cpu_seconds(way), client.cpu_times()
        exchanges = await customers(line, self._phrases, count, self._options.seconds, seed)
        ended, used, client_used = loop.time(), servers.cpu_seconds(way), client.cpu_times()
        return results.of_round(
            exchanges,
            ended - started,
            {name: used[name] - cpu[name] for name in used},
            servers.memory_bytes(way),
            sum(client_used[:2]) - sum(client_cpu[:2]),
            _busy_seconds() - busy,
        )

    async def growth(self, progress: Progress) -> dict[str, Any]:
        """Long conversations in every language, one after the other."""
        turns = results.GROWTH[-1][1]
        languages = list(self._phrases.questions)
        total = len(languages) * (len(results.WAYS) + 1)
        task = progress.add_task("Growth: choosing questions", total=total)
        self._servers.wake("stock")
        questions: dict[str, list[str]] = {}
        for language in languages:
            # Only answered ones: two doubts in a row would end the conversation with a handoff.
            tried = list(self._phrases.questions[language])
            random.Random(language).shuffle(tried)
            questions[language] = await answered(
                self._lines["stock"], language, tried, QUESTIONS_IN_GROWTH
            )
            progress.advance(task)
        found: dict[str, list[Any]] = {way: [] for way in results.WAYS}
        for language in languages:
            for way in results.WAYS:
                progress.update(task, description=f"Growth: {language}, {results.WAYS[way]}")
                self._servers.wake(way)
                found[way].append(
                    await long_conversation(self._lines[way], language, questions[language], turns)
                )
                progress.advance(task)
        return {way: results.of_growth(conversations) for way, conversations in found.items()}


def _busy_seconds() -> float:
    """CPU time of everything on this machine so far."""
    times = psutil.cpu_times()
    return float(sum(times[:8]) - times.idle - times.iowait)


@asynccontextmanager
async def _lines(servers: Servers) -> AsyncIterator[dict[str, OpenLine]]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=2)
    async with (
        httpx.AsyncClient(base_url=servers.gateway_url, timeout=20, limits=limits) as ours,
        httpx.AsyncClient(base_url=servers.stock_url, timeout=20, limits=limits) as stock,
    ):
        yield {"usher": chat_lines(servers.gateway_url, ours), "stock": stock_lines(stock)}


async def _measure(servers: Servers, options: argparse.Namespace) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    async with _lines(servers) as lines:
        run = Run(servers, lines, options)
        with Progress(*columns, console=Console(stderr=True)) as progress:
            warming = progress.add_task("Warming up", total=1)
            await run.warm_up()
            progress.advance(warming)
            load = await run.load(progress)
            growth = {} if options.no_growth else await run.growth(progress)
    return {"load": load, "growth": growth}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each round (20)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way (3)")
    parser.add_argument(
        "--customers", type=int, nargs="+", default=[1, 4, 16], help="side by side (1 4 16)"
    )
    parser.add_argument("--no-growth", action="store_true", help="leave out the long conversations")
    parser.add_argument(
        "--data", type=Path, default=ROOT / ".usher", help="folder with the trained model (.usher)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


def main() -> None:
    options = _options(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the servers, as Ctrl-C does
    console = Console()
    result: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": shlex.join([".venv/bin/python", "benchmarks/load.py", *sys.argv[1:]]),
        "machine": results.machine(),
        "versions": results.versions(),
    }
    with (
        tempfile.TemporaryDirectory(prefix="usher-load-") as folder,
        running(Path(folder), options.data, console) as servers,
    ):
        result |= asyncio.run(_measure(servers, options))
    results.show(result, console)
    options.output.mkdir(parents=True, exist_ok=True)
    as_json = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    (options.output / f"load-{result['date']}.json").write_text(as_json, "utf-8")
    (options.output / "load.md").write_text(results.as_markdown(result), "utf-8")
    console.print(f"Written: load-{result['date']}.json and load.md in {options.output}.")


if __name__ == "__main__":
    main()
