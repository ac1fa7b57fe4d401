"""What the assistant learns from: enough in every language, and nothing said twice."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
import yaml

from bot.knowledge.acts.acts import ActFolder
from bot.knowledge.language.normalising import normalise
from bot.knowledge.search.looking import DECLINE, ORDER_NUMBER
from bot.languages import LANGUAGES
from bot.messages import URGENT
from bot.settings import ROOT

NLU = ROOT / "data" / "nlu"
FEWEST = 20
TOLD_OTHERWISE = {DECLINE, ORDER_NUMBER, "not_understood"}
"""Intents that the knowledge process tells by what stands in a message."""


def labelled() -> Iterator[tuple[str, str, str]]:
    """(language, intent, example) of every file."""
    for path in sorted(NLU.glob("*/*.yml")):
        for item in yaml.safe_load(path.read_text("utf-8"))["nlu"]:
            for line in item["examples"].splitlines():
                if line.strip():
                    assert line.startswith("- "), f"{path}: {line}"
                    yield path.parent.name, item["intent"], line.removeprefix("- ").strip()


@pytest.fixture(scope="module")
def data() -> list[tuple[str, str, str]]:
    return list(labelled())


def intents() -> set[str]:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text("utf-8"))
    return {
        name for each in domain["intents"] for name in (each if isinstance(each, dict) else [each])
    }


def test_every_intent_has_enough_examples_in_every_language(
    data: list[tuple[str, str, str]],
) -> None:
    counts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for language, intent, example in data:
        counts[language, intent].add(example)
    few = {
        (language, intent): len(counts[language, intent])
        for language in LANGUAGES
        for intent in intents() - TOLD_OTHERWISE
        if len(counts[language, intent]) < FEWEST
    }
    assert few == {}


def test_every_trained_intent_is_one_of_the_domain(data: list[tuple[str, str, str]]) -> None:
    assert {intent for _, intent, _ in data} == intents() - TOLD_OTHERWISE


def test_no_example_stands_under_two_intents(data: list[tuple[str, str, str]]) -> None:
    meanings: dict[str, set[str]] = defaultdict(set)
    for _, intent, example in data:
        meanings[normalise(example)].add(intent)
    assert {example: found for example, found in meanings.items() if len(found) > 1} == {}


def test_no_example_stands_twice_in_a_language(data: list[tuple[str, str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    twice = []
    for language, _, example in data:
        if (language, example) in seen:
            twice.append((language, example))
        seen.add((language, example))
    assert twice == []


def test_no_example_has_brackets_which_rasa_would_read_as_entities(
    data: list[tuple[str, str, str]],
) -> None:
    assert [example for _, _, example in data if set(example) & set("[]{}")] == []


def test_every_example_is_read(data: list[tuple[str, str, str]]) -> None:
    folder = ActFolder(NLU)
    assert folder.problems == ()
    read = {
        (language, act, example)
        for language, acts in folder.acts.examples.items()
        for act, some in acts.items()
        for example in some
    }
    assert read == set(data)
    assert set(folder.acts.signs.values()) <= intents()
    assert folder.acts.found.keys() == URGENT
