"""Several machines as one Usher: what they have to share, and whether they reach each other."""

from collections.abc import Iterator

import httpx

from bot.internal_http import HEALTH_PATHS, authorization
from bot.operations.findings import Finding
from bot.settings import Settings


def shared_parts(settings: Settings) -> Iterator[Finding]:
    """What several machines need to be one Usher."""
    if settings.runs_everything and not settings.knowledge_urls and not settings.rasa_urls:
        return
    missing = [
        name
        for name, value in {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
        }.items()
        if not value
    ]
    yield Finding(
        "shared record",
        not missing,
        f"{' and '.join(missing)} not set" if missing else "database and Redis are named",
        "Several machines share one PostgreSQL and one Redis: name them, the same on each.",
    )
    elsewhere = {
        "knowledge": settings.knowledge_urls,
        "actions": settings.actions_urls,
        "rasa": settings.rasa_urls,
    }
    for process, urls in elsewhere.items():
        if not urls and not settings.runs(process):
            yield Finding(
                f"{process} servers",
                False,
                f"{process} does not run here, and no other machine is named",
                f"Set USHER_{process.upper()}_URLS, or add {process} to USHER_PROCESSES.",
            )


def servers(settings: Settings) -> Iterator[Finding]:
    """Whether the named servers of all machines answer, and know our secret."""
    named = {
        "knowledge": settings.knowledge_servers if settings.knowledge_urls else (),
        "actions": settings.action_servers if settings.actions_urls else (),
        "rasa": settings.rasa_servers if settings.rasa_urls else (),
    }
    for process, urls in named.items():
        for url in urls:
            yield _server(settings, process, url)


def _server(settings: Settings, process: str, url: str) -> Finding:
    name, fix = f"{process} at {url}", "Start it, and see that this machine may reach its port."
    headers = authorization(settings.secret("rasa"))
    try:
        status = httpx.get(url + HEALTH_PATHS[process], headers=headers, timeout=3).status_code
    except httpx.HTTPError as error:
        return Finding(name, False, f"does not answer: {error}", fix)
    if status == httpx.codes.UNAUTHORIZED:
        fix = "Copy secrets.json from the first machine to all others; see docs/scaling.md."
        return Finding(name, False, "it has other secrets than this machine", fix)
    return Finding(name, status == httpx.codes.OK, f"status {status}", fix)
