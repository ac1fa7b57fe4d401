"""The last good version of every article, for a start while a file is broken."""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import structlog

log = structlog.get_logger()

_TABLE = """CREATE TABLE IF NOT EXISTS articles (
    folder BLOB NOT NULL, path BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (folder, path)
) WITHOUT ROWID"""
_KEEP = """INSERT INTO articles VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET content = excluded.content WHERE content IS NOT excluded.content"""


class LastGood:
    """Contents of files of one folder, in one SQLite file that several processes may share.

    Losing it loses no article, only the memory of what a broken one said. So a disk that is
    full or read-only is logged, and nothing fails.
    """

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self._store = data_dir / "last_good.db"
        self._folder = folder
        self._name = os.fsencode(folder.absolute())

    def contents(self) -> dict[Path, bytes]:
        """Every version that is kept, by the file's path."""
        try:
            with closing(self._connect()) as connection:
                rows = connection.execute(
                    "SELECT path, content FROM articles WHERE folder = ?", (self._name,)
                ).fetchall()
        except (sqlite3.Error, OSError) as error:
            log.warning("last good versions cannot be read", why=str(error))
            return {}
        return {self._folder / os.fsdecode(path): content for path, content in rows}

    def keep(self, good: Mapping[Path, bytes], gone: Iterable[Path]) -> None:
        """Remember new contents, and forget files that are no more."""
        kept = [(self._name, self._below(path), content) for path, content in good.items()]
        forgotten = [(self._name, self._below(path)) for path in gone]
        if not kept and not forgotten:
            return
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany(_KEEP, kept)
                connection.executemany(
                    "DELETE FROM articles WHERE folder = ? AND path = ?", forgotten
                )
        except (sqlite3.Error, OSError) as error:
            log.warning("last good versions cannot be kept", why=str(error))

    def _below(self, path: Path) -> bytes:
        return os.fsencode(path.relative_to(self._folder))

    def _connect(self) -> sqlite3.Connection:
        self._store.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._store, timeout=10)
        connection.execute(_TABLE)
        return connection
