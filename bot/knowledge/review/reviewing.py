"""What articles say about each other that their authors should know.

Findings are for a person to judge, so the rules would rather miss something than cry wolf.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.embedding.cache import Role, Vectors
from bot.knowledge.embedding.embedder import Embedder, Progress
from bot.knowledge.language.normalising import normalise
from bot.knowledge.review.contradictions import contradictions
from bot.knowledge.review.examples import ENOUGH, bookish, own_words
from bot.knowledge.review.likeness import WordSets, nearest
from bot.knowledge.review.statements import common_quantities, plain, statements, words_of

_NEAR_DUPLICATE = {"vi": 0.55}
_NEAR_DUPLICATE_ELSE = 0.45
"""Share of the words (in Vietnamese syllables) of the shorter article that the longer one has
too. Nearest articles of Usher's own shop reach 0.42, in Vietnamese 0.50; paragraphs of public
texts 0.42; rewritten copies 0.49 to 0.85."""


class Kind(StrEnum):
    """What a finding is about."""

    CONTRADICTION = "contradiction"
    NEAR_DUPLICATE = "near_duplicate"
    SAME_QUESTION = "same_question"
    TRANSLATIONS_DIFFER = "translations_differ"
    MISSING_TRANSLATION = "missing_translation"
    BOOKISH_EXAMPLES = "bookish_examples"
    FEW_EXAMPLES = "few_examples"


@dataclass(frozen=True)
class Finding:
    """Something that an author should look at."""

    kind: Kind
    articles: tuple[Article, ...]
    """The articles that it is about."""
    detail: str
    """What was found."""
    texts: tuple[str, ...] = ()
    """What each of the articles says, or nothing."""


def review(
    articles: Sequence[Article],
    embedder: Embedder,
    progress: Progress = lambda _done, _total: None,
) -> list[Finding]:
    """Everything that is found, the most serious kind first.

    Args:
        progress: told how many new texts of one language are embedded, and how many there are.
    """
    groups: dict[str, list[Article]] = defaultdict(list)
    for article in articles:
        groups[article.language].append(article)
    products = frozenset(name.lower() for article in articles for name in article.products)
    found: list[Finding] = []
    for group in groups.values():
        found += _contradictions(group, products, embedder, progress)
        found += _near_duplicates(group, embedder, progress)
        found += _same_questions(group)
    found += _differing_translations(articles)
    found += _missing_translations(groups)
    found += _bookish_examples(articles)
    found += _few_examples(articles)
    return sorted(found, key=lambda each: list(Kind).index(each.kind))


def _contradictions(
    articles: Sequence[Article], products: frozenset[str], embedder: Embedder, progress: Progress
) -> Iterator[Finding]:
    def embed(texts: Sequence[str]) -> Vectors:
        return _vectors(embedder, "query", texts, progress)

    stated = [each for article in articles for each in statements(article)]
    for each in contradictions(stated, products, embed):
        yield Finding(
            Kind.CONTRADICTION,
            (each.one.article, each.other.article),
            f"no common number ({each.unit})" if each.unit else "one denies what the other says",
            (each.one.text, each.other.text),
        )


def _vectors(embedder: Embedder, role: Role, texts: Sequence[str], progress: Progress) -> Vectors:
    found = embedder.encode_cached([(role, text) for text in texts], progress)
    return np.stack([each.vector for each in found]) if found else np.zeros((0, 1), np.float32)


def _near_duplicates(
    articles: Sequence[Article], embedder: Embedder, progress: Progress
) -> Iterator[Finding]:
    """Articles with the same text, and pairs of nearest ones that share half of their words."""
    same: dict[str, list[Article]] = defaultdict(list)
    for article in articles:
        same[plain(article.body, article.language)].append(article)
    for copies in same.values():
        if len(copies) > 1:
            yield Finding(Kind.NEAR_DUPLICATE, tuple(copies), "the same text")
    different = [copies[0] for copies in same.values()]
    # The same text as the index embeds, so that its vector is at hand.
    told = [normalise(f"{each.title}\n{each.short_answer}") for each in different]
    closest = nearest(_vectors(embedder, "passage", told, progress), range(len(different)))
    language = articles[0].language
    words = [words_of(f"{each.title}\n{each.body}", language) for each in different]
    least = _NEAR_DUPLICATE.get(language, _NEAR_DUPLICATE_ELSE)
    for first, second, share in WordSets(words, language).shared_of_shorter(least):
        if closest[first] == second and closest[second] == first:
            pair = different[first], different[second]
            titles = tuple(each.title for each in pair)
            yield Finding(
                Kind.NEAR_DUPLICATE, pair, f"{share:.0%} of the shorter one's words", titles
            )


def _same_questions(articles: Sequence[Article]) -> Iterator[Finding]:
    """Titles and example questions that stand in several articles."""
    asked: dict[str, dict[str, tuple[Article, str]]] = defaultdict(dict)
    for article in articles:
        for text in (article.title, *article.questions):
            asked[plain(text, article.language)].setdefault(article.id, (article, text))
    for question, by_id in asked.items():
        if question and len(by_id) > 1:
            owners, texts = zip(*by_id.values(), strict=True)
            yield Finding(Kind.SAME_QUESTION, owners, "the same title or example question", texts)


def _differing_translations(articles: Sequence[Article]) -> Iterator[Finding]:
    """Articles of one id whose numbers of a unit (hours, °C) have nothing in common."""
    by_id: dict[str, list[Article]] = defaultdict(list)
    for article in articles:
        by_id[article.id].append(article)
    for translations in by_id.values():
        if len(translations) < 2:
            continue
        stated = [_stated_by_unit(each) for each in translations]
        for unit in sorted({unit for each in stated for unit in each}):
            having = [number for number, each in enumerate(stated) if unit in each]
            if any(
                not stated[one][unit].keys() & stated[other][unit].keys()
                for one, other in combinations(having, 2)
            ):
                yield Finding(
                    Kind.TRANSLATIONS_DIFFER,
                    tuple(translations[number] for number in having),
                    f"no common number ({unit})",
                    tuple(
                        " … ".join(dict.fromkeys(stated[number][unit].values()))
                        for number in having
                    ),
                )


def _stated_by_unit(article: Article) -> dict[str, dict[float | str, str]]:
    """For each unit that all languages have: its values, and the statement of each."""
    found: dict[str, dict[float | str, str]] = defaultdict(dict)
    for statement in statements(article):
        for unit, value in common_quantities(statement.quantities):
            found[unit].setdefault(value, statement.text)
    return found


def _missing_translations(groups: Mapping[str, Sequence[Article]]) -> Iterator[Finding]:
    every = {article.id: article for group in groups.values() for article in group}
    for language, group in groups.items():
        missing = sorted(set(every) - {article.id for article in group})
        if missing:
            yield Finding(
                Kind.MISSING_TRANSLATION,
                tuple(every[each] for each in missing),
                f"not in {language}",
            )


def _bookish_examples(articles: Sequence[Article]) -> Iterator[Finding]:
    for article in articles:
        if bookish(article):
            own = own_words(article)
            yield Finding(
                Kind.BOOKISH_EXAMPLES,
                (article,),
                f"{len(own)} of {len(article.questions)} example questions are in its own words",
                (own[0],),
            )


def _few_examples(articles: Sequence[Article]) -> Iterator[Finding]:
    """The articles with the fewest first."""
    for article in sorted(articles, key=lambda each: len(each.questions)):
        count = len(article.questions)
        if count < ENOUGH:
            told = "1 example question" if count == 1 else f"{count or 'no'} example questions"
            yield Finding(Kind.FEW_EXAMPLES, (article,), told)
