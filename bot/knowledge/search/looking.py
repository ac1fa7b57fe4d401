"""One message, looked at as a question, as an act, and as an answer to what was said before."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bot.knowledge.articles.articles import Article
from bot.knowledge.language.choosing import chosen
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.unwanted import unwanted
from bot.knowledge.search.act_part import FoundAct
from bot.knowledge.search.follow_ups import leans_on_topic, stands_alone, what_of
from bot.knowledge.search.index import Index
from bot.knowledge.search.language_part import Found, Query
from bot.messages import Candidate, Context, Match, Outcome

_TOPIC_LENGTH = 300
"""Characters: a follow-up of a follow-up of a follow-up must still be read to its end."""
_ABOUT_THE_TOPIC = 0.4
"""Share of a follow-up's words that the answer must have. "thanks" has none."""
_AS_OTHERS = 0.7
"""Part of the largest share of any article that the answer's must be: with many example questions
delivery's article has words of "how is the weather" too, but others have more."""
_MOST_AN_ACT = 0.3
"""Probability of being any act up to which a message may lean on the question before."""

_CLEARLY_SURER = 0.2
"""Than the whole message: what surrounds a question tells what it is about, or hides it."""
_SURE_OF_WHOLE = 0.8
"""From here on no part can be clearly surer."""
_MAY_BE = 0.5
"""From this probability on it is asked whether an act is meant that must be more certain."""
_AS_WANTED = 0.8
"""Part of an article's probability that it must still have when the "not" is taken away."""
_KNOWN = 0.1
"""Share of a message's words that must be known, or it is not understood."""
_NO_OPINION = 0.8
"""So probable another act must be when an opinion was asked for …"""
_FEWEST_LETTERS = 12
"""… or so short the message."""

_FEWEST_LETTERS_LEFT = 5
"""Of what is said beside what is not wanted."""

ORDER_NUMBER = "inform_order_number"
"""The act of a message that is the number of an order."""
PROBLEM = "report_problem"
"""The act of who says that something does not work, and not what."""
DECLINE = "decline"
"""The act of who does not want something done."""
OPINION = "give_feedback"
"""The act of who has an opinion, and of who says it when asked for it."""
FEEDBACK = "feedback"
CHOICE = "choice"
PRODUCT = "product"
ORDER = "order_number"
"""What the assistant may have asked, see `docs/dialogue.md`."""
_ORDER_NUMBER = re.compile(
    r"\border number|number of (?:the|your) order|(?:mã|số) đơn|(?:หมายเลข|เลขที่?)(?:คำสั่งซื้อ|ออเดอร์)"
    r"|شماره.?.?سفارش",
    re.IGNORECASE,
)
_REMARKS = {"complain", "praise", "give_feedback", "report_problem", "reject_answer", "deny"}
"""Acts that are opinions where those were asked for."""


@dataclass(frozen=True)
class _Part:
    """A message or a part of it, as a question and as an act."""

    query: Query
    found: Sequence[Found]
    act: FoundAct
    alone: bool
    """Whether it says something beside the other parts."""

    @property
    def surety(self) -> float:
        """That its first article answers it, 0–1."""
        return self.found[0].probability * (1 - self.act.probability) if self.found else 0.0


