"""How a message is read before it is searched for: its language, its spelling, what it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bot.knowledge.acts.acts import Acts
from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.products import Names
from bot.knowledge.language.detecting import LanguageDetector
from bot.knowledge.language.entities import Entity, EntityKind, EntityRecogniser, masked
from bot.knowledge.language.finglish import FinglishReader
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.sentences import both_ends
from bot.knowledge.language.vietnamese import AccentRestorer, without_accents
from bot.knowledge.search.follow_ups import PRODUCT, meant_product

MOST_CHARACTERS = 200
"""Of a message that are searched with as a whole, or as one part."""

_FEW_LETTERS = 13
"""As many as "my order number" and "หมายเลขคำสั่งซื้อ" have without their marks."""


@dataclass(frozen=True)
class Read:
    """A text as it is searched for."""

    text: str
    """Normalised but for capitals; no addresses, numbers of orders and phones; with accents."""
    products: frozenset[str]
    """Ids of those that it names."""
    only_order: bool
    """Whether it is the number of an order and hardly anything else."""


class Reader:
    """Reads texts of one set of articles and acts."""

    def __init__(
        self,
        articles: Mapping[str, Sequence[Article]],
        acts: Acts,
        products: Names,
        previous: Self | None = None,
    ) -> None:
        """
        Args:
            articles: of each language.
            products: what customers call them, and their ids.
            previous: what would be the same is taken from it: making it takes a tenth of a second
                and more.
        """
        self._made_of = (articles, acts)

        def same(*languages: str) -> bool:
            before, acts_before = previous._made_of if previous else ({}, Acts())
            return acts == acts_before and all(
                articles.get(each) == before.get(each) for each in languages
            )

        said = {
            language: [text for some in intents.values() for text in some]
            for language, intents in acts.examples.items()
        }
        self._restorer: AccentRestorer = (
            previous._restorer
            if previous and same("vi")
            else _restorer(articles.get("vi", ()), said.get("vi", ()))
        )
        self._finglish: FinglishReader = (
            previous._finglish
            if previous and same("fa", "en")
            else _finglish_reader(
                articles.get("fa", ()), articles.get("en", ()), said.get("fa", ())
            )
        )
        written = (
            (article.language, text)
            for some in articles.values()
            for article in some
            for text in (article.title, *article.questions, article.short_answer)
        )
        typed = ((language, text) for language, some in said.items() for text in some)
        self._detector = LanguageDetector((*written, *typed), self._finglish.probability)
        self.products = products
        self._recogniser = EntityRecogniser(products)

    def detect(self, text: str, hint: str) -> str:
        """The language of a text, see `LanguageDetector`."""
        return self._detector.detect(text, hint)

    def named(self, text: str) -> frozenset[str]:
        """The products that a normalised text speaks of."""
        return _products_among(self._recogniser(text.lower()))

    def corrected(self, topic: str, text: str) -> tuple[str, str, str] | None:
        """The question before about the product that a message names, the id of that product, and
        what the message says besides.
        """
        said, products = self._mentions(text)
        without = said
        for each in reversed(products):
            without = without[: each.start] + PRODUCT + without[each.end :]
        meant = meant_product(without)
        if meant is None:
            return None
        place, besides = meant
        asked, before = self._mentions(topic)
        for each in reversed(before):
            asked = asked[: each.start] + products[place].text + asked[each.end :]
        product = products[place]
        return asked if before else f"{asked} {product.text}", product.value, besides

    def _mentions(self, text: str) -> tuple[str, list[Entity]]:
        """A text, normalised, and the products in it."""
        said = normalise(text)
        found = [each for each in self._recogniser(said) if each.kind is EntityKind.PRODUCT]
        return said, sorted(found, key=lambda each: each.start)

    def read(self, text: str, language: str) -> Read:
        """A text as it is searched for."""
        text = normalise(both_ends(text, MOST_CHARACTERS), keep_case=True)
        text = both_ends(text, MOST_CHARACTERS)  # a ligature may be eighteen letters
        if len(text.lower()) != len(text):  # of a few letters two become one
            text = text.lower()
        entities = self._recogniser(text.lower())
        spelled = masked(text, entities, language)
        if (
            language == "vi"
            and (restored := self._restorer.restore(spelled.lower())) != spelled.lower()
        ):
            spelled = restored
        elif language == "fa":
            spelled = self._finglish.read(spelled)
        return Read(spelled, _products_among(entities), _is_only_order(text, entities))


def _is_only_order(text: str, entities: Sequence[Entity]) -> bool:
    orders = [each for each in entities if each.kind is EntityKind.ORDER]
    letters = sum(map(str.isalpha, text)) - sum(sum(map(str.isalpha, each.text)) for each in orders)
    return bool(orders) and letters <= _FEW_LETTERS


def _products_among(entities: Sequence[Entity]) -> frozenset[str]:
    return frozenset(each.value for each in entities if each.kind is EntityKind.PRODUCT)


def _restorer(articles: Sequence[Article], said: Sequence[str]) -> AccentRestorer:
    written = (text for each in articles for text in (each.title, *each.questions, each.body))
    # An example that is typed without accents would teach words that are none.
    accented = (each for each in said if without_accents(each) != each)
    return AccentRestorer(map(normalise, (*written, *accented)))


def _finglish_reader(
    persian: Sequence[Article], english: Sequence[Article], said: Sequence[str]
) -> FinglishReader:
    return FinglishReader(
        (text for article in persian for text in (article.title, article.body)),
        (*(question for article in persian for question in article.questions), *said),
        (text for article in english for text in (article.title, *article.questions, article.body)),
    )
