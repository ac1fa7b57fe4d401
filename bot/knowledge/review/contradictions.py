"""Statements of different articles that say the same with other numbers, or the opposite.

Two statements are taken to be about the same thing when they share most of their words, rare
words counting more; fewer are enough when each is the nearest to the other in meaning, its
numbers left out. Then one of these makes a contradiction:

- for a unit that both use (days, €, %) they have no number in common,
- one of them is negated, the other is not.

Not compared are statements of one article, of articles about different products, and those in
which different names stand ("M: 160–178 cm", "L: 176–195 cm").

The constants were chosen on the articles of Usher's own shop, where a changed number is noticed
in 215 of 983 places (most facts are stated once) and nothing else is told, and on 407
paragraphs of public texts, about which one thing was.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.knowledge.embedding.cache import Vectors
from bot.knowledge.review.likeness import WordSets, nearest
from bot.knowledge.review.statements import Statement

_NAME = re.compile(r"[\w-]+")

SAME = 0.55
SAME_IF_NEAREST = 0.3
SAME_IF_OPPOSITE = 0.7
"""Shared words among all words of two statements, from which on they are about one thing."""
_MIN_SHARED = {"vi": 6}
_MIN_SHARED_ELSE = 3
"""Words (in Vietnamese syllables) that they share at least: "3 times" stands everywhere."""


@dataclass(frozen=True)
class Contradiction:
    """Two statements that cannot both be right."""

    one: Statement
    other: Statement
    alike: float
    """Share of their words that both have, 0–1."""
    unit: str
    """Of the numbers that differ; empty: one denies what the other says."""


def contradictions(
    stated: Sequence[Statement],
    products: frozenset[str],
    embed: Callable[[Sequence[str]], Vectors],
) -> list[Contradiction]:
    """The contradictions among statements of one language, the most alike first.

    Each statement is in at most one: who mends that sees the next.

    Args:
        products: names of all products, lower case.
        embed: makes vectors of texts.
    """
    found = [*_differing(stated, products, embed), *_opposite(stated, products)]
    found.sort(key=lambda each: -each.alike)
    told: set[int] = set()
    chosen: list[Contradiction] = []
    for each in found:
        pair = {id(each.one), id(each.other)}
        if not pair & told:
            told |= pair
            chosen.append(each)
    return chosen


def _differing(
    stated: Sequence[Statement],
    products: frozenset[str],
    embed: Callable[[Sequence[str]], Vectors],
) -> Iterator[Contradiction]:
    numbered = [each for each in stated if each.quantities]
    if not numbered:
        return
    closest = nearest(
        embed([each.masked for each in numbered]), [id(each.article) for each in numbered]
    )
    for first, second, alike in _alike(numbered, SAME_IF_NEAREST):
        one, other = numbered[first], numbered[second]
        mutual = closest[first] == second and closest[second] == first
        if (mutual or alike >= SAME) and _comparable(one, other, products):
            unit = _differing_unit(one, other)
            if unit is not None:
                yield Contradiction(one, other, alike, unit)


def _opposite(stated: Sequence[Statement], products: frozenset[str]) -> Iterator[Contradiction]:
    for first, second, alike in _alike(stated, SAME_IF_OPPOSITE):
        one, other = stated[first], stated[second]
        if one.negative != other.negative and _comparable(one, other, products):
            yield Contradiction(one, other, alike, "")


def _alike(stated: Sequence[Statement], least: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of statements of different articles that share this much of their words."""
    if not stated:
        return
    language = stated[0].article.language
    sets = WordSets([each.words for each in stated], language)
    for first, second, alike in sets.shared_of_all(
        least, _MIN_SHARED.get(language, _MIN_SHARED_ELSE)
    ):
        if stated[first].article is not stated[second].article:
            yield first, second, alike


def _comparable(one: Statement, other: Statement, products: frozenset[str]) -> bool:
    first, second = _subjects(one, products), _subjects(other, products)
    if first and second and not first & second:
        return False
    names, others = one.names - products, other.names - products
    return not (names - others and others - names)


def _subjects(statement: Statement, products: frozenset[str]) -> frozenset[str]:
    """The products that a statement names, or else those of its article."""
    named = products & frozenset(_NAME.findall(statement.text.lower()))
    return named or frozenset(each.lower() for each in statement.article.products)


def _differing_unit(one: Statement, other: Statement) -> str | None:
    """A unit that both use without a number in common; None: there is none.

    A number without a unit may belong to any.
    """
    first, second = _by_unit(one), _by_unit(other)
    for unit in first:
        if unit in second:
            mine = first[unit] | first.get("", set())
            theirs = second[unit] | second.get("", set())
            if not mine & theirs:
                return unit or "number"
    return None


def _by_unit(statement: Statement) -> dict[str, set[float | str]]:
    found: dict[str, set[float | str]] = defaultdict(set)
    for unit, value in statement.quantities:
        found[unit].add(value)
    return found