class Look:
    """Looks at one message; what costs time is done once, and only if it is asked for."""

    def __init__(
        self,
        index: Index,
        text: str,
        language: str,
        products: Sequence[str],
        precision: float,
        offer_precision: float,
    ) -> None:
        """For the arguments see `Matcher`."""
        self._index = index
        self._text = text
        self._hint = language
        self._products = products
        self._precision = precision
        self._offer_precision = offer_precision

    @cached_property
    def _whole(self) -> _Part:
        query = self._index.understand(self._text, self._hint)
        return self._part(query, alone=False)

    @cached_property
    def _parts(self) -> Sequence[_Part]:
        found = self._index.parts_of(self._text, self._whole.query)
        if self._whole.surety >= _SURE_OF_WHOLE and sum(alone for _, alone in found) < 2:
            return []
        return [self._part(query, alone=alone) for query, alone in found]

    def _part(self, query: Query, *, alone: bool) -> _Part:
        found = self._index.search(query, query.language, self._products)
        act = self._index.act(query)
        if act.act == PROBLEM and query.products:  # what does not work is said: it is a question
            act = FoundAct()
        return _Part(query, found, act, alone)

    def as_reply(self, context: Context) -> Match | None:
        """As an answer to something that was asked, or as a message without a word."""
        if not any(map(str.isalnum, self._text)):
            return self._sign()
        if context.asked == CHOICE:
            place = chosen(self._text, len(context.choices))
            if place is not None:
                return self._chosen(context.choices[place], context.topic)
        if self._whole.query.only_order:
            match = self.match()
            if context.asked != ORDER and match.outcome is Outcome.ANSWER:
                return match
            return replace(match, outcome=Outcome.ACT, act=ORDER_NUMBER)
        if context.asked == FEEDBACK and self._is_opinion():
            match = self.match()
            return replace(match, outcome=Outcome.ACT, act=OPINION)
        return None

    def _sign(self) -> Match:
        """Of emoji and punctuation, by their sense."""
        signs = self._index.acts.signs
        said = [signs[each] for each in normalise(self._text) if each in signs]
        act = max(said, key=said.count, default="")
        return Match(
            outcome=Outcome.ACT if act else Outcome.NOT_UNDERSTOOD,
            candidates=(),
            confidence=0.0,
            language=self._hint,
            article_language=self._hint,
            text="",
            heading="",
            question=self._text,
            act=act,
            act_probability=1.0 if act else 0.0,
        )

    def _chosen(self, article_id: str, topic: str) -> Match | None:
        """The article that the customer has chosen."""
        language = self._whole.query.language
        languages = [language, self._hint, *self._index.languages]
        articles = (self._index.article(each, article_id) for each in languages)
        article = next(filter(None, articles), None)
        if article is None:  # it was removed since
            return None
        asked = self._index.understand(topic or article.title, article.language)
        found = [Found(article, 1.0)]
        match = self._as_match(
            _Part(asked, found, FoundAct(), alone=False), found, article.language
        )
        return replace(match, language=self._hint, question=topic or article.title)

    def _is_opinion(self) -> bool:
        act = self._whole.act
        if sum(map(str.isalpha, self._text)) < _FEWEST_LETTERS and act.act not in _REMARKS:
            return False
        if self._first_act():
            return False
        is_asked = self._text.rstrip().endswith(("?", "؟"))
        return act.act in _REMARKS or (act.probability < _NO_OPINION and not is_asked)

    def several(self) -> Sequence[Match]:
        """Where a message asks several things that are answered: each, and what is left."""
        alone = [each for each in self._parts if each.alone]
        if len(alone) < 2 or self._first_act():
            return []
        matches = [self._question(each) for each in alone]
        answered = {each.candidates[0].article for each in matches if each.outcome == "answer"}
        asked = [
            match
            for match, part in zip(matches, alone, strict=True)
            if match.outcome is Outcome.ANSWER
            or (part.query.text.endswith(("?", "؟")) and part.act.any < _MAY_BE)
        ]
        is_several = len(answered) > 1 or (answered and len(asked) > 1)
        of_each = {
            each.candidates[0].article if each.candidates else each.question: each
            for each in reversed(asked)
        }
        return list(of_each.values())[::-1] if is_several and len(of_each) > 1 else []

    def match(self) -> Match:
        """What it most probably is, by itself."""
        whole = self._whole
        best, surest = whole, whole.surety + _CLEARLY_SURER
        for part in self._parts:
            if part.surety > surest:
                best, surest = part, part.surety
        match = self._question(best)
        act = self._first_act() or (whole if whole.act.probability > best.surety else best).act
        if match.outcome is Outcome.HANDOFF:  # nothing is asked, so what is said beside it counts
            act = max((each.act for each in (whole, *self._parts)), key=lambda act: act.probability)
        match = replace(
            match,
            question=self._text,
            language=whole.query.language,
            act=act.act,
            act_probability=act.probability,
            products=tuple(sorted(whole.query.products)),
        )
        return replace(match, outcome=self._outcome(match, act))

    def _outcome(self, match: Match, act: FoundAct) -> Outcome:
        """Of a match that says what the message would be as a question."""
        bar = 0.0 if act.urgent else self._index.acts.bar(act.act)
        is_first = act.act in self._index.acts.first
        is_sure = act.probability >= bar and (is_first or act.probability > match.confidence)
        if is_sure and (match.outcome is not Outcome.ANSWER or act.probability >= _MAY_BE):
            return Outcome.ACT
        if match.outcome is Outcome.ANSWER:
            return Outcome.ANSWER
        if bar > _MAY_BE and act.probability >= max(_MAY_BE, match.confidence):
            return Outcome.CONFIRM
        if match.outcome is not Outcome.HANDOFF:
            return match.outcome
        # Small talk that is none in particular is as little understood as what has no known word.
        is_unclear = act.any >= _MAY_BE or self._index.known(self._whole.query) < _KNOWN
        return Outcome.NOT_UNDERSTOOD if is_unclear else Outcome.HANDOFF

    def _first_act(self) -> FoundAct | None:
        """Danger is danger whatever stands around it."""
        acts = self._index.acts
        found = [
            each.act
            for each in (self._whole, *self._parts)
            if each.act.urgent
            or (each.act.act in acts.first and each.act.probability >= acts.bar(each.act.act))
        ]
        return max(found, key=lambda act: (act.urgent, act.probability), default=None)

    def _question(self, part: _Part) -> Match:
        """What the knowledge base has to say to a part, if it is a question."""
        found, language = self._search(part)
        return self._as_match(part, found, language)

    def _as_match(self, part: _Part, found: Sequence[Found], language: str) -> Match:
        is_question = 1 - part.act.probability
        candidates = tuple(
            Candidate(each.article.id, each.article.title, each.probability * is_question)
            for each in found
        )
        confidence = candidates[0].probability if candidates else 0.0
        if candidates and confidence >= self._index.bar(language, self._precision):
            outcome = Outcome.ANSWER
        elif sum(each.probability for each in candidates) >= self._offer_precision:
            outcome = Outcome.CLARIFY
        else:
            outcome = Outcome.HANDOFF
        said = self._index.extract(part.query, found[0].article) if found else None
        return Match(
            outcome=outcome,
            candidates=candidates,
            confidence=confidence,
            language=part.query.language,
            article_language=language,
            text=str(said) if said else "",
            heading=said.heading if said else "",
            question=part.query.text,
            asks=ORDER if said and _ORDER_NUMBER.search(str(said)) else "",
        )

    def _search(self, part: _Part) -> tuple[Sequence[Found], str]:
        """In the question's language; where that has no answer that is sure, in the others.

        An article of another language is offered only if there is none of the same id in the
        question's own: a translation that was not found there is not better here.
        """
        index, query = self._index, part.query
        best, language = part.found, query.language
        if best and best[0].probability >= index.bar(language, self._precision):
            return best, language
        for other in index.languages:
            if not index.has_more(other, query.language):
                continue
            found = index.search(query, other, self._products)
            if not found or index.article(query.language, found[0].article.id) is not None:
                continue
            if not best or found[0].probability > best[0].probability:
                best, language = found, other
        return best, language

    def about(self, context: Context) -> Match | None:
        """What is answered if it goes on about the question before."""
        index, own = self._index, self._whole
        topic, language = context.topic[:_TOPIC_LENGTH], self._whole.query.language
        if corrected := index.corrected(topic, self._text, language):
            question, product = corrected
            if alike := index.alike(language, context.article, product):
                return self._said_of(alike, question)
            followed = self._followed(question)
            return self._about_product(followed) if context.asked == PRODUCT else followed
        if context.asked == PRODUCT and own.query.products:
            return self._about_product(self._followed(f"{topic} {self._text}"))
        if own.act.any > _MOST_AN_ACT or stands_alone(self._text):
            return None
        leans = leans_on_topic(self._text)
        asked = replace(own.query, text=normalise(what_of(own.query.text)))
        # If no article has enough of its words, nothing that is found could count.
        if not leans and index.most_shared(asked, index.languages) < _ABOUT_THE_TOPIC:
            return None
        followed = self._followed(f"{topic} {self._text}")
        if not followed.candidates:
            return None
        first = followed.candidates[0].article
        if leans and first == context.article:  # the one that was said stays the one that is meant
            return replace(followed, outcome=Outcome.ANSWER)
        if leans or followed.outcome is not Outcome.ANSWER:
            return followed if leans and followed.outcome is not Outcome.HANDOFF else None
        answer = index.article(followed.article_language, first)
        shared = index.shared(asked, answer) if answer else 0.0
        others = index.most_shared(asked, [followed.article_language])
        return followed if shared >= max(_ABOUT_THE_TOPIC, _AS_OTHERS * others) else None

    def _about_product(self, match: Match) -> Match:
        """What was asked for is said: of the articles about the product the first is meant."""
        first = match.candidates[0].article if match.candidates else ""
        article = self._index.article(match.article_language, first)
        is_meant = article is not None and not set(article.products).isdisjoint(match.products)
        return replace(match, outcome=Outcome.ANSWER) if is_meant else match

    def _said_of(self, article: Article, question: str) -> Match:
        """What an article says to a question that it is known to answer."""
        asked = self._index.understand(question, article.language)
        part = _Part(asked, [Found(article, 1.0)], FoundAct(), alone=False)
        match = self._as_match(part, part.found, article.language)
        products = tuple(sorted(asked.products))
        return replace(match, language=self._hint, question=question, products=products)

    def _followed(self, question: str) -> Match:
        language = self._whole.query.language
        query = self._index.understand(question, language)
        found = self._index.search(query, query.language, self._products)
        match = self._question(_Part(query, found, FoundAct(), alone=False))
        products = tuple(sorted(query.products))
        return replace(match, question=question, language=language, products=products)

    def declined(self, match: Match) -> Match | None:
        """What is left where the customer does not want what the first article is about."""
        if match.outcome not in {Outcome.ANSWER, Outcome.CLARIFY}:
            return None
        found = unwanted(self._text, match.language)
        if found is None:
            return None
        positive, rest = found
        as_if_wanted = self._followed(positive)
        first = match.candidates[0]
        # "I do not want to keep it" is a wish of its own: without its "not" it is no such question.
        same = [
            each.probability for each in as_if_wanted.candidates if each.article == first.article
        ]
        if not same or same[0] < _AS_WANTED * first.probability:
            return None
        if sum(map(str.isalpha, rest)) >= _FEWEST_LETTERS_LEFT:
            left = self._followed(rest)
            others = left.candidates and left.candidates[0].article != first.article
            if others and left.outcome in {Outcome.ANSWER, Outcome.CLARIFY}:
                return left
        return replace(match, outcome=Outcome.ACT, act=DECLINE, candidates=())
