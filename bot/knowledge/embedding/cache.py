"""What the model made of texts, kept on disk from run to run."""

import hashlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.int8]
"""(tokens, dimensions): directions of tokens in whole numbers, each as long as 127 allows."""
Role = Literal["query", "passage"]
Shelf = Literal["vectors", "judged"]
"""A table of the cache: what customers asked is kept apart, so that it can be forgotten."""

_FORM = 2
"""Of what is kept; raised when the bundled model makes other vectors of a text than before."""
_AT_ONCE = 500
_INSERT = "INSERT OR REPLACE INTO {} VALUES (?, ?, ?)"


@dataclass(frozen=True)
class Embedded:
    """What the model makes of one text."""

    vector: Vectors
    """Of the whole text, as the model pools it; L2-normalised, (dimensions,)."""
    codes: Codes
    """Of its own tokens, without the prompt's and the model's; (tokens, dimensions)."""


def key_of(text: str, role: Role) -> bytes:
    return hashlib.sha256(f"{role}\0{text}".encode()).digest()


def path_of(folder: Path, model: str) -> Path:
    """The file of a model's vectors."""
    name = hashlib.sha256(f"{_FORM} {model}".encode()).hexdigest()[:12]
    return folder / f"embedded-{name}.db"


class VectorCache:
    """A file of the vectors of one model. Rasa's training reads its table `vectors`."""

    def __init__(self, folder: Path, model: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = path_of(folder, model)

    def read(self, keys: Sequence[bytes], shelf: Shelf) -> dict[bytes, Embedded]:
        """Those of the keys that are kept."""
        found: dict[bytes, Embedded] = {}
        with self._opened(shelf) as connection:
            for start in range(0, len(keys), _AT_ONCE):
                part = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT key, vector, codes FROM {shelf} WHERE key IN ({marks})",  # noqa: S608
                    part,
                )
                for key, vector, codes in rows:
                    values = np.frombuffer(vector, dtype="<f4")
                    directions = np.frombuffer(codes, dtype=np.int8).reshape(-1, len(values))
                    found[key] = Embedded(values, directions)
        return found

    def write(self, found: Mapping[bytes, Embedded], shelf: Shelf) -> None:
        rows = [
            (key, each.vector.astype("<f4").tobytes(), each.codes.tobytes())
            for key, each in found.items()
        ]
        with self._opened(shelf) as connection:
            connection.executemany(_INSERT.format(shelf), rows)

    def keep(self, keys: Collection[bytes], shelf: Shelf) -> None:
        """Forget everything on a shelf but these; no trace of it stays in the file."""
        if not self._path.exists():
            return
        with self._opened(shelf) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            rows = connection.execute(f"SELECT * FROM {shelf}").fetchall()  # noqa: S608
            wanted = set(keys)
            kept = [row for row in rows if row[0] in wanted]
            if len(kept) < len(rows):
                # The whole table: of single rows, copies may stay where pages were balanced.
                connection.execute(f"DELETE FROM {shelf}")  # noqa: S608
                connection.executemany(_INSERT.format(shelf), kept)

    @contextmanager
    def _opened(self, shelf: Shelf) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {shelf} "
                "(key BLOB PRIMARY KEY, vector BLOB NOT NULL, codes BLOB NOT NULL)"
            )
            yield connection
