"""Questions whose right article is known, from CSV files that people write.

    text,article,language,says
    can i send it back after 3 weeks,return-start,en,30 days
    whats the weather,,en,

An empty `article` says that no article answers it. `language` is the page that the customer is
on; the column may be missing, or a cell of it empty. A file that is named after a language
(`vi.csv`) is in that language where it does not say another. `says`, which may be missing too, is a
text that the reply must contain; several are separated by `|`, and one of them is enough.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import InvalidInput
from bot.knowledge.articles.articles import Problem
from bot.knowledge.imports.csv_rows import Row, read_rows
from bot.languages import LANGUAGES

_NEEDED = ("text", "article")
_OPTIONAL = ("language", "says")
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
    says: tuple[str, ...] = ()
    """Texts of which the reply must contain one; empty: the file does not say."""


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
    found: list[Question | Problem] = []
    for file in _files(paths):
        default = file.stem if file.stem in known else ""
        found += [
            row if isinstance(row, Problem) else _question(file, row, default, article_ids, known)
            for row in read_rows(file, _NEEDED, _OPTIONAL)
        ] or [Problem(file, 1, "there is no question below the header; write one")]
    mistakes = [str(each) for each in found if isinstance(each, Problem)]
    if len(mistakes) > _SHOWN:
        mistakes[_SHOWN:] = [f"and {len(mistakes) - _SHOWN} more"]
    if mistakes:
        raise InvalidInput("The questions cannot be used:\n" + "\n".join(mistakes))
    return [each for each in found if isinstance(each, Question)]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
        elif files := sorted(path.glob("*.csv")):
            yield from files
        else:
            raise InvalidInput(f"There is no CSV file in the folder {path}.")


def _question(
    file: Path, row: Row, default: str, article_ids: Collection[str], languages: Collection[str]
) -> Question | Problem:
    text, article = (row.cells.get(name, "") for name in _NEEDED)
    language = row.cells.get("language", "").lower() or default
    if not text:
        what = "there is no text; write the question, or remove the line"
    elif "article" not in row.cells:
        what = "fewer cells than columns; write the separator before an empty cell too"
    elif article and article not in article_ids:
        what = (
            f"no article has the id '{article}'; correct it, or leave the cell empty if no "
            "article answers the question"
        )
    elif language and language not in languages:
        known = ", ".join(sorted(languages))
        what = f"'{language}' is no language here; use one of {known}, or leave the cell empty"
    else:
        says = tuple(filter(None, map(str.strip, row.cells.get("says", "").split("|"))))
        return Question(text, article, language, file, row.line, says)
    return Problem(file, row.line, what)
