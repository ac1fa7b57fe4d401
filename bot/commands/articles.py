"""Commands for those who write articles: what is served, what it answers, what it is worth."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.table import Table

from bot import bootstrap
from bot.commands.output import AsJson, out, say_json
from bot.languages import LANGUAGES
from bot.operations import progress
from bot.settings import Settings


def index() -> None:
    """Embed new and changed articles; a running Usher then serves them.

    Ends with 1 when a file cannot be served as it was saved; the others are served, and of
    that file the last good version. So it does when a running Usher did not take them.
    """
    from bot.operations import indexing
    from bot.operations.preparing import prepare

    settings = bootstrap.settings()
    indexed = prepare(settings, train=False, index=True)
    out.print(f"{indexed.articles} articles are embedded.")
    problems: list[object] = [*indexed.problems]
    try:
        out.print(indexing.reload(settings))
    except indexing.NotServed as problem:
        problems.append(problem)
    _say_problems(problems)


def import_articles(
    source: Annotated[
        Path, typer.Argument(help="A CSV file, an HTML page, or a folder of HTML pages.")
    ],
    language: Annotated[str, typer.Option(help="Language of the articles: en, vi, th, fa, …")],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of the new files, if not the language's in the knowledge base."),
    ] = None,
    replace: Annotated[bool, typer.Option(help="Overwrite files that are there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write articles from a CSV file or from HTML pages.

    A CSV file has the columns `question` and `answer`, and may have `id`, `title`, `language`,
    and `tags` and `products`, several of which are separated by `;`. Questions with the same
    answer or the same id become one article. Of an HTML page the title, the main content and
    the date are taken; a page of questions becomes an article for each of them.

    The written files are ordinary articles, to be read and edited. Ends with 1 when something
    could not be taken over.
    """
    from bot.operations import importing

    imported = importing.import_into(
        bootstrap.settings(), source, language, into, replace, quiet=as_json
    )
    print(importing.as_json(imported)) if as_json else importing.show(imported, out)
    if imported.problems:
        raise typer.Exit(1)


def _say_problems(problems: Sequence[object]) -> None:
    """Print what is to be mended, each on a line that begins with file and line number."""
    if problems:
        for problem in problems:
            out.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        out.print(f"{len(problems)} to mend.")
        raise typer.Exit(1)


