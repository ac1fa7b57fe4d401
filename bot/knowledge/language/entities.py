"""Products by their names, and order numbers, e-mail addresses and phone numbers by spaCy's rules.

Texts are as `normalise` leaves them, so digits of all scripts are plain ones. Products say which
articles are meant; the others say nothing about that and are personal data besides: they are
masked before a question is embedded.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.knowledge.language.entity_patterns import (
    BETWEEN,
    THAI,
    TOKEN,
    UNITS,
    fold,
    names_an_order,
    patterns,
)
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.spacy_rules import Doc, Matcher, blank


class EntityKind(StrEnum):
    """What was recognised."""

    EMAIL = "email"
    PRODUCT = "product"
    ORDER = "order"
    """The number of an order, a parcel or an invoice."""
    PHONE = "phone"
    NUMBER = "number"
    """Too long to be a price, a size or a year, as of a bank card."""


@dataclass(frozen=True)
class Entity:
    """One thing that was recognised in a text."""

    kind: EntityKind
    text: str
    start: int
    end: int
    """Behind its last character: `text == whole[start:end]`."""
    value: str
    """Address; product id; number in capitals, without spaces; a phone's digits, with its plus."""


_KINDS = {
    "email": EntityKind.EMAIL,
    "product": EntityKind.PRODUCT,
    "order": EntityKind.ORDER,
    "code": EntityKind.ORDER,
    "phone": EntityKind.PHONE,
    "long": EntityKind.NUMBER,
}
"""Kind of each rule; of two that overlap, the earlier one holds."""
_PRECEDENCE = list(_KINDS)
_PART_OF_CODE = re.compile(r"[a-z]{1,6}|\d[\d .-]*|[-_/]")
_FEWEST_DIGITS = 4
_FEWEST_DIGITS_WITH_SIGN = 3
"""Of a number behind `#` or with letters before it, as in "order BR-123"."""
_FEWEST_DIGITS_ALONE = 5
"""Of a number with letters before it and no word that tells what it is: no model of a product."""

_MARK_OF_RULES = re.compile(r"[\d@]")
"""All that the rules look for has one of these."""
_PERSIAN = re.compile("[\u0600-\u06ff]")
_PERSIAN_MINE = ("م", "ت", "ش")
_PERSIAN_ENDINGS = (
    *_PERSIAN_MINE, "ام", "مون", "تون", "شون", "مان", "تان", "شان", "ه", "ی", "ها", "",
)  # fmt: skip
"""My, your, his; it is; the plural. A half-space before them counts as none."""
_PERSIAN_OBJECT = ("", "و")
"""Behind all of them, as it is said."""
_SPACE_BEFORE_STOP = re.compile(r" (?=[?!.,;:؟،](?:\s|$))")
_HYPHENS = frozenset("-_/")
_MAX_WORDS_SEEN = 500_000
"""spaCy's tables grow by some bytes with every word that it forgets: from here on they are new."""
_MOST_PARTS = 8
"""Of a code, to each side of its digits."""
_ORDER_ALONE = re.compile(r"#? ?\d{4,12}")

# What stands for something that is masked, where nothing else says what was meant.
_NOUNS = {
    EntityKind.EMAIL: {"en": "email", "vi": "email", "th": "อีเมล", "fa": "ایمیل"},
    EntityKind.ORDER: {"en": "order", "vi": "đơn hàng", "th": "คำสั่งซื้อ", "fa": "سفارش"},
    EntityKind.PHONE: {
        "en": "phone number", "vi": "số điện thoại", "th": "เบอร์โทรศัพท์", "fa": "شماره تلفن",
    },
    EntityKind.NUMBER: {"en": "number", "vi": "số", "th": "หมายเลข", "fa": "شماره"},
}  # fmt: skip

_Span = tuple[int, int]


