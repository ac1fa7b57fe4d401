"""`usher trace` and `usher traces`: why the assistant said what it said."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.errors import InvalidInput
from bot.turns.reading_traces import TurnTrace

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORGOTTEN = "Its trace is kept no longer."
_NOT_YET = "It has not ended yet."


def duration(text: str) -> timedelta:
    """`30m`, `12h`, `7d` or `4w`.

    Raises:
        InvalidInput: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,4})([mhdw])", text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is no duration such as 30m, 12h, 7d or 4w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def as_json(turn: TurnTrace) -> dict[str, Any]:
    return asdict(turn) | {
        "begun_at": turn.begun_at.isoformat(),
        "ended_at": turn.ended_at.isoformat() if turn.ended_at else None,
    }


def show(turns: Sequence[TurnTrace], out: Console) -> None:
    """One turn after the other, in words."""
    for turn in turns:
        out.print(f"[bold]Turn {turn.turn}[/bold], {turn.begun_at:%Y-%m-%d %H:%M:%S} UTC")
        for line in _lines(turn):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
        out.print()


def _lines(turn: TurnTrace) -> Iterator[str]:
    for said in turn.messages:
        yield f"customer:   {said.text}"
    for said in turn.replies:
        yield f"{said.author + ':':<11} {said.text}"
    if turn.tries or turn.problem:
        yield f"failed:     {turn.tries} times; last: {turn.problem or 'unknown'}"
    if turn.state == "dead":
        yield "became:     a dead letter; a human was asked"
    if not turn.trace:
        yield _NOT_YET if turn.state == "open" else _FORGOTTEN
        return
    if turn.trace.get("handoff"):
        yield f"became:     a handoff ({turn.trace['handoff']})"
    yield from _understood(turn.dialogue)
    yield from _matched(turn.match)
    timings = turn.trace.get("timings") or {}
    yield "took:       " + ", ".join(f"{part} {ms} ms" for part, ms in timings.items())


def _understood(dialogue: Mapping[str, Any]) -> Iterator[str]:
    if not dialogue:
        return
    yield f"understood: {dialogue.get('intent')} {_share(dialogue.get('confidence'))}"
    done = ", ".join(each["name"] for each in dialogue.get("actions") or ())
    yield f"rule:       {dialogue.get('rule') or 'none fits'} → {done or 'nothing'}"


def _matched(match: Mapping[str, Any]) -> Iterator[str]:
    if not match:
        return
    yield f"looked up:  {match.get('question')}"
    yield f"match:      {match.get('outcome')}, confidence {_share(match.get('confidence'))}"
    if match.get("act"):
        yield f"as an act:  {match['act']}, {_share(match.get('act_probability'))}"
    for each in match.get("candidates") or ():
        yield f"            {_share(each['probability']):>5}  {each['article']}: {each['title']}"


def show_list(turns: Sequence[TurnTrace], out: Console) -> None:
    """A line a turn: when, what was asked, and what came nearest."""
    if not turns:
        out.print("Nothing: every question of that time was answered.")
        return
    table = Table("when (UTC)", "language", "outcome", "said", "act", "nearest article", "trace")
    for turn in turns:
        nearest = next(iter(turn.match.get("candidates") or ()), None)
        table.add_row(
            f"{turn.begun_at:%Y-%m-%d %H:%M}",
            turn.match.get("language") or "",
            turn.match.get("outcome") or "",
            escape(" / ".join(said.text for said in turn.messages)),
            _act(turn.match),
            escape(f"{nearest['article']} {_share(nearest['probability'])}") if nearest else "",
            turn.turn,
        )
    out.print(table)
    out.print("More of one: usher trace TURN", highlight=False)


def _act(match: Mapping[str, Any]) -> str:
    act = match.get("act")
    return escape(f"{act} {_share(match.get('act_probability'))}") if act else ""


def _share(number: float | None) -> str:
    return "?" if number is None else f"{number:.0%}"
