"""What has to be made before Usher can start: vectors of all texts, and the dialogue model.

Vectors of the dialogue data come first: then Rasa, which keeps one core busy for half a minute,
trains while the articles are embedded. One bar counts all of it.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bot.knowledge.articles.articles import Problem
from bot.operations import training
from bot.operations.progress import bar
from bot.settings import ROOT, Settings


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
    from bot.knowledge.embedding.embedder import Asked, Embedder
    from bot.knowledge.search.index import asked_of
    from bot.knowledge.service import load_folder

    started = time.monotonic()
    folder = load_folder(settings) if index else None
    articles = folder.articles if folder else ()
    said: list[Asked] = []
    if train:
        said = [("query", each) for each in training.examples(ROOT / "data" / "nlu")]
    written = asked_of(articles) if index else []
    with ExitStack() as shown:
        progress = shown.enter_context(bar("Reading articles and dialogues"))
        embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
        total = len(said) + len(written)
        embedder.encode_cached(said, lambda done, _: progress(done, total))

        def read_articles() -> None:
            embedder.encode_cached(written, lambda done, _: progress(len(said) + done, total))
            shown.close()
            if index:
                (settings.data_dir / "vectors" / "indexed").touch()

        if train:
            training.train(settings, meanwhile=read_articles)
        else:
            read_articles()
    problems = folder.problems if folder else ()
    return Prepared(len(articles), problems, time.monotonic() - started)
