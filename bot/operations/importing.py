"""`usher import`: articles from an export, with progress and a report."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console

from bot.errors import InvalidInput
from bot.knowledge.articles.articles import printable
from bot.knowledge.imports.importing import Imported, import_articles
from bot.operations.progress import bar
from bot.settings import Settings

Progress = Callable[[int, int], None]
_MAX_SHOWN = 30


def import_into(
    settings: Settings, source: Path, language: str, into: Path | None, replace: bool, quiet: bool
) -> Imported:
    """Import with a progress bar.

    Raises:
        InvalidInput: a wrong language, or no such source.
    """
    if not re.fullmatch(r"[a-z]{2,3}", language):
        raise InvalidInput(f"--language is '{language}'; give two letters, for example 'en'.")
    shown: AbstractContextManager[Progress] = (
        nullcontext(lambda _done, _total: None) if quiet else bar("Importing the articles")
    )
    with shown as progress:
        return import_articles(source, language, settings.knowledge_base, into, replace, progress)


def as_json(imported: Imported) -> str:
    """What came of it, for programs."""
    return json.dumps(
        {
            "written": [printable(path) for path in imported.written],
            "unchanged": [printable(path) for path in imported.unchanged],
            "problems": [
                {"file": printable(each.file), "line": each.line, "message": each.message}
                for each in imported.problems
            ],
        },
        ensure_ascii=False,
    )


def show(imported: Imported, out: Console) -> None:
    """What came of it, for a person; all problems, unless there are very many."""
    for problem in imported.problems[:_MAX_SHOWN]:
        out.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    if len(imported.problems) > _MAX_SHOWN:
        out.print(f"… and {len(imported.problems) - _MAX_SHOWN} more; --json names them all.")
    out.print(
        f"{len(imported.written)} articles written, {len(imported.unchanged)} were there already, "
        f"{len(imported.problems)} to mend."
    )
    if imported.written:
        folders = sorted({printable(path.parent) for path in imported.written})
        out.print(
            f"Read and edit them in {', '.join(folders)}: a running Usher serves them within "
            "seconds.",
            soft_wrap=True,
        )  # fmt: skip
