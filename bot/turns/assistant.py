"""The worker's side of the private channel to Rasa."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from bot.errors import Unavailable
from bot.internal_http import InternalClient
from bot.languages import LANGUAGES
from bot.messages import Button, Context, HandoffRequest, Match, Reply, Source, TurnResult
from bot.turns.history import HistoryItem

TIMEOUT_SECONDS = 6.0
"""Together with the knowledge process's it stays below the 10 s in which a customer hears of us."""


class TrackerBehind(Exception):
    """The tracker lacks messages, for example because Redis was emptied."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the tracker ends at {seq}")
        self.seq = seq


class Assistant:
    """Asks Rasa to take a turn."""

    def __init__(self, urls: str | Sequence[str], secret: str) -> None:
        self._http = InternalClient("The assistant", urls, TIMEOUT_SECONDS, secret)

    async def close(self) -> None:
        await self._http.close()

    async def tell(self, conversation_id: str, after: int, history: Sequence[HistoryItem]) -> None:
        """Write what was said by others into the tracker, without a turn."""
        await self._post("history", conversation_id, after, history, None)

    async def turn(
        self,
        conversation_id: str,
        after: int,
        history: Sequence[HistoryItem],
        message: HistoryItem,
        matches: Sequence[Match],
        context: Context,
        bought: Sequence[str],
        turn_id: str,
        *,
        is_waiting: bool = False,
    ) -> TurnResult:
        """Take one turn; a turn that was already taken is answered as the first time.

        Args:
            after: the last `seq` that the tracker is known to hold.
            history: what was said since then, before the message.
            matches: what the message most probably is.
            context: what was said before, as the record has it.
            bought: ids of the products that the customer has bought.
            is_waiting: the customer waits for a human.

        Raises:
            TrackerBehind: the tracker ends earlier than `after`; repeat with more history.
            Unavailable: Rasa, its actions or its tracker store do not answer.
        """
        answer = await self._post(
            "turn",
            conversation_id,
            after,
            history,
            {
                "seq": message.seq,
                "turn": turn_id,
                "text": message.text,
                "context": {
                    "asked": context.asked,
                    "unhelped": context.unhelped,
                    "waiting": is_waiting,
                },
                "matches": [_as_kb(match) | {"bought": list(bought)} for match in matches],
            },
        )
        return parse_result(answer)

    async def _post(
        self,
        what: str,
        conversation_id: str,
        after: int,
        history: Sequence[HistoryItem],
        message: dict[str, Any] | None,
    ) -> Any:
        body = {
            "conversation_id": conversation_id,
            "after": after,
            "history": [vars(item) for item in history],
            "message": message,
        }
        # A conversation stays with one server: that one knows of a turn that still runs.
        return await self._http.post(
            f"/webhooks/usher/{what}", body, read=_checked, key=conversation_id
        )


def _as_kb(match: Match) -> dict[str, Any]:
    """A match as the dialogue is told of it."""
    return {
        "outcome": match.outcome,
        "confidence": round(match.confidence, 4),
        "act": match.act,
        "act_probability": round(match.act_probability, 4),
        "candidates": [
            [each.article, each.title, round(each.probability, 4)] for each in match.candidates
        ],
        "language": match.language,
        "article_language": match.article_language,
        "text": match.text,
        "heading": match.heading,
        "question": match.question,
        "asks": match.asks,
        "products": list(match.products),
    }


def _checked(status: int, answer: Any) -> Any:
    if status == HTTPStatus.CONFLICT:
        raise TrackerBehind(int(answer["seq"]))
    if status != HTTPStatus.OK:
        # Only the kind of error: the rest of the answer may hold what the customer wrote.
        kind = answer.get("error") if isinstance(answer, dict) else None
        raise ValueError(f"status {status}: {str(kind)[:100]}")
    return answer


def parse_result(answer: Any) -> TurnResult:
    """Rasa's messages as ours; raw dicts stop here.

    Raises:
        Unavailable: the answer is empty or not understood, which is a failed turn.
    """
    try:
        parts = [(each, each.get("custom") or {}) for each in answer["replies"]]
        replies = tuple(
            Reply(
                text=each["text"],
                buttons=tuple(
                    Button(button["title"], button.get("payload") or button["title"])
                    for button in each.get("buttons") or ()
                ),
                sources=tuple(Source(**source) for source in custom.get("sources", ())),
                asks=custom.get("asks"),
                choices=tuple(custom.get("choices", ())),
            )
            for each, custom in parts
            if each.get("text")
        )
        handoffs = [custom["handoff"] for _, custom in parts if "handoff" in custom]
        last = {key: value for _, custom in parts for key, value in custom.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"The assistant's answer is not understood: {error!r}") from error
    if not replies and not handoffs and "wish" not in last:
        raise Unavailable("The assistant said nothing.")
    return TurnResult(
        replies=replies,
        handoff=HandoffRequest(handoffs[0]) if handoffs else None,
        language=last.get("language") if last.get("language") in LANGUAGES else None,
        unhelped=last.get("unhelped"),
        wish=last.get("wish"),
        trace=answer.get("trace") or {},
    )
