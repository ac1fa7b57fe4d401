"""Whether what came of a turn is what must come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.messages import Outcome
from bot.rehearsals.scripts import Expectation, Outcomes, Script, Turn


@dataclass(frozen=True)
class Came:
    """What came of a turn, as the customer got it."""

    texts: Sequence[str]
    """What was said, in order."""
    answered: Sequence[str]
    """Ids of the articles that were said."""
    offered: Sequence[str]
    """Ids of the articles whose titles were offered."""
    outcome: str
    """What the message was taken for; empty: no turn was taken, a human has the conversation."""
    act: str
    """The act that it was taken for; empty: for none."""
    person: str
    """`offered`, `queued` or nothing."""
    language: str
    probability: float
    """Of what it was taken for."""


@dataclass(frozen=True)
class JudgedTurn:
    """A turn, what came of it, and whether that is right."""

    script: Script
    number: int
    """From 1."""
    turn: Turn
    came: Came
    right: bool

    @property
    def is_judged(self) -> bool:
        """Whether the script expects anything."""
        return bool(self.turn.expect)


def is_right(expected: Sequence[Expectation], came: Came) -> bool:
    """Whether one of the expectations came true, or there is none."""
    return not expected or any(
        _all_true(each, came) and (each.not_ is None or not _any_true(each.not_, came))
        for each in expected
    )


def _checks(wanted: Outcomes, came: Came) -> Mapping[str, bool]:
    """What is wanted, and whether it came."""
    answered, offered = set(came.answered), set(came.offered)
    checks = {
        "answers": bool(wanted.answers) and answered.issuperset(wanted.answers),
        "offers": bool(wanted.offers) and offered.issuperset(wanted.offers),
        "helps": bool(wanted.helps) and (answered | offered).issuperset(wanted.helps),
        "act": came.act in wanted.act,
        "person": came.person == "queued" or came.person == wanted.person,
        "language": came.language == wanted.language,
        "nothing": not answered
        and came.person != "queued"
        and came.outcome in {Outcome.HANDOFF, Outcome.NOT_UNDERSTOOD, Outcome.CLARIFY},
    }
    return {name: came_true for name, came_true in checks.items() if getattr(wanted, name)}


def _all_true(wanted: Outcomes, came: Came) -> bool:
    return all(_checks(wanted, came).values())


def _any_true(unwanted: Outcomes, came: Came) -> bool:
    checks = dict(_checks(unwanted, came))
    if unwanted.person == "offered":
        checks["person"] = bool(came.person)
    # Of several articles that must not come, one is too many.
    checks["answers"] = not set(came.answered).isdisjoint(unwanted.answers)
    checks["offers"] = not set(came.offered).isdisjoint(unwanted.offers)
    helped = {*came.answered, *came.offered}
    checks["helps"] = not helped.isdisjoint(unwanted.helps)
    return any(checks.values())
