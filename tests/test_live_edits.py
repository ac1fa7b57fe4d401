"""Saved edits are served within seconds; what is broken is served as it was before."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bot.errors import WrongSetting
from bot.knowledge.acts.acts import ActFolder
from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.folder import ArticleFolder
from bot.knowledge.live import LiveArticles
from bot.knowledge.search.matching import Matcher
from bot.knowledge.service import create_app, load_matcher
from bot.messages import Match
from bot.operations.doctor import before_start
from bot.settings import ROOT, Settings, load_settings
from tests.conftest import START_SECONDS, Serve, free_port, wait_until

QUESTION = "How do I send a lamp back?"
TOPICS = {
    "returns": ("Return a product", "Send it back within 30 days."),
    "delivery": ("Time and cost of delivery", "Delivery takes two days."),
    "payment": ("Ways to pay", "Pay by card or in cash."),
    "warranty": ("What the warranty covers", "Faults are mended for two years."),
    "account": ("Delete your account", "Open the settings and press delete."),
}


def article(article_id: str, text: str, title: str = "A title") -> str:
    return f"---\nid: {article_id}\nlanguage: en\ntitle: {title}\n---\n{text}\n"


def write(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(content)
    return path


def texts(folder: ArticleFolder) -> dict[str, str]:
    folder.refresh()
    return {each.id: each.body for each in folder.articles}


def problems(folder: ArticleFolder) -> list[str]:
    return [each.file.stem for each in folder.problems]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    write(folder, "returns", article("returns", "Old."))
    write(folder, "delivery", article("delivery", "Two days."))
    return folder


# --- a folder ---


def test_an_edit_is_read_and_the_other_articles_stay_the_very_same(files: Path) -> None:
    folder = ArticleFolder(files)
    assert folder.refresh()
    assert not folder.refresh()
    (before,) = (each for each in folder.articles if each.id == "delivery")
    write(files, "returns", article("returns", "New."))
    assert folder.refresh()
    assert texts(folder)["returns"] == "New."
    assert any(each is before for each in folder.articles)


def test_edits_that_leave_size_and_clock_alike_are_read(files: Path) -> None:
    folder = ArticleFolder(files)
    for number in range(100, 200):
        write(files, "returns", article("returns", str(number)))
        assert texts(folder)["returns"] == str(number)


def test_a_broken_save_keeps_the_last_good_version_and_is_a_problem(files: Path) -> None:
    folder = ArticleFolder(files)
    folder.refresh()
    path = write(files, "returns", "---\nid: returns\nlanguage: en\n---\nNo title.")
    assert texts(folder)["returns"] == "Old."
    (problem,) = map(str, folder.problems)
    assert problem.startswith(f"{path}:2: 'title' is missing")
    assert problem.endswith("(until then its last good version is served)")
    write(files, "returns", article("returns", "New."))
    assert texts(folder)["returns"] == "New."
    assert folder.problems == ()


def test_a_file_that_never_was_good_is_only_a_problem(files: Path) -> None:
    write(files, "broken", "nothing")
    folder = ArticleFolder(files)
    assert texts(folder).keys() == {"returns", "delivery"}
    assert "last good version" not in str(folder.problems[0])


def test_a_removed_file_is_served_no_more_even_if_it_comes_back_broken(files: Path) -> None:
    folder = ArticleFolder(files, files.parent)
    folder.refresh()
    (files / "returns.md").unlink()
    assert texts(folder).keys() == {"delivery"}
    write(files, "returns", "broken")
    assert texts(folder).keys() == {"delivery"}
    assert texts(ArticleFolder(files, files.parent)).keys() == {"delivery"}


def test_a_removed_file_that_was_broken_is_served_no_more(files: Path) -> None:
    folder = ArticleFolder(files, files.parent)
    folder.refresh()
    write(files, "returns", "broken")
    assert "returns" in texts(folder)
    (files / "returns.md").unlink()
    assert "returns" not in texts(folder)
    assert folder.problems == ()


def test_the_last_good_version_is_served_after_a_restart(files: Path) -> None:
    ArticleFolder(files, files.parent).refresh()
    write(files, "returns", article("returns", "Newer."))
    ArticleFolder(files, files.parent).refresh()
    write(files, "returns", "broken")
    folder = ArticleFolder(files, files.parent)
    assert texts(folder)["returns"] == "Newer."
    assert problems(folder) == ["returns"]


def test_what_is_remembered_of_one_folder_is_not_served_in_another(files: Path) -> None:
    ArticleFolder(files, files.parent).refresh()
    other = files.parent / "other"
    write(other, "returns", "broken")
    assert texts(ArticleFolder(other, files.parent)) == {}


def test_when_the_whole_folder_vanishes_the_last_articles_stay(files: Path) -> None:
    folder = ArticleFolder(files, files.parent)
    folder.refresh()
    away = files.rename(files.with_name("away"))
    restarted = ArticleFolder(files, files.parent)
    for each in (folder, restarted):
        assert texts(each) == {"returns": "Old.", "delivery": "Two days."}
        assert "no such folder" in str(each.problems[0])
    away.rename(files)
    write(files, "returns", article("returns", "New."))
    for each in (folder, restarted):
        assert texts(each) == {"returns": "New.", "delivery": "Two days."}
        assert each.problems == ()


def test_a_save_with_an_id_that_is_taken_keeps_the_article_as_it_was(files: Path) -> None:
    folder = ArticleFolder(files, files.parent)
    folder.refresh()
    write(files, "returns", article("delivery", "By mistake."))
    for each in (folder, ArticleFolder(files, files.parent)):
        assert texts(each) == {"returns": "Old.", "delivery": "Two days."}
        assert problems(each) == ["returns"]


def test_an_article_that_was_moved_to_another_file_is_served_from_there(files: Path) -> None:
    folder = ArticleFolder(files)
    folder.refresh()
    write(files, "returns", "moved")
    write(files, "sending-back", article("returns", "Moved."))
    assert texts(folder)["returns"] == "Moved."


@pytest.mark.parametrize("damage", ["garbage", "folder"])
def test_a_damaged_memory_harms_no_article(files: Path, damage: str) -> None:
    memory = files.parent / "last_good.db"
    if damage == "folder":
        memory.mkdir()
    else:
        memory.write_bytes(b"no database" * 1000)
    folder = ArticleFolder(files, files.parent)
    assert texts(folder) == {"returns": "Old.", "delivery": "Two days."}
    write(files, "returns", "broken")
    assert texts(folder)["returns"] == "Old."


def test_many_readers_at_once_all_see_the_articles(files: Path) -> None:
    folder = ArticleFolder(files)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: len(folder.current()), range(200)))
    assert set(seen) == {2}


class Editing(RuleBasedStateMachine):
    """Files are written well and badly, removed, renamed; processes start again."""

    root: Path
    names = st.sampled_from(["a", "b", "c"])

    @initialize()
    def begin(self) -> None:
        shutil.rmtree(self.root)
        self.files = self.root / "articles"
        self.files.mkdir(parents=True)
        self.folder = ArticleFolder(self.files, self.root)
        self.served: dict[str, str] = {}
        self.broken: set[str] = set()
        self.counter = 0

    @rule(name=names)
    def save(self, name: str) -> None:
        self.counter += 1
        text = f"Version {self.counter:04}."
        write(self.files, name, article(name, text))
        self.served[name] = text
        self.broken.discard(name)

    @rule(name=names, content=st.sampled_from(["", "broken", "---\nid: a\n---\nx", "\0", "---\n"]))
    def save_badly(self, name: str, content: str) -> None:
        write(self.files, name, content)
        self.broken.add(name)

    @rule(name=names)
    def save_by_renaming(self, name: str) -> None:
        self.counter += 1
        text = f"Version {self.counter:04}."
        draft = self.files / f"{name}.md~"
        draft.write_text(article(name, text))
        draft.replace(self.files / f"{name}.md")
        self.served[name] = text
        self.broken.discard(name)

    @rule(name=names)
    def remove(self, name: str) -> None:
        (self.files / f"{name}.md").unlink(missing_ok=True)
        self.served.pop(name, None)
        self.broken.discard(name)

    @rule()
    def restart(self) -> None:
        self.folder = ArticleFolder(self.files, self.root)

    @invariant()
    def what_is_served_is_right(self) -> None:
        if hasattr(self, "folder"):
            assert texts(self.folder) == self.served
            assert set(problems(self.folder)) == self.broken


def test_any_sequence_of_edits_and_restarts_ends_as_the_rules_say(tmp_path: Path) -> None:
    class EditingHere(Editing):
        root = tmp_path

    few = hypothesis_settings(max_examples=40, stateful_step_count=20)
    run_state_machine_as_test(EditingHere, settings=few)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_help_pages_show_the_last_good_version(serve: Serve, files: Path) -> None:
    gateway = serve(knowledge_base=files)
    assert "Old." in gateway.get("/help/en/returns").text
    write(files, "returns", "broken")
    for _ in range(2):  # after the first look, and from memory
        threading.Event().wait(0.6)
        assert "Old." in gateway.get("/help/en/returns").text
    write(files, "returns", article("returns", "New."))
    wait_until(lambda: "New." in gateway.get("/help/en/returns").text)


# --- the knowledge process ---


@contextmanager
def served(settings: Settings) -> Iterator[httpx.Client]:
    """The knowledge process's application, as uvicorn runs it, with the real model."""
    listening = socket.create_server(("127.0.0.1", settings.knowledge_port))
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, seconds=120)
        with httpx.Client(base_url=settings.knowledge_url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=START_SECONDS)
        listening.close()
    assert not thread.is_alive(), "the knowledge process did not stop"


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, clean_environment: None) -> Settings:
    root = tmp_path_factory.mktemp("live")
    for name, (title, text) in TOPICS.items():
        write(root / "articles", name, article(name, text, title))
    return load_settings(
        _env_file=None,
        data_dir=root / "data",
        knowledge_base=root / "articles",
        acts=root / "acts",
        internal_port=free_port(),
    )


