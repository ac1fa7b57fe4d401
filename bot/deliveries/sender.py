"""The sender of one channel: takes what is due, calls the channel, records what became of it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from bot import metrics
from bot.channels.base import Busy, Channel, Refused, Uncertain, Unreachable
from bot.conversations.batching import Batcher
from bot.conversations.database import Database
from bot.conversations.nudges import DELIVERIES, FALLBACK_SECONDS, Nudges, wait_for
from bot.deliveries import attempts, leases
from bot.deliveries.attempts import MAX_TRIES, Attempt, Result
from bot.deliveries.leases import MAX_WAIT, Lease, LeaseLost
from bot.deliveries.pacing import Circuit, CircuitState, Permit, TokenBucket, backoff
from bot.deliveries.states import State
from bot.errors import Unavailable
from bot.faults import point

log = structlog.get_logger()

SEND_SECONDS = 30.0
"""The longest call of any channel; their own limits are shorter."""
DRAIN_SECONDS = 5.0
"""How long a sender that is told to stop waits for its calls."""
PAUSE_AFTER_ERROR = 0.5


class Sender:
    """Sends the deliveries of one channel while it holds the channel's lease."""

    def __init__(
        self, database: Database, channel: Channel, worker: str, nudges: Nudges, help_url: str
    ) -> None:
        self._database = database
        self._channel = channel
        self._worker = worker
        self._nudges = nudges
        self._help_url = help_url
        self._bucket = TokenBucket(channel.limits.per_second)
        self._circuit = Circuit()
        self._sending: dict[asyncio.Task[None], str] = {}
        self._is_unsure = False
        self._stopping = False

    async def run(self) -> None:
        """Send until cancelled, whenever the channel's lease can be had."""
        async with self._nudges.interest(DELIVERIES) as woken:
            working = asyncio.create_task(self._work(woken))
            try:
                await asyncio.shield(working)
            except asyncio.CancelledError:
                # Cut off in the middle, an attempt would be one of which nobody knows the end.
                self._stopping = True
                woken.set()
                await asyncio.wait([working], timeout=DRAIN_SECONDS)
                raise
            finally:
                await _stop(working)

    async def _work(self, woken: asyncio.Event) -> None:
        restarted = True
        while not self._stopping:
            try:
                lease = await asyncio.to_thread(
                    leases.acquire,
                    self._database,
                    self._channel.name,
                    self._worker,
                    restarted=restarted,
                )
            except Unavailable as problem:
                log.warning("waiting for the database", problem=str(problem))
                lease = None
            if lease is None:
                await wait_for(woken, FALLBACK_SECONDS)
                continue
            restarted = False
            log.info("sending", channel=lease.channel, token=lease.token)
            try:
                await self._hold(lease, woken)
            except Exception:
                # Of this channel; the others, and turns, go on.
                log.exception("sending went wrong", channel=lease.channel)
                await asyncio.sleep(FALLBACK_SECONDS)

    async def _hold(self, lease: Lease, woken: asyncio.Event) -> None:
        """Send while the lease is ours, and leave nothing running when it is not."""
        batcher = Batcher[Result, State](
            lambda results: attempts.finish(self._database, lease, results)
        )
        hold = _Hold(lease, batcher, woken, asyncio.create_task(self._renew(lease)))
        try:
            while not hold.renewing.done() and not self._stopping:
                # While it is not surely ours it may still be renewed: nobody need have taken it.
                pause = PAUSE_AFTER_ERROR
                if lease.is_ours():
                    pause = await self._start_some(hold)
                if pause > 0:
                    await wait_for(woken, pause)
            if self._stopping and self._sending:
                await asyncio.wait(self._sending)
            elif not self._stopping:
                log.warning("channel lost", channel=lease.channel, token=lease.token)
        except LeaseLost as problem:
            log.warning("channel lost", channel=lease.channel, problem=str(problem))
        finally:
            await _stop(hold.renewing, *self._sending)
            metrics.CIRCUIT_OPEN.labels(lease.channel).set(0)  # from now on another worker tells
            with suppress(Unavailable):
                await asyncio.to_thread(leases.release, self._database, lease)

    async def _renew(self, lease: Lease) -> None:
        """Hold the channel until it is lost."""
        while True:
            await asyncio.sleep(leases.RENEW_SECONDS)
            try:
                await asyncio.to_thread(leases.renew, self._database, lease)
            except LeaseLost:
                return
            except Unavailable as problem:  # our own clock tells when it is over
                log.warning("lease not renewed", channel=lease.channel, problem=str(problem))

    async def _start_some(self, hold: "_Hold") -> float:
        """Begin to send what is due and allowed now.

        Returns:
            Seconds to wait before looking again, or until a nudge.
        """
        free = self._channel.limits.at_once - len(self._sending)
        room = self._circuit.room(min(free, self._bucket.available()))
        if room < 1:
            return max(self._circuit.wait(), self._bucket.wait()) or FALLBACK_SECONDS
        try:
            taken = await asyncio.to_thread(self._take, hold.lease, room)
        except Unavailable as problem:
            log.warning("waiting for the database", problem=str(problem))
            self._is_unsure = True
            return PAUSE_AFTER_ERROR
        self._bucket.spend(len(taken))
        for attempt in taken:
            task = asyncio.create_task(self._send(hold, attempt, self._circuit.permit()))
            self._sending[task] = attempt.delivery_id
            task.add_done_callback(partial(self._ended, hold))
        return 0 if len(taken) == room else FALLBACK_SECONDS

    def _take(self, lease: Lease, room: int) -> list[Attempt]:
        if self._is_unsure:  # a commit that was not answered may have been one
            attempts.withdraw(self._database, lease, list(self._sending.values()))
            self._is_unsure = False
        return attempts.take(self._database, lease, room, self._help_url)

    def _ended(self, hold: "_Hold", task: "asyncio.Task[None]") -> None:
        """There is room again, and the customer's next message may be due."""
        del self._sending[task]
        hold.woken.set()
        if not task.cancelled() and (problem := task.exception()) is not None:
            # Its delivery is left as "attempting", and a new lease settles that.
            log.error("sending went wrong", channel=hold.lease.channel, exc_info=problem)
            hold.renewing.cancel()

    async def _send(self, hold: "_Hold", attempt: Attempt, permit: Permit) -> None:
        try:
            # Frozen since the attempt was written? Then it is renewed soon, or we are cancelled.
            while not hold.lease.is_ours():  # noqa: ASYNC110  a time that comes
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            point("delivery.before_send")
            result = await self._call(attempt, permit)
            point("delivery.after_send")
        finally:
            self._circuit.withdrawn(permit)
        state = await self._record(hold, result)
        if state is None:
            return
        if state is State.PENDING:  # look again just when it is due
            asyncio.get_running_loop().call_later(result.wait, hold.woken.set)
        metrics.DELIVERIES.labels(self._channel.name, state).inc()
        log.info(
            "delivery",
            channel=self._channel.name,
            delivery=attempt.delivery_id,
            state=state,
            tries=attempt.tries,
            problem=result.problem,
        )

    async def _call(self, attempt: Attempt, permit: Permit) -> Result:
        """Call the channel and judge what came of it."""
        with metrics.timed(metrics.DELIVERY_SECONDS.labels(self._channel.name)):
            result = await self._tried(attempt, permit)
        is_open = self._circuit.state is CircuitState.OPEN
        metrics.CIRCUIT_OPEN.labels(self._channel.name).set(is_open)
        return result

    async def _tried(self, attempt: Attempt, permit: Permit) -> Result:
        id_, is_tip = attempt.delivery_id, attempt.is_tip
        again = backoff(attempt.tries)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                receipt = await self._channel.send(attempt.address, attempt.outgoing)
        except Refused as problem:
            self._circuit.succeeded(permit)
            return Result(id_, State.FAILED, str(problem))
        except Busy as problem:
            self._circuit.succeeded(permit)
            pause = min(problem.retry_after, MAX_WAIT.total_seconds())
            self._circuit.hold(pause)
            return Result(id_, State.PENDING, str(problem), wait=pause, counts=False)
        except Unreachable as problem:
            counts = not self._circuit.failed(permit)
            return self._retry(attempt, str(problem), again, counts)
        except Exception as problem:  # noqa: BLE001  whatever it was, it may have been sent
            counts = not self._circuit.failed(permit)
            # An unexpected error's own words may be the customer's.
            said = str(problem) if isinstance(problem, Uncertain) else type(problem).__name__
            if is_tip:
                return Result(id_, State.UNKNOWN, said)
            return self._retry(attempt, said, again, counts)
        self._circuit.succeeded(permit)
        return Result(id_, State.SENT, receipt=receipt)

    def _retry(self, attempt: Attempt, problem: str, wait: float, counts: bool) -> Result:
        if counts and attempt.tries >= MAX_TRIES:
            said = f"Given up after {attempt.tries} tries. Last: {problem}"
            return Result(attempt.delivery_id, State.FAILED, said)
        return Result(attempt.delivery_id, State.PENDING, problem, wait=wait, counts=counts)

    async def _record(self, hold: "_Hold", result: Result) -> State | None:
        """Write a result; None when the channel was taken over, whose new sender has decided."""
        while True:
            try:
                return await hold.batcher(result)
            except Unavailable as problem:
                log.warning("waiting for the database", problem=str(problem))
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            except LeaseLost:
                log.warning("result not recorded", delivery=result.delivery_id, state=result.state)
                return None


@dataclass(frozen=True)
class _Hold:
    """One time of holding a channel, from taking its lease until losing it."""

    lease: Lease
    batcher: Batcher[Result, State]
    """Writes results."""
    woken: asyncio.Event
    """Set when it is time to look for something to do."""
    renewing: "asyncio.Task[None]"
    """Ends when the lease is lost."""


async def _stop(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
