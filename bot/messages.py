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
    """No article answers it."""
    ACT = "act"
    """It is no question: the customer does something by saying it."""
    CONFIRM = "confirm"
    """It may be an act that has consequences: ask before it is done."""
    NOT_UNDERSTOOD = "not_understood"
    """No word of it is known, or it is small talk and none in particular."""


@dataclass(frozen=True)
class Context:
    """What was said before a message, as far as its meaning depends on it."""

    topic: str = ""
    """The last question, whether it was answered or not."""
    article: str = ""
    """Id of the article that answered it; empty: none did."""
    asked: str = ""
    """What the assistant has asked last, see `docs/dialogue.md`; empty: nothing."""
    choices: tuple[str, ...] = ()
    """Ids of the articles whose titles were offered last, in their order."""
    unhelped: int = 0
    """How often in a row the customer was not helped."""


NO_CONTEXT = Context()


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
    """What a message most probably is, and what the knowledge base has to say to it."""

    outcome: Outcome
    candidates: tuple[Candidate, ...]
    """At most three articles, the most probable first."""
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
    asks: str = ""
    """`order_number` where the answer asks the customer for one."""
    act: str = ""
    """The dialogue act that it most probably is; empty: none is known."""
    act_probability: float = 0.0
    """That it is this act, 0–1. What is left beside it and the candidates is that it is none."""
    products: tuple[str, ...] = ()
    """Ids of the products that the message names."""


@dataclass(frozen=True)
class Reply:
    """One message that the assistant wants to send."""

    text: str
    buttons: tuple[Button, ...] = ()
    sources: tuple[Source, ...] = ()
    asks: str | None = None
    """What the customer is asked, see `docs/dialogue.md`."""
    choices: tuple[str, ...] = ()
    """Ids of the articles whose titles are offered, in their order."""


@dataclass(frozen=True)
class HandoffRequest:
    """The assistant asks for a human."""

    reason: str
    """`asked_for_human`, `not_sure`, `complaint`, `problem_unsolved`, `order`, `danger`, `crisis`,
    `legal` or `assistant_unavailable`."""

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before what has waited for longer."""
        return self.reason in URGENT


URGENT = frozenset({"danger", "crisis", "legal"})


@dataclass(frozen=True)
class TurnResult:
    """Everything that one turn of the assistant produced."""

    replies: tuple[Reply, ...]
    handoff: HandoffRequest | None = None
    language: str | None = None
    """Set when the customer asked for another language."""
    unhelped: int | None = None
    """How often in a row the customer was not helped, where this turn changes it."""
    wish: str | None = None
    """What the customer wants done with the conversation: `stop_tips`, `resume_tips`, `feedback`,
    `start_over`, `my_data` or `leave_queue`."""
    trace: Mapping[str, Any] = field(default_factory=dict)
    """What the dialogue made of the message, for those who ask why."""


SILENCE = TurnResult(())
"""Of a turn whose message is the human's."""


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
