"""Questions and answers in a CSV file → drafts of articles."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.knowledge.articles.articles import Problem, read_file
from bot.knowledge.articles.front_matter import CONTROL, ID_PATTERN, says_something
from bot.knowledge.imports.archives import archive_kind
from bot.knowledge.imports.drafts import Draft, id_of, one_line_title

MAX_CSV_BYTES = 50_000_000
MAX_ROWS = 100_000
_NEEDED = ("question", "answer")
_COLUMNS = (*_NEEDED, "id", "title", "tags", "products", "language")
_DELIMITERS = ",;\t|"
_SURROGATE = re.compile("[\udc80-\udcff]")


class _BadRowError(ValueError):
    """Why a row is not taken over, and what to do."""


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
    content = read_file(path, MAX_CSV_BYTES)
    if isinstance(content, Problem):
        return [], [content]
    if kind := archive_kind(content):
        what = f"is no CSV file but {kind}, as Excel files are; save it as 'CSV UTF-8'"
        return [], [Problem(path, 1, what)]
    problems: list[Problem] = []
    try:
        lines, delimiter, header, begin = _opened(content)
    except _BadRowError as error:
        return [], [Problem(path, 1, str(error))]
    groups = _Groups(language)
    for count, (line, row) in enumerate(_rows(lines, delimiter, begin)):
        if count == MAX_ROWS:
            problems.append(Problem(path, line, f"more than {MAX_ROWS:,} rows; split the file"))
            break
        try:
            groups.add(line, _cells(header, row))
        except _BadRowError as error:
            problems.append(Problem(path, line, str(error)))
    return [_draft(path, group) for group in groups.all], problems


def _opened(content: bytes) -> tuple[list[str], str, list[str], int]:
    """Lines, delimiter, names of the columns, and the index of the first line below them."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            raise _BadRowError("is not the UTF-16 text it begins as; save it as UTF-8") from None
    else:
        # Bytes that are not UTF-8 are kept as surrogates, so that only their rows are refused.
        text = content.decode("utf-8-sig", "surrogateescape")
    lines = io.StringIO(text, newline="").readlines()
    begin = next((n for n, line in enumerate(lines) if line.strip()), 0)
    delimiters = _DELIMITERS
    if begin < len(lines) and (said := re.match(r"(?i)sep=(.)\s*$", lines[begin])):  # Excel's own
        delimiters, begin = said[1], begin + 1
    for delimiter in delimiters:
        try:
            names = next(csv.reader(lines[begin : begin + 1], delimiter=delimiter), [])
        except csv.Error:
            continue
        header = [name.strip().lower() for name in names]
        if all(name in header for name in _NEEDED):
            return lines, delimiter, header, begin + 1
    first = lines[begin].strip()[:100] if begin < len(lines) else ""
    raise _BadRowError(
        "the first line must name the columns, 'question' and 'answer' among them, as in "
        f"'question,answer'; it is {_shown(first)!r}. If it looks scrambled, save the file as "
        "'CSV UTF-8'"
    )


def _rows(
    lines: Sequence[str], delimiter: str, begin: int
) -> Iterator[tuple[int, list[str] | str]]:
    """The line number of each row and its cells, or what is wrong with it."""
    limit = csv.field_size_limit(MAX_CSV_BYTES)
    try:
        while begin < len(lines):
            reader = csv.reader(_from(lines, begin), delimiter=delimiter, strict=True)
            while True:
                line = begin + reader.line_num + 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    what = 'the quotation marks do not pair; write " inside a text as ""'
                    yield line, f"{what} ({error})"
                    break
                yield line, row
            # An open quotation mark swallows what follows: go on right below it.
            begin = line
    finally:
        csv.field_size_limit(limit)


def _from(lines: Sequence[str], begin: int) -> Iterator[str]:
    return (lines[number] for number in range(begin, len(lines)))


def _cells(header: Sequence[str], row: list[str] | str) -> dict[str, str]:
    if isinstance(row, str):
        raise _BadRowError(row)
    if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
        raise _BadRowError(
            f"{len(row)} cells below {len(header)} columns; put a text that has the separator in "
            "it into quotation marks"
        )
    joined = "".join(row)
    if _SURROGATE.search(joined):
        raise _BadRowError("not UTF-8; save the file as 'CSV UTF-8'")
    if control := CONTROL.search(joined):
        raise _BadRowError(f"a control character (code {ord(control[0])}); delete it")
    return {name: cell.strip() for name, cell in zip(header, row, strict=False) if name in _COLUMNS}


class _Groups:
    """Rows by the article that they belong to."""

    def __init__(self, language: str) -> None:
        self.all: list[_Group] = []
        self._language = language
        self._by_id: dict[tuple[str, str], _Group] = {}
        self._by_answer: dict[tuple[str, str], _Group] = {}
        self._by_title: dict[tuple[str, str], int] = {}

    def add(self, line: int, cells: dict[str, str]) -> None:
        """Take a row.

        Raises:
            _BadRowError: it cannot be one of an article.
        """
        if not any(cells.values()):
            return
        question, answer = (cells.get(name, "") for name in _NEEDED)
        for name, text in zip(_NEEDED, (question, answer), strict=True):
            if not says_something(text):
                raise _BadRowError(f"the {name} is empty; write one, or delete the row")
        language = re.split(r"[-_]", cells.get("language", "").lower())[0] or self._language
        if not re.fullmatch(r"[a-z]{2,3}", language):
            raise _BadRowError(f"the language is {language[:20]!r}; write two letters such as 'en'")
        group = self._group(line, language, cells, question, answer)
        group.questions[" ".join(question.split())] = None
        for name, texts in (("tags", group.tags), ("products", group.products)):
            each = (part.strip() for part in re.split(r"[;|,\n]", cells.get(name, "")))
            texts.update(dict.fromkeys(part for part in each if part))

    def _group(
        self, line: int, language: str, cells: dict[str, str], question: str, answer: str
    ) -> _Group:
        same = " ".join(answer.split())
        given = cells.get("id", "")
        if given and not re.match(ID_PATTERN, given):
            raise _BadRowError(
                f"the id {given[:50]!r} is not made of a–z, 0–9, '-' and '_'; change it, or leave "
                "it empty"
            )
        if given and (group := self._by_id.get((language, given))):
            if " ".join(group.answer.split()) != same:
                raise _BadRowError(
                    f"the id '{given}' has another answer in line {group.line}; give this row "
                    "another id, or the same answer"
                )
            return group
        if not given and (group := self._by_answer.get((language, same))):
            return group
        title = one_line_title(cells.get("title", "") or question)
        taken = self._by_title.setdefault((language, title.casefold()), line)
        if taken != line and not given:
            raise _BadRowError(
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


def _shown(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