def ask(
    text: Annotated[str, typer.Argument(help="A customer's question.")],
    language: Annotated[
        str, typer.Option(help="Language of the page the customer is on: en, vi, th or fa.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Ask the knowledge base; works without the servers running."""
    settings = bootstrap.settings()
    language = language or settings.default_language
    if language not in LANGUAGES:
        raise typer.BadParameter(f"must be one of {', '.join(LANGUAGES)}", param_hint="--language")
    with out.status("Loading the knowledge base") if not as_json else _quiet():
        from bot.knowledge.service import load_matcher

        match = load_matcher(settings).match(text, language)
    if as_json:
        say_json(
            {
                "outcome": match.outcome,
                "article": match.candidates[0].article if match.outcome == "answer" else None,
                "candidates": [
                    {"article": each.article, "probability": round(each.probability, 4)}
                    for each in match.candidates
                ],
                "confidence": round(match.confidence, 4),
                "act": match.act if match.outcome in {"act", "confirm"} else None,
                "language": match.language,
                "text": match.text if match.outcome == "answer" else "",
            }
        )
        return
    out.print(f"[bold]{match.outcome}[/bold], confidence {match.confidence:.2f}, {match.language}")
    if match.act:
        out.print(f"as a dialogue act: {match.act}, probability {match.act_probability:.2f}")
    if match.outcome == "answer":
        out.print(match.text, markup=False)
    table = Table("article", "title", "probability")
    for each in match.candidates:
        table.add_row(each.article, each.title, f"{each.probability:.2f}")
    out.print(table)


def evaluate(
    knowledge: Annotated[
        Path | None, typer.Option(help="Folder of articles; else the one of the settings.")
    ] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV file with the columns text, article and perhaps language and says, or a "
            "folder of such files; may be repeated. Without it: the questions kept for Usher's "
            "own shop."
        ),
    ] = None,
    conversations: Annotated[
        list[Path] | None,
        typer.Option(
            help="YAML file of whole conversations and what must come of each turn, or a folder "
            "of such files; may be repeated. Instead of questions."
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="How often an answer that is given must be right, 0.5–0.99; else as set."
        ),
    ] = None,
    misses: Annotated[int, typer.Option(min=0, help="List so many of the worst misses.")] = 0,
    diagram: Annotated[
        Path | None, typer.Option(help="Draw a reliability diagram into this .svg or .png file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well questions with known answers are answered from a folder of articles.

    An empty article in the CSV means that no article answers the question: it is unanswerable,
    and right is to hold it back (clarify or hand off). The language is the one of the page that
    the customer is on; without it, the message itself tells. A file named vi.csv is in
    Vietnamese where it says no other. `says` is a text that the reply must contain, or several
    separated by `|`. Files may be saved like those of `usher import`.

    Reported in all and for each language, as shares from 0 to 1; null where nothing can be
    measured:

    - `questions`, `unanswerable`: how many.
    - `top1`, `top3`: share of the answerable questions whose right article came first, or
      among three, answered or not.
    - `share_answered`: share of all questions that were answered.
    - `precision`: share of the answered questions that got the right article.
    - `helped`: share of the answerable questions that were answered with the right article, or
      whose right title was among those offered.
    - `says`: share of the questions with a text in that column whose reply, of the first
      article, answered or not, contains it.
    - `held_back`: share of the unanswerable questions that were not answered.
    - `offered_in_vain`: share of the unanswerable questions for which titles were offered.
    - `auroc`: chance that the confidence is higher where the first article is right than
      where it is wrong, over all questions.
    - `calibration_error`: mean gap between the confidence and the share of right first
      articles, over all questions in ten bins of equal size, or fewer of at least 25.
    - `coverage_at_precision`: largest share of all questions that one threshold, chosen on
      these very questions, would answer with at least that precision.
    - `ms_per_question`: median wall time of one match, embedding included.

    With `--conversations` whole turns are measured, through the real decision and the real rules,
    in an Usher that is started for it; `docs/dialogue.md` tells how such a file is written and
    what is reported.
    """
    settings = bootstrap.settings()
    precision = settings.answer_precision if precision is None else precision
    if not 0.5 < precision < 1:
        raise typer.BadParameter("must be above 0.5 and below 1", param_hint="--precision")

    if conversations:
        if questions or diagram:
            raise typer.BadParameter(
                "goes without --questions and --diagram", param_hint="--conversations"
            )
        _rehearse(settings, knowledge or settings.knowledge_base, conversations, misses, as_json)
        return
    from bot.knowledge.acts.acts import ActFolder
    from bot.knowledge.embedding.embedder import Embedder
    from bot.knowledge.evaluation import reliability
    from bot.operations import evaluating

    if diagram is not None:
        reliability.check_picture_file(diagram)
    evaluation = evaluating.evaluate(
        Embedder(settings.embedding_model, settings.data_dir / "vectors"),
        knowledge or settings.knowledge_base,
        questions or [],
        precision,
        settings.offer_precision,
        settings.default_language,
        ActFolder(settings.acts).acts,
        quiet=as_json,
    )
    if diagram is not None:
        reliability.draw(evaluation.groups, precision, diagram)
    if as_json:
        say_json(evaluating.as_json(evaluation, misses))
    else:
        evaluating.show(evaluation, misses, out)


def _rehearse(
    settings: Settings, knowledge: Path, files: list[Path], misses: int, as_json: bool
) -> None:
    from bot.operations.evaluating import articles_of
    from bot.rehearsals import report
    from bot.rehearsals.scripts import read_scripts
    from bot.rehearsals.stage import stage

    # What turns log is for operators; a turn that fails is told anyhow.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    articles, _ = articles_of(knowledge)
    ids = {each.id for each in articles}
    scripts = read_scripts(files, ids, settings.default_language)
    with stage(settings, knowledge) as played, progress.bar("Playing conversations") as bar:
        turns = played.play(scripts, {each.title: each.id for each in articles}, bar)
    if as_json:
        say_json(report.as_json(turns, misses))
    else:
        report.show(turns, misses, out)


def review(
    knowledge: Annotated[
        Path | None, typer.Option(help="Folder of articles; else the one of the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find articles that contradict or repeat each other, and what they lack.

    - **Contradictions**: statements of two articles that share most of their words, but no
      number of the same unit (days, €, %), or of which one is denied.
    - **Near duplicates**: articles that are nearest to each other and share half of their words.
    - The **same title or example question** in several articles.
    - **Translations** whose numbers of a unit have nothing in common, and missing ones.
    - **Bookish example questions**: nearly all are in the article's own words.
    - **Few example questions**: fewer than 8; 15 or more in customers' words are worth most.

    Findings are to be judged: two similar sentences may both be right.
    """
    from bot.knowledge.embedding.embedder import Embedder
    from bot.operations import reviewing

    settings = bootstrap.settings()
    embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
    articles, problems, findings = reviewing.examine(
        knowledge or settings.knowledge_base, embedder, quiet=as_json
    )
    if as_json:
        say_json(reviewing.as_json(articles, problems, findings))
    else:
        reviewing.show(articles, findings, out)


@contextmanager
def _quiet() -> Iterator[None]:
    yield
