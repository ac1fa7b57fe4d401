"""What a run of the crash test has shown, as text and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.crash.verdict import Verdict

SHOWN = 20
"""The most findings of a kind that are printed."""


@dataclass(frozen=True)
class Report:
    """One run."""

    kills: int
    """That were planned."""
    seed: int
    database: str
    broken_by: str
    """What broke Usher on purpose; normally nothing."""
    seconds: float
    seconds_killing: float
    seconds_to_rest: float
    """From the last kill's customers having left until nothing was pending any more."""
    customers: int
    retries: Mapping[str, int]
    """Requests that clients had to repeat, by what was wrong."""
    killed: Mapping[str, int]
    frozen: Mapping[str, int]
    ended: Mapping[str, int]
    """Processes that ended though nobody killed them."""
    flushed: int
    """How often Valkey was emptied."""
    points: Mapping[str, int]
    """How often a process was struck at each point."""
    verdict: Verdict

    @property
    def never_struck(self) -> list[str]:
        return sorted(point for point, times in self.points.items() if times == 0)

    def as_json(self) -> str:
        values = asdict(self)
        for name in ("counts", "problems"):  # asdict() spoils a Counter
            values["verdict"][name] = dict(getattr(self.verdict, name))
        return json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True)

    def as_text(self) -> str:
        """In Markdown."""
        verdict, counts = self.verdict, self.verdict.counts
        rows: dict[str, Any] = {
            "acknowledged messages of customers": counts["messages"],
            "**lost**": len(verdict.lost),
            "**duplicated**": len(verdict.duplicated),
            "**reordered**": len(verdict.reordered),
            "unknown (tips whose sending was cut off)": counts["deliveries unknown"],
            "answered by the assistant, in how many turns": (
                f"{counts['answered']}, {counts['turns']}"
            ),
            "left to a human": counts["for a human"],
            "dead letters": _total(verdict.problems),
            "agent's replies, purchases, tips": (
                f"{counts['agent replies']}, {counts['purchases']}, {counts['tips']}"
            ),
            "sent to the app, of these again with the same id, failed": (
                f"{counts['sent to the app']}, {counts['sent again']}, "
                f"{counts['deliveries failed']}"
            ),
            "customers, conversations": f"{self.customers}, {counts['conversations']}",
            "killed (SIGKILL)": _total(self.killed),
            "frozen (SIGSTOP)": _total(self.frozen),
            "ended by themselves": _total(self.ended),
            "Valkey emptied": self.flushed,
            "requests repeated by clients": _total(self.retries),
            "longest silence after a message": f"{verdict.longest_silence:.1f} s",
            "seconds of killing, until rest, in all": (
                f"{self.seconds_killing:.0f}, {self.seconds_to_rest:.0f}, {self.seconds:.0f}"
            ),
        }
        title = f"{self.database}, seed {self.seed}"
        if self.broken_by:
            title += f", broken by `{self.broken_by}`"
        lines = [f"## {title}", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows.items()]
        for name in ("lost", "duplicated", "reordered"):
            found: list[str] = getattr(verdict, name)
            if found:
                lines += ["", f"### {name.title()}", ""]
                lines += [f"- {each}" for each in found[:SHOWN]]
                if len(found) > SHOWN:
                    lines.append(f"- and {len(found) - SHOWN} more")
        lines += ["", "| point | struck |", "|---|---|"]
        lines += [f"| `{point}` | {times} |" for point, times in sorted(self.points.items())]
        return "\n".join(lines) + "\n"


def _total(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    return f"{sum(counts.values())}" + (f" ({parts})" if parts else "")
