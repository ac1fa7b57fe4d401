"""`usher evaluate`: whether Usher fits a knowledge base, on questions that people wrote."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from bot.errors import InvalidInput
from bot.knowledge.acts.acts import NO_ACTS, Acts
from bot.knowledge.articles.articles import Article, Problem, read_articles
from bot.knowledge.articles.products import Names, read_products
from bot.knowledge.embedding.embedder import Embedder, Progress
from bot.knowledge.evaluation import measures
from bot.knowledge.evaluation.figures import (
    ALL,
    Judged,
    as_arrays,
    by_language,
    figures,
    judge,
    worst_misses,
)
from bot.knowledge.evaluation.question_sets import read_questions
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.operations.progress import bar, console
from bot.settings import ROOT

OWN_QUESTIONS = ROOT / "benchmarks" / "strangers"
"""Questions to Usher's own shop, written without sight of its articles."""

_ID = re.compile(r"(?m)^id:[ \t]*[\"']?([\w-]+)")


@dataclass(frozen=True)
class Evaluation:
    """What one run has found."""

    knowledge: Path
    precision: float
    """Asked for."""
    articles: int
    """Served."""
    broken: int
    """Articles that could not be read."""
    lost: int
    """Questions whose right article is a broken one."""
    groups: Mapping[str, Sequence[Judged]]
    """Under `all` every question, then those of each language."""


def evaluate(
    embedder: Embedder,
    knowledge: Path,
    questions: Sequence[Path],
    precision: float,
    offer_precision: float,
    default_language: str,
    acts: Acts = NO_ACTS,
    quiet: bool = False,
) -> Evaluation:
    """Index the articles and ask every question.

    Args:
        questions: files or folders; none: those of Usher's own shop, if it is that.
        acts: what customers do by speaking competes with what they ask.
        default_language: the hint for questions without a language, if there are articles in it.
        quiet: without progress bars.

    Raises:
        InvalidInput: names what of the articles or questions cannot be used.
    """
    articles, problems = articles_of(knowledge)
    served = {article.id for article in articles}
    languages = [article.language for article in articles]
    asked = read_questions(
        questions or _own_questions(knowledge), served | _ids(problems), set(languages)
    )
    # Never the language of the article that is looked for: that would give the answer away.
    hint = (
        default_language
        if default_language in languages
        else max(sorted(set(languages)), key=languages.count)
    )
    with _bar("Indexing the articles", quiet) as progress:
        index = Index(articles, embedder, progress, acts=acts, products=products_of(knowledge))
    with _bar("Asking the questions", quiet) as progress:
        judged = judge(Matcher(embedder, index, precision, offer_precision), asked, hint, progress)
    return Evaluation(
        knowledge=knowledge,
        precision=precision,
        articles=len(articles),
        broken=len(problems),
        lost=sum(bool(each.article) and each.article not in served for each in asked),
        groups=by_language(judged),
    )


def articles_of(knowledge: Path) -> tuple[list[Article], list[Problem]]:
    """The articles of a folder; what cannot be read is told on the error stream.

    Raises:
        InvalidInput: there is no article.
    """
    try:
        articles, problems = read_articles(knowledge)
    except FileNotFoundError as error:
        raise InvalidInput(f"{error} Name the folder of your articles with --knowledge.") from error
    for problem in problems:
        console.print(f"[red]Not served:[/red] {escape(str(problem))}", highlight=False)
    if not articles:
        raise InvalidInput(f"There is no article that can be read in {knowledge}.")
    return articles, problems


def products_of(knowledge: Path) -> Names:
    """What customers call the products; what cannot be read is told on the error stream."""
    found = read_products(knowledge)
    if isinstance(found, Problem):
        console.print(f"[red]Not served:[/red] {escape(str(found))}", highlight=False)
        return {}
    return found


def _own_questions(knowledge: Path) -> list[Path]:
    if knowledge.resolve() != ROOT / "knowledge_base":
        raise InvalidInput(
            "Give the questions with --questions FILE.csv: columns text,article and perhaps "
            "language and says; an empty article where none answers the question. Without it, only "
            "Usher's own shop can be evaluated."
        )
    return [OWN_QUESTIONS]


