"""Articles as evidence, searched exactly, one language at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bot.knowledge.articles import Article
from bot.knowledge.calibration import (
    SCALES,
    Asked,
    Calibration,
    Evidence,
    calibrate,
)
from bot.knowledge.classifier import LeftOut, Rows, learn
from bot.knowledge.embedding import MAX_LENGTH, Embedder, Role, Vectors
from bot.knowledge.entities import EntityKind, EntityRecogniser, masked
from bot.knowledge.everyday import EVERYDAY
from bot.knowledge.feedback import Weighed, weighed
from bot.knowledge.language import LanguageDetector
from bot.knowledge.lexical import LexicalIndex
from bot.knowledge.normalising import normalise
from bot.knowledge.tokens import Tokeniser
from bot.knowledge.vietnamese import AccentRestorer
from bot.messages import Feedback

Progress = Callable[[int, int], None]

_MOST_QUESTIONS = 1000
"""Of one kind and language that a knowledge base asks itself; more say little more."""
_MOST_TEXTS = 1000
"""Articles with more texts than this do not ask: their influence on themselves is a matrix."""
_AT_ONCE = 100
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
class _Judged:
    """Feedback of one person on one question."""

    query: Query
    weighed: Weighed


@dataclass(frozen=True)
class _Text:
    """One text of an article."""

    owner: int
    kind: str
    """`title`, `question` or `passage`."""
    text: str


class Index:
    """All articles of all languages; immutable, so a reload swaps one for another."""

    def __init__(
        self,
        articles: Sequence[Article],
        embedder: Embedder,
        progress: Progress = lambda _done, _total: None,
        *,
        feedback: Sequence[Feedback] = (),
        previous: "Index | None" = None,
    ) -> None:
        """
        Args:
            progress: told how many texts are embedded and how many there are.
            feedback: questions that people have judged.
            previous: languages in which nothing has changed since are taken from it.
        """
        self.articles = list(articles)
        self._feedback = tuple(feedback)
        self._embedder = embedder
        self._by_id = {(article.language, article.id): article for article in articles}
        self._restorer = AccentRestorer(
            normalise(text)
            for article in articles
            if article.language == "vi"
            for text in (article.title, *article.questions, article.body)
        )
        self._detector = LanguageDetector(
            (article.language, text)
            for article in articles
            for text in (article.title, *article.questions, article.short_answer)
        )
        self._recogniser = EntityRecogniser(
            {each.replace("-", " "): each for article in articles for each in article.products}
        )
        by_language: dict[str, list[Article]] = {}
        for article in articles:
            by_language.setdefault(article.language, []).append(article)
        self._parts: dict[str, _LanguagePart] = {}
        if previous and previous._feedback == self._feedback:
            self._parts = {
                language: part
                for language, part in previous._parts.items()
                if part.articles == by_language.get(language)
            }
        texts = {
            language: list(_texts_of(some))
            for language, some in by_language.items()
            if language not in self._parts
        }
        vectors = _embed(texts, embedder, progress)
        for language in texts:
            part = _LanguagePart(by_language[language], texts[language], vectors[language])
            part.calibrate(self._judged(part))
            self._parts[language] = part
        self._accents = {
            language: embedder.encode_cached(sentences, "query").mean(axis=0)
            for language, sentences in EVERYDAY.items()
        }

    def _judged(self, part: "_LanguagePart") -> list[_Judged]:
        """What people have said in the language of a part, as it is searched for."""
        judged = [
            each
            for each in weighed(self._feedback, self.articles, part.questions)
            if each.feedback.language == part.language
        ]
        read = [self._read(each.feedback.text, part.language) for each in judged]
        vectors = self._embedder.encode_cached([text for text, _ in read], "query")
        return [
            _Judged(Query(text, vector, part.language, products), each)
            for (text, products), vector, each in zip(
                read, vectors[: len(judged)], judged, strict=True
            )
        ]

    @property
    def size(self) -> int:
        """Vectors in all languages."""
        return sum(part.size for part in self._parts.values())

    @property
    def languages(self) -> Sequence[str]:
        """Languages that articles are written in."""
        return list(self._parts)

    def article(self, language: str, article_id: str) -> Article | None:
        return self._by_id.get((language, article_id))

    def understand(self, text: str, language_hint: str) -> Query:
        """Language, spelling and vector of a message."""
        language = self._detector.detect(text, language_hint)
        spelled, products = self._read(text, language)
        return Query(spelled, self._embedder.encode([spelled], "query")[0], language, products)

    def _read(self, text: str, language: str) -> tuple[str, frozenset[str]]:
        """A text as it is searched for, and the products that it speaks of."""
        text = normalise(text, keep_case=True)[:MAX_LENGTH]
        if len(text.lower()) != len(text):  # of a few letters two become one
            text = text.lower()
        entities = self._recogniser(text.lower())
        products = frozenset(each.value for each in entities if each.kind is EntityKind.PRODUCT)
        spelled = masked(text, entities, language)
        if (
            language == "vi"
            and (restored := self._restorer.restore(spelled.lower())) != spelled.lower()
        ):
            spelled = restored
        return spelled, products

    def search(self, query: Query, language: str, products: Sequence[str] = ()) -> list[Found]:
        """The three most promising articles of a language, the best first."""
        part = self._parts.get(language)
        return part.search(self._in_language(query, language), products) if part else []

    def shared(self, query: Query, article: Article) -> float:
        """Share of a message's words, weighed by how rare they are, that an article has, 0–1."""
        return self._parts[article.language].shared(query, article)

    def bar(self, language: str, precision: float) -> float:
        """The probability from which on articles of a language are right often enough."""
        return self._parts[language].calibration.bar(precision)

    def _in_language(self, query: Query, language: str) -> Query:
        """The question as if it had been asked in another language.

        Vectors keep the accent of their language: a constant that makes some articles near to
        every foreign question. Taking the difference of two languages' everyday sentences off
        brings Vietnamese and Thai questions 3–4 points nearer to English paragraphs (XQuAD).
        """
        if query.language == language:
            return query
        accents = self._accents
        if query.language not in accents or language not in accents:
            return query
        vector = query.vector - (accents[query.language] - accents[language])
        return replace(query, vector=vector / np.linalg.norm(vector))