def answer(knowledge: httpx.Client) -> str:
    found = knowledge.post("/match", json={"text": QUESTION, "language": "en"})
    found.raise_for_status()
    text: str = found.json()[0]["text"]
    return text


def health(knowledge: httpx.Client) -> list[str]:
    found: list[str] = knowledge.get("/healthz").json()["problems"]
    return found


def returns(text: str) -> str:
    return article("returns", text, TOPICS["returns"][0])


class Customers:
    """Ask without a pause, and remember what they heard."""

    def __init__(self, knowledge: httpx.Client) -> None:
        self.heard: list[str] = []
        self.failures: list[str] = []
        self._knowledge = knowledge
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._enough.is_set():
            try:
                self.heard.append(answer(self._knowledge))
            except httpx.HTTPError as error:
                self.failures.append(str(error))

    def __enter__(self) -> "Customers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(timeout=START_SECONDS)


def test_edits_are_served_without_a_gap_and_broken_ones_as_they_were(settings: Settings) -> None:
    files = settings.knowledge_base
    with served(settings) as knowledge, Customers(knowledge) as customers:
        wait_until(lambda: bool(customers.heard))
        assert answer(knowledge) == TOPICS["returns"][1]
        assert health(knowledge) == []

        write(files, "returns", returns("Send it back within 60 days."))
        wait_until(lambda: answer(knowledge) == "Send it back within 60 days.")

        path = write(files, "returns", "---\nid: returns\n")
        wait_until(lambda: bool(health(knowledge)))
        (problem,) = health(knowledge)
        assert problem.startswith(f"{path}:1: the front matter has no end; put")
        assert answer(knowledge) == "Send it back within 60 days."

        write(files, "returns", returns("Send it back within 90 days."))
        wait_until(lambda: answer(knowledge) == "Send it back within 90 days.")
        assert health(knowledge) == []

        (files / "returns.md").unlink()
        wait_until(lambda: knowledge.get("/articles/en/returns").status_code == 404)
    assert customers.failures == []
    assert customers.heard[0] == TOPICS["returns"][1]


