"""Which dialogue act a message of one language is, and how probable that is.

Acts stand beside the articles in one classifier. It is a regression, so what it says of all acts
together is what it would say of "this is an act": absolute, as is what it says of each article.
How probable an act is, is found out as for articles: each example asks, without itself and without
its whole act, and everything that is no act asks as well.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from bot.knowledge.acts.acts import OUT_OF_SCOPE, Acts
from bot.knowledge.search.calibration import Logistic, Numbers, fit
from bot.knowledge.search.classifier import LeftOut, Matrix, Rows
from bot.knowledge.search.lexical import LexicalIndex

_CLASS, _WORDS = 9.0, 5.0
"""What class and words count in the order of acts, as in that of articles. Left out, right first
with class alone and with both: en .92 .91, vi .75 .84, th .87 .89, fa .83 .86; MaxSim adds
nothing."""
_MOST_LEAD = 5.0
_NOWHERE = -1e9

_SHORT, _CLASS_OF_SHORT = 12, 0.5
"""Characters of a message that is a word or two, and the class that it must have: a battery alone
is none that burns."""

_FEATURES = 5
_USUAL_FIRST = np.array([3.0, 0.65, 2.0, 0.6, 3.3, -4.5])
_USUAL_ANY = np.array([5.0, 0.3, 3.0, 0.6, 4.0, -4.0])
"""Slopes of the five features, and the intercept, as four languages give them."""
_LEFT_OUT_ACTS = 0.1
"""Weight of an example without its whole act beside the same with it. Customers seldom do what
there is no act for. That it is an act at all is as true as before, so it says nothing of that."""
_QUESTIONS = 0.35
"""Weight of the articles' own questions, and of the same without their articles, …"""
_OTHERS = 0.3
"""… and of other questions, beside 1 for all examples of acts together."""


@dataclass(frozen=True)
class FoundAct:
    """What a message does, if it does something."""

    act: str = ""
    """The most probable one; empty: none is known."""
    probability: float = 0.0
    """That it is this act, 0–1."""
    any: float = 0.0
    """That it is some act, 0–1."""
    urgent: bool = False
    """It is found as often as its examples are to be found, whatever else speaks for something
    else."""


@dataclass(frozen=True)
class Taught:
    """The examples of acts of one language, as its classifier learns them."""

    names: Sequence[str]
    """Acts, one for each of the classifier's columns behind those of articles."""
    owners: Rows
    """Number of the act of each example; rising, (n,)."""
    tokens: Sequence[Sequence[str]]
    """Words of each example and parts of them."""

    @classmethod
    def of(cls, acts: Sequence[str], tokens: Sequence[Sequence[str]]) -> Self:
        """
        Args:
            acts: of each example; those of one act stand together.
        """
        names = list(dict.fromkeys(acts))
        owners = np.array([names.index(each) for each in acts], dtype=np.int64)
        return cls(names, owners, tokens)


@dataclass(frozen=True)
class Others:
    """Messages that are no act."""

    scores: LeftOut | Matrix
    """What the classifier says of them, without themselves and without their articles; or, of those
    that it has not learned, at all."""
    tokens: Sequence[Sequence[str]]


@dataclass(frozen=True)
class _Asked:
    """Messages of which it is known what they do."""

    classes: Matrix
    words: Matrix
    """Share of their words that each act has."""
    tokens: Sequence[Sequence[str]]
    acts: Rows
    """Number of the act of each; −1: none."""
    weight: float
    """What they count together."""
    only_first: bool = False
    """They say nothing of whether they are an act at all."""


