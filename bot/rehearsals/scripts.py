"""Conversations with what must come of them, from YAML files that people write.

    conversations:
      - name: another product
        kind: correction             # free; results are told by kind
        bought: [brio]               # with a tip about each, before the first message
        turns:
          - says: How do I clean my Brio?
            expect: {answers: brio-cleaning}
          - says: [sorry, I meant the Clara]
            expect: [{answers: clara-cleaning}, {offers: clara-cleaning}]

`says` is a message, or a list of messages that are sent one right after the other. Of a list of
expectations one is enough; of one expectation everything must come. Without `expect` anything may.
`docs/dialogue.md` tells what can be expected.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.errors import InvalidInput
from bot.languages import LANGUAGES

_SHOWN = 10


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_Some = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Outcomes(BaseModel):
    """What may come of a turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    answers: _Some = ()
    """Articles that are answered, all of them."""
    offers: _Some = ()
    """Articles whose titles are offered, all of them."""
    helps: _Some = ()
    """Articles that are answered or offered, all of them."""
    act: _Some = ()
    """Acts that the message is taken for, one of them."""
    person: Literal["offered", "queued"] | None = None
    language: str | None = None
    """Of what the assistant says."""
    nothing: bool = False
    """Nothing is answered or done: it was not understood, or nothing is known of it."""


class Expectation(Outcomes):
    """What must come of a turn, and what must not."""

    not_: Outcomes | None = Field(default=None, alias="not")


class Turn(BaseModel):
    """What a customer says at once, and what must come of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    says: _Some
    expect: Annotated[tuple[Expectation, ...], BeforeValidator(_several)] = ()


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    kind: str = "other"
    adversarial: bool = False
    language: str | None = None
    bought: tuple[str, ...] = ()
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Script:
    """One conversation of a file."""

    file: Path
    name: str
    kind: str
    language: str
    """Of the page that the customer is on."""
    bought: Sequence[str]
    turns: Sequence[Turn]


def read_scripts(
    paths: Sequence[Path], article_ids: Collection[str], default_language: str
) -> list[Script]:
    """Every conversation of the files; of a folder, of all its YAML files.

    A file that is named after a language (`vi.yml`) is in that language.

    Raises:
        InvalidInput: names the file, the conversation and what to do.
    """
    found: list[Script] = []
    mistakes: list[str] = []
    for path in paths:
        files = sorted(path.rglob("*.yml")) if path.is_dir() else [path]
        for file in files:
            language = file.stem if file.stem in LANGUAGES else default_language
            for script in _read(file, language, mistakes):
                unknown = sorted(_articles_of(script) - set(article_ids))
                if unknown:
                    mistakes.append(f"{file}: {script.name}: no article is {', '.join(unknown)}")
                found.append(script)
    if mistakes:
        raise InvalidInput("\n".join(mistakes[:_SHOWN]))
    if not found:
        raise InvalidInput(f"There is no conversation in {', '.join(map(str, paths))}.")
    return found


def _read(file: Path, default_language: str, mistakes: list[str]) -> list[Script]:
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
        listed = content["conversations"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from error
    except (KeyError, TypeError):
        mistakes.append(f"{file}: 'conversations:' with a list is missing")
        return []
    scripts: list[Script] = []
    for number, each in enumerate(listed or (), start=1):
        try:
            parsed = _Conversation.model_validate(each)
        except ValidationError as error:
            first = error.errors()[0]
            name = each.get("name", number) if isinstance(each, Mapping) else number
            where = ".".join(map(str, first["loc"]))
            mistakes.append(f"{file}: conversation {name}: {where}: {first['msg']}")
            continue
        scripts.append(
            Script(
                file,
                parsed.name,
                parsed.kind,
                parsed.language or default_language,
                parsed.bought,
                parsed.turns,
            )
        )
    return scripts


def _articles_of(script: Script) -> set[str]:
    outcomes = [
        outcome
        for turn in script.turns
        for each in turn.expect
        for outcome in (each, each.not_)
        if outcome is not None
    ]
    return {article for each in outcomes for article in (*each.answers, *each.offers, *each.helps)}
