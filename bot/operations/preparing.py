"""What has to be made before Usher can start: vectors of all texts, and the dialogue model.

Rasa, which keeps one core busy, trains while texts are embedded.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot.knowledge.articles.articles import Problem
from bot.operations import training
from bot.operations.progress import bar
from bot.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """What came of it."""

    articles: int
    problems: Sequence[Problem]
    """Files that are not served as they were last saved."""
    seconds: float


def prepare(settings: Settings, *, train: bool, index: bool) -> Prepared:
    """Train the assistant, or embed what is new in the articles, or both.

    Raises:
        WrongSetting: there is no such folder, or the embedding model cannot be loaded.
        TrainingFailed: with the end of what Rasa said.
    """
    # Slow to import, and needed here only.
    from bot.knowledge.acts.acts import ActFolder
    from bot.knowledge.embedding.embedder import Embedder
    from bot.knowledge.search.index import asked_of
    from bot.knowledge.service import load_folder

    started = time.monotonic()
    folder = load_folder(settings) if index else None

    def embed() -> None:
        if folder is None:
            return
        with bar("Reading articles and dialogues") as progress:
            embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
            texts = asked_of(folder.articles, ActFolder(settings.acts).acts, folder.products)
            embedder.encode_cached(texts, progress)
        (settings.data_dir / "vectors" / "indexed").touch()

    if train:
        training.train(settings, meanwhile=embed)
    else:
        embed()
    problems = folder.problems if folder else ()
    articles = folder.articles if folder else ()
    return Prepared(len(articles), problems, time.monotonic() - started)
