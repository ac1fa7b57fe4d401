"""The doctor names what is wrong and what to do about it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.conversations.database import Database
from bot.operations.doctor import Finding, before_start, examine, is_running
from bot.operations.migrating import migrate
from bot.operations.up import CannotStart, data_folder, up
from bot.settings import Settings
from tests.conftest import free_port


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """On ports that nobody uses."""
    ports = {"port": free_port(), "internal_port": free_port()}
    return settings.model_copy(update=ports)


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {each.name: each for each in findings}


def test_a_good_set_up_has_nothing_to_mend_in_its_content(settings: Settings) -> None:
    found = by_name(before_start(settings))
    for name in (
        "disk",
        "data folder",
        "database",
        "articles",
        "journeys",
        f"port {settings.port}",
    ):
        assert found[name].ok, found[name]


@pytest.mark.parametrize("which", ["port", "internal_port"])
def test_a_taken_port_is_named_with_the_setting_that_changes_it(
    settings: Settings, which: str
) -> None:
    taken: int = getattr(settings, which)
    with socket.create_server(("127.0.0.1", taken)):
        found = by_name(before_start(settings))[f"port {taken}"]
    assert not found.ok
    assert "taken" in found.detail
    assert str(taken) in found.fix
    assert f"USHER_{which.upper()}" in found.fix


def test_a_data_folder_in_use_is_named_with_a_fix(settings: Settings) -> None:
    with data_folder(settings):
        assert is_running(settings)
        found = by_name(before_start(settings))["data folder"]
    assert not found.ok
    assert str(settings.data_dir) in found.detail
    assert "USHER_DATA_DIR" in found.fix
    assert not is_running(settings)


def test_a_data_folder_is_held_once(settings: Settings) -> None:
    with data_folder(settings):
        with pytest.raises(CannotStart, match="USHER_DATA_DIR"), data_folder(settings):
            pass
        assert is_running(settings)  # the refused one did not let go of the first's lock
    with data_folder(settings):
        assert is_running(settings)


def test_starting_is_refused_with_all_that_is_wrong(settings: Settings, tmp_path: Path) -> None:
    wrong = settings.model_copy(update={"journeys": tmp_path, "knowledge_base": tmp_path / "none"})
    (tmp_path / "bad.yml").write_text("product: brio")
    with socket.create_server(("127.0.0.1", settings.port)), pytest.raises(CannotStart) as error:
        up(wrong)
    said = str(error.value)
    for part in (f"port {settings.port}", "USHER_PORT", "bad.yml", "USHER_KNOWLEDGE_BASE"):
        assert part in said


def test_a_data_folder_that_cannot_be_made_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = settings.model_copy(update={"data_dir": tmp_path / "file"})
    found = by_name(before_start(blocked))["data folder"]
    assert not found.ok
    assert "USHER_DATA_DIR" in found.fix


def test_a_broken_article_is_named_with_file_and_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "broken.md").write_text("nothing")
    found = by_name(before_start(settings.model_copy(update={"knowledge_base": tmp_path})))
    assert not found["articles"].ok
    assert "broken.md:1" in found["articles"].detail


def test_a_redis_that_does_not_answer_is_named_without_its_password(settings: Settings) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    found = by_name(before_start(settings.model_copy(update={"redis_url": url})))["Redis"]
    assert not found.ok
    assert "secret" not in found.detail
    assert "REDIS_URL" in found.fix


def test_a_redis_that_refuses_the_password_is_named(settings: Settings, valkey: Settings) -> None:
    url = f"redis://:wrong@127.0.0.1:{valkey.valkey_port}/0"
    found = by_name(before_start(settings.model_copy(update={"redis_url": url})))["Redis"]
    assert not found.ok
    assert "password" in found.detail


def test_a_database_that_does_not_answer_is_named_without_its_password(settings: Settings) -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/usher"
    found = by_name(before_start(settings.model_copy(update={"database_url": url})))["database"]
    assert not found.ok
    assert "secret" not in found.detail
    assert "DATABASE_URL" in found.fix


def test_an_old_schema_is_named_until_it_is_migrated(settings: Settings) -> None:
    assert not by_name(examine(settings))["database schema"].ok
    database = Database(settings.effective_database_url)
    migrate(database)
    migrate(database)  # again: nothing happens
    database.close()
    assert by_name(examine(settings))["database schema"].ok


def test_a_stopped_usher_is_told_from_a_running_one(settings: Settings) -> None:
    assert not by_name(examine(settings))["running"].ok
    with data_folder(settings):
        found = by_name(examine(settings))
    assert found["running"].ok
    assert f"port {settings.port}" not in found  # its own processes hold them
