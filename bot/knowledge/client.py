"""The knowledge process as the other processes see it."""

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from bot.internal_http import InternalClient
from bot.messages import NO_CONTEXT, Candidate, Context, Match, Outcome

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
        self,
        text: str,
        language: str,
        products: Sequence[str] = (),
        context: Context = NO_CONTEXT,
    ) -> Sequence[Match]:
        """What a message most probably is, see `bot.knowledge.search.matching`.

        Raises:
            Unavailable: the knowledge process does not answer in time.
        """
        body = {
            "text": text,
            "language": language,
            "products": list(products),
            "context": asdict(context),
        }
        return await self._http.post("/match", body, read=_as_matches)


def _as_matches(status: int, answer: Any) -> Sequence[Match]:
    if status != HTTPStatus.OK:
        raise ValueError(f"status {status}")
    matches = [
        Match(
            **{
                **found,
                "outcome": Outcome(found["outcome"]),
                "candidates": tuple(Candidate(**each) for each in found["candidates"]),
                "products": tuple(found["products"]),
            }
        )
        for found in answer
    ]
    if not matches:
        raise ValueError("no match")
    return matches
