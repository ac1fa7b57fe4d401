"""Settings: typed, named when wrong, secrets made once and readable by the owner alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from bot.errors import WrongSetting
from bot.settings import Settings, load_settings
from tests.scenes import at_once, successes


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("USHER_PORT", "eighty"),
        ("USHER_PORT", "0"),
        ("USHER_PORT", "70000"),
        ("USHER_INTERNAL_PORT", "65531"),
        ("USHER_ANSWER_PRECISION", "0.5"),
        ("USHER_ANSWER_PRECISION", "1"),
        ("USHER_DEFAULT_LANGUAGE", "fr"),
        ("USHER_TURNS_AT_ONCE", "0"),
        ("USHER_DEMO_SHOP", "perhaps"),
        ("USHER_MESSAGES_PER_MINUTE", "-1"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_is(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(WrongSetting) as error:
        load_settings()
    assert key in str(error.value)
    assert repr(value) in str(error.value)


def test_every_wrong_setting_is_named(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USHER_PORT", "x")
    monkeypatch.setenv("USHER_DEFAULT_LANGUAGE", "x")
    with pytest.raises(WrongSetting, match=r"(?s)USHER_PORT.*USHER_DEFAULT_LANGUAGE"):
        load_settings()


def test_a_file_of_settings_is_read_and_the_environment_counts_more(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("USHER_PORT=9001\nUSHER_INTERNAL_PORT=9100\n")
    monkeypatch.setenv("USHER_PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.internal_port) == (9002, 9100)
    ports = [settings.knowledge_port, settings.actions_port, settings.rasa_port]
    assert [*ports, settings.valkey_port] == [9100, 9101, 9102, 9103]


@pytest.mark.parametrize("key", ["DATABASE_URL", "USHER_DATABASE_URL"])
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_spelling_of_a_postgresql_url_gets_our_driver(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch, key: str, scheme: str
) -> None:
    monkeypatch.setenv(key, f"{scheme}://user@host/name")
    assert load_settings().effective_database_url == "postgresql+psycopg://user@host/name"


def test_without_servers_named_everything_lies_in_the_data_folder(settings: Settings) -> None:
    assert settings.effective_database_url == f"sqlite:///{settings.data_dir / 'usher.db'}"
    assert f"127.0.0.1:{settings.valkey_port}" in settings.effective_redis_url


def test_secrets_are_made_once_are_different_and_belong_to_the_owner(settings: Settings) -> None:
    names = ("valkey", "rasa", "webhook", "session")
    made = [settings.secret(name) for name in names]
    assert len(set(made)) == 4
    assert all(len(each) >= 32 for each in made)
    again = load_settings(data_dir=settings.data_dir)
    assert [again.secret(name) for name in names] == made
    mode = (settings.data_dir / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert os.listdir(settings.data_dir) == ["secrets.json"]  # noqa: PTH208


def test_processes_that_start_together_get_the_same_secrets(
    clean_environment: None, tmp_path: Path
) -> None:
    def webhook(_: Any) -> str:
        return load_settings(data_dir=tmp_path / "data").secret("webhook")

    assert len(set(successes(at_once(webhook, range(8))))) == 1


def test_the_webhook_key_of_the_shop_replaces_the_made_one_and_may_be_rotated(
    clean_environment: None, tmp_path: Path
) -> None:
    given = load_settings(data_dir=tmp_path, webhook_secret="new", webhook_secret_previous="old")
    assert given.purchase_secrets == ("new", "old")
    made = load_settings(data_dir=tmp_path)
    assert made.purchase_secrets == (made.secret("webhook"),)
