"""Why the assistant did what it did: a turn as its tracker remembers it, without any words.

Rasa does not keep the names of its rules. They are found again by what a rule says: the
intent that it begins with and the actions that follow.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Text, Tuple

import yaml

RULES = Path(__file__).resolve().parents[2] / "data" / "rules"
LISTEN = "action_listen"

Event = Dict[Text, Any]


class Rule(NamedTuple):
    """The beginning of a conversation's next step and what is done then."""

    name: Text
    intents: Tuple[Text, ...]
    actions: Tuple[Text, ...]


def read_rules(folder: Path = RULES) -> List[Rule]:
    """The rules that the model is trained with; those that begin with no intent are left out."""
    rules = []
    for path in sorted(folder.glob("**/*.yml")):
        content = yaml.safe_load(path.read_text("utf-8")) or {}
        for each in content.get("rules") or ():
            steps = each["steps"]
            begins: List[Event] = [step for step in steps if "intent" in step or "or" in step]
            first = begins[0] if begins else {}
            intents = [step.get("intent") for step in first.get("or", [first])]
            actions = [step["action"] for step in steps if "action" in step]
            if any(intents):
                rules.append(Rule(each["rule"], tuple(filter(None, intents)), tuple(actions)))
    return rules


def trace_of(events: Sequence[Event], rules: Sequence[Rule]) -> Dict[Text, Any]:
    """What was understood and done in a turn.

    Args:
        events: a tracker's, as dictionaries, from the customer's message on.

    Returns:
        `intent` and its `confidence`, the `actions` with policy and confidence, the `rule` that
        says so if there is exactly one, and the `slots` that were set, texts without their value.
    """
    turn = list(events[:1])
    for event in events[1:]:
        # What comes next: another message, or what the record has added.
        if event["event"] == "user" or "seq" in (event.get("metadata") or {}):
            break
        turn.append(event)
    understood = turn[0].get("parse_data") or {}
    intent = understood.get("intent") or {}
    actions = [
        {
            "name": event["name"],
            "policy": _short(event.get("policy")),
            "confidence": _rounded(event.get("confidence")),
        }
        for event in turn
        if event["event"] == "action" and event["name"] != LISTEN
    ]
    return {
        "intent": intent.get("name"),
        "confidence": _rounded(intent.get("confidence")),
        "actions": actions,
        "rule": _rule(rules, intent.get("name"), [each["name"] for each in actions]),
        "slots": [_slot(event) for event in turn if event["event"] == "slot"],
    }


def _rule(rules: Sequence[Rule], intent: Optional[Text], actions: List[Text]) -> Optional[Text]:
    fitting = [
        rule
        for rule in rules
        if intent in rule.intents and list(rule.actions) == actions[: len(rule.actions)]
    ]
    longest = max((len(rule.actions) for rule in fitting), default=0)
    names = [rule.name for rule in fitting if len(rule.actions) == longest]
    return names[0] if len(names) == 1 else None


def _slot(event: Event) -> Dict[Text, Any]:
    """A text may be anything that a customer wrote; only of the language is it known."""
    value = event.get("value")
    is_told = event["name"] in {"language", "asked"} or isinstance(
        value, (bool, int, float, type(None))
    )
    return {"name": event["name"], **({"value": value} if is_told else {})}


def _short(policy: Optional[Text]) -> Optional[Text]:
    """Rasa puts the policy's number in front of its name."""
    return policy.rsplit("_", 1)[-1] if policy else None


def _rounded(number: Optional[float]) -> Optional[float]:
    return None if number is None else round(float(number), 4)
