"""All articles of all languages: a message is read, then searched for, one language at a time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.products import Names
from bot.knowledge.embedding.cache import Embedded, Vectors
from bot.knowledge.embedding.embedder import Asked, Embedder, Progress
from bot.knowledge.language.detecting import LanguageDetector
from bot.knowledge.language.entities import Entity, EntityKind, EntityRecogniser, masked
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.finglish import FinglishReader
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.sentences import both_ends, message_parts
from bot.knowledge.language.vietnamese import AccentRestorer
from bot.knowledge.search.feedback import weighed
from bot.knowledge.search.language_part import Found, JudgedQuery, LanguagePart, Query
from bot.knowledge.search.late_interaction import mean_direction
from bot.knowledge.search.saying import Extract
from bot.knowledge.search.texts import Text, texts_of
from bot.messages import Feedback

_MAX_CHARACTERS = 200
"""Of a message that are searched with as a whole, or as one part."""
_MAX_READ = 2000
"""Of a message of which the parts are read. Who writes more says it at either end."""
_MOST_AT_ONCE = 2
"""Languages that are learned at a time: each may take 256 MB meanwhile."""
_MOST_PARTS = 6
_MOST_TOKENS = 150
"""Of a message and its parts together, as far as the tokens of what was read let expect: what a
match costs grows with them. The more of them the whole takes, the less is left for the parts, which
find a question in a story."""


class Index:
    """All articles of all languages; immutable, so a reload swaps one for another."""

    def __init__(
        self,
        articles: Sequence[Article],
        embedder: Embedder,
        progress: Progress = lambda _done, _total: None,
        *,
        products: Names = MappingProxyType({}),
        feedback: Sequence[Feedback] = (),
        previous: "Index | None" = None,
    ) -> None:
        """
        Args:
            progress: told how many texts are embedded and how many there are.
            products: what customers call them, beside their ids.
            feedback: questions that people have judged.
            previous: languages in which nothing has changed since are taken from it.
        """
        self.articles = list(articles)
        self._feedback = tuple(feedback)
        self._embedder = embedder
        self._by_id = {(article.language, article.id): article for article in articles}
        self._ids: dict[str, set[str]] = {}
        for article in articles:
            self._ids.setdefault(article.language, set()).add(article.id)
        by_language = _by_language(articles)
        before = _by_language(previous.articles) if previous else {}

        def same(*languages: str) -> bool:
            return all(by_language.get(each) == before.get(each) for each in languages)

        # What would be the same is not made again: it takes a tenth of a second and more.
        self._restorer: AccentRestorer = (
            previous._restorer if previous and same("vi") else _restorer(by_language.get("vi", ()))
        )
        self._finglish: FinglishReader = (
            previous._finglish
            if previous and same("fa", "en")
            else _finglish_reader(by_language.get("fa", ()), by_language.get("en", ()))
        )
        self._detector = LanguageDetector(
            (
                (article.language, text)
                for article in articles
                for text in (article.title, *article.questions, article.short_answer)
            ),
            self._finglish.probability,
        )
        ids = {each.replace("-", " "): each for article in articles for each in article.products}
        self._products: Names = {**products, **ids}
        self._recogniser = EntityRecogniser(self._products)
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
        embedded = _embed(texts, embedder, progress)

        def part(language: str) -> LanguagePart:
            some = by_language[language]
            return kept.get(language) or LanguagePart(
                some,
                texts[language],
                embedded.pop(language),
                self._named,
                partial(self._judged, language, some),
                previous._parts.get(language) if previous else None,
            )

        # Two languages side by side at a start; later the cores belong to customers.
        at_once = 1 if previous else _MOST_AT_ONCE
        with ThreadPoolExecutor(at_once, thread_name_prefix="index") as pool:
            parts = pool.map(part, by_language)
            self._parts: dict[str, LanguagePart] = dict(zip(by_language, parts, strict=True))
        self._accents: dict[str, Vectors] = previous._accents if previous else _accents(embedder)

    def _unchanged(
        self, later: "Index", articles: Mapping[str, Sequence[Article]]
    ) -> dict[str, LanguagePart]:
        """The parts that would be the same in a later index."""
        return {
            language: part
            for language, part in self._parts.items()
            if part.articles == articles.get(language)
            and self._heard(language) == later._heard(language)
            and self._products == later._products
        }

    def _named(self, text: str) -> frozenset[str]:
        """The products that a normalised text speaks of."""
        return _products_among(self._recogniser(text.lower()))

    def _heard(self, language: str) -> list[Feedback]:
        return [each for each in self._feedback if each.language == language]

    def _judged(
        self, language: str, articles: Sequence[Article], questions: int
    ) -> list[JudgedQuery]:
        """What people have said in a language, as it is searched for."""
        judged = weighed(self._heard(language), articles, questions)
        read = [self._read(each.feedback.text, language) for each in judged]
        self._judged_texts[language] = [text for text, _ in read]
        found = self._embedder.encode_cached(
            [("query", text) for text in self._judged_texts[language]], shelf="judged"
        )
        return [
            JudgedQuery(Query(text, embedded, language, products), each)
            for (text, products), embedded, each in zip(read, found, judged, strict=True)
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

    def has_more(self, language: str, other: str) -> bool:
        """Whether a language has an article that another one lacks."""
        return not self._ids[language] <= self._ids.get(other, set())

    def article(self, language: str, article_id: str) -> Article | None:
        return self._by_id.get((language, article_id))

    def understand(self, text: str, language_hint: str) -> Query:
        """Language, spelling and vectors of a message."""
        language = self._detector.detect(text, language_hint)
        spelled, products = self._read(text, language)
        if len(text) > _MAX_CHARACTERS:  # what it is about may be said in the middle
            products |= self._named(normalise(both_ends(text, _MAX_READ)))
        return self._query(spelled, products, language)

    def parts_of(self, text: str, whole: Query) -> list[Query]:
        """The parts of a message whose words are most those of one article.

        Args:
            whole: what was understood of all of it.
        """
        part = self._parts.get(whole.language)
        if part is None:
            return []
        read = [
            self._read(each, whole.language) for each in message_parts(both_ends(text, _MAX_READ))
        ]
        telling = sorted(read, key=lambda each: -part.most_shared(each[0]))[:_MOST_PARTS]
        found: list[Query] = []
        tokens = len(whole.embedded.codes)
        most_per_character = tokens / max(len(whole.text), 1)
        for spelled, products in telling:
            if tokens + most_per_character * len(spelled) <= _MOST_TOKENS:
                query = self._query(spelled, products or whole.products, whole.language)
                own = len(query.embedded.codes)
                most_per_character = max(most_per_character, own / max(len(spelled), 1))
                tokens += own
                found.append(query)
        return found

    def _query(self, spelled: str, products: frozenset[str], language: str) -> Query:
        (embedded,) = self._embedder.encode([spelled], "query")
        return Query(spelled, embedded, language, products)

    def _read(self, text: str, language: str) -> tuple[str, frozenset[str]]:
        """A text as it is searched for, and the products that it speaks of."""
        text = normalise(both_ends(text, _MAX_CHARACTERS), keep_case=True)
        text = both_ends(text, _MAX_CHARACTERS)  # a ligature may be eighteen letters
        if len(text.lower()) != len(text):  # of a few letters two become one
            text = text.lower()
        entities = self._recogniser(text.lower())
        products = _products_among(entities)
        spelled = masked(text, entities, language)
        if (
            language == "vi"
            and (restored := self._restorer.restore(spelled.lower())) != spelled.lower()
        ):
            spelled = restored
        elif language == "fa":
            spelled = self._finglish.read(spelled)
        return spelled, products

    def search(self, query: Query, language: str, products: Sequence[str] = ()) -> list[Found]:
        """The three most promising articles of a language, the best first."""
        part = self._parts.get(language)
        shift = self._shift(query.language, language)
        return part.search(query, products, shift) if part else []

    def shared(self, query: Query, article: Article) -> float:
        """Share of a message's words, weighed by how rare they are, that an article has, 0–1."""
        return self._parts[article.language].shared(query, article)

    def most_shared(self, query: Query, languages: Sequence[str]) -> float:
        """The largest such share of any article in these languages, 0–1."""
        return max((self._parts[each].most_shared(query.text) for each in languages), default=0.0)

    def extract(self, query: Query, article: Article) -> Extract:
        """What of an article answers a question."""
        return self._parts[article.language].extract(query, article)

    def bar(self, language: str, precision: float) -> float:
        """The probability from which on articles of a language are right often enough."""
        return self._parts[language].calibration.bar(precision)

    def _shift(self, asked_in: str, written_in: str) -> Vectors | float:
        """What a question's vector lacks to be one of another language.

        Vectors keep the accent of their language: a constant that makes some articles near to
        every foreign question. Taking the difference of two languages' everyday sentences off
        raises the class of the right English paragraph (XQuAD, right first: Vietnamese questions
        0.68 → 0.75, Thai ones 0.72 → 0.73).
        """
        accents = self._accents
        if asked_in == written_in or not {asked_in, written_in} <= accents.keys():
            return 0.0
        return accents[written_in] - accents[asked_in]


