"""What the record's benchmarks run against: a database of either kind, a Valkey, processes."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from bot.conversations.database import Database
from bot.operations.migrating import migrate
from bot.settings import ROOT, Settings, load_settings

DATABASES = ("sqlite", "postgres")
STOP_SECONDS = 10
READY_SECONDS = 30


class DidNotStart(Exception):
    """A part of the benchmark did not start."""


def _postgres() -> Any:
    sys.path.append(str(ROOT))  # the tests' private server; `tests` is not an installed package
    return import_module("tests.postgres")


@contextmanager
def database_urls(kind: str, folder: Path) -> Iterator[Iterator[str]]:
    """Makes migrated, empty databases of a kind; PostgreSQL's on a private server of its own."""
    with ExitStack() as opened:
        server = "" if kind == "sqlite" else opened.enter_context(_postgres().server())

        def urls() -> Iterator[str]:
            number = 0
            while True:
                number += 1
                if kind == "sqlite":
                    url = f"sqlite:///{folder / f'usher-{number}.db'}"
                else:
                    url = opened.enter_context(_postgres().database(server, "template1"))
                database = Database(url)
                migrate(database)
                database.close()
                yield url

        yield urls()


def make_settings(folder: Path, url: str, **overrides: Any) -> Settings:
    """Usher's own, with ports that nobody uses and without the limits for one visitor."""
    first = _free_ports(5)
    values = {
        "data_dir": folder / "data",
        "database_url": url,
        "redis_url": "",
        "port": first,
        "internal_port": first + 1,
        "messages_per_minute": 10_000_000,
        "visitors_per_minute": 10_000_000,
    }
    return load_settings(_env_file=None, **(values | overrides))


def environment(settings: Settings, **more: str) -> Mapping[str, str]:
    """By which a process of its own gets the same settings."""
    names = (
        "data_dir", "port", "internal_port", "messages_per_minute", "visitors_per_minute",
        "turns_at_once", "combine_messages",
    )  # fmt: skip
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("USHER_")},
        **{f"USHER_{name.upper()}": str(getattr(settings, name)) for name in names},
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.effective_redis_url,
        "OMP_NUM_THREADS": "1",
        **more,
    }


@contextmanager
def process(
    command: Sequence[str | Path], settings: Settings, log: Path, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the settings, stopped at the end of the block."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(settings, **more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def valkey(settings: Settings, log: Path) -> Iterator[None]:
    """The bundled Valkey, for nudges."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bot.operations.valkey"]
    with process(command, settings, log, REDIS_URL="") as started:
        until = time.monotonic() + READY_SECONDS
        with Redis.from_url(settings.effective_redis_url) as redis:
            while True:
                try:
                    redis.ping()
                    break
                except RedisError:
                    if started.poll() is not None or time.monotonic() > until:
                        raise DidNotStart(log.read_text()[-1000:]) from None
                    time.sleep(0.05)
        yield


def fsync_ms(folder: Path) -> float:
    """Median time of a small write that is on the disk when it returns."""
    path = folder / "fsync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return sorted(times)[100] * 1000


def _free_ports(count: int) -> int:
    """The first of some neighbouring ports that nobody listens on."""
    while True:
        first = random.randrange(20_000, 30_000)
        with ExitStack() as probes:
            try:
                for port in range(first, first + count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def postgres_version() -> str:
    """Of the server that the benchmarks start, or `none`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        return "none"
    done = subprocess.run([found[-1], "--version"], capture_output=True, text=True, timeout=10)
    return done.stdout.split()[2]
