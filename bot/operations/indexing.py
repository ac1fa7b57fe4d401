"""Whether the articles are embedded, and having a running Usher serve them."""

import httpx

from bot.errors import UsherError
from bot.internal_http import authorization
from bot.knowledge.articles.articles import changed_at
from bot.operations.processes import vectors_path
from bot.settings import Settings

RELOAD_SECONDS = 120


def is_indexed(settings: Settings) -> bool:
    """Whether no article and no act has changed since the last indexing, by this model."""
    stamp = settings.data_dir / "vectors" / "indexed"
    return (
        stamp.exists()
        and vectors_path(settings).exists()
        and stamp.stat().st_mtime > max(map(changed_at, (settings.knowledge_base, settings.acts)))
    )


class NotServed(UsherError):
    """A running Usher goes on with what it served before; the message says why."""

    code = "not_served"


def reload(settings: Settings) -> str:
    """Have this machine's knowledge process read the articles now; what came of it.

    Raises:
        NotServed: it runs, and did not take them.
    """
    try:
        answer = httpx.post(
            f"{settings.knowledge_url}/reload",
            headers=authorization(settings.secret("rasa")),
            timeout=RELOAD_SECONDS,
        )
        failure: str = answer.json().get("failure", "")
        answer.raise_for_status()
    except httpx.ConnectError:
        return "Usher is not running; it will serve them when it starts."
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        failure = f"{error!r}; see its log knowledge.log"
    if failure:
        raise NotServed(f"The running Usher does not serve them: {failure}.")
    return "The running Usher serves them."
