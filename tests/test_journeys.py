"""Journeys as data: what is wrong is named, and the project's own ones are right."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import InvalidInput
from bot.journeys.definitions import read_journeys
from bot.knowledge.articles.articles import read_articles
from bot.languages import LANGUAGES
from tests.scenes import JOURNEYS, KNOWLEDGE_BASE

STEP = "  - {wait: 10s, help: brio-setup, send: {en: a, vi: b, th: c, fa: d}}\n"
GOOD = f"product: brio\nsteps:\n{STEP}"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "brio.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("4h", timedelta(hours=4)),
        ("3d", timedelta(days=3)),
    ],
)
def test_durations_are_read_with_their_unit(tmp_path: Path, wait: str, expected: timedelta) -> None:
    write(tmp_path, GOOD.replace("10s", wait))
    [journey] = read_journeys(tmp_path)
    assert journey.steps[0].wait == expected
    assert journey.name == journey.product == "brio"


def test_the_version_changes_with_the_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    [before] = read_journeys(tmp_path)
    write(tmp_path, GOOD.replace("en: a", "en: aa"))
    [after] = read_journeys(tmp_path)
    assert before.version != after.version


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "brio.yml"),
        ("[]", "brio.yml"),
        ("just words", "brio.yml"),
        ("a: [", "not valid YAML"),
        ("a: 'b", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        ("product: brio", "steps"),
        ("product: brio\nsteps: []", "steps"),
        (f"steps:\n{STEP}", "product"),
        (GOOD + "colour: red\n", "colour"),
        (GOOD.replace("10s", "soon"), "steps.0.wait"),
        (GOOD.replace("10s", "10"), "steps.0.wait"),
        (GOOD.replace("10s", "-5m"), "steps.0.wait"),
        (GOOD.replace("10s", "9999999999999999d"), "steps.0.wait"),
        (GOOD.replace("brio\n", "2026-02-30\n"), "brio.yml"),
        (GOOD.replace("brio\n", "!!bool maybe\n"), "brio.yml"),
        (GOOD.replace("brio\n", "[" * 1500), "brio.yml"),
        (GOOD.replace(", fa: d", ""), "fa"),
        (GOOD.replace("en: a", 'en: ""'), "en"),
        (GOOD.replace("help: brio-setup, ", ""), "steps.0.help"),
        (GOOD.replace("help:", "helps:"), "steps.0.help"),
        (GOOD.replace("send: {", "send: 1, x: {"), "steps.0.send"),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, content: str | bytes, named: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InvalidInput) as error:
        read_journeys(tmp_path)
    assert str(path) in str(error.value)
    assert named in str(error.value)


def test_there_is_a_journey_for_each_product_of_the_shop() -> None:
    assert {each.product for each in read_journeys(JOURNEYS)} == {"brio", "clara", "volta"}


def test_every_tip_names_a_help_article_that_exists_in_all_languages() -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    existing = {(each.language, each.id) for each in articles}
    for journey in read_journeys(JOURNEYS):
        for step in journey.steps:
            for language in LANGUAGES:
                assert (language, step.help) in existing, f"{journey.name}: {step.help}"
                assert step.texts[language].strip()
