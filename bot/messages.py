"""The values that every room speaks. Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_TEXT_LENGTH = 4000
"""Characters of one message of a customer or an agent."""


class Author(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    ASSISTANT = "assistant"
    AGENT = "agent"
    SYSTEM = "system"


class Outcome(StrEnum):
    """What a match advises: one calibrated decision, see `bot.knowledge.search.matching`."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    HANDOFF = "handoff"


@dataclass(frozen=True)
class Button:
    """A ready-made answer of the customer; pressing it sends `text`."""

    title: str
    text: str


@dataclass(frozen=True)
class Source:
    """The article that a reply was taken from."""

    article: str
    language: str
    title: str
    heading: str = ""
    """Of the section that was said; empty: none, the link goes to the article's beginning."""


@dataclass(frozen=True)
class Candidate:
    """An article that may answer the question."""

    article: str
    title: str
    probability: float
    """That this article answers the question, 0–1."""


@dataclass(frozen=True)
class Match:
    """What the knowledge base has to say to one message."""

    outcome: Outcome
    candidates: tuple[Candidate, ...]
    """At most three, the most probable first."""
    confidence: float
    """Probability that the first candidate answers the question, 0–1."""
    language: str
    """Language the message is written in."""
    article_language: str
    """Language of the first candidate; differs where only another language has an answer."""
    text: str
    """What the first candidate answers."""
    heading: str
    """Of the section that the text is of; empty: none."""
    question: str
    """What was looked up: the message, or the topic that it goes on about and the message."""
    vector: str
    """Embedding of the message: base64 of little-endian float32, for Rasa's classifier."""
    products: tuple[str, ...] = ()
    """Ids of the products that the message names."""


@dataclass(frozen=True)
class Reply:
    """One message that the assistant wants to send."""

    text: str
    buttons: tuple[Button, ...] = ()
    sources: tuple[Source, ...] = ()
    asks: str | None = None
    """What a following "yes" or "no" would answer to, as written in the tracker."""


@dataclass(frozen=True)
class HandoffRequest:
    """The assistant asks for a human."""

    reason: str
    """`asked_for_human`, `not_sure`, `complaint`, `problem_unsolved` or `assistant_unavailable`."""


@dataclass(frozen=True)
class TurnResult:
    """Everything that one turn of the assistant produced."""

    replies: tuple[Reply, ...]
    handoff: HandoffRequest | None = None
    language: str | None = None
    """Set when the customer asked for another language."""
    trace: Mapping[str, Any] = field(default_factory=dict)
    """What the dialogue made of the message, for those who ask why."""


@dataclass(frozen=True)
class Feedback:
    """A judged question: a person said whether an article answers it."""

    text: str
    """The question as the customer typed it."""
    language: str
    """Language the question is written in."""
    article: str | None
    """Id of the article that was judged; None: that no article answers it."""
    right: bool
    """Whether the article answers the question; of None, whether it is so that none does."""
    source: Author
    """Who judged: `CUSTOMER` or `AGENT`."""
    judged_at: datetime
    """Of an article that was changed since, it says less."""