def test_a_broken_article_is_served_as_it_was_after_a_restart(settings: Settings) -> None:
    with served(settings):
        pass
    write(settings.knowledge_base, "returns", "broken")
    with served(settings) as knowledge:
        assert answer(knowledge) == TOPICS["returns"][1]
        assert len(health(knowledge)) == 1


def test_editors_that_rename_write_in_pieces_and_leave_files_beside_are_understood(
    settings: Settings,
) -> None:
    files = settings.knowledge_base
    whole = returns("Written in pieces.")
    with served(settings) as knowledge:
        swap = files / ".returns.md.swp"
        swap.write_bytes(b"\0\1")
        backup = files / "returns.md~"
        (files / "returns.md").rename(backup)
        with (files / "returns.md").open("w") as file:
            for letter in whole:
                file.write(letter)
                file.flush()
        backup.unlink()
        swap.unlink()
        wait_until(lambda: answer(knowledge) == "Written in pieces.")
        assert health(knowledge) == []
        assert knowledge.get("/healthz").json()["articles"] == len(TOPICS)


def test_a_folder_that_vanishes_and_another_in_its_place_are_noticed(settings: Settings) -> None:
    files = settings.knowledge_base
    with served(settings) as knowledge:
        away = files.rename(files.with_name("away"))
        wait_until(lambda: bool(health(knowledge)))
        assert answer(knowledge) == TOPICS["returns"][1]
        shutil.copytree(away, files)
        wait_until(lambda: health(knowledge) == [])
        write(files, "returns", returns("From the new folder."))
        wait_until(lambda: answer(knowledge) == "From the new folder.")


