"""A question → an outcome with a confidence: the one owner of both in Usher.

The confidence of this first version is provisional: a logistic curve whose constants were
fitted on the development questions of one shop. It will be replaced by one that a knowledge
base calibrates itself.
"""

import base64
import math
from collections.abc import Sequence

from bot.knowledge.embedding import Embedder
from bot.knowledge.index import Index, Scored
from bot.messages import Candidate, Match, Outcome

# Logistic regression on the project's own development questions (benchmarks/questions):
# similarity and n-gram overlap of the first article, its lead in rank score over the second.
_INTERCEPT = -47.5
_SIMILARITY = 48.0
_OVERLAP = 12.7
_LEAD = 1.46
_MAX_LEAD = 3.0
_CLEAR_LEAD = 2.0
_CLARIFY_SHARE = 0.35
"""Clarify when the right article is this likely to be among the first three."""


class Matcher:
    """Matches messages against an index; the index can be swapped between two messages."""

    def __init__(self, embedder: Embedder, index: Index, precision: float) -> None:
        """
        Args:
            precision: how often an answer that is given must be right, 0.5–1.
        """
        self.embedder = embedder
        self.index = index
        # If probabilities above the bar are spread evenly, their mean is the precision.
        self._bar = 2 * precision - 1

    def match(self, text: str, language_hint: str, products: Sequence[str] = ()) -> Match:
        """The outcome for one message."""
        index = self.index
        query = index.understand(text, language_hint)
        found = index.search(query, products)
        candidates = _candidates(found)
        best = candidates[0].probability if candidates else 0.0
        together = sum(candidate.probability for candidate in candidates)
        if best >= self._bar:
            outcome = Outcome.ANSWER
        elif together >= _CLARIFY_SHARE:
            outcome = Outcome.CLARIFY
        else:
            outcome = Outcome.HANDOFF
        return Match(
            outcome=outcome,
            candidates=candidates,
            confidence=best,
            language=query.language,
            article_language=found[0].article.language if found else query.language,
            text=found[0].article.short_answer if found else "",
            vector=base64.b64encode(query.vector.astype("<f4").tobytes()).decode(),
        )


def _candidates(found: Sequence[Scored]) -> tuple[Candidate, ...]:
    if not found:
        return ()
    top = found[:3]
    similarity, overlap, lead = features(found)
    first = probability(similarity, overlap, lead)
    # With a clear lead it would have been this probable: what is missing to that is the doubt
    # between the first and the next ones, and is shared among them by their nearness.
    doubt = max(probability(similarity, overlap, _CLEAR_LEAD) - first, 0.0)
    weights = [math.exp(each.rank_score - top[0].rank_score) for each in top[1:]]
    shares = [doubt * weight / (1 + sum(weights)) for weight in weights]
    return tuple(
        Candidate(each.article.id, each.article.title, chance)
        for each, chance in zip(top, (first, *shares), strict=True)
    )


def features(found: Sequence[Scored]) -> tuple[float, float, float]:
    """Similarity, overlap and lead of the first article found."""
    lead = found[0].rank_score - found[1].rank_score if len(found) > 1 else _MAX_LEAD
    return found[0].similarity, found[0].overlap, min(lead, _MAX_LEAD)


def probability(similarity: float, overlap: float, lead: float) -> float:
    """That the first article answers the question."""
    evidence = _INTERCEPT + _SIMILARITY * similarity + _OVERLAP * overlap + _LEAD * lead
    return 1 / (1 + math.exp(-evidence))
