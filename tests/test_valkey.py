"""The bundled Valkey: closed to everybody without the password, and alone on its folder."""

import socket
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from bot.errors import Conflict
from bot.operations.valkey import configuration, lock_folder
from bot.settings import Settings
from tests.conftest import START_SECONDS, start_valkey, valkey_server


def test_nothing_is_answered_without_the_password(valkey: Settings) -> None:
    for password in (None, "", "guess"):
        retry = Retry(NoBackoff(), 0)
        with Redis(port=valkey.valkey_port, password=password, retry=retry) as redis:
            with pytest.raises(AuthenticationError):
                redis.ping()
            with pytest.raises(AuthenticationError):
                redis.set("key", "value")


def test_the_password_opens_it(valkey_url: str) -> None:
    with Redis.from_url(valkey_url, decode_responses=True) as redis:
        assert redis.ping()
        assert redis.config_get("appendonly") == {"appendonly": "yes"}


def test_it_listens_on_loopback_alone(valkey: Settings) -> None:
    port = valkey.valkey_port
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, hexadecimal = local.partition(":")
            if state == "0A" and int(hexadecimal, 16) == port:
                listening.add(address)
    assert listening == {socket.inet_aton("127.0.0.1")[::-1].hex().upper()}


def test_the_password_stands_in_no_command_line_and_no_file_but_the_secrets(
    tmp_path: Path,
) -> None:
    with valkey_server(tmp_path) as settings:
        password = settings.secret("valkey").encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile
            assert password not in command
        holding = [
            path.name
            for path in tmp_path.rglob("*")
            if path.is_file() and password in path.read_bytes()
        ]
    assert holding == ["secrets.json"]


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    with valkey_server(tmp_path) as settings:
        second = start_valkey(settings)
        _, said = second.communicate(timeout=START_SECONDS)
        assert second.returncode != 0
        assert b"Another server is using" in said
        assert b"Traceback" not in said
        with Redis.from_url(settings.effective_redis_url) as redis:
            assert redis.ping()


def test_a_lock_on_a_folder_is_given_once(tmp_path: Path) -> None:
    lock_folder(tmp_path / "valkey")
    with pytest.raises(Conflict, match="valkey"):
        lock_folder(tmp_path / "valkey")


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with valkey_server(tmp_path) as settings, Redis.from_url(settings.effective_redis_url) as redis:
        redis.set("kept", "yes")
    with valkey_server(tmp_path) as settings, Redis.from_url(settings.effective_redis_url) as redis:
        assert redis.get("kept") == b"yes"


def test_a_folder_with_spaces_is_quoted(settings: Settings) -> None:
    spaced = settings.model_copy(update={"data_dir": settings.data_dir / "a b"})
    assert f'dir "{spaced.data_dir.resolve()}/valkey"' in configuration(spaced)
