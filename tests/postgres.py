"""A private PostgreSQL server, for tests and benchmarks."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url


class NoPostgres(Exception):
    """PostgreSQL is not installed here."""


@contextmanager
def server(*options: str) -> Iterator[str]:
    """A server of one's own on a Unix socket; yields the URL under which databases are made.

    Args:
        options: settings of the server, `name=value`; else PostgreSQL's own.

    Raises:
        NoPostgres: there is none that could be started.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise NoPostgres
    # Not in pytest's own folder: another run may close that to the user `postgres`.
    folder = Path(tempfile.mkdtemp(prefix="usher-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", _free_port()
    _run_as_postgres(found[-1], "-D", data, "-U", "usher", "-A", "trust", "-E", "UTF8", "-N")
    settings = (
        "listen_addresses=''", f"port={port}", f"unix_socket_directories={folder}", *options,
    )  # fmt: skip
    control = found[-1].with_name("pg_ctl")
    words = " ".join(f"-c {each}" for each in settings)
    _run_as_postgres(control, "-D", data, "-l", folder / "server.log", "-o", words, "-w", "start")
    try:
        yield f"postgresql://usher@/postgres?host={folder}&port={port}"
    finally:
        _run_as_postgres(control, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@contextmanager
def database(server_url: str, template: str) -> Iterator[str]:
    """A new database on a server, a copy of another one, until the end of the block."""
    url = make_url(server_url).set(drivername="postgresql")
    name = f"usher_{secrets.token_hex(6)}"
    address = url.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            mine = url.set(drivername="postgresql+psycopg", database=name)
            yield mine.render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run_as_postgres(*command: str | Path) -> None:
    """PostgreSQL refuses to run as root."""
    prefix = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout}{done.stderr}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
