"""What actions read from Rasa's tracker; raw events stop here."""

from dataclasses import dataclass
from typing import Any

from rasa_sdk import Tracker


@dataclass(frozen=True)
class Knowledge:
    """What the knowledge base said to the customer's last message, or to a part of it."""

    outcome: str
    candidates: tuple[tuple[str, str, float], ...]
    """Article id, title, probability; the most probable first."""
    act: str
    """The dialogue act that it may be."""
    language: str
    article_language: str
    text: str
    """What the first candidate answers."""
    heading: str
    """Of the section that the text is of; empty: none."""
    question: str
    """What was looked up."""
    asks: str
    """What the answer asks the customer for."""
    products: tuple[str, ...]
    """Ids of the products that the message names."""
    bought: tuple[str, ...]
    """Ids of those that the customer has bought, the latest first."""


def understood(tracker: Tracker) -> list[Knowledge]:
    """What the customer's last message is: one thing, or several questions."""
    found: list[dict[str, Any]] = tracker.latest_message.get("kb") or [{}]
    return [
        Knowledge(
            outcome=kb.get("outcome", "handoff"),
            candidates=tuple(
                (article, title, probability)
                for article, title, probability in kb.get("candidates", ())
            ),
            act=kb.get("act", ""),
            language=kb.get("language", "en"),
            article_language=kb.get("article_language", "en"),
            text=kb.get("text", ""),
            heading=kb.get("heading", ""),
            question=kb.get("question", ""),
            asks=kb.get("asks", ""),
            products=tuple(kb.get("products", ())),
            bought=tuple(kb.get("bought", ())),
        )
        for kb in found
    ]


def language_of(tracker: Tracker) -> str:
    return understood(tracker)[0].language


def asked(tracker: Tracker) -> str:
    """What the assistant has asked last, `nothing` if it has asked nothing."""
    return str(tracker.get_slot("asked") or "nothing")


def unhelped_before(tracker: Tracker) -> int:
    """How often in a row the customer was not helped before the last message."""
    entities = tracker.latest_message.get("entities") or ()
    return next((int(each["value"]) for each in entities if each["entity"] == "unhelped"), 0)


def said_before(tracker: Tracker) -> list[dict[str, Any]]:
    """What the assistant said between the customer's last two messages, in its order."""
    found: list[dict[str, Any]] = []
    messages = 0
    for event in reversed(tracker.events):
        messages += event["event"] == "user"
        if messages == 2 and found:
            break
        if messages and event["event"] == "bot" and event.get("text"):
            found.append(event)
    return found[::-1]
