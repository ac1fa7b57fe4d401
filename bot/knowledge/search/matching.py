"""A question → an outcome with a confidence: the one owner of both in Usher."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.search.follow_ups import leans_on_topic, stands_alone
from bot.knowledge.search.index import Index
from bot.knowledge.search.language_part import Found, Query
from bot.messages import Candidate, Match, Outcome

_TOPIC_LENGTH = 300
"""Characters: a follow-up of a follow-up of a follow-up must still be read to its end."""
_ABOUT_THE_TOPIC = 0.4
"""Share of a follow-up's words that the answer must have. "thanks" has none."""
_AS_OTHERS = 0.7
"""Part of the largest share of any article that the answer's must be: with many example questions
delivery's article has words of "how is the weather" too, but others have more."""

_CLEARLY_SURER = 0.2
"""Than the whole message: what surrounds a question tells what it is about, or hides it."""


def _surety(found: Sequence[Found]) -> float:
    return found[0].probability if found else 0.0


class Matcher:
    """Matches messages against an index; the index can be swapped between two messages."""

    def __init__(
        self, embedder: Embedder, index: Index, precision: float, offer_precision: float
    ) -> None:
        """
        Args:
            precision: how often an answer that is given must be right, 0.5–1.
            offer_precision: how probable it must be that the right title is among those offered,
                0–1.
        """
        self.embedder = embedder
        self.index = index
        self._precision = precision
        self._offer_precision = offer_precision

    def match(
        self, text: str, language: str, products: Sequence[str] = (), topic: str = ""
    ) -> Match:
        """The outcome for one message.

        Args:
            language: what the conversation is in, a hint.
            products: what the customer has bought.
            topic: the question that was answered just before, if any.
        """
        index = self.index
        query = index.understand(text, language)
        match = self._match(index, query, text, products, in_parts=True)
        if match.outcome is Outcome.ANSWER or not topic or stands_alone(text):
            return match
        leans = leans_on_topic(text)
        # If no article has enough of its words, nothing that is found could count.
        if not leans and index.most_shared(query, index.languages) < _ABOUT_THE_TOPIC:
            return match
        question = f"{topic[:_TOPIC_LENGTH]} {text}"
        followed = self._match(index, index.understand(question, language), question, products)
        if followed.outcome is not Outcome.ANSWER:
            return match
        answer = index.article(followed.article_language, followed.candidates[0].article)
        shared = index.shared(query, answer) if answer else 0.0
        others = index.most_shared(query, [followed.article_language])
        if shared < max(_ABOUT_THE_TOPIC, _AS_OTHERS * others) and not leans:
            return match
        # What the message itself is like decides whether it is a question at all.
        return replace(followed, language=match.language, vector=match.vector)

    def _match(
        self,
        index: Index,
        whole: Query,
        question: str,
        products: Sequence[str],
        *,
        in_parts: bool = False,
    ) -> Match:
        """What is found for a message.

        Args:
            whole: what was understood of all of it.
            in_parts: one of its parts is looked at instead where it is clearly surer.
        """
        query, own = whole, index.search(whole, whole.language, products)
        bar = _surety(own) + _CLEARLY_SURER
        if in_parts and bar < 1:
            for part in index.parts_of(question, whole):
                found = index.search(part, part.language, products)
                if _surety(found) > bar:
                    query, own, bar = part, found, _surety(found)
        found, language = self._search(index, query, own, products)
        candidates = tuple(
            Candidate(each.article.id, each.article.title, each.probability) for each in found
        )
        confidence = candidates[0].probability if candidates else 0.0
        if found and confidence >= index.bar(language, self._precision):
            outcome = Outcome.ANSWER
        elif sum(each.probability for each in candidates) >= self._offer_precision:
            outcome = Outcome.CLARIFY
        else:
            outcome = Outcome.HANDOFF
        said = index.extract(query, found[0].article) if found else None
        return Match(
            outcome=outcome,
            candidates=candidates,
            confidence=confidence,
            language=query.language,
            article_language=language,
            text=str(said) if said else "",
            heading=said.heading if said else "",
            question=question,
            vector=base64.b64encode(whole.embedded.vector.astype("<f4").tobytes()).decode(),
            products=tuple(sorted(whole.products)),
        )

    def _search(
        self, index: Index, query: Query, own: list[Found], products: Sequence[str]
    ) -> tuple[list[Found], str]:
        """In the question's language; where that has no answer that is sure, in the others.

        An article of another language is offered only if there is none of the same id in the
        question's own: a translation that was not found there is not better here.

        Args:
            own: what was found in the question's language.
        """
        if own and own[0].probability >= index.bar(query.language, self._precision):
            return own, query.language
        best, language = own, query.language
        for other in index.languages:
            if not index.has_more(other, query.language):
                continue
            found = index.search(query, other, products)
            if not found or index.article(query.language, found[0].article.id) is not None:
                continue
            if not best or found[0].probability > best[0].probability:
                best, language = found, other
        return best, language
