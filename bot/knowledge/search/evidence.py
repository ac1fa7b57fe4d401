"""The articles of one language, and what speaks for each of them as the answer to a question.

Three kinds of evidence: the nearest text of an article, the score of a classifier of all texts,
and the share of the question's words that are in the article. Each can be had as if a text had
never been written, which is how a knowledge base asks itself.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.tokens import Tokeniser
from bot.knowledge.search.calibration import SCALES, Asked, Evidence, calibrate
from bot.knowledge.search.classifier import LeftOut, Matrix, Rows, learn
from bot.knowledge.search.embedding import Vectors
from bot.knowledge.search.feedback import Weighed
from bot.knowledge.search.lexical import LexicalIndex

_MOST_QUESTIONS = 1000
"""Of one kind and language that a knowledge base asks itself; more say little more."""
_MOST_TEXTS = 1000
"""Articles with more texts than this do not ask: their influence on themselves is a matrix."""
_AT_ONCE = 100
_ENOUGH = 24
"""Articles that are told apart from each other. For each that is missing, three everyday questions
stand for what customers ask besides, or a single article would answer everything."""
_EVERYDAY_QUESTIONS = 3
_ABROAD = np.array([2.0, 0.5, 0.6], dtype=np.float32)
"""What class and words are still worth for a question in another language than the articles."""
_PRODUCT_ADVANTAGE = 0.5
"""Added to the order (natural log-odds) of articles about what was bought.

