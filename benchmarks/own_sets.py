"""Sets of the shop's own that ask for more than the right article.

- `kinds/`: needs, each typed in seven to nine ways; how much a way of typing costs.
- `products/`: questions that name one product and that articles about others could answer.
- `says-*`: paragraphs of reading sets as long articles (`datasets.py`); what is said of them.
"""

import csv
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.knowledge.articles.articles import Article
from bot.knowledge.evaluation.figures import Judged

PLAIN = "plain"
"""The kind of typing that the others are compared with."""

Labels = Mapping[tuple[str, str], str]
"""A column of a set, by language and text."""


def labels(folder: Path, column: str) -> Labels:
    """What the files of a set (`en.csv`) say in a column of their own."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                found[file.stem, row["text"].strip()] = row[column].strip()
    return found


def kinds_of_typing(judged: Sequence[Judged], kinds: Labels) -> dict[str, Any]:
    """Right first by language and kind, and the most that one is behind the plain kind."""
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for each in judged:
        right[each.language][kinds[each.language, each.question.text]].append(each.right)
    top1 = {
        language: {kind: round(statistics.fmean(some), 4) for kind, some in by_kind.items()}
        for language, by_kind in sorted(right.items())
    }
    behind = max(by_kind[PLAIN] - min(by_kind.values()) for by_kind in top1.values())
    return {"top1_by_kind": top1, "most_behind_plain": round(behind, 4)}


def write_without_articles(texts: Labels, folder: Path) -> Path:
    """Questions as `usher evaluate` reads them; which article is right is not known."""
    for language in {language for language, _ in texts}:
        with (folder / f"{language}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("text", "article"))
            writer.writerows((text, "") for each, text in texts if each == language)
    return folder


def wrong_products(
    judged: Sequence[Judged], asked: Labels, articles: Sequence[Article]
) -> dict[str, Any]:
    """How often an article about other products only came first, and was answered."""
    about: dict[str, set[str]] = defaultdict(set)
    for article in articles:
        about[article.id].update(article.products)
    wrong = [
        each
        for each in judged
        if each.articles
        and about[each.articles[0]]
        and asked[each.language, each.question.text] not in about[each.articles[0]]
    ]
    return {
        "questions": len(judged),
        "answered": sum(each.answered for each in judged),
        "wrong_product_first": len(wrong),
        "wrong_product_answered": sum(each.answered for each in wrong),
    }


def replies(judged: Sequence[Judged], articles: Sequence[Article]) -> dict[str, Any]:
    """How long replies are in characters, and how often first paragraphs alone would do."""
    short_answers = {article.id: article.short_answer for article in articles}
    first_paragraphs = [
        replace(each, text=short_answers[each.articles[0]] if each.articles else "")
        for each in judged
    ]
    lengths = [len(each.text) for each in judged]
    return {
        "first_paragraph_says": round(statistics.fmean(each.says for each in first_paragraphs), 4),
        "median_length": statistics.median(lengths),
        "longest": max(lengths),
    }
