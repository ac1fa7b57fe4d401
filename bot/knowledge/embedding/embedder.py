"""Texts → vectors of the whole and directions of every token, with a cache on disk.

Every model has a middle that all of its token vectors share and that says nothing: in E5 any two
tokens have a cosine of 0.7 and more. It is taken off, as the mean of everyday sentences' tokens in
all languages; what is left of each token is kept as a direction, in one byte a dimension. Neither
costs anything measurable (docs/adr/0012).
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from bot.knowledge.embedding.cache import (
    Codes,
    Embedded,
    Role,
    Shelf,
    VectorCache,
    Vectors,
    key_of,
)
from bot.knowledge.embedding.models import BATCH, load
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.normalising import normalise

Progress = Callable[[int, int], None]
Asked = tuple[Role, str]
"""A text and what it is to the model: a question, or a piece of an article."""
_ROLES: tuple[Role, ...] = ("query", "passage")
CENTRE = b"centre"
"""The key that it is kept under; those of texts are hashes."""


class Embedder:
    """One embedding model."""

    def __init__(self, model: str, cache_folder: Path | None = None) -> None:
        """
        Args:
            model: as USHER_EMBEDDING_MODEL names it.
            cache_folder: where vectors are kept from run to run; None: nowhere.

        Raises:
            WrongSetting: the model cannot be loaded.
        """
        self._model = load(model)
        self._cache = VectorCache(cache_folder, model) if cache_folder else None

    def encode(self, texts: Sequence[str], role: Role) -> list[Embedded]:
        """What the model makes of the texts, in their order."""
        return [
            Embedded(vector, _directions(tokens - self._centre))
            for vector, tokens in self._model.encode(texts, role)
        ]

    def encode_cached(
        self,
        asked: Sequence[Asked],
        progress: Progress = lambda _done, _total: None,
        shelf: Shelf = "vectors",
    ) -> list[Embedded]:
        """As `encode`, but texts that were embedded before are read from the cache.

        Args:
            shelf: `judged` for customers' questions, see `keep_judged`.
            progress: told how many of the texts are at hand, and how many there are.
        """
        keys = [key_of(text, role) for role, text in asked]
        known = self._cache.read(keys, shelf) if self._cache else {}
        missing = {key: each for key, each in zip(keys, asked, strict=True) if key not in known}
        times = Counter(keys)
        done = sum(times[key] for key in known)
        progress(done, len(keys))
        for found in self._side_by_side(missing):
            if self._cache:
                self._cache.write(found, shelf)
            known |= found
            done += sum(times[key] for key in found)
            progress(done, len(keys))
        return [known[key] for key in keys]

    def keep_judged(self, texts: Collection[str]) -> None:
        """Forget the vectors of all judged questions but these."""
        if self._cache:
            self._cache.keep([key_of(text, "query") for text in texts], "judged")

    def _side_by_side(self, missing: Mapping[bytes, Asked]) -> Iterator[dict[bytes, Embedded]]:
        """In batches of about one length, as many at once as there are cores."""
        if not missing:
            return
        _ = self._centre  # once, and not by every thread
        batches = [
            items[start : start + BATCH]
            for role in _ROLES
            for items in [_by_length(missing, role)]
            for start in range(0, len(items), BATCH)
        ]
        # Long and short ones mixed, so that the progress that is told is the time that passes.
        random.Random(0).shuffle(batches)  # noqa: S311

        def embed(batch: Sequence[tuple[bytes, Asked]]) -> dict[bytes, Embedded]:
            role, _ = batch[0][1]
            found = self.encode([text for _, (_, text) in batch], role)
            return {key: each for (key, _), each in zip(batch, found, strict=True)}

        pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="embed")
        try:
            yield from pool.map(embed, batches)
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest

    @cached_property
    def _centre(self) -> Vectors:
        """What all tokens share: the mean of everyday sentences, each language alike."""
        kept = self._cache.read([CENTRE], "vectors") if self._cache else {}
        if kept:
            return kept[CENTRE].vector
        centres = []
        for sentences in EVERYDAY.values():
            texts = [normalise(each, keep_case=True) for each in sentences]
            tokens = [own for role in _ROLES for _, own in self._model.encode(texts, role)]
            centres.append(np.concatenate(tokens).mean(axis=0))
        centre: Vectors = np.stack(centres).mean(axis=0)
        if self._cache:
            nothing = np.zeros((0, len(centre)), dtype=np.int8)
            self._cache.write({CENTRE: Embedded(centre, nothing)}, "vectors")
        return centre


def _by_length(missing: Mapping[bytes, Asked], role: Role) -> list[tuple[bytes, Asked]]:
    items = [item for item in missing.items() if item[1][0] == role]
    return sorted(items, key=lambda item: len(item[1][1]))


def _directions(tokens: Vectors) -> Codes:
    """Each row as long as 127 allows."""
    largest = np.abs(tokens).max(axis=1, keepdims=True, initial=1e-9)
    codes: Codes = np.rint(tokens * (127 / largest)).astype(np.int8)
    return codes