def _texts_of(articles: Sequence[Article]) -> Iterator[_Text]:
    for owner, article in enumerate(articles):
        yield _Text(owner, "title", normalise(article.title, keep_case=True))
        for question in article.questions:
            yield _Text(owner, "question", normalise(question, keep_case=True))
        for passage in article.passages:
            yield _Text(owner, "passage", normalise(passage, keep_case=True))


def _embed(
    texts: dict[str, list[_Text]], embedder: Embedder, progress: Progress
) -> dict[str, Vectors]:
    """Vectors of all languages' texts: what is asked as a question, what is told as a passage."""
    everything = [(language, each) for language, some in texts.items() for each in some]
    told = np.array([each.kind == "passage" for _, each in everything], dtype=bool)
    vectors: list[Vectors] = [np.zeros(0, dtype=np.float32)] * len(everything)
    done = 0
    roles: Sequence[tuple[Role, Rows]] = (
        ("query", np.flatnonzero(~told)),
        ("passage", np.flatnonzero(told)),
    )
    for role, places in roles:
        before = done

        def tell(some: int, _: int, before: int = before) -> None:
            progress(before + some, len(everything))

        found = embedder.encode_cached([everything[n][1].text for n in places], role, tell)
        for place, vector in zip(places, found, strict=True):
            vectors[place] = vector
        done += len(places)
    start = 0
    by_language: dict[str, Vectors] = {}
    for language, some in texts.items():
        by_language[language] = np.stack(vectors[start : start + len(some)])
        start += len(some)
    return by_language


_tokenise = Tokeniser()


@lru_cache(maxsize=100_000)
def _tokens(text: str, language: str) -> tuple[str, ...]:
    """Tokens of a text; those of articles are kept from one index to the next."""
    return tuple(_tokenise(text.lower(), language))