def test_of_many_reloads_and_edits_at_once_the_last_state_wins(settings: Settings) -> None:
    with served(settings) as knowledge, ThreadPoolExecutor(4) as pool:
        for number in range(12):
            write(settings.knowledge_base, "returns", returns(f"Version {number}."))
            reloads = [pool.submit(knowledge.post, "/reload") for _ in range(3)]
        last = [each.result() for each in reloads][-1]
        assert last.json() == {"articles": len(TOPICS), "problems": [], "failure": ""}
        assert answer(knowledge) == "Version 11."


def test_where_the_system_tells_nothing_the_folder_is_polled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    with served(settings) as knowledge:
        write(settings.knowledge_base, "returns", returns("Polled."))
        wait_until(lambda: answer(knowledge) == "Polled.")


def test_articles_that_cannot_be_indexed_leave_what_was_served_before(files: Path) -> None:
    served: list[set[str]] = []

    def serve(articles: Sequence[Article]) -> None:
        if any("crash" in each.body for each in articles):
            raise KeyError("a fault of the indexing")
        served.append({each.body for each in articles})

    async def edit() -> None:
        write(files, "returns", article("returns", "crash"))
        await live.reload()
        await live.reload(again=True)
        assert served == []
        assert "a fault of the indexing" in live.problems[0]
        write(files, "returns", article("returns", "New."))
        await live.reload()
        assert served == [{"New.", "Two days."}]
        assert live.problems == []

    folder = ArticleFolder(files)
    folder.refresh()
    live = LiveArticles(folder, files, ActFolder(files / "acts"), serve)
    asyncio.run(edit())


