"""Time of a match, of indexing, and the memory of the knowledge process.

    .venv/bin/python benchmarks/speed.py
    .venv/bin/python benchmarks/speed.py --passages 20000 60000

Each part runs in a process of its own, so that none inherits another's memory. Sizes are compared
within one process, question by question in turn with 500 articles, because other work on the
machine would otherwise count for one of them only. See benchmarks/README.md.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot.settings import ROOT

HERE = Path(__file__).parent
COMMAND = ".venv/bin/python benchmarks/speed.py"
PASSAGES = (20_000,)
EXAMPLES = 15
"""The least that docs/articles.md asks for; the demo shop's articles have three times as many."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One thing that was asked for."""

    part: str
    what: str
    asked: str
    measure: Callable[[Result], float]
    most: float


TARGETS = (
    Target(
        "engine", "CPU of a question, beside the wheel's own engine", "≤ 0.40",
        lambda found: found["query"], 0.40,
    ),
    Target(
        "engine", "CPU of a passage of 200 tokens, beside it", "≤ 0.25",
        lambda found: found["passage"], 0.25,
    ),
    Target("matching", "match, p50", "≤ 20 ms", lambda found: found["all"]["p50"], 20),
    Target("matching", "match, p95", "≤ 40 ms", lambda found: found["all"]["p95"], 40),
    Target("20000", "more with 20,000 passages, p50", "≤ 8 ms", lambda found: found["more_p50"], 8),
    Target(
        "matching", "index 500 articles from nothing", "≤ 60 s",
        lambda found: found["index_seconds"], 60,
    ),
    Target(
        "matching", "index again after one change", "≤ 1 s",
        lambda found: found["reindex_one_seconds"], 1,
    ),
    Target(
        "process", "memory of the knowledge process", "≤ 900 MB",
        lambda found: max(found["memory_mb_loaded"], found["memory_mb_after_400_matches"]), 900,
    ),
)  # fmt: skip

_HEAD = """# Speed

Written by `{command}` on {date}: {cores} cores ({cpu}), {others:.1f} of them busy with other
work when it began. Articles have {examples} example questions each. Milliseconds of one match of a
question of 60 characters, on one thread; what is measured stands in
[benchmarks/README.md](../README.md).

| what | asked | measured | met |
|---|---|---|---|
"""

_LANGUAGES = """
## 500 articles, by language

| | p50 | p95 | of that embedding, p50 |
|---|---|---|---|
"""

_ENGINE = """
## The embedding model

Milliseconds of CPU on one thread: the wheel's own C engine and ours, text by text in turn;
questions of 60 characters and a passage of 200 tokens. *Cosine*: the least between both vectors
of a text.

| | theirs | ours | ratio | cosine |
|---|---|---|---|---|
"""

_GROWTH = """
## Growth

English articles; vectors of passages are **made up** from 400 true ones (embedding them all takes
long), questions are embedded truly. Each row beside 500 articles in the same process.

| passages | vectors | p50 | p95 | 500 articles: p50 | p95 | more, p50 | index without embedding, s | memory of all, MB |
|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501


def page(result: Result) -> str:
    """The page as Markdown."""
    return "".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    parts = result["parts"]
    yield _HEAD.format(**result)
    for target in TARGETS:
        found = parts.get(target.part)
        if found is None:
            continue
        if "failed" in found:
            yield f"| {target.what} | {target.asked} | {found['failed']} | **no** |\n"
            continue
        value = target.measure(found)
        met = "yes" if value <= target.most else "**no**"
        yield f"| {target.what} | {target.asked} | {value} | {met} |\n"
    yield from _engine(parts.get("engine", {}))
    matching = parts.get("matching", {})
    if "all" in matching:
        yield _LANGUAGES
        for name in ("en", "vi", "th", "fa"):
            found = matching[name]
            yield f"| {name} | {found['p50']} | {found['p95']} | {found['embedding_p50']} |\n"
    growth = {name: found for name, found in parts.items() if name.isdigit()}
    if growth:
        yield _GROWTH
        for name, found in growth.items():
            yield _growth_row(name, found)
    process = parts.get("process", {})
    if "over_http" in process:
        yield (
            f"\n## The knowledge process\n\n500 articles in four languages, nothing cached: ready "
            f"after {process['ready_seconds']} s, {process['memory_mb_loaded']} MB then and "
            f"{process['memory_mb_after_400_matches']} MB after 400 matches; over HTTP "
            f"{process['over_http']['p50']} ms p50, {process['over_http']['p95']} ms p95.\n"
        )


def _engine(found: Result) -> Iterator[str]:
    if "query" in found:
        yield _ENGINE
        for name, each in found.items():
            if isinstance(each, dict):
                yield f"| {' | '.join(map(str, (name, *each.values())))} |\n"


def _growth_row(name: str, found: Result) -> str:
    if "failed" in found:
        return f"| {int(name):,} | {found['failed']} | | | | | | | |\n"
    large, small = found["large"], found["small"]
    cells = (
        f"{found['passages']:,}", f"{found['vectors']:,}", large["p50"], large["p95"],
        small["p50"], small["p95"], found["more_p50"],
        found["index_seconds_without_embedding"], found["memory_mb"],
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def _run(part: str, examples: int) -> Result:
    """One part; a failure is a result too."""
    done = subprocess.run(
        [sys.executable, str(HERE / "speed_parts.py"), part, str(examples)],
        capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        return {"failed": lines[-1]}
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--passages",
        type=int,
        nargs="*",
        default=PASSAGES,
        help="sizes to compare with 500 articles",
    )
    parser.add_argument(
        "--examples", type=int, default=EXAMPLES, help="example questions of each article"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results", help="of the results")
    return parser.parse_args(arguments)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def main() -> None:
    options = _options(sys.argv[1:])
    console = Console()
    cores = len(os.sched_getaffinity(0))
    result: Result = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": shlex.join([*shlex.split(COMMAND), *sys.argv[1:]]),
        "cores": cores,
        "cpu": _cpu(),
        "examples": options.examples,
        "others": psutil.cpu_percent(interval=2) / 100 * cores,
        "parts": {},
    }
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for part in ("engine", "matching", "process", *map(str, options.passages)):
            task = progress.add_task(f"Measuring: {part}")
            result["parts"][part] = _run(part, options.examples)
            progress.update(task, total=1, completed=1)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "speed.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (options.output / "speed.md").write_text(page(result), "utf-8")
    console.print(page(result), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
