"""Everything that is said exists in all four languages."""

import re
import string
from typing import Any

import pytest
import yaml

from bot.languages import LANGUAGES
from bot.settings import ROOT
from bot.texts import texts

SCRIPTS = {"th": re.compile("[\u0e00-\u0e7f]"), "fa": re.compile("[\u0600-\u06ff]")}


@pytest.fixture(scope="module")
def responses() -> dict[str, list[dict[str, Any]]]:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text("utf-8"))
    found: dict[str, list[dict[str, Any]]] = domain["responses"]
    return found


def language_of(variation: dict[str, Any]) -> str:
    """English has no condition."""
    condition = variation.get("condition")
    return str(condition[0]["value"]) if condition else "en"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_have_the_same_keys_in_every_language(language: str) -> None:
    assert set(texts(language)) == set(texts("en"))
    assert all(isinstance(each, str) and each.strip() for each in texts(language).values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_have_the_same_places_to_fill_in(language: str) -> None:
    def fields(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}

    for key, text in texts("en").items():
        assert fields(texts(language)[key]) == fields(text), key


@pytest.mark.parametrize("language", SCRIPTS)
def test_thai_and_persian_texts_are_written_in_their_script(language: str) -> None:
    wrong = [
        key
        for key, text in texts(language).items()
        if not SCRIPTS[language].search(text) and not key.startswith("price_")
    ]
    assert wrong == []


def test_every_response_of_the_assistant_exists_in_every_language(
    responses: dict[str, list[dict[str, Any]]],
) -> None:
    assert responses
    for name, variations in responses.items():
        assert {language_of(each) for each in variations} == set(LANGUAGES), name


def test_responses_are_written_in_the_script_of_their_language(
    responses: dict[str, list[dict[str, Any]]],
) -> None:
    for name, variations in responses.items():
        for each in variations:
            text, language = each.get("text", ""), language_of(each)
            assert text.strip(), name
            for other, script in SCRIPTS.items():
                assert bool(script.search(text)) == (language == other), (name, text)


def test_a_response_asks_and_offers_the_same_in_every_language(
    responses: dict[str, list[dict[str, Any]]],
) -> None:
    for name, variations in responses.items():
        shapes = {
            (len(each.get("buttons", ())), str(each.get("custom", {}).get("asks")))
            for each in variations
        }
        assert len(shapes) == 1, name
