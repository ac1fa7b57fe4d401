"""What of an article is said: the sentences that answer the question, or the first paragraph.

An extract is neighbouring sentences of one section, as many as a chat bubble bears. Three things
tell how well one fits: late interaction with its tokens and those of its heading, its mean
direction, and the words that it shares with the question. Where the first paragraph fits best, what
fits next best goes behind it if there is room.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.passages import Passage, one_line, plain_lines, sentences
from bot.knowledge.embedding.cache import Codes, Vectors
from bot.knowledge.search.late_interaction import Scores, directions, mean_direction
from bot.knowledge.search.texts import tokens_of_article

MAX_LENGTH = 400
"""Characters of an extract, without its heading."""
_MAX_BOTH_LENGTH = 450
"""Characters of the first paragraph and an extract behind it."""
_LEAST_BEHIND = 80
"""Characters behind the first paragraph that are worth saying."""
_NEAR = 0.1
"""An extract behind the first paragraph fits at most so much worse."""
_DIRECTION, _WORDS = 0.1, 0.15
"""What direction and words count beside late interaction: paragraphs of XQuAD and PersianQA, five
as one article; the extract holds the answer, en vi th fa: .895 .858 .861 .864 by late interaction
alone, .900 .858 .879 .879 with both."""


@dataclass(frozen=True)
class Extract:
    """A part of an article that can be said alone."""

    heading: str
    """Of its section; empty for the first paragraph and where there is none."""
    text: str
    """Plain text; steps are lines."""
    before: str = ""
    """Said before it: the first paragraph."""

    def __str__(self) -> str:
        said = f"{self.heading}\n{self.text}" if self.heading else self.text
        return f"{self.before}\n\n{said}" if self.before else said


@dataclass(frozen=True)
class _Sentence:
    passage: int
    start: int
    end: int
    tokens: Vectors
    """Their directions, (tokens, dimensions)."""
    words: frozenset[str]


@dataclass(frozen=True)
class _Found:
    """An extract and how well it fits the question."""

    extract: Extract
    fits: float
    first: bool
    """Whether it is of the first paragraph."""


def extract(
    article: Article, passages: Sequence[Codes], question: Codes, words: Collection[str]
) -> Extract:
    """What to say of an article.

    Args:
        passages: the tokens of each.
        question: its tokens.
        words: of the question.
    """
    whole = Extract("", article.short_answer)
    if not len(question):
        return whole
    reader = _Reader(article, passages, question, frozenset(words))
    found = list(reader.extracts(MAX_LENGTH))
    if not found:
        return whole
    best = max(found, key=lambda each: each.fits)
    if not best.first or len(whole.text) > MAX_LENGTH:
        return best.extract
    room = _MAX_BOTH_LENGTH - len(whole.text) - len("\n\n")
    behind = [
        each
        for each in (reader.extracts(room) if room >= _LEAST_BEHIND else ())
        if not each.first and len(str(each.extract)) <= room and each.fits > best.fits - _NEAR
    ]
    if not behind:
        return whole
    added = max(behind, key=lambda each: each.fits).extract
    return Extract(added.heading, added.text, before=whole.text)


class _Reader:
    """Reads an article with a question in mind."""

    def __init__(
        self, article: Article, passages: Sequence[Codes], question: Codes, words: frozenset[str]
    ) -> None:
        self._article = article
        self._asked = directions(question)
        self._direction = mean_direction(question)
        self._sentences: list[_Sentence] = []
        self._names: list[Scores] = []
        for number, (passage, codes) in enumerate(zip(article.passages, passages, strict=True)):
            tokens = directions(codes)
            name = _place(passage, len(passage.name) + 1, len(codes))
            self._names.append(self._nearest(tokens[:name]))
            self._sentences += _read(number, passage, tokens, article.language)
        self._scores = [self._nearest(each.tokens) for each in self._sentences]
        self._headings = [
            frozenset(tokens_of_article(each.heading, article.language))
            for each in article.passages
        ]
        found_in = Counter(word for each in self._sentences for word in each.words)
        count = len(self._sentences)
        self._weights = {word: math.log1p(count / (1 + found_in[word])) for word in words}

    def extracts(self, most: int) -> Iterator[_Found]:
        """From each sentence on, as many of its section as fit."""
        passages = self._article.passages
        for begin, opening in enumerate(self._sentences):
            text, scores, tokens = "", [self._names[opening.passage]], list[Vectors]()
            words = set(self._headings[opening.passage])
            for each, score in zip(self._sentences[begin:], self._scores[begin:], strict=True):
                longer = plain_lines(_text(passages, opening, each))
                of_it = passages[each.passage].section == passages[opening.passage].section
                if tokens and (not of_it or len(longer) > most):
                    break
                text = longer
                scores.append(score)
                tokens.append(each.tokens)
                words |= each.words
            fits = float(np.max(scores, axis=0).mean())
            fits += _DIRECTION * _cosine(self._direction, np.concatenate(tokens).mean(axis=0))
            fits += _WORDS * self._share(words)
            said = Extract(passages[opening.passage].heading, text)
            yield _Found(said, fits, one_line(text) in self._article.short_answer)

    def _nearest(self, tokens: Vectors) -> Scores:
        """Of each token of the question, the largest cosine."""
        nearest: Scores = (self._asked @ tokens.T).max(axis=1, initial=-1)
        return nearest

    def _share(self, words: Collection[str]) -> float:
        """Of what the question's words weigh."""
        found = sum(weight for word, weight in self._weights.items() if word in words)
        return found / (sum(self._weights.values()) or 1.0)


def _read(number: int, passage: Passage, tokens: Vectors, language: str) -> Iterator[_Sentence]:
    """The sentences of a passage; how far on one is tells which tokens are its own."""
    before = len(passage.name) + 1
    for start, end in sentences(passage.text) if len(tokens) else ():
        first = min(_place(passage, before + start, len(tokens)), len(tokens) - 1)
        last = max(_place(passage, before + end, len(tokens)) + 1, first + 1)
        words = frozenset(tokens_of_article(passage.text[start:end], language))
        yield _Sentence(number, start, end, tokens[first:last], words)


def _place(passage: Passage, character: int, tokens: int) -> int:
    """About which token a character of a passage belongs to."""
    return character * tokens // len(passage.searched)


def _cosine(one: Vectors, other: Vectors) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def _text(passages: Sequence[Passage], first: _Sentence, last: _Sentence) -> str:
    """From one sentence to another, as Markdown."""
    if first.passage == last.passage:
        return passages[first.passage].text[first.start : last.end]
    between = [each.joint + each.text for each in passages[first.passage + 1 : last.passage]]
    ending = passages[last.passage].joint + passages[last.passage].text[: last.end]
    return "".join([passages[first.passage].text[first.start :], *between, ending])
