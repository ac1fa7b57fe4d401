"""What actions read from Rasa's tracker; raw events stop here."""

from dataclasses import dataclass
from typing import Any

from rasa_sdk import Tracker


@dataclass(frozen=True)
class Knowledge:
    """What the knowledge base said to the customer's last message."""

    outcome: str
    candidates: tuple[tuple[str, str, float], ...]
    """Article id, title, probability; the most probable first."""
    language: str
    article_language: str
    text: str
    """What the first candidate answers."""
    heading: str
    """Of the section that the text is of; empty: none."""
    products: tuple[str, ...]
    """Ids of the products that the message names."""


def knowledge(tracker: Tracker) -> Knowledge:
    kb: dict[str, Any] = tracker.latest_message.get("kb") or {}
    return Knowledge(
        outcome=kb.get("outcome", "handoff"),
        candidates=tuple(
            (article, title, probability)
            for article, title, probability in kb.get("candidates", ())
        ),
        language=kb.get("language", "en"),
        article_language=kb.get("article_language", "en"),
        text=kb.get("text", ""),
        heading=kb.get("heading", ""),
        products=tuple(kb.get("products", ())),
    )


def said_before(tracker: Tracker) -> list[dict[str, Any]]:
    """Bot events between the customer's last two messages, the newest first."""
    found: list[dict[str, Any]] = []
    messages = 0
    for event in reversed(tracker.events):
        messages += event["event"] == "user"
        if messages == 2 and found:
            break
        if messages and event["event"] == "bot":
            found.append(event)
    return found


def last_asked(tracker: Tracker) -> str | None:
    """What a bare "yes" or "no" now answers to: an offer of a human, `tip_check` or nothing."""
    for event in said_before(tracker):
        asks = ((event.get("data") or {}).get("custom") or {}).get("asks")
        if asks:
            return str(asks)
    return None
