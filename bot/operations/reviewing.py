"""`usher review`: what the articles of a folder say about each other."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.knowledge.articles.articles import Article, Problem
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.review.examples import ENOUGH
from bot.knowledge.review.reviewing import Finding, Kind, review
from bot.operations.evaluating import articles_of
from bot.operations.progress import bar

_SHOWN = 5
"""Articles of one finding that are named; 10,000 may have the same title."""

_TITLES = {
    Kind.CONTRADICTION: (
        "Articles that contradict each other",
        "One of the two is out of date, or they speak of different things: then name them.",
    ),
    Kind.NEAR_DUPLICATE: (
        "Articles that say nearly the same",
        "Merge them, or make titles and questions tell them apart.",
    ),
    Kind.SAME_QUESTION: (
        "Questions that several articles claim to answer",
        "Leave each with the article that answers it.",
    ),
    Kind.TRANSLATIONS_DIFFER: (
        "Translations with other numbers",
        "Numbers of one kind that have nothing in common: one may be wrong.",
    ),
    Kind.MISSING_TRANSLATION: (
        "Missing translations",
        "Customers of that language are offered the answer in another one.",
    ),
    Kind.BOOKISH_EXAMPLES: (
        "Articles with example questions in their own words only",
        "No customer types these, and the article is found by its own words anyway. Add questions "
        "as customers ask them: from real chats, with other words, short, with typos.",
    ),
    Kind.FEW_EXAMPLES: (
        f"Articles with fewer than {ENOUGH} example questions",
        f"Write at least {ENOUGH}, in customers' words; 15 or more are worth most.",
    ),
}


def examine(
    knowledge: Path, embedder: Embedder, quiet: bool
) -> tuple[list[Article], list[Problem], list[Finding]]:
    """The articles of a folder, what cannot be read, and what was found.

    Raises:
        InvalidInput: there is no article.
    """
    articles, problems = articles_of(knowledge)
    with nullcontext(lambda _done, _total: None) if quiet else bar("Comparing the articles") as by:
        return articles, problems, review(articles, embedder, by)


def as_json(
    articles: Sequence[Article], problems: Sequence[Problem], findings: Sequence[Finding]
) -> dict[str, Any]:
    """For programs."""
    return {
        "articles": len(articles),
        "problems": [str(problem) for problem in problems],
        "findings": [
            {
                "kind": each.kind,
                "detail": each.detail,
                "articles": [
                    {"article": article.id, "language": article.language}
                    for article in each.articles
                ],
                "texts": list(each.texts),
            }
            for each in findings
        ],
    }


def show(articles: Sequence[Article], findings: Sequence[Finding], out: Console) -> None:
    """A table for each kind of finding."""
    for kind, (title, advice) in _TITLES.items():
        found = [each for each in findings if each.kind is kind]
        if not found:
            continue
        table = Table("articles", "they say", "found", title=f"{title} ({len(found)})", expand=True)
        for each in found:
            several = len(each.articles) > 1
            table.add_row(_names(each), _texts(each), escape(each.detail), end_section=several)
        out.print(table)
        out.print(advice, end="\n\n")
    out.print(f"{len(articles)} articles, {len(findings)} findings.", highlight=False)


def _names(finding: Finding) -> str:
    names = [f"{article.language}/{article.id}" for article in finding.articles[:_SHOWN]]
    more = len(finding.articles) - len(names)
    return "\n".join([*names, *([f"and {more} more"] if more else [])])


def _texts(finding: Finding) -> str:
    pairs = zip(finding.articles[:_SHOWN], finding.texts, strict=False)
    return escape("\n".join(f"{article.language}: {text}" for article, text in pairs))