class EntityRecogniser:
    """Finds entities in messages; one instance serves any number of threads."""

    def __init__(self, products: Mapping[str, str]) -> None:
        """
        Args:
            products: name → product id, for whatever customers call a product.
        """
        given = {normalise(name): product for name, product in products.items()}
        forms = {form: product for name, product in given.items() for form in _forms(name)}
        names = forms | given  # what the shop says goes before what we make of it
        # Thai is written without spaces: its names are looked for inside of what is one token.
        thai = sorted(filter(THAI.fullmatch, names), key=len, reverse=True)
        self._thai_name = re.compile(f"({'|'.join(thai)})") if thai else None
        self._products = {
            words: product
            for name, product in names.items()
            if (words := tuple(fold(name[start:end]) for start, end in self._spans(name)))
        }
        self._lengths = sorted(set(map(len, self._products)))
        self._rules = _Rules()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> list[Entity]:
        """Entities of a normalised text in their order; none overlaps another."""
        spans = list(self._spans(text))
        words = [fold(text[start:end]) for start, end in spans]
        found: list[tuple[int, Entity]] = []
        for rule, first, last in self._matches(words):
            span: _Span | None = (spans[first][0], spans[last - 1][1])
            if rule in {"order", "code"}:
                span = _code(words, spans, first, last, introduced=rule == "order")
            if span is not None:
                value = self._value(rule, words[first:last], text[slice(*span)])
                entity = Entity(_KINDS[rule], text[slice(*span)], *span, value)
                found.append((_PRECEDENCE.index(rule), entity))
        entities = _without_overlaps(found)
        if _ORDER_ALONE.fullmatch(text) and all(e.kind is EntityKind.NUMBER for e in entities):
            return [Entity(EntityKind.ORDER, text, 0, len(text), text.strip("# "))]
        return entities

    def _spans(self, text: str) -> Iterator[_Span]:
        for token in TOKEN.finditer(text):
            pieces = [token[0]]
            if self._thai_name is not None and THAI.fullmatch(token[0]):
                pieces = self._thai_name.split(token[0])
            start = token.start()
            for piece in filter(None, pieces):
                yield start, start + len(piece)
                start += len(piece)

    def _matches(self, words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Rule, first token and the one behind the last, of everything that is found."""
        for length in self._lengths:
            for first in range(len(words) - length + 1):
                if tuple(words[first : first + length]) in self._products:
                    yield "product", first, first + length
        if any(map(_MARK_OF_RULES.search, words)):
            with self._lock:
                if self._rules.words_seen > _MAX_WORDS_SEEN:
                    self._rules = _Rules()
                ruled = self._rules.matches(words)
            yield from ruled

    def _value(self, rule: str, words: Sequence[str], text: str) -> str:
        if rule == "product":
            return self._products[tuple(words)]
        if rule == "phone":
            digits = re.sub(r"\(0\)|[^\d+]", "", text)
            return re.sub("^00", "+", digits)
        return text if rule == "email" else re.sub(r"[\s#]", "", text).upper()


class _Rules:
    """spaCy's matcher and its vocabulary; for one thread at a time."""

    def __init__(self) -> None:
        self._vocab = blank("xx").vocab
        self._matcher = Matcher(self._vocab)
        for rule, alternatives in patterns().items():
            self._matcher.add(rule, alternatives)

    @property
    def words_seen(self) -> int:
        return len(self._vocab)

    def matches(self, words: Sequence[str]) -> list[tuple[str, int, int]]:
        """Rule, first token and the one behind the last, of everything that is found."""
        with self._vocab.memory_zone():  # forgets what customers wrote, if not that it was much
            doc = Doc(self._vocab, words=list(words))
            return [
                (self._vocab.strings[rule], first, last) for rule, first, last in self._matcher(doc)
            ]


def _forms(name: str) -> list[str]:
    """Other ways to write a product's name."""
    if _PERSIAN.search(name[-1:]):
        forms = [f"{name}{ending}" for ending in _PERSIAN_ENDINGS]
        if name.endswith("ه"):  # is not said before them
            forms += [f"{name[:-1]}{ending}" for ending in _PERSIAN_MINE]
        return [f"{form}{behind}" for form in forms for behind in _PERSIAN_OBJECT]
    if not name.isascii():
        return []
    written = (name, name.replace(" ", "-"), name.replace("-", " "))
    return [*written, *(f"{each}s" for each in written)]


def masked(text: str, entities: Sequence[Entity], language: str) -> str:
    """A text without the addresses and numbers in it.

    Where an order is meant only by its number, the language's word for it takes the place
    ("where is BR-10234" is then as near to "where is my order" as 0.95, else 0.82 or 0.87).
    The same where nothing else was said.
    """
    personal = [each for each in entities if each.kind in _NOUNS]
    gaps = text
    for entity in reversed(personal):
        gaps = f"{gaps[: entity.start]} {gaps[entity.end :]}"
    needs_noun = set() if any(map(str.isalnum, gaps)) else set(EntityKind)
    if not names_an_order(gaps):
        needs_noun.add(EntityKind.ORDER)
    for entity in reversed(personal):
        nouns = _NOUNS[entity.kind]
        noun = nouns.get(language, nouns["en"]) if entity.kind in needs_noun else ""
        text = f"{text[: entity.start]} {noun} {text[entity.end :]}"
    return _SPACE_BEFORE_STOP.sub("", " ".join(text.split())) if personal else text


def _code(
    words: Sequence[str], spans: Sequence[_Span], first: int, last: int, *, introduced: bool
) -> _Span | None:
    """The whole of the number that a match ends with, if it is one of an order."""
    number = last - 1
    left = number - _joined(words, spans, range(number, max(first + introduced, 0), -1), -1)
    right = last + _joined(words, spans, range(number, len(words) - 1), 1)
    digits = sum(map(str.isdigit, words[number]))
    if introduced:
        sign_adjoins = words[left - 1] == "#" and spans[left - 1][1] == spans[left][0]
        signed = left < number or sign_adjoins
        fits = digits >= (_FEWEST_DIGITS_WITH_SIGN if signed else _FEWEST_DIGITS)
        fits = fits and BETWEEN.issuperset(words[first + 1 : left])
    else:
        fits = left < number and digits >= _FEWEST_DIGITS_ALONE
    counts_something = words[right - 1] in UNITS or (right < len(words) and words[right] in UNITS)
    if not fits or counts_something:
        return None
    start = spans[left - 1][0] if introduced and words[left - 1] == "#" else spans[left][0]
    return start, spans[right - 1][1]


def _joined(words: Sequence[str], spans: Sequence[_Span], numbers: Sequence[int], step: int) -> int:
    """How many tokens belong to the same code as the first one, going left or right."""
    count = 0
    for at in numbers[:_MOST_PARTS]:
        one, other = sorted((at, at + step))
        if spans[one][1] != spans[other][0] or not _PART_OF_CODE.fullmatch(words[at + step]):
            break
        count += 1
    while count and words[numbers[0] + count * step] in _HYPHENS:
        count -= 1
    return count


def _without_overlaps(found: Sequence[tuple[int, Entity]]) -> list[Entity]:
    """Of those that overlap the one that takes precedence, then the longest."""
    taken: list[Entity] = []
    used: set[int] = set()
    for _, entity in sorted(found, key=lambda each: (each[0], each[1].start - each[1].end)):
        places = range(entity.start, entity.end)
        if used.isdisjoint(places):
            used.update(places)
            taken.append(entity)
    return sorted(taken, key=lambda entity: entity.start)
