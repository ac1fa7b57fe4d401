"""The named points at which processes are struck, found in the source: none can be forgotten."""

import re
from collections.abc import Iterator, Mapping

from bot.settings import ROOT

CALLS = ("match", "webhooks.usher.turn", "webhooks.usher.history", "healthz", "health",
         "webhooks.usher.ready")  # fmt: skip
"""Paths of the calls between our processes, as they stand in the names of points."""

OUT_OF_REACH: Mapping[str, str] = {
    "agent": "agents are added on the command line",
    "dead_letter": "dead letters are retried and dropped on the command line",
    "erase": "customers are erased on the command line",
    "leftovers": "only erasing leaves something",
    "retention": "nothing is old enough",
    "trace_retention": "nothing is old enough",
    "channel_release": "written by a worker that is asked to end, not by one that is killed",
    "call.healthz": "asked when a turn fails though nothing is down",
    "call.health": "the same",
    "call.webhooks.usher.ready": "the same",
}
"""Why customers, shops and agents cannot bring a process to a point, by the name's beginning."""

_WRITE = re.compile(r"\.write\(\s*\"(\w+)\"\s*\)")
_POINT = re.compile(r"\bpoint\(\s*(f?)\"([^\"\n]*(?:\"[^\n]*)?)")
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "{name}.before_commit": (),
    "{name}.after_commit": (),
    "call{path.replace('/', '.')}.before_send": tuple(f"call.{path}.before_send" for path in CALLS),
    "call{path.replace('/', '.')}.after_answer": tuple(
        f"call.{path}.after_answer" for path in CALLS
    ),
}
"""Points whose names are put together, and which ones come of it; of writes, see `_WRITE`."""


def all_points() -> list[str]:
    """Every point's name.

    Raises:
        LookupError: the source has a name that is put together in a way not known here.
    """
    return sorted(set(_found()))


def within_reach() -> list[str]:
    """The points that this test can bring a process to."""
    return [
        each for each in all_points()
        if not any(each == start or each.startswith(f"{start}.") for start in OUT_OF_REACH)
    ]  # fmt: skip


def _found() -> Iterator[str]:
    for path in (ROOT / "bot").rglob("*.py"):
        source = path.read_text("utf-8")
        for name in _WRITE.findall(source):
            yield from (f"{name}.before_commit", f"{name}.after_commit")
        for is_pattern, rest in _POINT.findall(source):
            name = rest.partition('"')[0]
            if is_pattern and name not in _PATTERNS:
                raise LookupError(f"{path}: tell tests/crash/points.py which points {name!r} are")
            yield from _PATTERNS[name] if is_pattern else (name,)
