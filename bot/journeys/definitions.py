"""Journeys as data: `journeys/*.yml`, checked when they are read.

product: brio              # who enters: buyers of this product
steps:
  - wait: 10s              # after the step before; s, m, h or d
    help: brio-setup       # article that helps when the tip is answered with "no"
    send: {en: "…", vi: "…", th: "…", fa: "…"}
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import InvalidInput
from bot.languages import LANGUAGES

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(text: str) -> str:
    if not re.fullmatch(r"\d{1,5}[smhd]", text):
        raise ValueError("a duration such as 30s, 10m, 4h or 3d is expected")
    return text


def _all_languages(texts: dict[str, str]) -> dict[str, str]:
    missing = [each for each in LANGUAGES if not texts.get(each)]
    if missing:
        raise ValueError(f"there is no text for {', '.join(missing)}")
    return texts


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    wait: Annotated[str, AfterValidator(_duration)]
    help: str
    send: Annotated[dict[str, str], AfterValidator(_all_languages)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    product: str
    steps: list[_Step] = Field(min_length=1)


@dataclass(frozen=True)
class StepDefinition:
    """One tip of a journey."""

    wait: timedelta
    """After the step before it, or after the purchase."""
    help: str
    """Id of the article that helps further."""
    texts: dict[str, str]
    """By language."""


@dataclass(frozen=True)
class Journey:
    """A series of tips for the buyers of a product."""

    name: str
    version: str
    product: str
    steps: tuple[StepDefinition, ...]


def read_journeys(folder: Path) -> list[Journey]:
    """All journeys of a folder.

    Raises:
        InvalidInput: names the file, the key and what was expected.
    """
    return [_read(path) for path in sorted(folder.glob("*.yml"))]


def _read(path: Path) -> Journey:
    raw = path.read_bytes()
    try:
        parsed = _File.model_validate(yaml.safe_load(raw))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{path}: {where}: {first['msg']}") from error
    except (
        ValueError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # from PyYAML, as 2026-02-30
        raise InvalidInput(f"{path} is not valid YAML: {error}") from error
    return Journey(
        name=path.stem,
        version=hashlib.sha256(raw).hexdigest()[:12],
        product=parsed.product,
        steps=tuple(
            StepDefinition(
                wait=timedelta(**{_UNITS[step.wait[-1]]: int(step.wait[:-1])}),
                help=step.help,
                texts=step.send,
            )
            for step in parsed.steps
        ),
    )
