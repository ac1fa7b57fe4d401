"""HTML files → drafts of articles, each page read in a process that may be ended.

Whoever wrote a page decides how long libraries work on it and how much memory they take, and a
parser in C can take its process down. So pages are read elsewhere, with limits.
"""

import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.knowledge.articles.articles import Problem, printable, read_file
from bot.knowledge.articles.passages import Section, sections
from bot.knowledge.imports.drafts import Draft, id_of, one_line_title
from bot.knowledge.imports.html_files import (
    MAX_PAGE_BYTES,
    QUESTION_LEVEL,
    Page,
    UnreadablePageError,
    read_page,
)

SUFFIXES = (".html", ".htm", ".xhtml")
PAGE_SECONDS = 30.0
_START_SECONDS = 60.0
_MAX_MEMORY_BYTES = 2_000_000_000
_QUESTION_MARKS = ("?", "؟", "？")
_MOSTLY = 0.8
"""Share of a page's words in answers to questions from which on it is a page of questions."""

Progress = Callable[[int, int], None]


def read_pages(
    source: Path, language: str, progress: Progress, seconds: float = PAGE_SECONDS
) -> tuple[list[Draft], list[Problem]]:
    """The pages below a folder, or one page, as drafts; a wrong page is a problem.

    Args:
        seconds: after which a page is given up.
    """
    folder = source if source.is_dir() else source.parent
    paths = page_files(source) if source.is_dir() else [source]
    if not paths:
        return [], [Problem(source, 1, f"no page here; pages end in {', '.join(SUFFIXES)}")]
    drafts: list[Draft] = []
    problems: list[Problem] = []
    with _Reader(seconds) as reader:
        for done, path in enumerate(paths, start=1):
            content = read_file(path, MAX_PAGE_BYTES)
            page = content if isinstance(content, Problem) else reader.read(content)
            if isinstance(page, Problem):
                problems.append(page)
            elif isinstance(page, str):
                problems.append(Problem(path, 1, page))
            else:
                name = path.relative_to(folder).with_suffix("")
                drafts += _drafts(path, name, language, page)
            progress(done, len(paths))
    return drafts, problems


def page_files(folder: Path) -> list[Path]:
    """The pages below a folder; links to other folders are not followed."""
    return sorted(
        Path(parent, name)
        for parent, _, files in os.walk(folder)
        for name in files
        if name.lower().endswith(SUFFIXES)
    )


def _drafts(path: Path, name: Path, language: str, page: Page) -> Iterator[Draft]:
    """A page as an article; a page of questions as one for each question, and one for the rest."""
    parts = printable(name).split("/")
    if len(parts) > 1 and parts[-1].lower() == "index":
        parts.pop()
    title = one_line_title(page.title or parts[-1])
    found = [each for each in sections(page.body) if each.heading or _words(each)]
    asked = [each for each in found if _is_question(each) and _words(each)]
    if len(asked) > 1 and sum(map(_words, asked)) >= _MOSTLY * sum(map(_words, found)):
        for section in asked:
            question = one_line_title(section.heading)
            yield Draft(
                path, 1, id_of(question), language, question, "\n".join(section.lines),
                updated=page.updated,
            )  # fmt: skip
        found = [each for each in found if each not in asked]
    if found and _same(found[0].heading, title):
        found[0] = Section(0, "", found[0].lines)
    if sum(map(_words, found)):
        body = "\n".join(map(_as_markdown, found))
        yield Draft(path, 1, id_of(" ".join(parts)), language, title, body, updated=page.updated)


def _is_question(section: Section) -> bool:
    return section.level == QUESTION_LEVEL or section.heading.endswith(_QUESTION_MARKS)


def _words(section: Section) -> int:
    return sum(len(line.split()) for line in section.lines)


def _same(heading: str, title: str) -> bool:
    return heading.casefold().split() == title.casefold().split()


def _as_markdown(section: Section) -> str:
    heading = f"{'#' * min(section.level, 4)} {section.heading}\n" if section.heading else ""
    return heading + "\n".join(section.lines)


class _Reader:
    """Reads pages in a process of its own, which is replaced when a page breaks it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, content: bytes) -> Page | str:
        """What a page says, or why it yields nothing."""
        try:
            self._pipe.send_bytes(content)
            if self._pipe.poll(self._seconds):
                answer: Page | str = self._pipe.recv()
                return answer
            what = f"takes longer than {self._seconds:g} s to read"
        except (EOFError, OSError):
            what = "breaks the reader of HTML"
        self._end()
        self._start()
        return f"{what}; copy its text into a plain page, or write the article by hand"

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_read_all, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not (self._pipe.poll(_START_SECONDS) and self._pipe.recv()):
            raise TimeoutError(f"The reader of HTML did not start within {_START_SECONDS:g} s.")

    def _end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()


def _read_all(pipe: Connection) -> None:
    """The process: pages come in, what they say goes out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    logging.disable()  # what is wrong with a page is told once, by the parent
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    pipe.send("ready")
    while True:
        try:
            content = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send(_answer(content))


def _answer(content: bytes) -> Page | str:
    try:
        return read_page(content)
    except UnreadablePageError as error:
        return str(error)
    except MemoryError:
        return "takes more memory than there is for it; split the page"
    except Exception as error:  # noqa: BLE001  # whatever hostile pages make libraries raise
        return f"cannot be read ({type(error).__name__}); write the article by hand"
