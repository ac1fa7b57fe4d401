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

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

MAX_FILE_BYTES = 1_000_000
MAX_PASSAGE_LENGTH = 500
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"(?m)^#{1,6}[ \t]+(.+?)[ \t]*$")


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")
    language: str = Field(pattern=r"^[a-z]{2,3}$")
    title: str = Field(min_length=1, max_length=200)
    questions: list[str] = []
    tags: list[str] = []
    products: list[str] = []
    updated: str = ""

    @field_validator("updated", mode="before")
    @classmethod
    def _date_to_text(cls, value: object) -> str:
        return str(value)


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
    passages: tuple[str, ...]
    """Pieces of the body with their headings, each at most about 500 characters."""


@dataclass(frozen=True)
class Problem:
    """Why an article is not served, and what to do."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def read_articles(folder: Path) -> tuple[list[Article], list[Problem]]:
    """Every article below a folder; a broken one is a problem and the others are served.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder of articles at {folder}.")
    articles: dict[tuple[str, str], Article] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.md")):
        article = read_article(path)
        if isinstance(article, Problem):
            problems.append(article)
        elif (article.language, article.id) in articles:
            problems.append(
                Problem(
                    path, 2, f"the id '{article.id}' is taken by another {article.language} file"
                )
            )
        else:
            articles[article.language, article.id] = article
    return list(articles.values()), problems


def read_article(path: Path) -> Article | Problem:
    """One file as an article, or the problem with it."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Problem(path, 1, f"larger than {MAX_FILE_BYTES:,} bytes; split the article")
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return Problem(path, 1, f"not UTF-8 at byte {error.start}; save the file as UTF-8")
    except OSError as error:
        return Problem(path, 1, f"cannot be read: {error.strerror}")
    parts = _FRONT_MATTER.match(text)
    if parts is None:
        return Problem(path, 1, "no front matter; begin the file with '---', keys and '---'")
    try:
        front = _FrontMatter.model_validate(yaml.safe_load(parts[1]) or {})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        return Problem(
            path, line, "the front matter is not valid YAML; quote texts that have a ':'"
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "front matter"
        return Problem(
            path,
            _line_of(str(first["loc"][0]) if first["loc"] else "", text),
            f"{key}: {first['msg']}",
        )
    except (
        ValueError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # PyYAML, as 2026-02-30
        return Problem(path, 2, f"the front matter has a value that cannot be read: {error}")
    body = parts[2].strip()
    if not body:
        return Problem(
            path, text.count("\n") + 1, "the body is empty; write the answer below '---'"
        )
    return Article(
        id=front.id,
        language=front.language,
        title=front.title.strip(),
        questions=tuple(each.strip() for each in front.questions if each.strip()),
        tags=tuple(front.tags),
        products=tuple(front.products),
        updated=front.updated,
        body=body,
        short_answer=_first_paragraph(body),
        passages=tuple(split_passages(front.title, body)),
    )


def _line_of(key: str, text: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if key and line.startswith(f"{key}:"):
            return number
    return 2


def _first_paragraph(body: str) -> str:
    for block in re.split(r"\n\s*\n", body):
        text = _HEADING.sub("", block).strip()
        if text:
            return " ".join(text.split())
    return ""


def split_passages(title: str, body: str) -> list[str]:
    """Pieces of a body, each with the heading that it stands under."""
    passages: list[str] = []
    pieces = _HEADING.split(body)  # text, heading, text, heading, text …
    headed: Sequence[tuple[str, str]] = [
        ("", pieces[0]),
        *zip(pieces[1::2], pieces[2::2], strict=True),
    ]
    for heading, text in headed:
        name = f"{title} – {heading}" if heading else title
        lines = [line for line in map(str.strip, text.splitlines()) if line]
        current = ""
        for line in lines:
            for start in range(0, len(line), MAX_PASSAGE_LENGTH):
                piece = line[start : start + MAX_PASSAGE_LENGTH]
                if current and len(current) + len(piece) > MAX_PASSAGE_LENGTH:
                    passages.append(f"{name}\n{current}")
                    current = ""
                current = f"{current}\n{piece}" if current else piece
        if current:
            passages.append(f"{name}\n{current}")
    return passages


def changed_at(folder: Path) -> float:
    """When anything in a folder of articles was last written, added or removed."""
    files = [folder, *folder.rglob("*")]
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)


class ArticleFolder:
    """The articles of a folder as they are now; read again when a file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at = -1.0
        self._articles: dict[tuple[str, str], Article] = {}

    def current(self) -> dict[tuple[str, str], Article]:
        """Articles by language and id; a folder that cannot be read keeps the last ones."""
        if (changed := changed_at(self._folder)) != self._read_at and self._folder.is_dir():
            articles, _ = read_articles(self._folder)
            self._articles = {(each.language, each.id): each for each in articles}
            self._read_at = changed
        return self._articles
