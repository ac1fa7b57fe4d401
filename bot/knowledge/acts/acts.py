"""Dialogue acts by their examples: Rasa's training data, `data/nlu/<language>/*.yml`.

What lies in no language's folder holds for every language: signs without a word, as emoji. How
certain an act must be stands beside its examples, as Rasa's `metadata`: its least probability; and,
where it may be less for that, the share of its own examples that must be found, each as if it did
not stand there. What is `first` goes before a question in the same message.

- intent: ask_human
  metadata: {sure: 0.7, first: true}
  examples: |
    - let me talk to a person
- intent: danger
  metadata: {found: 0.95, sure: 0.2, first: true}
  examples: |
    - smoke comes out of it
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.knowledge.articles.articles import Problem, decoded, not_yaml, read_file
from bot.knowledge.articles.front_matter import Mistake, refuse_bombs

QUESTION = "question"
"""The intent of what asks for an article. Its examples are of any shop: they tell what an act is
not, and teach nothing about articles."""
OUT_OF_SCOPE = "out_of_scope"
"""The intent of what is neither an act nor answered by any article."""
USUALLY_SURE = 0.4
"""So probable an act must be: of examples with 0.3 to 0.5, each left out, 70 % are right."""


@dataclass(frozen=True)
class Acts:
    """What customers do by speaking."""

    examples: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Of each language and intent."""
    signs: Mapping[str, str] = field(default_factory=dict)
    """Intent of a sign that is no word."""
    sure: Mapping[str, float] = field(default_factory=dict)
    """How probable an act must be, where that is not as usual, 0–1."""
    found: Mapping[str, float] = field(default_factory=dict)
    """Share of an act's own examples that must be found, where that matters most, 0–1."""
    first: frozenset[str] = frozenset()
    """Acts that go before a question in the same message."""

    def bar(self, act: str) -> float:
        """How probable an act must be to be done."""
        return self.sure.get(act, USUALLY_SURE)


NO_ACTS = Acts()


class ActFolder:
    """The acts of a folder as it is now, with the last good version of what is broken."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.acts = Acts()
        self.problems: tuple[Problem, ...] = ()
        self._read: dict[Path, tuple[bytes, list[_Item]]] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read what has changed on disk; whether there is something else to serve."""
        problems: list[Problem] = []
        items: dict[Path, tuple[bytes, list[_Item]]] = {}
        for path in sorted(self.path.rglob("*.yml")):
            content = read_file(path)
            known = self._read.get(path)
            if known and known[0] == content:
                items[path] = known
                continue
            found = content if isinstance(content, Problem) else _parsed(path, content)
            if isinstance(found, Problem):
                problems.append(found)
                if known:
                    items[path] = known
            elif isinstance(content, bytes):
                items[path] = (content, found)
        self._read, self.problems = items, tuple(problems)
        before, self.acts = self.acts, self._together()
        return self.acts != before

    def _together(self) -> Acts:
        examples: dict[str, dict[str, tuple[str, ...]]] = {}
        signs: dict[str, str] = {}
        sure: dict[str, float] = {}
        found: dict[str, float] = {}
        first: set[str] = set()
        for path, (_, items) in self._read.items():
            language = path.parent.name if path.parent != self.path else ""
            for item in items:
                if item.sure is not None:
                    sure[item.intent] = max(item.sure, sure.get(item.intent, 0.0))
                if item.found is not None:
                    found[item.intent] = max(item.found, found.get(item.intent, 0.0))
                if item.first:
                    first.add(item.intent)
                if not language:
                    signs.update(dict.fromkeys(item.examples, item.intent))
                    continue
                intents = examples.setdefault(language, {})
                intents[item.intent] = (*intents.get(item.intent, ()), *item.examples)
        return Acts(examples, signs, sure, found, frozenset(first))


@dataclass(frozen=True)
class _Item:
    intent: str
    examples: tuple[str, ...]
    sure: float | None
    found: float | None
    first: bool


def _parsed(path: Path, content: bytes) -> list[_Item] | Problem:
    text = decoded(path, content)
    if isinstance(text, Problem):
        return text
    try:
        refuse_bombs(text)
        tree = yaml.safe_load(text) or {}
        return [_item(each) for each in tree.get("nlu") or () if "intent" in each]
    except (Mistake, yaml.YAMLError) as error:
        return not_yaml(path, error)
    except (AttributeError, TypeError, ValueError) as error:
        return Problem(
            path, 1, f"not Rasa's training data ({error}); write 'nlu:', 'intent:', 'examples: |'"
        )


def _item(each: Mapping[str, Any]) -> _Item:
    metadata = each.get("metadata") or {}
    return _Item(
        str(each["intent"]),
        tuple(lines_of(each.get("examples") or "")),
        _share(each, metadata.get("sure")),
        _share(each, metadata.get("found")),
        metadata.get("first") is True,
    )


def _share(each: Mapping[str, Any], value: Any) -> float | None:
    if value is None:
        return None
    if not 0 < float(value) < 1:
        raise ValueError(f"{value} of {each['intent']} is no share; write a number from 0 to 1")
    return float(value)


def lines_of(block: str) -> Iterator[str]:
    """The examples of one intent, as Rasa reads them."""
    for line in block.splitlines():
        text = line.strip().removeprefix("- ").strip()
        if text and text != "-":
            yield text
