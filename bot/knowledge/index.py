"""Articles as vectors and character n-grams, searched exactly, one language at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.knowledge.articles import Article
from bot.knowledge.embedding import Embedder, Vectors
from bot.knowledge.language import LanguageDetector
from bot.knowledge.normalising import normalise
from bot.knowledge.vietnamese import AccentRestorer, without_accents

Progress = Callable[[int, int], None]
Scores = NDArray[np.float32]

RIDGE = 0.5
PRODUCT_ADVANTAGE = 0.5
"""Added to the rank score (in standard deviations) of articles about what was bought."""


@dataclass(frozen=True)
class Scored:
    """An article and the evidence that it answers the question."""

    article: Article
    similarity: float
    """Cosine of the question and the nearest text of the article."""
    overlap: float
    """Cosine of the character n-grams of the question and the whole article, 0–1."""
    rank_score: float
    """What articles are ordered by; only differences within one search mean anything."""


@dataclass(frozen=True)
class Query:
    """A message as it is searched for."""

    text: str
    """Normalised, with accents put back."""
    vector: Vectors
    language: str


class Index:
    """All articles of all languages; immutable, so a reload swaps one for another."""

    def __init__(
        self,
        articles: Sequence[Article],
        embedder: Embedder,
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        self.articles = list(articles)
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
        languages = dict.fromkeys(article.language for article in articles)
        texts = {
            language: _Texts([a for a in articles if a.language == language])
            for language in languages
        }
        # Two calls for everything, so that there is one progress bar for each.
        asked = [text for each in texts.values() for text in each.asked]
        told = [text for each in texts.values() for text in each.told]
        total = len(asked) + len(told)
        vectors = iter(
            (
                *embedder.encode_cached(asked, "query", lambda done, _: progress(done, total)),
                *embedder.encode_cached(
                    told, "passage", lambda done, _: progress(len(asked) + done, total)
                ),
            )
        )
        asked_vectors = {key: [next(vectors) for _ in each.asked] for key, each in texts.items()}
        told_vectors = {key: [next(vectors) for _ in each.told] for key, each in texts.items()}
        self._parts = {
            language: _LanguagePart(
                texts[language], asked_vectors[language], told_vectors[language]
            )
            for language in languages
        }

    @property
    def size(self) -> int:
        """Vectors in all languages."""
        return sum(part.size for part in self._parts.values())

    def article(self, language: str, article_id: str) -> Article | None:
        return self._by_id.get((language, article_id))

    def understand(self, text: str, language_hint: str) -> Query:
        """Language, spelling and vector of a message."""
        language = self._detector.detect(text, language_hint)
        text = normalise(text)
        if language == "vi":
            text = self._restorer.restore(text)
        return Query(text, self._embedder.encode([text], "query")[0], language)

    def search(self, query: Query, products: Sequence[str] = ()) -> list[Scored]:
        """Articles by falling rank score: the query's language, or another if it has none."""
        if not self._parts:
            return []
        part = self._parts.get(query.language)
        if part is None:
            part = max(self._parts.values(), key=lambda each: each.nearest(query))
        return part.search(query, products)


class _Texts:
    """What of a language's articles is embedded."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self.articles = articles
        # Titles and example questions are asked, so they are compared as questions are;
        # answers are compared as passages.
        asked = [(n, text) for n, a in enumerate(articles) for text in (a.title, *a.questions)]
        told = [
            (n, text)
            for n, a in enumerate(articles)
            for text in (f"{a.title}\n{a.short_answer}", *a.passages)
        ]
        self.owners = np.array([n for n, _ in (*asked, *told)], dtype=np.int64)
        self.asked = [normalise(text) for _, text in asked]
        self.told = [normalise(text) for _, text in told]


class _LanguagePart:
    """The articles of one language, ranked by three kinds of evidence.

    The nearest text of an article, the character n-grams of the whole article, and a linear
    classifier of all its texts (ridge regression, solved in closed form).
    """

    def __init__(self, texts: _Texts, asked: list[Vectors], told: list[Vectors]) -> None:
        self._articles = texts.articles
        self._owners = texts.owners
        self._vectors = np.vstack([*asked, *told])
        self._ngrams = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32
        )
        whole: list[list[str]] = [[] for _ in texts.articles]
        for owner, text in zip(self._owners, (*texts.asked, *texts.told), strict=True):
            whole[owner].append(without_accents(text))
        self._ngram_rows = self._ngrams.fit_transform([" ".join(each) for each in whole])
        self._centre = self._vectors.mean(axis=0)
        centred = self._vectors - self._centre
        wanted = np.eye(len(texts.articles), dtype=np.float32)[self._owners]
        ridge = centred.T @ centred + RIDGE * np.eye(centred.shape[1], dtype=np.float32)
        self._weights = np.linalg.solve(ridge, centred.T @ (wanted - wanted.mean(axis=0)))

    @property
    def size(self) -> int:
        return len(self._owners)

    def nearest(self, query: Query) -> float:
        return float((self._vectors @ query.vector).max())

    def search(self, query: Query, products: Sequence[str]) -> list[Scored]:
        similarity = np.full(len(self._articles), -1.0, dtype=np.float32)
        np.maximum.at(similarity, self._owners, self._vectors @ query.vector)
        ngrams = self._ngrams.transform([without_accents(query.text)])
        overlap = (self._ngram_rows @ ngrams.T).toarray()[:, 0]
        classified = (query.vector - self._centre) @ self._weights
        rank = _standard(similarity) + 0.5 * _standard(overlap) + 0.5 * _standard(classified)
        bought = set(products)
        rank += PRODUCT_ADVANTAGE * np.array(
            [not bought.isdisjoint(article.products) for article in self._articles]
        )
        return [
            Scored(self._articles[n], float(similarity[n]), float(overlap[n]), float(rank[n]))
            for n in np.argsort(-rank, kind="stable")
        ]


def _standard(scores: Scores) -> Scores:
    standard: Scores = (scores - scores.mean()) / (scores.std() + 1e-6)
    return standard
