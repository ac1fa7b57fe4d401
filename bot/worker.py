"""The worker: takes turns and sends tips. Any number of them can run."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
import uvloop

from bot import bootstrap
from bot.conversations.database import Database
from bot.conversations.nudges import (
    EVERYTHING,
    FALLBACK_SECONDS,
    TIMELINE,
    TIPS,
    TURNS,
    Nudges,
    wait_for,
)
from bot.conversations.tables import Conversation
from bot.errors import Unavailable
from bot.journeys import tips
from bot.knowledge.client import KnowledgeClient
from bot.settings import Settings
from bot.turns import leases, turn
from bot.turns.assistant import Assistant, HistoryItem, TrackerBehind
from bot.turns.leases import Lease, LeaseLost

log = structlog.get_logger()

_PAUSE_AFTER_ERROR = 1.0


class Worker:
    """Side by side: turns of several conversations, and one sender of tips."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._silence = timedelta(minutes=settings.conversation_silence_minutes)
        # One worker runs for each data folder; supervisor restarts it under the same name.
        self._name = f"{socket.gethostname()}:{settings.data_dir.resolve()}"[:255]
        self._free = asyncio.Semaphore(settings.turns_at_once)
        self._turns: set[asyncio.Task[None]] = set()
        self._nudges = Nudges(settings.effective_redis_url)
        self._knowledge = KnowledgeClient(settings.knowledge_url)
        self._assistant = Assistant(settings.rasa_url, settings.secret("rasa"))

    async def run(self) -> None:
        """Work until cancelled."""
        ended = await asyncio.to_thread(leases.end_those_of, self._database, self._name)
        log.info("worker started", name=self._name, turns_to_resume=ended)
        try:
            await asyncio.gather(
                self._nudges.listen(TURNS),
                self._nudges.beat("worker"),
                self._forever(self._start_turn, EVERYTHING),
                self._forever(self._send_tip, TIPS),
            )
        finally:
            await self._nudges.close()
            await self._knowledge.close()
            await self._assistant.close()

    async def _forever(self, job: Callable[[], Awaitable[bool]], nudge: str) -> None:
        """Repeat a job; when it had nothing to do, wait for a nudge or a moment."""
        async with self._nudges.interest(nudge) as nudged:
            while True:
                try:
                    if not await job():
                        await wait_for(nudged, FALLBACK_SECONDS)
                except Unavailable as problem:
                    log.warning("waiting for the database", problem=str(problem))
                    await asyncio.sleep(_PAUSE_AFTER_ERROR)

    async def _start_turn(self) -> bool:
        """Lease the next conversation and take its turn beside the others."""
        await self._free.acquire()
        lease = None
        try:
            lease = await asyncio.to_thread(leases.take_next, self._database, self._name)
        finally:
            if lease is None:
                self._free.release()
        if lease is None:
            return False
        task = asyncio.create_task(self._take_turn(lease))
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)
        return True

    async def _take_turn(self, lease: Lease) -> None:
        recovery = timedelta(minutes=self._settings.recovery_minutes)
        try:
            customer = await turn.take(
                self._database, lease, self._knowledge, self._assistant, recovery
            )
        except (LeaseLost, Unavailable) as problem:
            # The lease expires, and whoever takes it next finds the message still pending.
            log.warning("turn lost", conversation=lease.conversation_id, problem=str(problem))
            return
        finally:
            self._free.release()
            self._nudges.dispatch(lease.conversation_id)  # its next message may be waiting
        if customer is not None:
            self._nudges.send(TIMELINE, customer)

    async def _send_tip(self) -> bool:
        sent = await asyncio.to_thread(tips.send_next, self._database, self._silence)
        if sent is None:
            return False
        customer, conversation = sent
        if conversation:
            self._nudges.send(TIMELINE, customer)
            await self._tell_tracker(conversation)
            log.info("tip", conversation=conversation)
        return True

    async def _tell_tracker(self, conversation_id: str) -> None:
        """Let the tracker know of a tip at once; failing that, the next turn tells it."""

        def unsaid() -> tuple[int, tuple[HistoryItem, ...]]:
            with self._database.read() as session:
                after = session.get_one(Conversation, conversation_id).tracker_seq
            return after, turn.history_of(self._database, conversation_id, after, 2**62)

        after, history = await asyncio.to_thread(unsaid)
        try:
            await self._assistant.tell(conversation_id, after, history)
        except (Unavailable, TrackerBehind) as problem:
            log.info("tracker not told", conversation=conversation_id, problem=str(problem))


def main() -> None:
    bootstrap.configure_logging()
    database = bootstrap.database()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Worker(bootstrap.settings(), database).run())
    except KeyboardInterrupt:
        pass
    finally:
        database.close()


if __name__ == "__main__":
    main()
