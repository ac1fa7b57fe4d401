"""What is wrong with this machine or this set-up, and what to do about it."""

import errno
import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from sqlalchemy.exc import SQLAlchemyError

from bot.conversations.database import Database
from bot.errors import UsherError
from bot.journeys.definitions import read_journeys
from bot.knowledge.articles.articles import Problem, read_articles
from bot.knowledge.articles.products import read_products
from bot.operations import fleet
from bot.operations.findings import Finding as Finding
from bot.operations.migrating import is_current
from bot.operations.processes import RASA_PYTHON
from bot.operations.training import is_trained
from bot.settings import Settings

MIN_FREE_BYTES = 500_000_000


def is_running(settings: Settings) -> bool:
    """Whether an `usher up` holds this data folder."""
    try:
        lock = os.open(settings.data_dir / "usher.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def before_start(settings: Settings) -> Iterator[Finding]:
    """What has to be right for the processes to start."""
    yield from fleet.shared_parts(settings)
    if settings.runs("rasa"):
        yield _python()
    yield _disk(settings)
    yield _data_folder(settings)
    yield from _ports(settings)
    if settings.redis_url:
        yield _redis(settings)
    yield _database(settings)
    yield from _content(settings)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything: the set-up, and when Usher is running also its parts."""
    running = is_running(settings)
    yield from fleet.shared_parts(settings)
    if settings.runs("rasa"):
        yield _python()
    yield _disk(settings)
    yield _data_folder(settings, running=running)
    if not running:
        yield from _ports(settings)
    if settings.redis_url or running:
        yield _redis(settings)
    yield _database(settings)
    yield _schema(settings)
    yield from _content(settings)
    if settings.runs("rasa"):
        trained = is_trained(settings)
        yield Finding(
            "model",
            trained,
            "trained from the current files" if trained else "missing or older than its files",
            "Run `.venv/bin/usher train`.",
        )
    yield from fleet.servers(settings)
    yield Finding(
        "running",
        running,
        f"at {settings.gateway_url}" if running else "Usher is not running",
        "Run `make run`.",
    )


def _python() -> Finding:
    try:
        done = subprocess.run(
            [RASA_PYTHON, "-c", "import sys; print(sys.version.split()[0])"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        version = done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        version = ""
    return Finding(
        "Rasa's Python",
        version.startswith("3.10"),
        f"{version} in .venv-rasa" if version else "there is no working .venv-rasa",
        "Run `make setup`; it needs Python 3.10 on PATH, in pyenv, or a network for uv.",
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk",
        free >= MIN_FREE_BYTES,
        f"{free / 1e9:.1f} GB free for {settings.data_dir}",
        f"Free at least {MIN_FREE_BYTES / 1e9:.1f} GB, or set USHER_DATA_DIR to another disk.",
    )


def _data_folder(settings: Settings, *, running: bool = False) -> Finding:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        return Finding(
            "data folder", False, f"{folder} cannot be written", "Set USHER_DATA_DIR to another."
        )
    if not running and is_running(settings):
        return Finding(
            "data folder",
            False,
            f"{folder} is in use by another `usher up`",
            "Stop that one with Ctrl-C, or set USHER_DATA_DIR to another folder.",
        )
    return Finding("data folder", True, str(folder))


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = {}
    if settings.runs("gateway"):
        wanted["USHER_PORT"] = (settings.host, settings.port)
    for n, process in enumerate(("knowledge", "actions", "rasa")):
        if settings.runs(process):
            address = (settings.internal_host, settings.internal_port + n)
            wanted[f"USHER_INTERNAL_PORT (+{n})"] = address
    if not settings.redis_url:
        wanted["USHER_INTERNAL_PORT (+3)"] = ("127.0.0.1", settings.valkey_port)
    for setting, (host, port) in wanted.items():
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    key = "USHER_HOST" if setting == "USHER_PORT" else "USHER_INTERNAL_HOST"
                    yield Finding(
                        f"port {port}",
                        False,
                        f"{host} is no address of this machine",
                        f"Set {key} to one that it has.",
                    )
                    continue
                free = False
            else:
                free = True
        yield Finding(
            f"port {port}",
            free,
            "free" if free else "taken by another program",
            f"Stop the program on port {port}, or set {setting.split(' ')[0]} to another port.",
        )


def _redis(settings: Settings) -> Finding:
    url = settings.effective_redis_url
    shown = url.rsplit("@", 1)[-1]
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as redis:
            redis.ping()
    except AuthenticationError:
        return Finding("Redis", False, f"{shown} refuses the password", "Mend it in REDIS_URL.")
    except (RedisError, OSError, ValueError) as error:
        return Finding(
            "Redis",
            False,
            f"{shown} does not answer: {error}",
            "Start it, or remove REDIS_URL to use the bundled Valkey.",
        )
    return Finding("Redis", True, f"{shown} answers")


def _with_database(settings: Settings, check: Callable[[Database], bool]) -> bool | str:
    try:
        database = Database(settings.effective_database_url)
    except (SQLAlchemyError, OSError) as error:
        return str(error)
    try:
        return check(database)
    except (SQLAlchemyError, UsherError) as error:
        return str(error).splitlines()[0]
    finally:
        database.close()


def _database(settings: Settings) -> Finding:
    def connects(database: Database) -> bool:
        with database.engine.connect():
            return True

    result = _with_database(settings, connects)
    shown = settings.effective_database_url.rsplit("@", 1)[-1]
    return Finding(
        "database",
        result is True,
        f"{shown} answers" if result is True else f"{shown}: {result}",
        "Check DATABASE_URL and that the server runs.",
    )


def _schema(settings: Settings) -> Finding:
    result = _with_database(settings, is_current)
    return Finding(
        "database schema",
        result is True,
        "up to date" if result is True else "older than this version of Usher",
        "Run `make run`; it migrates the database.",
    )


def _content(settings: Settings) -> Iterator[Finding]:
    try:
        articles, problems = read_articles(settings.knowledge_base)
    except FileNotFoundError as error:
        yield Finding("articles", False, str(error), "Set USHER_KNOWLEDGE_BASE.")
    else:
        if isinstance(products := read_products(settings.knowledge_base), Problem):
            problems.append(products)
        detail = f"{len(articles)} articles"
        if problems:
            detail += "; not served: " + "; ".join(map(str, problems[:3]))
        good = bool(articles) and not problems
        # A broken article is no reason to leave the others' questions unanswered.
        yield Finding("articles", good, detail, "Mend the named files.", blocks=not articles)
    try:
        journeys = read_journeys(settings.journeys)
        yield Finding("journeys", True, f"{len(journeys)} journeys")
    except UsherError as error:
        yield Finding("journeys", False, str(error), "Mend the named file.")
