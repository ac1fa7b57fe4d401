"""All articles of all languages: a message is read, then searched for, one language at a time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType

import numpy as np

from bot.knowledge.acts.acts import NO_ACTS, Acts
from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.products import Names
from bot.knowledge.embedding.cache import Embedded, Vectors
from bot.knowledge.embedding.embedder import Asked, Embedder, Progress
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.sentences import both_ends, message_parts
from bot.knowledge.search.act_part import FoundAct
from bot.knowledge.search.feedback import weighed
from bot.knowledge.search.language_part import Found, JudgedQuery, LanguagePart, Query, Said
from bot.knowledge.search.late_interaction import mean_direction
from bot.knowledge.search.reading import MOST_CHARACTERS, Reader
from bot.knowledge.search.saying import Extract
from bot.knowledge.search.texts import Text, texts_of
from bot.messages import Feedback

_SAYS_MORE = 2.5
"""Nats of words of articles from which on a message that names a product asks on its own."""
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
    """All articles and acts of all languages; immutable, so a reload swaps one for another."""

    def __init__(
        self,
        articles: Sequence[Article],
        embedder: Embedder,
        progress: Progress = lambda _done, _total: None,
        *,
        acts: Acts = NO_ACTS,
        products: Names = MappingProxyType({}),
        feedback: Sequence[Feedback] = (),
        previous: "Index | None" = None,
    ) -> None:
        """
        Args:
            progress: told how many texts are embedded and how many there are.
            acts: what customers do by speaking.
            products: what customers call them, beside their ids.
            feedback: questions that people have judged.
            previous: languages in which nothing has changed since are taken from it.
        """
        self.articles = list(articles)
        self.acts = acts
        self._feedback = tuple(feedback)
        self._embedder = embedder
        self._by_id = {(article.language, article.id): article for article in articles}
        self._ids: dict[str, set[str]] = {}
        for article in articles:
            self._ids.setdefault(article.language, set()).add(article.id)
        by_language = _by_language(articles, acts)
        self._reader: Reader = _reader(
            articles, acts, products, previous._reader if previous else None
        )
        kept = previous._unchanged(self, by_language) if previous else {}
        self._judged_texts: dict[str, list[str]] = {
            language: asked
            for language, asked in (previous._judged_texts if previous else {}).items()
            if language in kept
        }
        new = [language for language in by_language if language not in kept]
        texts = {each: list(texts_of(by_language[each], each)) for each in new}
        said = {each: _said(acts, each, self._reader) for each in new}
        embedded = _embed(texts, said, embedder, progress)

        def part(language: str) -> LanguagePart:
            some = by_language[language]
            if language in kept:
                return kept[language]
            found = embedded.pop(language)
            own = texts[language]
            return LanguagePart(
                language,
                some,
                own,
                found[: len(own)],
                [
                    Said(act, text, each)
                    for (act, text), each in zip(said[language], found[len(own) :], strict=True)
                ],
                self._reader.named,
                partial(self._judged, language, some),
                acts,
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
            and self._reader.products == later._reader.products
            and self.acts.examples.get(language) == later.acts.examples.get(language)
            and (self.acts.found, self.acts.sure) == (later.acts.found, later.acts.sure)
        }

    def _heard(self, language: str) -> list[Feedback]:
        return [each for each in self._feedback if each.language == language]

    def _judged(
        self, language: str, articles: Sequence[Article], questions: int
    ) -> list[JudgedQuery]:
        """What people have said in a language, as it is searched for."""
        judged = weighed(self._heard(language), articles, questions)
        read = [self._reader.read(each.feedback.text, language) for each in judged]
        self._judged_texts[language] = [each.text for each in read]
        found = self._embedder.encode_cached(
            [("query", text) for text in self._judged_texts[language]], shelf="judged"
        )
        return [
            JudgedQuery(Query(asked.text, embedded, language, asked.products), each)
            for asked, embedded, each in zip(read, found, judged, strict=True)
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
        return list(self._ids)

    @property
    def products(self) -> Names:
        """What products are called."""
        return self._reader.products

    def has_more(self, language: str, other: str) -> bool:
        """Whether a language has an article that another one lacks."""
        return not self._ids.get(language, set()) <= self._ids.get(other, set())

    def article(self, language: str, article_id: str) -> Article | None:
        return self._by_id.get((language, article_id))

    def understand(self, text: str, language_hint: str) -> Query:
        """Language, spelling and vectors of a message."""
        language = self._reader.detect(text, language_hint)
        read = self._reader.read(text, language)
        products = read.products
        if len(text) > MOST_CHARACTERS:  # what it is about may be said in the middle
            products |= self._reader.named(normalise(both_ends(text, _MAX_READ)))
        return self._query(read.text, products, language, only_order=read.only_order)

    def corrected(self, topic: str, text: str, language: str) -> tuple[str, str] | None:
        """The question before about the product that a message names, if it says hardly anything
        else, and the id of that product.
        """
        part, found = self._parts.get(language), self._reader.corrected(topic, text)
        if part is None or found is None:
            return None
        question, product, besides = found
        return None if part.told(besides) > _SAYS_MORE else (question, product)

    def alike(self, language: str, article_id: str, product: str) -> Article | None:
        """The article that says of a product what another says of its own, by its id."""
        article = self.article(language, article_id)
        for own in article.products if article else ():
            found = self.article(language, article_id.replace(own, product))
            if found is not None and product in found.products:
                return found
        return None

    def parts_of(self, text: str, whole: Query) -> list[tuple[Query, bool]]:
        """The parts of a message whose words are most those of one article, in their order, and
        whether each says something beside the others.

        Args:
            whole: what was understood of all of it.
        """
        part = self._parts.get(whole.language)
        if part is None:
            return []
        parts = message_parts(both_ends(text, _MAX_READ))
        read = [self._reader.read(each.text, whole.language) for each in parts]
        shares = [part.most_shared(each.text) for each in read]
        telling = sorted(range(len(parts)), key=lambda n: -shares[n])[:_MOST_PARTS]
        found: dict[int, Query] = {}
        tokens = len(whole.embedded.codes)
        most_per_character = tokens / max(len(whole.text), 1)
        for n in telling:
            text, products = read[n].text, read[n].products or whole.products
            if tokens + most_per_character * len(text) <= _MOST_TOKENS:
                found[n] = self._query(text, products, whole.language)
                own = len(found[n].embedded.codes)
                most_per_character = max(most_per_character, own / max(len(text), 1))
                tokens += own
        return [(found[n], parts[n].alone) for n in sorted(found)]

    def _query(
        self,
        spelled: str,
        products: frozenset[str],
        language: str,
        *,
        only_order: bool = False,
    ) -> Query:
        (embedded,) = self._embedder.encode([spelled], "query")
        return Query(spelled, embedded, language, products, only_order)

    def act(self, query: Query) -> FoundAct:
        """What a message does, if it does something by being said."""
        part = self._parts.get(query.language)
        return part.act(query) if part else FoundAct()

    def known(self, query: Query) -> float:
        """Share of a message's words that an article or an act of its language has, 0–1."""
        part = self._parts.get(query.language)
        return part.known(query.text) if part else 0.0

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