def test_a_broken_article_does_not_keep_usher_from_starting(settings: Settings) -> None:
    write(settings.knowledge_base, "payment", "broken")
    found = {each.name: each for each in before_start(settings)}["articles"]
    assert not found.ok
    assert not found.blocks
    shutil.rmtree(settings.knowledge_base)
    found = {each.name: each for each in before_start(settings)}["articles"]
    assert found.blocks


def usher_index(settings: Settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "index"],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "USHER_DATA_DIR": str(settings.data_dir),
            "USHER_KNOWLEDGE_BASE": str(settings.knowledge_base),
            "USHER_ACTS": str(settings.acts),
            "USHER_INTERNAL_PORT": str(settings.internal_port),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_command_names_what_is_to_mend_and_tells_a_running_usher(settings: Settings) -> None:
    done = usher_index(settings)
    assert done.returncode == 0, done.stderr
    assert f"{len(TOPICS)} articles are embedded" in done.stdout
    assert "not running" in done.stdout
    path = write(settings.knowledge_base, "payment", "broken [bold]")
    with served(settings) as knowledge:
        write(settings.knowledge_base, "returns", returns("As the command was run."))
        done = usher_index(settings)
        assert answer(knowledge) == "As the command was run."
    assert done.returncode == 1
    assert f"\n{path}:1: no front matter; begin" in done.stdout
    assert f"{len(TOPICS)} articles are embedded" in done.stdout
    assert "The running Usher serves them." in done.stdout


def test_the_command_says_so_when_a_running_usher_does_not_take_the_articles(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(settings) as knowledge:
        before = answer(knowledge)
        with monkeypatch.context() as broken:
            broken.setattr("bot.knowledge.service.Index", lambda *_, **__: 1 / 0)
            write(settings.knowledge_base, "returns", returns("As the command was run."))
            done = usher_index(settings)
        assert answer(knowledge) == before
    assert done.returncode == 1
    assert "The running Usher does not serve them: the articles cannot be indexed" in done.stdout


def test_a_folder_that_never_was_is_a_wrong_setting(settings: Settings, tmp_path: Path) -> None:
    wrong = settings.model_copy(update={"knowledge_base": tmp_path / "nowhere"})
    with pytest.raises(WrongSetting, match="USHER_KNOWLEDGE_BASE"):
        load_matcher(wrong)


def test_a_folder_that_cannot_be_read_is_a_problem_until_it_can(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ArticleFolder(files)
    folder.refresh()
    served: list[Sequence[Article]] = []
    live = LiveArticles(folder, files, ActFolder(files / "acts"), served.append)
    with monkeypatch.context() as broken:
        broken.setattr(ArticleFolder, "refresh", lambda self: 1 / 0)
        asyncio.run(live.reload())
        (problem,) = live.problems
        assert "cannot be read (ZeroDivisionError" in problem
    write(files, "returns", article("returns", "New."))
    asyncio.run(live.reload())
    assert live.problems == []
    assert {each.body for each in served[-1]} == {"New.", "Two days."}


# --- a peak ---


def test_no_work_is_done_for_a_question_that_was_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    go_on = threading.Event()
    match = Matcher.match_all

    def held(self: Matcher, text: str, *rest: Any, **named: Any) -> Sequence[Match]:
        asked.append(text)
        assert go_on.wait(START_SECONDS)
        return match(self, text, *rest, **named)

    monkeypatch.setattr(Matcher, "match_all", held)
    cores = os.cpu_count() or 1
    with served(settings) as knowledge, ThreadPoolExecutor(cores) as customers:
        waiting = [customers.submit(answer, knowledge) for _ in range(cores)]
        wait_until(lambda: len(asked) == cores)
        with pytest.raises(httpx.ReadTimeout):
            knowledge.post("/match", json={"text": "Anybody?"}, timeout=0.2)
        go_on.set()
        assert {each.result() for each in waiting} == {TOPICS["returns"][1]}
        assert answer(knowledge) == TOPICS["returns"][1]
    assert asked == [QUESTION] * (cores + 1)
