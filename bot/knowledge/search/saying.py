"""What of an article is said: the sentences that answer the question, or the first paragraph.

An extract is neighbouring sentences of one section, as many as a chat bubble bears: a short section
is said whole. Three things tell how well one fits: late interaction with its tokens and those of
its heading, its mean direction, and the words that it shares with the question. The first paragraph
was written to be said: where it fits about as well as anything, it is said, and what fits best
besides goes behind it if there is room.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.passages import Passage, one_line, sentences
from bot.knowledge.embedding.cache import Codes, Vectors
from bot.knowledge.language.normalising import normalise
from bot.knowledge.search.late_interaction import Scores, directions, mean_direction
from bot.knowledge.search.texts import tokens_of_article

Ends = NDArray[np.int64]
Truths = NDArray[np.bool_]

MAX_LENGTH = 400
"""Characters of an extract, without its heading."""
_MAX_BOTH_LENGTH = 450
"""Characters of the first paragraph and an extract behind it."""
_LEAST_BEHIND = 80
"""Characters behind the first paragraph that are worth saying."""
_ABOUT_AS_WELL = 0.05
"""As the best extract the first paragraph fits at most so much worse."""
_NEAR = 0.1
"""Than the first paragraph an extract behind it fits at most so much worse."""
_MAX_READ = 32
"""Passages of which all sentences are read; of a longer article, those that seem the nearest."""
_MAX_SENTENCES = 1000
"""That are read in them; no article that people wrote has more."""
_LOOKED_AT = 16_000
"""Tokens of a long article, evenly spread, that tell how near its passages seem."""
_APART = 2 * MAX_LENGTH
"""Characters between what is not said together."""
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


def extract(
    article: Article, passages: Sequence[Codes], question: Codes, words: Collection[str]
) -> Extract:
    """What to say of an article.

    Args:
        passages: the tokens of each.
        question: its tokens.
        words: of the question.
    """
    whole = Extract("", beginning(article.short_answer))
    if not len(question):
        return whole
    reader = _Reader(article, passages, question, words)
    if not reader.sentences:
        return whole
    ends, fits = reader.fits(MAX_LENGTH)
    begin = int(fits.argmax())
    best = reader.extract(reader.widened(begin, ends[begin], MAX_LENGTH), ends[begin])
    if len(article.short_answer) > MAX_LENGTH:
        return best
    first = reader.fit_of_beginning(whole.text)
    if first < fits[begin] - _ABOUT_AS_WELL:
        return best
    room = _MAX_BOTH_LENGTH - len(whole.text) - len("\n\n")
    behind = reader.behind(whole.text, room, first - _NEAR)
    if behind:
        return Extract(behind.heading, behind.text, before=whole.text)
    return whole if first >= fits[begin] else best


def beginning(paragraph: str) -> str:
    """Of a paragraph that is too long, the sentences that can be said."""
    if len(paragraph) <= MAX_LENGTH:
        return paragraph
    *whole, _ = [end for _, end in sentences(paragraph[:MAX_LENGTH])] or [0]
    return paragraph[: whole[-1] if whole else MAX_LENGTH].rstrip()


@dataclass(frozen=True)
class _Sentence:
    """A sentence, read with a question in mind."""

    passage: int
    start: int
    """Characters before it in its passage."""
    end: int
    place: int
    """Characters before it in all that is read."""
    nearest: Scores
    """Of each token of the question, the largest cosine with a token of the sentence."""
    nearest_above: Scores
    """The same of title and heading."""
    told: Vectors
    """Sum of the directions of its tokens."""
    found: Truths
    """Which words of the question it has."""
    found_above: Truths
    """Which of them the heading has."""


def _read(
    article: Article, passages: Sequence[Codes], asked: Vectors, words: Sequence[str]
) -> Iterator[_Sentence]:
    place, before, count = 0, -1, 0
    for number in _promising(passages, asked):
        passage, tokens = article.passages[number], directions(passages[number])
        cosines = tokens @ asked.T
        above = cosines[: _token(passage, len(passage.name) + 1, len(tokens))]
        nearest_above = above.max(axis=0, initial=-1)
        found_above = _found(words, passage.heading, article.language)
        follows = number == before + 1 and passage.section == article.passages[before].section
        place += len(passage.joint) if follows else _APART
        for start, end in sentences(passage.text):
            own = _tokens(passage, start, end, len(tokens))
            yield _Sentence(
                passage=number,
                start=start,
                end=end,
                place=place + start,
                nearest=cosines[own].max(axis=0),
                nearest_above=nearest_above,
                told=tokens[own].sum(axis=0),
                found=_found(words, passage.text[start:end], article.language),
                found_above=found_above,
            )
            count += 1
        if count >= _MAX_SENTENCES:
            return
        place, before = place + len(passage.text), number


class _Reader:
    """Knows how well a question is answered by the extracts of an article, one from each sentence
    on."""

    def __init__(
        self, article: Article, passages: Sequence[Codes], question: Codes, words: Collection[str]
    ) -> None:
        self._passages = article.passages
        self._direction = mean_direction(question)
        ordered = sorted(set(words))  # so that sums are always the same
        self.sentences = list(_read(article, passages, directions(question), ordered))
        if not self.sentences:
            return
        self._nearest = np.array([each.nearest for each in self.sentences])
        self._nearest_above = np.array([each.nearest_above for each in self.sentences])
        self._told = _sums_before(np.array([each.told for each in self.sentences]))
        found = np.array([each.found for each in self.sentences])
        self._found = _sums_before(found)
        self._found_above = np.array([each.found_above for each in self.sentences])
        weights = np.log1p(len(found) / (1 + found.sum(axis=0)))
        self._weights = weights / (weights.sum() or 1)

    def fits(self, most: int) -> tuple[Ends, Vectors]:
        """Where the extract from each sentence on ends if it has as many of its section as fit
        into `most` characters, at least one, and how well it fits the question."""
        begins = np.arange(len(self.sentences))
        stops = [each.place + each.end - each.start for each in self.sentences]
        within = [each.place + most for each in self.sentences]
        ends = np.maximum(np.searchsorted(stops, within, side="right"), begins + 1)
        nearest = np.maximum(self._nearest, self._nearest_above)
        for further in range(1, int((ends - begins).max())):
            rows = np.flatnonzero(begins + further < ends)
            nearest[rows] = np.maximum(nearest[rows], self._nearest[rows + further])
        told = self._told[ends] - self._told[begins]
        found = self._found_above | (self._found[ends] > self._found[begins])
        fits: Vectors = nearest.mean(axis=1)
        fits += _DIRECTION * _cosines(told, self._direction)
        fits += _WORDS * (found @ self._weights)
        return ends, fits

    def fit_of_beginning(self, paragraph: str) -> float:
        """How well the first paragraph alone fits; −∞ where its first sentence is not read."""
        first = self.sentences[0]
        text = self._passages[first.passage].text[first.start : first.end]
        if one_line(text) not in paragraph:
            return -np.inf
        return float(self.fits(len(paragraph))[1][0])

    def widened(self, begin: int, end: int, most: int) -> int:
        """Where an extract may begin as well: with all before it in its section that fits too."""
        last = self.sentences[end - 1]
        stop = last.place + last.end - last.start
        while begin and stop - self.sentences[begin - 1].place <= most:
            begin -= 1
        return begin

    def extract(self, begin: int, end: int) -> Extract:
        """From one sentence up to another."""
        first, last = self.sentences[begin], self.sentences[end - 1]
        read = self._passages[first.passage : last.passage + 1]
        text = "".join([read[0].text, *(each.joint + each.text for each in read[1:])])
        stop = len(text) - len(read[-1].text) + last.end
        return Extract(read[0].heading, text[first.start : stop].strip())

    def behind(self, said: str, room: int, least: float) -> Extract | None:
        """The extract that fits best and says something new; `least`: better than that."""
        if room < _LEAST_BEHIND:
            return None
        ends, fits = self.fits(min(room, MAX_LENGTH))
        for begin in np.argsort(-fits, kind="stable"):
            if fits[begin] <= least:
                return None
            found = self.extract(begin, ends[begin])
            again = one_line(self.extract(begin, begin + 1).text) in said
            if not again and len(str(found)) <= room:
                return found
        return None


def _promising(passages: Sequence[Codes], asked: Vectors) -> Sequence[int]:
    """Numbers of the passages to read."""
    read = [number for number, codes in enumerate(passages) if len(codes)]
    if len(read) <= _MAX_READ:
        return read
    each = 1 + sum(len(passages[number]) for number in read) // _LOOKED_AT
    some = [passages[number][::each] for number in read]
    begins = np.cumsum([0, *map(len, some[:-1])])
    cosines = directions(np.concatenate(some)) @ asked.T
    near = np.maximum.reduceat(cosines, begins).mean(axis=1)
    return sorted(read[n] for n in np.argsort(-near, kind="stable")[:_MAX_READ])


def _tokens(passage: Passage, start: int, end: int, count: int) -> slice:
    """The tokens of a sentence, at least one; how far on it is tells which are its own."""
    before = len(passage.name) + 1
    first = min(_token(passage, before + start, count), count - 1)
    return slice(first, max(_token(passage, before + end, count) + 1, first + 1))


def _token(passage: Passage, character: int, count: int) -> int:
    """About which of so many tokens a character of a passage belongs to."""
    return character * count // len(passage.searched)


def _found(words: Sequence[str], text: str, language: str) -> Truths:
    """Which words are in a text."""
    own = _words_of(text, language)
    return np.array([word in own for word in words], dtype=np.bool_)


@lru_cache(maxsize=10_000)
def _words_of(text: str, language: str) -> frozenset[str]:
    return frozenset(tokens_of_article(normalise(text, keep_case=True), language))


def _sums_before(rows: NDArray[Any]) -> NDArray[Any]:
    """The sums of the rows before each, and of all."""
    return np.cumsum(np.concatenate([np.zeros_like(rows[:1]), rows]), axis=0)


def _cosines(vectors: Vectors, other: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(other)
    cosines: Vectors = vectors @ other / np.maximum(lengths, 1e-9)
    return cosines
