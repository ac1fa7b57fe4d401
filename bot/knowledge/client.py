"""The knowledge process as the other processes see it."""

from collections.abc import Sequence
from typing import Any

from bot.internal_http import InternalClient
from bot.messages import Candidate, Match, Outcome

TIMEOUT_SECONDS = 2.5


class KnowledgeClient:
    """Asks for matches over HTTP; several servers take turns."""

    def __init__(self, urls: str | Sequence[str], secret: str = "") -> None:
        self._http = InternalClient(
            "The knowledge process", urls, TIMEOUT_SECONDS, secret, repeatable=True
        )

    async def close(self) -> None:
        await self._http.close()

    async def match(
        self, text: str, language: str, products: Sequence[str] = (), topic: str = ""
    ) -> Match:
        """The outcome for a message, see `bot.knowledge.search.matching`.

        Raises:
            Unavailable: the knowledge process does not answer in time.
        """
        body = {"text": text, "language": language, "products": list(products), "topic": topic}
        return await self._http.post("/match", body, read=_as_match)


def _as_match(status: int, found: Any) -> Match:
    if status != 200:
        raise ValueError(f"status {status}")
    return Match(
        **{
            **found,
            "outcome": Outcome(found["outcome"]),
            "candidates": tuple(Candidate(**each) for each in found["candidates"]),
            "products": tuple(found["products"]),
        }
    )
