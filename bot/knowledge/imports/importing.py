"""Somebody's questions and answers, or help pages → article files, which are then edited by hand.

The files are the one truth: nothing remembers where they came from, and an import never
changes a file that is there unless it is told to.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import InvalidInput
from bot.knowledge.articles.articles import (
    Problem,
    article_files,
    parse_article,
    printable,
    read_article,
    read_file,
)
from bot.knowledge.imports.csv_files import read_csv
from bot.knowledge.imports.drafts import Draft
from bot.knowledge.imports.pages import SUFFIXES, read_pages

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    written: tuple[Path, ...]
    unchanged: tuple[Path, ...]
    """Files that said the same already."""
    problems: tuple[Problem, ...]
    """What was not taken over, why, and what to do."""


def import_articles(
    source: Path,
    language: str,
    knowledge_base: Path,
    into: Path | None = None,
    replace: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Imported:
    """Write an article for each answer of a CSV file, or each page of HTML.

    Args:
        into: folder of the new files; None: the language's folder in the knowledge base.
        replace: overwrite files that are there already and say something else.

    Raises:
        InvalidInput: the source is neither, or the folder cannot be written into.
    """
    if source.is_dir() or source.suffix.lower() in SUFFIXES:
        drafts, problems = read_pages(source, language, progress)
    elif source.is_file():
        drafts, problems = read_csv(source, language)
    else:
        raise InvalidInput(f"There is no file or folder {printable(source)}.")
    writer = _Writer(knowledge_base, into, language, replace)
    try:
        for done, draft in enumerate(drafts, start=1):
            writer.write(draft)
            progress(done, len(drafts))
    except OSError as error:
        raise InvalidInput(
            f"Cannot write the articles: {error}. Mend it and import again."
        ) from error
    found = sorted((*problems, *writer.problems), key=lambda each: (each.file, each.line))
    return Imported(tuple(writer.written), tuple(writer.unchanged), tuple(found))


class _Writer:
    """Turns drafts into files, each with an id of its own."""

    def __init__(
        self, knowledge_base: Path, into: Path | None, language: str, replace: bool
    ) -> None:
        self.written: list[Path] = []
        self.unchanged: list[Path] = []
        self.problems: list[Problem] = []
        self._knowledge_base = knowledge_base
        self._into = into
        self._language = language
        self._replace = replace
        self._files = _ids({knowledge_base, *((into,) if into else ())})
        self._drafts: dict[tuple[str, str], Draft] = {}

    def write(self, draft: Draft) -> None:
        if other := self._drafts.get((draft.language, draft.id)):
            if (other.title, other.body) == (draft.title, draft.body):
                return  # pages repeat common questions
            draft = draft.renamed()
        path = self._path(draft)
        if problem := self._problem(draft, path):
            self.problems.append(problem)
            return
        self._drafts[draft.language, draft.id] = draft
        text = draft.as_markdown()
        if path.exists() and read_file(path) == text.encode():
            self.unchanged.append(path)
            return
        if path.exists() and not self._replace:
            self.problems.append(
                Problem(
                    draft.source,
                    draft.line,
                    f"{printable(path)} is there already and says something else; edit that file, "
                    "or import with --replace to overwrite it",
                )
            )
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name(f".{path.name}.import")  # hidden: never read while half-written
        whole.write_text(text, "utf-8", newline="\n")
        whole.replace(path)
        self.written.append(path)

    def _path(self, draft: Draft) -> Path:
        if self._into is None:
            return self._knowledge_base / draft.language / f"{draft.id}.md"
        suffix = "" if draft.language == self._language else f".{draft.language}"
        return self._into / f"{draft.id}{suffix}.md"

    def _problem(self, draft: Draft, path: Path) -> Problem | None:
        article = parse_article(path, draft.as_markdown().encode())
        other = self._drafts.get((draft.language, draft.id))
        file = self._files.get((draft.language, draft.id))
        if isinstance(article, Problem):
            message = f"makes no article: {article.message}"
        elif other is not None:
            message = (
                f"is there twice: {printable(other.source)}:{other.line} has the same title "
                f"{draft.title[:60]!r}; give one of the two another title"
            )
        elif file is not None and file != path:
            message = (
                f"the id '{draft.id}' is taken by {printable(file)}; edit that article, or give "
                "this one another id"
            )
        else:
            return None
        return Problem(draft.source, draft.line, message)


def _ids(folders: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Which file has which id, of the articles that are there."""
    paths: Sequence[Path] = [path for folder in folders for path in article_files(folder)]
    read = ((path, read_article(path)) for path in paths)
    return {
        (found.language, found.id): path for path, found in read if not isinstance(found, Problem)
    }
