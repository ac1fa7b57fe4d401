"""What the documents say is what there is."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from bot.cli import app
from bot.journeys.definitions import read_journeys
from bot.journeys.purchases import parse_generic
from bot.knowledge.articles.articles import Problem, read_article
from bot.knowledge.evaluation.question_sets import read_questions
from bot.knowledge.imports.importing import import_articles
from bot.settings import ROOT
from bot.signatures import verify

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```")
INDENTED = re.compile(r"(?m)^ {4,}(\S.*)$")
INLINE = re.compile(r"`([^`\n]+)`")


def blocks(name: str, language: str) -> list[str]:
    """A page's fenced blocks in a language."""
    return [text for kind, text in FENCED.findall(read(name)) if kind == language]


def readme_block(language: str) -> str:
    """The README's first fenced block in a language."""
    return blocks("README.md", language)[0]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_of(page: Path) -> Iterator[str]:
    """Lines of code of a page: fenced, indented and inline."""
    text = page.read_text("utf-8")
    for _, block in FENCED.findall(text):
        yield from block.splitlines()
    rest = FENCED.sub("", text)
    yield from INDENTED.findall(rest)
    yield from INLINE.findall(rest)


def usher_calls() -> Iterator[tuple[str, str]]:
    """(page, what follows `usher`) for every call that a page shows."""
    for page in PAGES:
        for line in code_of(page):
            called = re.match(r"(?:\.venv/bin/)?usher +(.*)", line.strip())
            if called is not None:
                yield page.name, called[1]


def test_settings_page_and_links_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_pages_show_calls_of_usher() -> None:
    assert len(list(usher_calls())) > 10


@pytest.mark.parametrize(("page", "call"), sorted(set(usher_calls())))
def test_every_usher_command_and_option_exists(page: str, call: str) -> None:
    command = typer.main.get_command(app)
    for word in shlex.split(call):
        if isinstance(command, TyperGroup):
            assert word in command.commands, f"{page}: there is no `usher {call}`"
            command = command.commands[word]
        elif word.startswith("--"):
            options = {option for each in command.params for option in each.opts}
            assert word in options | {"--help"}, f"{page}: `usher {call}` knows no {word}"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", read("Makefile")))
    for page in PAGES:
        for line in code_of(page):
            called = re.match(r"make +([a-z-]+)", line)
            assert called is None or called[1] in targets, f"{page.name}: no `make {called[1]}`"


def test_every_named_path_exists() -> None:
    """`bot/...`, `docs/...` and so on in code of the architecture are real."""
    known = re.compile(r"(?:bot|actions|data|docs|tests|web|environments|benchmarks)/[\w./-]*")
    for line in INLINE.findall(read("docs/architecture.md")):
        if known.fullmatch(line) and "<" not in line:
            assert (ROOT / line).exists(), f"docs/architecture.md: there is no {line}"


@pytest.mark.parametrize("page", ["README.md", "docs/articles.md"])
def test_example_article_is_served(page: str, tmp_path: Path) -> None:
    file = tmp_path / "returns.md"
    file.write_text(blocks(page, "markdown")[0], "utf-8")
    article = read_article(file)
    assert not isinstance(article, Problem), article
    assert article.short_answer.startswith("You can return anything within 30 days.")


def test_example_table_is_imported_and_asked_about_as_the_page_says(tmp_path: Path) -> None:
    faq, questions = tmp_path / "faq.csv", tmp_path / "questions.csv"
    for file, text in zip((faq, questions), blocks("docs/articles.md", "csv"), strict=True):
        file.write_text(text, "utf-8")
    imported = import_articles(faq, "en", tmp_path / "shop")
    assert len(imported.written) == 5
    (problem,) = imported.problems
    assert f"faq.csv:{problem.line}: {problem.message}\n" in read("docs/articles.md")
    ids = {path.stem for path in imported.written}
    asked = read_questions([questions], ids, {"en"})
    assert [bool(each.article) for each in asked] == [True, True, False]


def test_example_journey_is_valid(tmp_path: Path) -> None:
    (tmp_path / "kettle.yml").write_text(readme_block("yaml"), "utf-8")
    (journey,) = read_journeys(tmp_path)
    assert [step.help for step in journey.steps] == ["returns", "returns"]


def test_python_signing_example_is_accepted() -> None:
    script = readme_block("python").split("request = ")[0] + (
        "print(f't={at},v1={signature}'); print(body.decode())"
    )
    header, body = run([sys.executable, "-c", script]).splitlines()
    verify(body.encode(), header, ["a key of a test"])
    assert parse_generic(body.encode()).event_id == "evt-1001"


def test_shell_signing_example_is_accepted() -> None:
    script = readme_block("sh").split("curl ")[0] + 'echo "t=$AT,v1=$SIGNATURE"; echo "$BODY"'
    header, body = run(["sh", "-eu", "-c", script]).splitlines()
    verify(body.encode(), header, ["a key of a test"])
    assert parse_generic(body.encode()).event_id == "evt-1002"


def run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "USHER_WEBHOOK_SECRET": "a key of a test"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
