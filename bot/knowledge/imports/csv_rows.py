"""Rows of a CSV file, whichever program saved it.

Import and evaluation both read with this, so they take the same files: UTF-8 or UTF-16, columns
separated by comma, semicolon, tab or bar, and the line `sep=` with which Excel says which.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.knowledge.articles.articles import Problem, read_file
from bot.knowledge.articles.front_matter import CONTROL
from bot.knowledge.imports.archives import archive_kind

MAX_CSV_BYTES = 50_000_000
MAX_ROWS = 100_000
_DELIMITERS = ",;\t|"
_SURROGATE = re.compile("[\udc80-\udcff]")


class BadCsvError(ValueError):
    """Why a file or a row of it cannot be used, and what to do."""


@dataclass(frozen=True)
class Row:
    """A row that says something in the columns that were asked for."""

    line: int
    """Where it begins, from 1."""
    cells: Mapping[str, str]
    """By column, without the space around them; a short row lacks its last ones."""


@dataclass(frozen=True)
class _Table:
    lines: Sequence[str]
    delimiter: str
    header: Sequence[str]
    begin: int
    """Index of the first line below the header."""


def read_rows(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Row | Problem]:
    """The rows of a file in their order; a wrong one is a problem and the others are read.

    Args:
        needed: columns without which the file is not what was wanted.
        optional: further columns that are read; all others are left out.
    """
    content = read_file(path, MAX_CSV_BYTES)
    if isinstance(content, Problem):
        yield content
        return
    wanted = (*needed, *optional)
    try:
        table = _table(_lines(content), needed, wanted)
    except BadCsvError as error:
        yield Problem(path, 1, str(error))
        return
    for count, (line, row) in enumerate(_rows(table)):
        if count == MAX_ROWS:
            yield Problem(path, line, f"more than {MAX_ROWS:,} rows; split the file")
            return
        try:
            cells = _cells(table.header, row, wanted)
        except BadCsvError as error:
            yield Problem(path, line, str(error))
            continue
        if any(cells.values()):
            yield Row(line, cells)


def _lines(content: bytes) -> list[str]:
    if kind := archive_kind(content):
        raise BadCsvError(f"is no CSV file but {kind}, as Excel files are; save it as 'CSV UTF-8'")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            raise BadCsvError("is not the UTF-16 text it begins as; save it as UTF-8") from None
    else:
        # Bytes that are not UTF-8 are kept as surrogates, so that only their rows are refused.
        text = content.decode("utf-8-sig", "surrogateescape")
    return io.StringIO(text, newline="").readlines()


def _table(lines: Sequence[str], needed: Sequence[str], wanted: Sequence[str]) -> _Table:
    """Where the rows begin, and what separates them: that with which the header makes sense."""
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
        if not all(name in header for name in needed):
            continue
        if doubled := [name for name in wanted if header.count(name) > 1]:
            raise BadCsvError(f"the column '{doubled[0]}' is there twice; rename one of them")
        return _Table(lines, delimiter, header, begin + 1)
    first = _SURROGATE.sub("\ufffd", "".join(lines[begin : begin + 1]).strip()[:100])
    raise BadCsvError(
        f"the first line must name the columns, {' and '.join(map(repr, needed))} among them, as "
        f"in '{','.join(needed)}'; it is {first!r}. If it looks scrambled, save the file as "
        "'CSV UTF-8'"
    )


def _rows(table: _Table) -> Iterator[tuple[int, list[str] | str]]:
    """The line number of each row and its cells, or what is wrong with it."""
    lines, begin = table.lines, table.begin
    limit = csv.field_size_limit(MAX_CSV_BYTES)
    try:
        while begin < len(lines):
            rest = (lines[number] for number in range(begin, len(lines)))
            reader = csv.reader(rest, delimiter=table.delimiter, strict=True)
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


def _cells(header: Sequence[str], row: list[str] | str, wanted: Sequence[str]) -> dict[str, str]:
    if isinstance(row, str):
        raise BadCsvError(row)
    if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
        raise BadCsvError(
            f"{len(row)} cells below {len(header)} columns; put a text that has the separator in "
            "it into quotation marks"
        )
    joined = "".join(row)
    if _SURROGATE.search(joined):
        raise BadCsvError("not UTF-8; save the file as 'CSV UTF-8'")
    if control := CONTROL.search(joined):
        raise BadCsvError(f"a control character (code {ord(control[0])}); delete it")
    return {name: cell.strip() for name, cell in zip(header, row, strict=False) if name in wanted}