def _ids(problems: Sequence[Problem]) -> set[str]:
    """Ids of broken articles: customers ask for them all the same, so these count as misses."""
    found = {problem.file.stem for problem in problems}
    for problem in problems:
        with problem.file.open("rb") as file:
            found.update(_ID.findall(file.read(4000).decode("utf-8", errors="replace")))
    return found


def _bar(what: str, quiet: bool) -> AbstractContextManager[Progress]:
    return nullcontext(lambda _done, _total: None) if quiet else bar(what)


def as_json(evaluation: Evaluation, misses: int) -> dict[str, Any]:
    """The figures of every group; when misses are wanted, also a list of the worst."""
    answer: dict[str, Any] = {
        name: figures(judged).as_json() for name, judged in evaluation.groups.items()
    }
    if misses:
        answer["misses"] = [
            {
                "file": str(each.question.file),
                "line": each.question.line,
                "language": each.language,
                "text": each.question.text,
                "outcome": each.outcome,
                "confidence": round(each.confidence, 4),
                "first": each.articles[0] if each.articles else None,
                "right": each.question.article or None,
                "said": each.text,
            }
            for each in worst_misses(evaluation.groups[ALL], misses)
        ]
    return answer


def show(evaluation: Evaluation, misses: int, out: Console) -> None:
    """The same as tables for a person."""
    out.print(f"{evaluation.articles} articles of {evaluation.knowledge}", highlight=False)
    if evaluation.broken:
        out.print(
            f"[red]{evaluation.broken} broken articles were left out; "
            f"{evaluation.lost} questions look for them and count as misses.[/red]",
            highlight=False,
        )
    out.print(_figures_table(evaluation))
    if misses:
        out.print(_misses_table(worst_misses(evaluation.groups[ALL], misses)))


def _figures_table(evaluation: Evaluation) -> Table:
    """One column a language."""
    found = {name: figures(judged) for name, judged in evaluation.groups.items()}
    table = Table("", *(Column(name, justify="right", no_wrap=True) for name in found))
    rows: dict[str, list[str]] = {
        "questions": [f"{each.questions}" for each in found.values()],
        "  unanswerable": [f"{each.unanswerable}" for each in found.values()],
        "right article first": [_percent(each.top1) for each in found.values()],
        "  among the first three": [_percent(each.top3) for each in found.values()],
        "answered, of all": [_percent(each.share_answered) for each in found.values()],
        f"right, of these ({evaluation.precision:.0%} asked)": [
            _percent(each.precision) for each in found.values()
        ],
        "  95 % interval": [_interval(judged) for judged in evaluation.groups.values()],
        "right one answered or offered, of answerable": [
            _percent(each.helped) for each in found.values()
        ],
        "reply says what it must": [_percent(each.says) for each in found.values()],
        "unanswerable held back": [_percent(each.held_back) for each in found.values()],
        "  titles offered in vain": [_percent(each.offered_in_vain) for each in found.values()],
        "AUROC": [_number(each.auroc) for each in found.values()],
        "calibration error": [_number(each.calibration_error) for each in found.values()],
        "  of honest ones, by chance": [
            _number(measures.calibration_error_by_chance(as_arrays(judged)[0]))
            for judged in evaluation.groups.values()
        ],
        **{
            f"can be answered at {float(wanted):.0%}": [
                _percent(each.coverage_at_precision[wanted]) for each in found.values()
            ]
            for wanted in found[ALL].coverage_at_precision
        },
        "milliseconds": [_number(each.ms_per_question, 1) for each in found.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _misses_table(misses: Sequence[Judged]) -> Table:
    table = Table(
        "where", Column("question", ratio=1), "said", "first", "right", title="Worst misses"
    )
    for each in misses:
        said = f"{each.outcome.replace('_', ' ')} {each.confidence:.2f}"
        table.add_row(
            escape(f"{each.question.file.name}:{each.question.line}"),
            escape(each.question.text),
            said,
            escape(each.articles[0]) if each.articles else "–",
            escape(each.question.article) or "none",
        )
    return table


def _interval(judged: Sequence[Judged]) -> str:
    """Of the precision: a few dozen answers say little about a share."""
    answered = [each for each in judged if each.answered]
    low, high = measures.wilson(sum(each.right for each in answered), len(answered))
    return f"{low * 100:.0f}–{high:.0%}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None, places: int = 3) -> str:
    return "–" if value is None else f"{value:.{places}f}"