What a message speaks of by its name needs none: vectors and words have it."""


@dataclass(frozen=True)
class Found:
    """An article and the probability that it answers the question."""

    article: Article
    probability: float


@dataclass(frozen=True)
class Query:
    """A message as it is searched for."""

    text: str
    """Normalised but for capitals; no addresses, numbers of orders and phones; with accents."""
    vector: Vectors
    language: str
    products: frozenset[str] = frozenset()
    """That it speaks of."""


@dataclass(frozen=True)
class JudgedQuery:
    """Feedback of one person on one question."""

    query: Query
    weighed: Weighed


@dataclass(frozen=True)
class Text:
    """One text of an article."""

    owner: int
    """Number of the article; behind the last one: everyday questions, which none answers."""
    kind: str
    """`title`, `question`, `passage` or `everyday`."""
    text: str


def texts_of(articles: Sequence[Article]) -> Iterator[Text]:
    """All texts of all articles of a language, article by article."""
    for owner, article in enumerate(articles):
        yield Text(owner, "title", normalise(article.title, keep_case=True))
        for question in article.questions:
            yield Text(owner, "question", normalise(question, keep_case=True))
        for passage in article.passages:
            yield Text(owner, "passage", normalise(passage, keep_case=True))
    missing = max(_ENOUGH - len(articles), 0)
    everyday = EVERYDAY.get(articles[0].language, EVERYDAY["en"])
    for sentence in everyday[: _EVERYDAY_QUESTIONS * missing]:
        yield Text(len(articles), "everyday", normalise(sentence, keep_case=True))


_tokenise = Tokeniser()


def _tokens(text: str, language: str) -> list[str]:
    return _tokenise(text.lower(), language)


@lru_cache(maxsize=100_000)
def _tokens_of_article(text: str, language: str) -> tuple[str, ...]:
    """Kept from one index to the next; each token once, or a hundred MB are full of them."""
    return tuple(map(sys.intern, _tokens(text, language)))


@dataclass(frozen=True)
class _Written:
    """What a part was made of; needed only until it is calibrated."""

    texts: Sequence[Text]
    owners: Rows
    tokens: Sequence[Sequence[str]]
    """Of each text."""
    documents: Sequence[Counter[str]]
    """How often each token is in each article."""


class LanguagePart:
    """The articles of one language, calibrated by their own questions."""

    def __init__(
        self,
        articles: Sequence[Article],
        texts: Sequence[Text],
        vectors: Vectors,
        judge: Callable[[int], Sequence[JudgedQuery]],
    ) -> None:
        """
        Args:
            texts: as `texts_of` gives them.
            vectors: of the texts, (n, dimensions).
            judge: gives what people have judged, when told how many questions the part asks
                itself.
        """
        self.articles = articles
        self.language = articles[0].language
        self._vectors = vectors
        written = self._read(texts)
        count = len(written.documents)
        self._starts = np.searchsorted(written.owners, np.arange(count))
        self._words = LexicalIndex(written.documents)
        kinds = self._own_questions(written)
        rows = np.sort(np.concatenate([*kinds, np.zeros(0, dtype=np.int64)]))
        self._classifier, left_out = learn(vectors, written.owners, count, rows)
        self.calibration = calibrate(
            [self._ask(written, some, left_out.of(np.searchsorted(rows, some))) for some in kinds],
            self._said(judge(len(rows))),
            example_questions=any(article.questions for article in articles),
        )

    @property
    def size(self) -> int:
        return len(self._vectors)

    def search(self, query: Query, products: Sequence[str]) -> list[Found]:
        """The three most promising articles, the best first; together at most 1."""
        tokens = _tokens(query.text, self.language)
        evidence = self._evidence(query.vector[None], [tokens])[0]
        trusted = evidence if query.language == self.language else evidence * _ABROAD
        order = self.calibration.order(trusted)
        bought = set() if query.products else set(products)
        if bought:
            about = [not bought.isdisjoint(article.products) for article in self.articles]
            order[:-1] += _PRODUCT_ADVANTAGE * np.array(about)
        best = np.argsort(-order[:-1], kind="stable")[:3]
        found: list[Found] = []
        left = most = 1.0
        for n in best:  # only the first one is calibrated: the others share what is left
            most = min(self.calibration.probability(evidence, order, n), most, left)
            left -= most
            found.append(Found(self.articles[n], most))
        return found

    def shared(self, query: Query, article: Article) -> float:
        """Share of a message's words, weighed by how rare they are, that an article has, 0–1."""
        scores = self._words.scores(_tokens(query.text, self.language))
        return float(scores[self.articles.index(article)])

    def _evidence(self, vectors: Vectors, tokens: Sequence[Sequence[str]]) -> Evidence:
        nearest = self._nearest(vectors @ self._vectors.T)
        return self._joined(nearest, self._classifier.scores(vectors), self._shares(tokens))

    def _nearest(self, similarities: Matrix) -> Matrix:
        """Of texts (n, texts) → of their articles (n, articles)."""
        nearest: Matrix = np.maximum.reduceat(similarities, self._starts, axis=1)
        return nearest

    def _shares(self, tokens: Sequence[Sequence[str]]) -> Matrix:
        """Share of the words of each question in each article, (n, articles)."""
        return np.stack([self._words.scores(each) for each in tokens])

    def _joined(self, *kinds: Matrix) -> Evidence:
        """(n, articles + 1, 3); the last row is for none of them: everyday questions, or 0."""
        evidence = np.zeros((len(kinds[0]), len(self.articles) + 1, 3), dtype=np.float32)
        for number, each in enumerate(kinds):
            evidence[:, : each.shape[1], number] = each
        return evidence * SCALES

    def _read(self, texts: Sequence[Text]) -> _Written:
        owners = np.array([each.owner for each in texts], dtype=np.int64)
        tokens = [_tokens_of_article(each.text, self.language) for each in texts]
        documents: list[Counter[str]] = [Counter() for _ in range(owners[-1] + 1)]
        for owner, some in zip(owners, tokens, strict=True):
            documents[owner].update(some)
        return _Written(texts, owners, tokens, documents)

    def _own_questions(self, written: _Written) -> list[Rows]:
        """Rows of the texts to ask, by kind: as the writer lets customers ask, and titles.

        Where there are no example questions the passages ask. A title that shares no word
        with its article is a number or a name: nobody would ask so.
        """
        counts = np.bincount(written.owners)
        said: list[int] = []
        titles: list[int] = []
        for row, each in enumerate(written.texts):
            if each.kind == "everyday" or counts[each.owner] > _MOST_TEXTS:
                continue
            if each.kind == "title":
                document = written.documents[each.owner]
                if self._words.score_without(written.tokens[row], document) > 0:
                    titles.append(row)
            elif each.kind == "question" or not self.articles[each.owner].questions:
                said.append(row)
        return [_some(rows) for rows in (said, titles) if rows]

    def _ask(self, written: _Written, rows: Rows, left_out: LeftOut) -> tuple[Asked, Asked]:
        """Questions of one kind: each without its text, then without its article.

        Args:
            left_out: what the classifier says of them, row by row.
        """
        answerable: list[Asked] = []
        unanswerable: list[Asked] = []
        for start in range(0, len(rows), _AT_ONCE):
            places = np.arange(start, min(start + _AT_ONCE, len(rows)))
            some, classes = rows[places], left_out.of(places)
            n, owners, ones = np.arange(len(some)), written.owners[some], np.ones(len(some))
            similarities = self._vectors[some] @ self._vectors.T
            similarities[n, some] = 0
            nearest = self._nearest(similarities)
            tokens = [written.tokens[row] for row in some]
            words = self._shares(tokens)
            nobody = self._joined(nearest, classes.without_article, words)
            nobody[n, owners] = 0
            unanswerable.append(Asked.of(nobody, np.full(len(some), -1), ones))
            words[n, owners] = [
                self._words.score_without(each, written.documents[owner])
                for each, owner in zip(tokens, owners, strict=True)
            ]
            evidence = self._joined(nearest, classes.without_text, words)
            answerable.append(Asked.of(evidence, owners, ones))
        return Asked.joined(answerable), Asked.joined(unanswerable)

    def _said(self, judged: Sequence[JudgedQuery]) -> list[Asked]:
        """Judged questions, but for those that say nothing of what would be answered."""
        places = {article.id: n for n, article in enumerate(self.articles)}
        said: list[Asked] = []
        for start in range(0, len(judged), _AT_ONCE):
            some = judged[start : start + _AT_ONCE]
            tokens = [_tokens(each.query.text, self.language) for each in some]
            evidence = self._evidence(np.stack([each.query.vector for each in some]), tokens)
            first = evidence[:, :-1, 1].argmax(axis=1)
            right = np.full(len(some), -1)
            telling = np.array([each.weighed.weight > 0 for each in some])
            for n, each in enumerate(some):
                feedback = each.weighed.feedback
                if feedback.article is not None and feedback.right:
                    right[n] = places[feedback.article]
                elif feedback.article is not None and places[feedback.article] != first[n]:
                    telling[n] = False
            weights = np.array([each.weighed.weight for each in some])
            said.append(Asked.of(evidence[telling], right[telling], weights[telling]))
        return said


def _some(rows: Sequence[int]) -> Rows:
    """At most as many as are asked, scattered evenly."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_QUESTIONS)).astype(np.int64)
    return np.array(rows, dtype=np.int64)[chosen]