class _LanguagePart:
    """The articles of one language and three kinds of evidence for them.

    The nearest text of an article, the score of a classifier of all texts, and the share of the
    question's words that are in the article.
    """

    calibration: Calibration

    def __init__(
        self, articles: Sequence[Article], texts: Sequence[_Text], vectors: Vectors
    ) -> None:
        self.articles = articles
        self.language = articles[0].language
        self._texts = texts
        self._vectors = vectors
        self._owners = np.array([each.owner for each in texts], dtype=np.int64)
        self._starts = np.searchsorted(self._owners, np.arange(len(articles)))
        self._documents: list[list[str]] = [[] for _ in articles]
        for each in texts:
            self._documents[each.owner].extend(_tokens(each.text, self.language))
        self._words = LexicalIndex(self._documents)
        self._kinds = self._own_questions()
        rows = np.sort(np.concatenate([*self._kinds, np.zeros(0, dtype=np.int64)]))
        self._classifier, self._left_out = learn(vectors, self._owners, len(articles), rows)
        self._rows = rows

    @property
    def size(self) -> int:
        return len(self._owners)

    @property
    def questions(self) -> int:
        """How many the part asks itself."""
        return len(self._rows)

    def search(self, query: Query, products: Sequence[str]) -> list[Found]:
        evidence = self._evidence(query.vector[None], [_tokens(query.text, self.language)])[0]
        trusted = evidence if query.language == self.language else evidence * _ABROAD
        order = self.calibration.order(trusted)
        bought = set() if query.products else set(products)
        if bought:
            order = order + _PRODUCT_ADVANTAGE * np.array(
                [not bought.isdisjoint(article.products) for article in self.articles]
            )
        best = np.argsort(-order, kind="stable")[:3]
        found: list[Found] = []
        left = most = 1.0
        for n in best:  # only the first one is calibrated: the others share what is left
            most = min(self.calibration.probability(evidence, order, n), most, left)
            left -= most
            found.append(Found(self.articles[n], most))
        return found

    def shared(self, query: Query, article: Article) -> float:
        scores = self._words.scores(_tokens(query.text, self.language))
        return float(scores[self.articles.index(article)])

    def _evidence(self, vectors: Vectors, tokens: Sequence[Sequence[str]]) -> Evidence:
        """(n, dimensions) → (n, articles, 3)."""
        nearest = np.maximum.reduceat(vectors @ self._vectors.T, self._starts, axis=1)
        words = np.stack([self._words.scores(each) for each in tokens])
        return np.stack([nearest, self._classifier.scores(vectors), words], axis=2) * SCALES

    def _own_questions(self) -> list[Rows]:
        """Rows of the texts to ask, by kind: as the writer lets customers ask, and titles.

        Where there are no example questions the passages ask. A title that shares no word
        with its article is a number or a name: nobody would ask so.
        """
        counts = np.bincount(self._owners, minlength=len(self.articles))
        said: list[int] = []
        titles: list[int] = []
        for row, each in enumerate(self._texts):
            if counts[each.owner] > _MOST_TEXTS:
                continue
            if each.kind == "title":
                tokens = _tokens(each.text, self.language)
                if self._words.score_without(tokens, self._documents[each.owner]) > 0:
                    titles.append(row)
            elif each.kind == "question" or not self.articles[each.owner].questions:
                said.append(row)
        return [_some(rows) for rows in (said, titles) if rows]

    def calibrate(self, judged: Sequence[_Judged]) -> None:
        """Ask the own questions, hear what people say, and fit."""
        assert self._left_out is not None
        kinds = [self._ask(rows, self._left_out) for rows in self._kinds]
        said = [self._said(each) for each in judged]
        self.calibration = calibrate(
            kinds,
            [each for each in said if each],
            example_questions=any(article.questions for article in self.articles),
        )
        del self._left_out, self._documents, self._kinds

    def _ask(self, rows: Rows, left_out: LeftOut) -> tuple[Asked, Asked]:
        """Questions of one kind: each without its text, then without its article."""
        answerable: list[Asked] = []
        unanswerable: list[Asked] = []
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            n, owners, ones = np.arange(len(some)), self._owners[some], np.ones(len(some))
            places = np.searchsorted(self._rows, some)
            near = self._vectors[some] @ self._vectors.T
            near[n, some] = 0
            nearest = np.maximum.reduceat(near, self._starts, axis=1)
            tokens = [_tokens(self._texts[row].text, self.language) for row in some]
            words = np.stack([self._words.scores(each) for each in tokens])
            nobody = np.stack([nearest, left_out.without_article[places], words], axis=2)
            nobody[n, owners] = 0
            unanswerable.append(Asked.of(nobody * SCALES, np.full(len(some), -1), ones))
            words[n, owners] = [
                self._words.score_without(each, self._documents[owner])
                for each, owner in zip(tokens, owners, strict=True)
            ]
            evidence = np.stack([nearest, left_out.without_text[places], words], axis=2)
            answerable.append(Asked.of(evidence * SCALES, owners, ones))
        return Asked.joined(answerable), Asked.joined(unanswerable)

    def _said(self, judged: _Judged) -> Asked | None:
        """A judged question as evidence; None if it says nothing of what would be answered."""
        query, feedback = judged.query, judged.weighed.feedback
        evidence = self._evidence(query.vector[None], [_tokens(query.text, self.language)])
        right = -1
        if feedback.article is not None:
            ids = [article.id for article in self.articles]
            if feedback.article not in ids:
                return None
            place = ids.index(feedback.article)
            if feedback.right:
                right = place
            elif evidence[0, :, 1].argmax() != place:
                return None
        return Asked.of(evidence, np.array([right]), np.array([judged.weighed.weight]))


def _some(rows: Sequence[int]) -> Rows:
    """At most as many as are asked, scattered evenly."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_QUESTIONS)).astype(np.int64)
    return np.array(rows, dtype=np.int64)[chosen]
