"""Questions and answers in a CSV file → drafts of articles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.knowledge.articles.articles import Problem
from bot.knowledge.articles.front_matter import ID_PATTERN, says_something
from bot.knowledge.imports.csv_rows import BadCsvError, read_rows
from bot.knowledge.imports.drafts import Draft, id_of, one_line_title

_NEEDED = ("question", "answer")
_OPTIONAL = ("id", "title", "tags", "products", "language")


@dataclass
class _Group:
    """Rows that become one article."""

    line: int
    language: str
    id: str
    title: str
    answer: str
    questions: dict[str, None] = field(default_factory=dict)
    tags: dict[str, None] = field(default_factory=dict)
    products: dict[str, None] = field(default_factory=dict)


def read_csv(path: Path, language: str) -> tuple[list[Draft], list[Problem]]:
    """The rows of a file as drafts; a wrong row is a problem and the others are taken.

    Args:
        language: of the rows that do not say theirs.
    """
    problems: list[Problem] = []
    groups = _Groups(language)
    for row in read_rows(path, _NEEDED, _OPTIONAL):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        try:
            groups.add(row.line, row.cells)
        except BadCsvError as error:
            problems.append(Problem(path, row.line, str(error)))
    return [_draft(path, group) for group in groups.all], problems


class _Groups:
    """Rows by the article that they belong to."""

    def __init__(self, language: str) -> None:
        self.all: list[_Group] = []
        self._language = language
        self._by_id: dict[tuple[str, str], _Group] = {}
        self._by_answer: dict[tuple[str, str], _Group] = {}
        self._by_title: dict[tuple[str, str], int] = {}

    def add(self, line: int, cells: Mapping[str, str]) -> None:
        """Take a row.

        Raises:
            BadCsvError: it cannot be one of an article.
        """
        question, answer = (cells.get(name, "") for name in _NEEDED)
        for name, text in zip(_NEEDED, (question, answer), strict=True):
            if not says_something(text):
                raise BadCsvError(f"the {name} is empty; write one, or delete the row")
        language = re.split(r"[-_]", cells.get("language", "").lower())[0] or self._language
        if not re.fullmatch(r"[a-z]{2,3}", language):
            raise BadCsvError(f"the language is {language[:20]!r}; write two letters such as 'en'")
        group = self._group(line, language, cells, question, answer)
        group.questions[" ".join(question.split())] = None
        for name, texts in (("tags", group.tags), ("products", group.products)):
            each = (part.strip() for part in re.split(r"[;|,\n]", cells.get(name, "")))
            texts.update(dict.fromkeys(part for part in each if part))

    def _group(
        self, line: int, language: str, cells: Mapping[str, str], question: str, answer: str
    ) -> _Group:
        same = " ".join(answer.split())
        given = cells.get("id", "")
        if given and not re.match(ID_PATTERN, given):
            raise BadCsvError(
                f"the id {given[:50]!r} is not made of a–z, 0–9, '-' and '_'; change it, or leave "
                "it empty"
            )
        if given and (group := self._by_id.get((language, given))):
            if " ".join(group.answer.split()) != same:
                raise BadCsvError(
                    f"the id '{given}' has another answer in line {group.line}; give this row "
                    "another id, or the same answer"
                )
            return group
        if not given and (group := self._by_answer.get((language, same))):
            return group
        title = one_line_title(cells.get("title", "") or question)
        taken = self._by_title.setdefault((language, title.casefold()), line)
        if taken != line and not given:
            raise BadCsvError(
                f"the title {title[:60]!r} has another answer in line {taken}; give this row "
                "another title, or both the same answer"
            )
        group = _Group(line, language, given or id_of(title), title, answer)
        self.all.append(group)
        self._by_answer.setdefault((language, same), group)
        if given:
            self._by_id[language, given] = group
        return group


def _draft(path: Path, group: _Group) -> Draft:
    return Draft(
        source=path,
        line=group.line,
        id=group.id,
        language=group.language,
        title=group.title,
        body=group.answer.replace("\r\n", "\n").replace("\r", "\n"),
        questions=tuple(each for each in group.questions if each != group.title),
        tags=tuple(group.tags),
        products=tuple(group.products),
    )
