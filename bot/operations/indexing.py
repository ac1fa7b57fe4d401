"""Embed what is new in the articles, and have a running Usher serve them."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from bot.internal_http import authorization
from bot.knowledge.articles.articles import Problem, changed_at
from bot.operations.progress import bar
from bot.settings import Settings

RELOAD_SECONDS = 120


@dataclass(frozen=True)
class Indexed:
    """What an indexing found."""

    articles: int
    problems: Sequence[Problem]
    """Files that are not served as they were last saved."""


def is_indexed(settings: Settings) -> bool:
    """Whether no article has changed since the last indexing."""
    stamp = settings.data_dir / "vectors" / "indexed"
    return stamp.exists() and stamp.stat().st_mtime > changed_at(settings.knowledge_base)


def index(settings: Settings) -> Indexed:
    """Embed what is new in the articles, so that the knowledge process starts at once.

    Raises:
        WrongSetting: there is no such folder, or the embedding model cannot be loaded.
    """
    from bot.knowledge.search.embedding import Embedder  # torch: slow to import, needed here only
    from bot.knowledge.search.index import Index
    from bot.knowledge.service import load_folder

    folder = load_folder(settings)
    embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
    with bar("Indexing the articles") as progress:
        Index(folder.articles, embedder, progress)
    (settings.data_dir / "vectors" / "indexed").touch()
    return Indexed(len(folder.articles), folder.problems)


def reload(settings: Settings) -> str:
    """Have this machine's knowledge process read the articles now; what came of it."""
    try:
        httpx.post(
            f"{settings.knowledge_url}/reload",
            headers=authorization(settings.secret("rasa")),
            timeout=RELOAD_SECONDS,
        ).raise_for_status()
    except httpx.ConnectError:
        return "Usher is not running; it will serve them when it starts."
    except httpx.HTTPError as error:
        return f"The running Usher did not take them ({error}); see its log knowledge.log."
    return "The running Usher serves them."
