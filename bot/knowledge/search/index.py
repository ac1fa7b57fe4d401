"""All articles of all languages: a message is read, then searched for, one language at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.language.detecting import LanguageDetector
from bot.knowledge.language.entities import EntityKind, EntityRecogniser, masked
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.vietnamese import AccentRestorer
from bot.knowledge.search.classifier import Rows
from bot.knowledge.search.embedding import MAX_LENGTH, Embedder, Role, Vectors
from bot.knowledge.search.evidence import Found, JudgedQuery, LanguagePart, Query, Text, texts_of
from bot.knowledge.search.feedback import weighed
from bot.messages import Feedback

Progress = Callable[[int, int], None]


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
        self._products = {
            each.replace("-", " "): each for article in articles for each in article.products
        }
        self._recogniser = EntityRecogniser(self._products)
        by_language: dict[str, list[Article]] = {}
        for article in articles:
            by_language.setdefault(article.language, []).append(article)
        kept = previous._unchanged(self, by_language) if previous else {}
        self._judged_texts: dict[str, list[str]] = {
            language: asked
            for language, asked in (previous._judged_texts if previous else {}).items()
            if language in kept
        }
        texts = {
            language: list(texts_of(some))
            for language, some in by_language.items()
            if language not in kept
        }
        vectors = _embed(texts, embedder, progress)
        self._parts = {
            language: kept.get(language)
            or LanguagePart(
                some, texts[language], vectors[language], partial(self._judged, language, some)
            )
            for language, some in by_language.items()
        }
        self._accents = {
            language: embedder.encode_cached(sentences, "query").mean(axis=0)
            for language, sentences in EVERYDAY.items()
        }

    def _unchanged(
        self, later: "Index", articles: Mapping[str, Sequence[Article]]
    ) -> dict[str, LanguagePart]:
        """The parts that would be the same in a later index."""
        return {
            language: part
            for language, part in self._parts.items()
            if part.articles == articles.get(language)
            and self._heard(language) == later._heard(language)
            and (self._products == later._products or not self._heard(language))
        }

    def _heard(self, language: str) -> list[Feedback]:
        return [each for each in self._feedback if each.language == language]

    def _judged(
        self, language: str, articles: Sequence[Article], questions: int
    ) -> list[JudgedQuery]:
        """What people have said in a language, as it is searched for."""
        judged = weighed(self._heard(language), articles, questions)
        read = [self._read(each.feedback.text, language) for each in judged]
        self._judged_texts[language] = [text for text, _ in read]
        vectors = self._embedder.encode_cached(
            self._judged_texts[language], "query", shelf="judged"
        )
        return [
            JudgedQuery(Query(text, vector, language, products), each)
            for (text, products), vector, each in zip(read, vectors, judged, strict=True)
        ]

    @property
    def judged_texts(self) -> list[str]:
        """What people have judged, as it was embedded."""
        return [text for texts in self._judged_texts.values() for text in texts]

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


def _embed(
    texts: dict[str, list[Text]], embedder: Embedder, progress: Progress
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