def _products_among(entities: Sequence[Entity]) -> frozenset[str]:
    return frozenset(each.value for each in entities if each.kind is EntityKind.PRODUCT)


def asked_of(articles: Sequence[Article]) -> list[Asked]:
    """All that an index of these articles asks the embedding model for."""
    written = [text for some in _by_language(articles).values() for text in texts_of(some)]
    everyday = [each for sentences in EVERYDAY.values() for each in sentences]
    return [*((each.role, each.text) for each in written), *(("query", each) for each in everyday)]


def _by_language(articles: Sequence[Article]) -> dict[str, list[Article]]:
    found: dict[str, list[Article]] = {}
    for article in articles:
        found.setdefault(article.language, []).append(article)
    return found


def _restorer(vietnamese: Sequence[Article]) -> AccentRestorer:
    return AccentRestorer(
        normalise(text)
        for article in vietnamese
        for text in (article.title, *article.questions, article.body)
    )


def _finglish_reader(persian: Sequence[Article], english: Sequence[Article]) -> FinglishReader:
    return FinglishReader(
        (text for article in persian for text in (article.title, article.body)),
        (question for article in persian for question in article.questions),
        (text for article in english for text in (article.title, *article.questions, article.body)),
    )


def _accents(embedder: Embedder) -> dict[str, Vectors]:
    """The mean of everyday sentences of each language."""
    return {
        language: np.mean(
            [
                mean_direction(each.codes)
                for each in embedder.encode_cached([("query", each) for each in sentences])
            ],
            axis=0,
        )
        for language, sentences in EVERYDAY.items()
    }


def _embed(
    texts: Mapping[str, Sequence[Text]], embedder: Embedder, progress: Progress
) -> dict[str, list[Embedded]]:
    """What the model makes of the texts of each language."""
    everything = [(each.role, each.text) for some in texts.values() for each in some]
    found = iter(embedder.encode_cached(everything, progress))
    return {language: [next(found) for _ in some] for language, some in texts.items()}
