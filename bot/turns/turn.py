"""One turn of the assistant: what the customer wrote → match → Rasa → replies."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot import metrics
from bot.conversations.batching import Batcher
from bot.conversations.database import Database
from bot.errors import Disconnected, NotReached, TimedOut, Unavailable
from bot.faults import point
from bot.knowledge.client import KnowledgeClient
from bot.messages import SILENCE, URGENT, Context, Match, Outcome, TurnResult
from bot.turns import ending, history
from bot.turns.assistant import Assistant, TrackerBehind
from bot.turns.beginning import Work
from bot.turns.ending import Finished

log = structlog.get_logger()

PATIENCE_MS = 60_000
"""From this age on a message may be what a part is stuck on; before, there is just much to do."""


LEAVE_QUEUE = "leave_queue"
"""What a customer who waits was told last: how to leave the queue."""
LEAVING = frozenset({"stop", "confirm_resolved", "start_over"})
"""Acts of who needs no human any more."""


def _is_for_assistant(match: Match, context: Context) -> bool:
    """Whether the assistant says something to what a customer writes who waits for a human.

    Who asks something new is told once how to leave the queue.
    """
    is_told = context.asked == LEAVE_QUEUE
    if match.outcome is Outcome.ACT:
        return match.act in LEAVING | URGENT
    return match.outcome is Outcome.ANSWER and not is_told


@dataclass(frozen=True)
class Taker:
    """Takes turns with the help of the other processes."""

    database: Database
    knowledge: KnowledgeClient
    assistant: Assistant
    complete: Batcher[Finished, Finished]
    """Commits turns, see `ending.complete_all`."""
    all_well: Callable[[], Awaitable[bool]]
    """Whether every part that a turn needs says that it works."""
    recovery: timedelta

    async def take(self, work: Work) -> None:
        """Take one turn to its end, or leave it for another try.

        Raises:
            LeaseLost: another worker has it; nothing was written.
            Unavailable: the database does not answer; the turn is resumed when the lease expires.
        """
        with structlog.contextvars.bound_contextvars(
            conversation=work.lease.conversation_id,
            message=work.message_ids[-1],
            turn=work.turn_id,
        ):
            begun, part = time.monotonic(), "knowledge"
            try:
                matches = await self.knowledge.match(
                    work.message.text, work.language, work.products, work.context
                )
                match = matches[0]
                matched, part = time.monotonic(), "assistant"
                result = SILENCE
                if not work.is_waiting or _is_for_assistant(match, work.context):
                    result = await self._ask(work, matches)
            except Exception as problem:  # noqa: BLE001  every kind is a turn that failed
                metrics.TURN_FAILURES.labels(part).inc()
                await self._failed(work, problem)
                return
            timings = {
                "match": round((matched - begun) * 1000),
                "assistant": round((time.monotonic() - matched) * 1000),
            }
            with metrics.timed(metrics.TURN_SECONDS.labels("commit")):
                await self.complete(Finished(work, matches, result, timings))
            metrics.turn_ended(
                match.outcome, bool(result.handoff), {"waited": work.waited_ms, **timings}
            )
            log.info(
                "turn",
                outcome=match.outcome,
                act=match.act if match.outcome in {Outcome.ACT, Outcome.CONFIRM} else None,
                confidence=round(match.confidence, 3),
                handoff=result.handoff.reason if result.handoff else None,
                waited_ms=work.waited_ms,
                **{f"{part}_ms": ms for part, ms in timings.items()},
            )

    async def _ask(self, work: Work, matches: Sequence[Match]) -> TurnResult:
        after, items = work.after, work.history
        conversation_id = work.lease.conversation_id
        for _ in range(2):
            point("turn.before_assistant")
            try:
                return await self.assistant.turn(
                    conversation_id,
                    after,
                    items,
                    work.message,
                    matches,
                    work.context,
                    work.products,
                    work.turn_id,
                    is_waiting=work.is_waiting,
                )
            except TrackerBehind as behind:
                after = behind.seq
                items = await asyncio.to_thread(
                    history.everything, self.database, conversation_id, after, work.message.seq
                )
        raise Unavailable("The assistant's tracker cannot be brought up to date.")

    async def _failed(self, work: Work, problem: Exception) -> None:
        counts = await self._is_its_own_fault(work, problem)
        reason = str(problem) if isinstance(problem, Unavailable) else type(problem).__name__
        log.warning(
            "turn failed",
            problem=reason,
            counts=counts,
            exc_info=not isinstance(problem, Unavailable),
        )
        if await asyncio.to_thread(ending.fail, self.database, work, reason, counts, self.recovery):
            log.error("dead letter: a human is asked", problem=reason)

    async def _is_its_own_fault(self, work: Work, problem: Exception) -> bool:
        """Whether a turn failed though nothing is down, or a process died of it."""
        if isinstance(problem, NotReached):
            return False
        if isinstance(problem, TimedOut) and work.waited_ms < PATIENCE_MS:
            return False  # who is only busy says that it is well
        return isinstance(problem, Disconnected) or await self.all_well()
