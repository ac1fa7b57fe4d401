"""Markdown articles with front matter → articles and their passages.

---
id: returns            # the same across languages
language: en
title: Return a product
questions: ["How do I send something back?"]     # optional
tags: [returns]
products: []
updated: 2026-11-20
---
The first paragraph is the short answer.

## Headings begin new passages
"""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.knowledge.articles.front_matter import CONTROL, Mistake, parse_front_matter
from bot.knowledge.articles.passages import Passage, first_paragraph, split_passages

MAX_FILE_BYTES = 1_000_000
"""Half a million words; indexing one such article takes a minute."""
_CLOSING = re.compile(r"(?m)^---[ \t]*$")


@dataclass(frozen=True)
class Article:
    """One article in one language."""

    id: str
    language: str
    title: str
    questions: tuple[str, ...]
    """Example phrasings of what it answers."""
    tags: tuple[str, ...]
    products: tuple[str, ...]
    updated: str
    body: str
    """Markdown, without the front matter."""
    short_answer: str
    """First paragraph of the body."""
    passages: tuple[Passage, ...]
    """Pieces of the body."""


@dataclass(frozen=True)
class Problem:
    """What is wrong in a file, where, and what to do."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line}: {self.message}"


def printable(path: Path) -> str:
    """A path as text. A file's name may be bytes that are no UTF-8; what is printed must be."""
    return os.fsencode(path).decode("utf-8", "replace")


def article_files(folder: Path) -> list[Path]:
    """What below a folder should be an article; hidden names are those of editors and git."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):  # unlike rglob, bears what vanishes meanwhile
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in (*files, *folders)
            if name.endswith(".md") and not name.startswith(".")
        ]
    return sorted(found)


def read_articles(folder: Path) -> tuple[list[Article], list[Problem]]:
    """Every article below a folder; a broken one is a problem and the others are served.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder of articles at {folder}.")
    articles: dict[tuple[str, str], tuple[Article, Path]] = {}
    problems: list[Problem] = []
    for path in article_files(folder):
        found = read_article(path)
        if isinstance(found, Problem):
            problems.append(found)
        elif taken := articles.get((found.language, found.id)):
            problems.append(id_is_taken(path, found, by=taken[1]))
        else:
            articles[found.language, found.id] = (found, path)
    return [article for article, _ in articles.values()], problems


def id_is_taken(path: Path, article: Article, by: Path) -> Problem:
    """The problem of a second file with the same id in the same language."""
    return Problem(
        path,
        2,
        f"the id '{article.id}' is taken by {printable(by)}, also in '{article.language}'; "
        "give one of the two another id",
    )


def read_article(path: Path) -> Article | Problem:
    """One file as an article, or the problem with it. Whatever the file is: no exception."""
    content = read_file(path)
    return content if isinstance(content, Problem) else parse_article(path, content)


def read_file(path: Path, most: int = MAX_FILE_BYTES) -> bytes | Problem:
    """The bytes of a regular file, or the problem with it."""
    try:
        # Without waiting: opening a named pipe would otherwise wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Problem(path, 1, "is not a file; move it out of the folder")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(most + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        return Problem(path, 1, f"cannot be read: {error.strerror or error}; mend or remove it")
    return _too_large(path, content, most) or content


def _too_large(path: Path, content: bytes, most: int) -> Problem | None:
    if len(content) <= most:
        return None
    return Problem(path, 1, f"larger than {most:,} bytes; split it")


def _without_comments(body: str) -> tuple[str, bool]:
    """A body without what writers note for each other, and whether the last note has no end."""
    kept = list[str]()
    while True:
        before, begun, rest = body.partition("<!--")
        kept.append(before)
        if not begun:
            return "".join(kept).strip(), False
        _, ended, body = rest.partition("-->")
        if not ended:
            return "".join(kept).strip(), True


def decoded(path: Path, content: bytes) -> str | Problem:
    """The text of a file, with line breaks of one kind, or the problem with it."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(path, line, f"not UTF-8 at byte {error.start}; save the file as UTF-8")
    if control := CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        return Problem(
            path,
            line,
            f"a control character (code {ord(control[0])}), as no text has; delete it, or save "
            "the file as UTF-8 text",
        )
    return text


def not_yaml(path: Path, error: Mistake | yaml.YAMLError) -> Problem:
    """Where a file is not YAML, or none that is taken."""
    if isinstance(error, Mistake):
        return Problem(path, error.line, str(error))
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "it cannot be read"
    return Problem(path, mark.line + 1 if mark else 1, f"not YAML: {what}")


def parse_article(path: Path, content: bytes) -> Article | Problem:
    """The content of a file as an article, or the problem with it."""
    if problem := _too_large(path, content, MAX_FILE_BYTES):
        return problem
    text = decoded(path, content)
    if isinstance(text, Problem):
        return text
    opening, _, rest = text.partition("\n")
    if opening.rstrip() != "---":
        return Problem(path, 1, "no front matter; begin the file with '---', keys and '---'")
    closing = _CLOSING.search(rest)
    if closing is None:
        return Problem(path, 1, "the front matter has no end; put a line '---' below its keys")
    try:
        front = parse_front_matter(rest[: closing.start()])
    except Mistake as mistake:
        return Problem(path, mistake.line + 1, str(mistake))
    body, end_is_missing = _without_comments(rest[closing.end() :])
    if end_is_missing:
        line = text.count("\n", 0, text.rindex("<!--")) + 1
        return Problem(path, line, "a comment has no end; write '-->' behind it")
    short_answer = first_paragraph(body)
    if not short_answer:
        line = text.count("\n", 0, len(opening) + 1 + closing.end()) + 2
        return Problem(path, line, "the body is empty; write the answer below the second '---'")
    return Article(
        id=front.id,
        language=front.language,
        title=front.title,
        questions=tuple(front.questions),
        tags=tuple(front.tags),
        products=tuple(front.products),
        updated=front.updated,
        body=body,
        short_answer=short_answer,
        passages=tuple(split_passages(front.title, body)),
    )


def changed_at(folder: Path) -> float:
    """When anything in a folder of articles was last written, added or removed."""
    newest = 0.0
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):  # it was removed meanwhile, or is a dead link
            newest = max(newest, path.stat().st_mtime)
    return newest