class ActPart:
    """The acts of one language."""

    def __init__(
        self,
        taught: Taught,
        articles: int,
        first_column: int,
        left_out: LeftOut,
        own_questions: Others,
        others: Others,
        acts: Acts,
    ) -> None:
        """
        Args:
            articles: how many there are; theirs are the classifier's first columns.
            first_column: of the acts.
            left_out: what the classifier says of the examples without themselves.
            own_questions: of the articles.
            others: of any shop.
            acts: tells how often some must be found.
        """
        self._articles = articles
        places = [n for n, each in enumerate(taught.names) if each != OUT_OF_SCOPE]
        self._names = [taught.names[n] for n in places]
        self._columns = [first_column + n for n in places]
        number = {n: place for place, n in enumerate(places)}
        owners = np.array([number.get(each, -1) for each in taught.owners.tolist()], dtype=np.int64)
        self._documents: list[Counter[str]] = [Counter() for _ in places]
        for act, tokens in zip(owners.tolist(), taught.tokens, strict=True):
            if act >= 0:
                self._documents[act].update(tokens)
        self._words = LexicalIndex(self._documents)
        asked = [
            *self._examples(owners, taught.tokens, left_out),
            *self._no_acts(own_questions, own_questions.scores, _QUESTIONS),
            *self._no_acts(others, others.scores, _OTHERS),
        ]
        self._first, self._any = self._calibrate(asked)
        self._bars = self._bars_of(asked[0], acts)

    def find(self, classes: Matrix, text: str, tokens: Sequence[str]) -> FoundAct:
        """The most probable act of one message.

        Args:
            classes: the classifier's scores of the message, (1, columns).
            text: the message.
            tokens: its words and parts of them.
        """
        if not self._names:
            return FoundAct()
        place, features = self._features(classes, self._shares([tokens]), [tokens])
        first, some = float(self._first(features)[0]), float(self._any(features)[0])
        act = int(place[0])
        is_plain = len(text) > _SHORT or features[0, 0] >= _CLASS_OF_SHORT
        is_urgent = act in self._bars and is_plain and first >= self._bars[act]
        return FoundAct(self._names[act], min(first, some), some, is_urgent)

    def known(self, tokens: Sequence[str]) -> float:
        """Share of a message's words that any act has, weighed by how much they say, 0–1."""
        return self._words.known(tokens)

    def _shares(self, tokens: Sequence[Sequence[str]]) -> Matrix:
        nothing = np.zeros((0, len(self._names)), dtype=np.float32)
        return np.stack([self._words.scores(each) for each in tokens]) if tokens else nothing

    def _features(
        self, classes: Matrix, words: Matrix, tokens: Sequence[Sequence[str]]
    ) -> tuple[Rows, Numbers]:
        """Of each message: its best act, (n,), and what speaks for it, (n, 5).

        That is its class, its lead before the next act, the class of all acts together, words
        found, and how little the best article's class is.
        """
        acts = classes[:, self._columns].astype(np.float64)
        order = _CLASS * acts + _WORDS * words
        row, best = np.arange(len(order)), order.argmax(axis=1)
        others = order.copy()
        others[row, best] = _NOWHERE
        lead = np.clip(order[row, best] - others.max(axis=1), 0, _MOST_LEAD)
        information = np.array([self._words.information(each) for each in tokens])
        found = np.log1p(information * words[row, best])
        article = classes[:, : self._articles].max(axis=1, initial=0)
        return best, np.stack([acts[row, best], lead, acts.sum(axis=1), found, -article], axis=1)

    def _examples(
        self, acts: Rows, tokens: Sequence[Sequence[str]], left_out: LeftOut
    ) -> Iterator[_Asked]:
        """Each example without itself, and without its whole act; what is out of scope is none."""
        words = self._shares(tokens)
        without_act = words.copy()
        for n in np.flatnonzero(acts >= 0).tolist():
            document = self._documents[acts[n]]
            words[n, acts[n]] = self._words.score_without(tokens[n], document)
            without_act[n, acts[n]] = 0
        none = np.full(len(acts), -1)
        yield _Asked(left_out.without_text, words, tokens, acts, 1.0)
        yield _Asked(left_out.without_article, without_act, tokens, none, _LEFT_OUT_ACTS, True)

    def _no_acts(self, some: Others, scores: LeftOut | Matrix, weight: float) -> Iterator[_Asked]:
        if isinstance(scores, LeftOut):
            yield from self._no_acts(some, scores.without_text, weight)
            yield from self._no_acts(some, scores.without_article, weight)
        else:
            none = np.full(len(some.tokens), -1)
            yield _Asked(scores, self._shares(some.tokens), some.tokens, none, weight)

    def _bars_of(self, examples: _Asked, acts: Acts) -> dict[int, float]:
        """From which probability on so many of an act's examples are found, each left out."""
        wanted = {act: name for act, name in enumerate(self._names) if name in acts.found}
        if not wanted:
            return {}
        best, features = self._features(examples.classes, examples.words, examples.tokens)
        chances = np.where(best == examples.acts, self._first(features), 0.0)
        return {
            act: max(
                float(np.quantile(chances[examples.acts == act], 1 - acts.found[name])),
                acts.bar(name),
            )
            for act, name in wanted.items()
        }

    def _calibrate(self, asked: Sequence[_Asked]) -> tuple[Logistic, Logistic]:
        """That the first act is right, and that it is any."""
        asked = [each for each in asked if self._names and len(each.acts)]
        total = len(asked[0].acts) if asked else 0
        features, right, is_act, sizes, of_any = [np.zeros((0, _FEATURES))], [], [], [], []
        for each in asked:
            best, found = self._features(each.classes, each.words, each.tokens)
            count = len(each.acts)
            features.append(found)
            right.append(best == each.acts)
            is_act.append(each.acts >= 0)
            sizes.append(np.full(count, each.weight * total / count))
            of_any.append(np.full(count, float(not each.only_first)))
        seen = np.concatenate(features)
        weights = np.concatenate([np.zeros(0), *sizes])
        some = weights * np.concatenate([np.zeros(0), *of_any])
        return (
            fit(seen, np.concatenate([np.zeros(0), *right]), weights, _USUAL_FIRST),
            fit(seen, np.concatenate([np.zeros(0), *is_act]), some, _USUAL_ANY),
        )
