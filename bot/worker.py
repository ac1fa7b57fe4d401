"""The worker: takes turns, sends tips and deliveries, keeps house. Any number can run."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus

import structlog
import uvloop

from bot import bootstrap, metrics
from bot.channels.registry import channels
from bot.conversations.batching import Batcher
from bot.conversations.database import Database
from bot.conversations.nudges import (
    DELIVERIES,
    EVERYTHING,
    FALLBACK_SECONDS,
    TIMELINE,
    TIPS,
    TURNS,
    Nudges,
    wait_for,
)
from bot.conversations.tables import Conversation
from bot.deliveries.outbox import Outbox
from bot.errors import Unavailable
from bot.internal_http import HEALTH_PATHS, InternalClient
from bot.journeys import tips
from bot.keeping.sweeping import Keeping
from bot.knowledge.client import KnowledgeClient
from bot.settings import Settings
from bot.turns import beginning, ending, history, leases
from bot.turns.assistant import Assistant, TrackerBehind
from bot.turns.beginning import Work
from bot.turns.history import HistoryItem
from bot.turns.leases import Lease, LeaseLost
from bot.turns.turn import Taker

log = structlog.get_logger()

PROBE_SECONDS = 2.0
_PAUSE_AFTER_ERROR = 1.0
_GATHER_SECONDS = 0.02
"""Between two looks for turns: under load they are begun together, which costs all writers less."""


class Worker:
    """Side by side: turns of several conversations, tips, the outbox, retention."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        knowledge: KnowledgeClient | None = None,
        assistant: Assistant | None = None,
    ) -> None:
        """
        Args:
            knowledge, assistant: others than the settings name, for measuring the record alone.
        """
        self._settings = settings
        self._database = database
        self._silence = timedelta(minutes=settings.conversation_silence_minutes)
        # Of one name only one runs at a time; it is restarted under the same.
        alone = f"{socket.gethostname()}:{settings.data_dir.resolve()}"
        self._name = os.environ.get("USHER_WORKER_NAME", alone)[-255:]
        self._turns: dict[asyncio.Task[None], Lease] = {}
        self._nudges = Nudges(settings.effective_redis_url)
        secret = settings.secret("rasa")
        self._knowledge = knowledge or KnowledgeClient(settings.knowledge_servers, secret)
        self._assistant = assistant or Assistant(settings.rasa_servers, secret)
        self._parts = {
            kind: InternalClient(kind, servers, PROBE_SECONDS, secret, repeatable=True)
            for kind, servers in settings.internal_servers.items()
        }
        self._taker = Taker(
            database,
            self._knowledge,
            self._assistant,
            Batcher(partial(ending.complete_all, database), "turn"),
            self._all_well,
            timedelta(minutes=settings.recovery_minutes),
        )
        help_url = f"{settings.gateway_url}/help"
        self._channels = channels(settings)
        self._outbox = Outbox(database, self._channels, self._name, self._nudges, help_url)
        self._keeping = Keeping(database, settings)

    async def run(self) -> None:
        """Work until cancelled."""
        ended = await self._when_possible(
            partial(asyncio.to_thread, leases.end_those_of, self._database, self._name)
        )
        log.info("worker started", name=self._name, turns_to_resume=ended)
        sending = asyncio.create_task(self._outbox.run())
        try:
            await asyncio.gather(
                self._nudges.listen(TURNS),
                self._nudges.beat("worker"),
                self._keep_leases(),
                self._forever(self._start_turns, EVERYTHING),
                self._forever(self._send_tip, TIPS),
                sending,
                self._keeping.run(),
            )
        finally:
            if not sending.cancelling():
                sending.cancel()
            await asyncio.wait([sending])  # calls of channels that are under way may end
            await self._nudges.close()
            await self._knowledge.close()
            await self._assistant.close()
            for part in self._parts.values():
                await part.close()

    async def _when_possible(self, job: Callable[[], Awaitable[int]]) -> int:
        """What the job gives, as soon as the database answers."""
        while True:
            try:
                return await job()
            except Unavailable as problem:
                log.warning("waiting for the database", problem=str(problem))
                await asyncio.sleep(_PAUSE_AFTER_ERROR)

    async def _forever(self, job: Callable[[], Awaitable[int]], nudge: str) -> None:
        """Repeat a job; when it had nothing to do, wait for a nudge or a moment."""
        async with self._nudges.interest(nudge) as nudged:
            while True:
                if not await self._when_possible(job):
                    await wait_for(nudged, FALLBACK_SECONDS)

    async def _start_turns(self) -> int:
        """Begin as many turns as there is room for, beside those that are being taken."""
        while (room := self._settings.turns_at_once - len(self._turns)) <= 0:
            await asyncio.wait(self._turns, return_when=asyncio.FIRST_COMPLETED)
        begun = await asyncio.to_thread(
            beginning.begin,
            self._database,
            self._name,
            room,
            self._settings.combine_messages,
        )
        for work in begun:
            task = asyncio.create_task(self._take_turn(work))
            self._turns[task] = work.lease
            task.add_done_callback(lambda done: self._turns.pop(done))
        if begun:
            await asyncio.sleep(_GATHER_SECONDS)
        return len(begun)

    async def _take_turn(self, work: Work) -> None:
        conversation = work.lease.conversation_id
        try:
            await self._taker.take(work)
        except (LeaseLost, Unavailable) as problem:
            # The lease expires, and whoever takes it next finds the turn still open.
            if isinstance(problem, LeaseLost):
                metrics.LEASES.labels("lost").inc()
            else:
                metrics.TURN_FAILURES.labels("record").inc()
            log.warning("turn lost", conversation=conversation, problem=str(problem))
        except Exception:  # a mistake in one turn is no reason to leave the others
            log.exception("turn lost", conversation=conversation)
        else:
            self._tell(work.customer_id)
        finally:
            self._nudges.dispatch(conversation)  # its next message may be waiting

    def _tell(self, customer_id: str) -> None:
        """Let the customer's pages, and the outbox of whichever worker, know of something new."""
        self._nudges.send(TIMELINE, customer_id)
        if self._channels:
            self._nudges.send(TURNS, DELIVERIES)

    async def _keep_leases(self) -> None:
        """Say to the database again and again that the turns begun are still being taken."""
        while True:
            await asyncio.sleep(leases.HEARTBEAT_SECONDS)
            held = list(self._turns.values())
            try:
                await asyncio.to_thread(leases.renew, self._database, self._name, held)
            except Unavailable as problem:
                log.warning("leases not renewed", problem=str(problem))

    async def _all_well(self) -> bool:
        """Whether everything that a turn needs says that it works; all is asked at once."""

        async def is_well(kind: str, part: InternalClient) -> bool:
            try:
                await part.get(HEALTH_PATHS[kind], _check_ok)
            except Unavailable:
                return False
            return True

        parts = (is_well(kind, part) for kind, part in self._parts.items())
        return all(await asyncio.gather(self._nudges.reachable(), *parts))

    async def _send_tip(self) -> int:
        sent = await asyncio.to_thread(tips.send_next, self._database, self._silence)
        if sent is None:
            return 0
        customer, conversation = sent
        if conversation:
            self._tell(customer)
            await self._tell_tracker(conversation)
            log.info("tip", conversation=conversation)
        return 1

    async def _tell_tracker(self, conversation_id: str) -> None:
        """Let the tracker know of a tip at once; failing that, the next turn tells it."""

        def unsaid() -> tuple[int, tuple[HistoryItem, ...]]:
            with self._database.read() as session:
                conversation = session.get_one(Conversation, conversation_id)
                said = history.unsaid(session, [conversation])[conversation_id]
                return conversation.tracker_seq, tuple(said)

        after, said = await asyncio.to_thread(unsaid)
        try:
            await self._assistant.tell(conversation_id, after, said)
        except (Unavailable, TrackerBehind) as problem:
            log.info("tracker not told", conversation=conversation_id, problem=str(problem))


def _check_ok(status: int, _: object) -> None:
    if status != HTTPStatus.OK:
        raise ValueError(f"status {status}")


async def _until_told(worker: Worker) -> None:
    """Work until supervisor says SIGTERM; calls of channels that are under way may end first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await worker.run()


def main() -> None:
    bootstrap.configure_logging()
    settings, database = bootstrap.settings(), bootstrap.database()
    name = os.environ.get("USHER_WORKER_NAME", "")
    metrics.serve(
        settings.metrics_host, metrics.port_of(settings.metrics_port, "worker", name), "worker"
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(Worker(settings, database)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    finally:
        database.close()


if __name__ == "__main__":
    main()