def asked_of(articles: Sequence[Article], acts: Acts, products: Names) -> list[Asked]:
    """All that an index of these would ask the embedding model for."""
    reader = _reader(articles, acts, products)
    found: list[Asked] = [("query", each) for some in EVERYDAY.values() for each in some]
    for language, some in _by_language(articles, acts).items():
        found += [(each.role, each.text) for each in texts_of(some, language)]
        found += [("query", text) for _, text in _said(acts, language, reader)]
    return found


def _reader(
    articles: Sequence[Article], acts: Acts, products: Names, previous: Reader | None = None
) -> Reader:
    ids = {each.replace("-", " "): each for article in articles for each in article.products}
    return Reader(_by_language(articles, NO_ACTS), acts, {**products, **ids}, previous)


def _by_language(articles: Sequence[Article], acts: Acts) -> dict[str, list[Article]]:
    found: dict[str, list[Article]] = {}
    for article in articles:
        found.setdefault(article.language, []).append(article)
    return found | {language: [] for language in acts.examples if language not in found}


def _said(acts: Acts, language: str, reader: Reader) -> list[tuple[str, str]]:
    """Act and text of each example of a language, as it is searched for."""
    return [
        (act, reader.read(example, language).text)
        for act, examples in acts.examples.get(language, {}).items()
        for example in examples
    ]


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
    texts: Mapping[str, Sequence[Text]],
    said: Mapping[str, Sequence[tuple[str, str]]],
    embedder: Embedder,
    progress: Progress,
) -> dict[str, list[Embedded]]:
    """What the model makes of the texts of each language, and behind them of what is said in it."""
    asked: dict[str, list[Asked]] = {
        language: [
            *((each.role, each.text) for each in some),
            *(("query", text) for _, text in said[language]),
        ]
        for language, some in texts.items()
    }
    everything = [each for some in asked.values() for each in some]
    found = iter(embedder.encode_cached(everything, progress))
    return {language: [next(found) for _ in some] for language, some in asked.items()}
