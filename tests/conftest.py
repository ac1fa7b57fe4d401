"""Real parts for the tests: the bundled Valkey, SQLite, PostgreSQL and a served gateway."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
import uvicorn
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from bot.conversations.database import Database
from bot.gateway.app import create_app
from bot.keeping.trackers import Trackers
from bot.languages import LANGUAGES
from bot.operations.migrating import migrate
from bot.settings import Settings, load_settings
from tests import postgres

if TYPE_CHECKING:
    from bot.knowledge.embedding.embedder import Embedder

hypothesis_settings.register_profile(
    "usher",
    deadline=None,  # timed asserts do not belong in tests
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("usher")

structlog.configure(  # through pytest's log capture, so that a failing test shows it
    processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
    logger_factory=structlog.stdlib.LoggerFactory(),
)

START_SECONDS = 20


def wait_until(what: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def valkey_server(folder: Path) -> Iterator[Settings]:
    """The bundled Valkey as `usher up` starts it; yields the settings that reach it."""
    settings = load_settings(_env_file=None, data_dir=folder, internal_port=free_port() - 3)
    server = start_valkey(settings)
    try:
        with Redis.from_url(settings.effective_redis_url) as redis:

            def answers() -> bool:
                assert server.poll() is None, server.communicate()
                try:
                    return bool(redis.ping())
                except RedisError:
                    return False

            wait_until(answers)
        yield settings
    finally:
        server.terminate()
        server.communicate(timeout=START_SECONDS)


def start_valkey(settings: Settings) -> subprocess.Popen[bytes]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "bot.operations.valkey"],
        cwd=settings.data_dir,
        env={
            "PATH": os.environ["PATH"],
            "USHER_DATA_DIR": str(settings.data_dir),
            "USHER_INTERNAL_PORT": str(settings.internal_port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as settings:
        yield settings


@pytest.fixture(scope="session")
def valkey_url(valkey: Settings) -> str:
    """A real Valkey with a password, shared by the tests of one run."""
    return valkey.effective_redis_url


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def trackers(valkey_url: str) -> Iterator[Trackers]:
    found = Trackers(valkey_url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server in which databases may be made: the named one or a private one."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    try:
        with postgres.server() as url:
            yield url
    except postgres.NoPostgres:
        pytest.skip(
            "NOT TESTED ON POSTGRESQL: set TEST_DATABASE_URL or `apt-get install postgresql`"
        )


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """Name of a migrated database; copying it is faster than migrating every test's own."""
    with postgres.database(postgres_url, "template1") as url:
        database = Database(url)
        migrate(database)
        database.close()
        name = make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database of each kind, for one test."""
    if request.param == "sqlite":
        yield from _migrated(f"sqlite:///{tmp_path / 'usher.db'}")
    else:
        server = request.getfixturevalue("postgres_url")
        template = request.getfixturevalue("postgres_template")
        with postgres.database(server, template) as url:
            yield from _migrated(url)


def _migrated(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine or of a `.env` file reaches the test."""
    for name in list(os.environ):
        if name.startswith("USHER_") or name in {"DATABASE_URL", "REDIS_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(clean_environment: None, tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def small_knowledge_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One article in each language: quicker to read than the project's own."""
    folder = tmp_path_factory.mktemp("articles")
    for language in LANGUAGES:
        head = f"---\nid: returns\nlanguage: {language}\ntitle: Returns\n---\n"
        (folder / f"{language}.md").write_text(f"{head}Send it back.\n")
    return folder


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> "Embedder":
    """The bundled model, shared by the tests of one run, and what it has made of texts so far.

    What `usher prepare` has embedded is copied: the shop's own texts take two minutes.
    """
    from bot.knowledge.embedding import bundled  # few tests need its libraries
    from bot.knowledge.embedding.cache import path_of
    from bot.knowledge.embedding.embedder import CENTRE, Embedder

    folder = tmp_path_factory.mktemp("vectors")
    prepared = path_of(load_settings().data_dir / "vectors", bundled.NAME)
    if prepared.exists():
        with (
            closing(sqlite3.connect(prepared)) as source,
            closing(sqlite3.connect(folder / prepared.name)) as copy,
        ):
            source.backup(copy)
            copy.execute("DELETE FROM vectors WHERE key = ?", (CENTRE,))  # tests work it out
            copy.execute("DROP TABLE IF EXISTS judged")
            copy.commit()
    return Embedder(bundled.NAME, folder)


Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(
    clean_environment: None,
    tmp_path: Path,
    database: Database,
    valkey_url: str,
    small_knowledge_base: Path,
) -> Iterator[Serve]:
    """Starts a gateway with the given settings, as uvicorn runs it, and gives its client."""
    stops: list[Callable[[], None]] = []

    def start(**overrides: object) -> httpx.Client:
        values = {
            "data_dir": tmp_path / "data",
            "redis_url": valkey_url,
            "knowledge_base": small_knowledge_base,
        }
        client, stop = _serve(load_settings(**(values | overrides)), database)
        stops.append(stop)
        return client

    try:
        yield start
    finally:
        for stop in stops:
            stop()


def _serve(settings: Settings, database: Database) -> tuple[httpx.Client, Callable[[], None]]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings, database),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=65536,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
        log_level="warning",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=15, trust_env=False
    )

    def stop() -> None:
        client.close()
        server.should_exit = True
        thread.join(timeout=START_SECONDS)
        listening.close()
        assert not thread.is_alive(), "the gateway did not stop"

    return client, stop


@pytest.fixture
def gateway(serve: Serve) -> httpx.Client:
    """A client of a gateway with the default settings and a small knowledge base."""
    return serve()
