"""Whether the articles are embedded, and having a running Usher serve them."""

import httpx

from bot.internal_http import authorization
from bot.knowledge.articles.articles import changed_at
from bot.operations.processes import vectors_path
from bot.settings import Settings

RELOAD_SECONDS = 120


def is_indexed(settings: Settings) -> bool:
    """Whether no article has changed since the last indexing, by this model."""
    stamp = settings.data_dir / "vectors" / "indexed"
    return (
        stamp.exists()
        and vectors_path(settings).exists()
        and stamp.stat().st_mtime > changed_at(settings.knowledge_base)
    )


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
