"""Questions whose right article is known, from CSV files that people write.

    text,article,language
    can i send it back after 3 weeks,return-start,en
    whats the weather,,en

An empty `article` says that no article answers it. `language` is the page that the customer is
on; the column may be missing, or a cell of it empty. A file that is named after a language
(`vi.csv`) and has no such column is in that language.
"""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import InvalidInput
from bot.messages import LANGUAGES

COLUMNS = ("text", "article", "language")
_FORM = "the first line must be 'text,article' or 'text,article,language'"
_SHOWN = 10
"""Mistakes that are told at once; a wrong column makes one in every line."""


@dataclass(frozen=True)
class Question:
    """What a customer asked, and what would have been the right answer."""

    text: str
    article: str
    """Id of the article that answers it; empty: none does."""
    language: str
    """Of the page that the customer is on; empty: the file does not say."""
    file: Path
    line: int


def read_questions(
    paths: Sequence[Path], article_ids: Collection[str], languages: Collection[str]
) -> list[Question]:
    """Every question of the files, in their order; of a folder, of all its CSV files.

    An id that no article has would count as a miss and make every figure lie, so it is a
    mistake here.

    Args:
        article_ids: what the column `article` may say.
        languages: what the column `language` may say, beside Usher's own four.

    Raises:
        InvalidInput: names the file and line of each mistake (the first ten) and what to do.
    """
    known = {*languages, *LANGUAGES}
    questions: list[Question] = []
    mistakes: list[str] = []
    for file in _files(paths):
        default = file.stem if file.stem in known else ""
        for found in _read_file(file, default):
            if isinstance(found, str):
                mistakes.append(found)
                continue
            questions.append(found)
            where = f"{found.file}:{found.line}"
            if found.article and found.article not in article_ids:
                mistakes.append(
                    f"{where}: no article has the id '{found.article}'; correct it, or leave "
                    "the cell empty if no article answers the question"
                )
            if found.language and found.language not in known:
                mistakes.append(
                    f"{where}: '{found.language}' is no language here; use one of "
                    f"{', '.join(sorted(known))}, or leave the cell empty"
                )
    if mistakes:
        more = len(mistakes) - _SHOWN
        shown = mistakes[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise InvalidInput("The questions cannot be used:\n" + "\n".join(shown))
    return questions


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
        elif files := sorted(path.glob("*.csv")):
            yield from files
        else:
            raise InvalidInput(f"There is no CSV file in the folder {path}.")


def _read_file(file: Path, default_language: str) -> Iterator[Question | str]:
    """The questions of one file, and a line of text for every mistake."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield f"{file}:1: not UTF-8 at byte {error.start}; save the file as UTF-8"
        return
    except OSError as error:
        yield f"{file}: cannot be read: {error.strerror}"
        return
    rows = _rows(file, text)
    header: list[str] | None = None
    count = 0
    for line, cells in rows:
        if isinstance(cells, str):
            yield cells
            return
        if header is None:
            header = [cell.strip().lower() for cell in cells]
            if wrong := _wrong_header(header):
                yield f"{file}:{line}: {wrong}"
                return
            continue
        count += 1
        yield _question(file, line, header, cells, default_language)
    if header is None:
        yield f"{file}:1: the file is empty; {_FORM}"
    elif not count:
        yield f"{file}:1: there is no question below the header"


def _rows(file: Path, text: str) -> Iterator[tuple[int, list[str] | str]]:
    """(line of its beginning, cells) of every row that is not blank; a mistake ends it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"{file}:{line}: not valid CSV: {error}; check the quotes from here on"
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _wrong_header(header: Sequence[str]) -> str:
    missing = [name for name in ("text", "article") if name not in header]
    if missing and len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return f"the columns are not separated by commas; {_FORM}"
    if missing:
        return f"there is no column {' and no column '.join(missing)}; {_FORM}"
    doubled = [name for name in COLUMNS if header.count(name) > 1]
    return f"the column {doubled[0]} is there twice; {_FORM}" if doubled else ""


def _question(
    file: Path, line: int, header: Sequence[str], cells: Sequence[str], default_language: str
) -> Question | str:
    if len(cells) > len(header):
        return f"{file}:{line}: more cells than columns; put a text that has a comma in quotes"
    if len(cells) < len(header):
        return f"{file}:{line}: fewer cells than columns; write the comma before an empty cell too"
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    if not row["text"]:
        return f"{file}:{line}: there is no text; write the question, or remove the line"
    language = row["language"].lower() if "language" in header else default_language
    return Question(row["text"], row["article"], language, file, line)
