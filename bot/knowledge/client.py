"""The knowledge process as the other processes see it."""

from collections.abc import Sequence

import httpx

from bot.errors import Unavailable
from bot.messages import Candidate, Match, Outcome

TIMEOUT_SECONDS = 2.5


class KnowledgeClient:
    """Asks for matches over loopback HTTP."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=1.0),
            # uvicorn closes an unused connection after 5 s; ours must be gone before that.
            limits=httpx.Limits(keepalive_expiry=3),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def match(self, text: str, language: str, products: Sequence[str] = ()) -> Match:
        """The outcome for a message.

        Raises:
            Unavailable: the knowledge process does not answer in time.
        """
        body = {"text": text, "language": language, "products": list(products)}
        try:
            response = await self._http.post("/match", json=body)
            response.raise_for_status()
            found = response.json()
            return Match(
                **{
                    **found,
                    "outcome": Outcome(found["outcome"]),
                    "candidates": tuple(Candidate(**each) for each in found["candidates"]),
                }
            )
        except (httpx.HTTPError, ValueError, TypeError, KeyError) as error:
            raise Unavailable(f"The knowledge process does not answer: {error!r}") from error
