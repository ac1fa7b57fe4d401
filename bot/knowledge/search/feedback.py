"""Judged questions: kept at hand for the index, and weighed before they calibrate anything.

They are read when an index is made, never for a match. A thumb is pressed by anybody, as
often as they like to open a new chat, so what customers say together is bounded by what the
knowledge base and the agents say.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from bot.errors import Unavailable
from bot.knowledge.articles.articles import Article
from bot.knowledge.language.normalising import normalise
from bot.messages import Author, Feedback

log = structlog.get_logger()

ReadFeedback = Callable[[], Sequence[Feedback]]

AGENT_WEIGHT = 1.0
CUSTOMER_WEIGHT = 0.25
"""An agent has read the article; a customer says how they liked it."""
CUSTOMERS_SHARE = 0.2
"""All customers together weigh at most this share of the questions that the index asks itself."""
CHANGED_SINCE = 0.25
"""What is left of a judgement when its article was changed afterwards."""


def no_feedback() -> Sequence[Feedback]:
    """For a knowledge base without a record."""
    return ()


class JudgedQuestions:
    """Feedback as it was read last; a record that does not answer changes nothing."""

    def __init__(self, read: ReadFeedback = no_feedback) -> None:
        self._read = read
        self.current: tuple[Feedback, ...] = ()

    def refresh(self) -> bool:
        """Read again; whether there is anything new."""
        try:
            found = tuple(self._read())
        except Unavailable as problem:
            log.warning("feedback not read", problem=str(problem))
            return False
        is_new = found != self.current
        self.current = found
        return is_new

    async def watch(self, seconds: float, changed: Callable[[], Awaitable[object]]) -> None:
        """Read again and again for ever, and tell of everything new."""
        while True:
            await asyncio.sleep(seconds)
            if await asyncio.to_thread(self.refresh):
                await changed()


@dataclass(frozen=True)
class Weighed:
    """Feedback with what it counts beside a question that the index asks itself, which is 1."""

    feedback: Feedback
    weight: float


def weighed(
    feedback: Sequence[Feedback], articles: Sequence[Article], questions: int
) -> list[Weighed]:
    """Feedback that still means something, each with its weight.

    Where an agent has judged a question, customers' judgements of it do not count. Where none
    has, all customers on one question and article weigh at most as much as one agent.

    Args:
        questions: how many the index asks itself.
    """
    ids = {article.id for article in articles}
    known = [each for each in feedback if each.article is None or each.article in ids]
    by_agents = {normalise(each.text) for each in known if each.source == Author.AGENT}
    crowds = Counter(_subject(each) for each in known if each.source == Author.CUSTOMER)
    changes = _Changes(articles)

    def weigh(each: Feedback) -> float:
        weight = AGENT_WEIGHT
        if each.source == Author.CUSTOMER:
            if normalise(each.text) in by_agents:
                return 0.0
            weight = min(CUSTOMER_WEIGHT, AGENT_WEIGHT / crowds[_subject(each)])
        return weight * changes.left_of(each)

    weights = [Weighed(each, weight) for each in known if (weight := weigh(each)) > 0]
    of_customers = sum(each.weight for each in weights if each.feedback.source == Author.CUSTOMER)
    allowed = CUSTOMERS_SHARE * questions
    if of_customers <= allowed:
        return weights
    scale = {Author.CUSTOMER: allowed / of_customers}
    return [
        Weighed(each.feedback, each.weight * scale.get(each.feedback.source, 1.0))
        for each in weights
    ]


def _subject(feedback: Feedback) -> tuple[str, str | None]:
    return normalise(feedback.text), feedback.article


class _Changes:
    """When the articles were changed, as far as their writers say so."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._count = len(articles)
        self._dates: list[date] = []
        self._last: dict[str, date] = {}
        for article in articles:
            try:
                changed = date.fromisoformat(article.updated[:10])
            except ValueError:
                continue  # no date, or none that is one
            self._dates.append(changed)
            self._last[article.id] = max(changed, self._last.get(article.id, changed))
        self._dates.sort()

    def left_of(self, feedback: Feedback) -> float:
        """How much of a judgement is left after what was changed since, 0–1."""
        judged = feedback.judged_at.date()
        if feedback.article is not None:
            return CHANGED_SINCE if self._last.get(feedback.article, judged) > judged else 1.0
        # Each article that was written since may be the one that was missing.
        later = len(self._dates) - bisect_right(self._dates, judged)
        return 1 - later / self._count if self._count else 1.0
