"""The keys above an article, from YAML that may come from anywhere."""

import re
from collections.abc import Sequence
from datetime import date

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

MAX_LENGTH = 100_000
MAX_TITLE = 200
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,99}$"
# PostgreSQL stores no NUL, YAML allows none of these, and no editor writes them.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MAX_DEPTH = 4
_MAX_TOLD = 7
_EXPECTED = {
    "id": "write 1 to 100 of the letters a–z, digits, '-' and '_', for example 'id: returns'",
    "language": "write the two or three letters of a language, for example 'language: en'",
    "title": f"write one line of at most {MAX_TITLE} characters with a word in it",
    "questions": "write a list, for example 'questions: [\"How do I …?\"]'",
    "tags": "write a list, for example 'tags: [returns, delivery]'",
    "products": "write a list, for example 'products: [brio]'",
    "updated": "write a date that exists, for example 'updated: 2026-11-20'",
}


class Mistake(ValueError):
    """Something is wrong with the keys.

    `line` counts from the first line below the opening `---`, which is 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class FrontMatter(BaseModel):
    """What the keys say; every text is one line."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=ID_PATTERN)
    language: str = Field(pattern=r"^[a-z]{2,3}$")
    title: str = Field(max_length=MAX_TITLE)
    questions: list[str] = []
    tags: list[str] = []
    products: list[str] = []
    updated: str = Field(default="", max_length=100)

    @field_validator("*")
    @classmethod
    def _one_line(cls, value: str | list[str]) -> str | list[str]:
        if isinstance(value, str):
            return _cleaned(value)
        return [text for text in map(_cleaned, value) if text]

    @field_validator("title")
    @classmethod
    def _has_words(cls, title: str) -> str:
        if not says_something(title):
            raise ValueError("no word")
        return title

    @field_validator("updated")
    @classmethod
    def _exists(cls, updated: str) -> str:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", updated):
            date.fromisoformat(updated)
        return updated


def says_something(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(map(str.isalnum, text))


def _cleaned(text: str) -> str:
    if CONTROL.search(text):  # written as an escape; as themselves they never get here
        raise ValueError("control character")
    return " ".join(text.split())


def parse_front_matter(text: str) -> FrontMatter:
    """The keys between the two lines of `---`.

    Raises:
        Mistake: with the line, and what to do.
    """
    if len(text) > MAX_LENGTH:
        raise Mistake(
            1, f"the front matter is longer than {MAX_LENGTH:,} characters; write fewer questions"
        )
    try:
        refuse_bombs(text)
        # Every scalar as the text that was typed: no date, number or `no` is turned into
        # something else, and no tag is obeyed.
        values = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Mistake(
            mark.line + 1 if mark else 1,
            "the front matter is not valid YAML; quote texts that have a ':' or begin with a sign",
        ) from error
    if not isinstance(values or {}, dict):
        raise Mistake(1, "the front matter has no keys; write them as 'title: …'")
    # A key without a value is as good as none.
    filled = {str(key): value for key, value in (values or {}).items() if value != ""}
    try:
        return FrontMatter.model_validate(filled)
    except ValidationError as error:
        raise _wrong_keys(error, text.split("\n")) from error


def refuse_bombs(text: str) -> None:
    """Find what makes a small YAML text large or slow, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise Mistake(line, "aliases (*name) are not read; write the value out, or quote it")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise Mistake(line, "lists within lists; write one list of texts for each key")


def _wrong_keys(error: ValidationError, lines: Sequence[str]) -> Mistake:
    wrong: dict[str, str] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        key = str(each["loc"][0])
        if key not in _EXPECTED:
            what = f"there is no key '{key[:50]}'; use {', '.join(_EXPECTED)}"
        elif each["type"] == "missing":
            what = f"'{key}' is missing or empty; {_EXPECTED[key]}"
        else:
            what = f"'{key}' has a value that cannot be used; {_EXPECTED[key]}"
        wrong.setdefault(key, what)
        if len(wrong) == _MAX_TOLD:
            break
    (line, message), *others = sorted((_line_of(key, lines), what) for key, what in wrong.items())
    # The line numbers of the others are those of the file, like the first one's in its report.
    return Mistake(line, message + "".join(f"; line {n + 1}: {what}" for n, what in others))


def _line_of(key: str, lines: Sequence[str]) -> int:
    written = re.compile(rf"[\"']?{re.escape(key)}[\"']?[ \t]*:")
    return next((n for n, line in enumerate(lines, start=1) if written.match(line)), 1)
