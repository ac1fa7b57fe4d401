"""The sender of one channel: takes what is due, calls the channel, records what became of it."""

import asyncio
from contextlib import suppress
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
        self._sending: set[asyncio.Task[None]] = set()
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
            await self._hold(lease, woken)

    async def _hold(self, lease: Lease, woken: asyncio.Event) -> None:
        """Send while the lease is ours, and leave nothing running when it is not."""
        batcher = Batcher[Result, State](
            lambda results: attempts.finish(self._database, lease, results)
        )
        renewing = asyncio.create_task(self._renew(lease))
        try:
            while lease.is_ours() and not renewing.done() and not self._stopping:
                pause = await self._start_some(lease, batcher, woken)
                if pause > 0:
                    await wait_for(woken, pause)
            if self._stopping and self._sending:
                await asyncio.wait(self._sending)
            elif not self._stopping:
                log.warning("channel lost", channel=lease.channel, token=lease.token)
        except LeaseLost as problem:
            log.warning("channel lost", channel=lease.channel, problem=str(problem))
        finally:
            await _stop(renewing, *self._sending)
            metrics.CIRCUIT_OPEN.labels(lease.channel).set(0)  # from now on another worker tells
            with suppress(Unavailable):
                await asyncio.to_thread(leases.release, self._database, lease)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(leases.RENEW_SECONDS)
            try:
                await asyncio.to_thread(leases.renew, self._database, lease)
            except LeaseLost:
                return
            except Unavailable as problem:  # our own clock tells when it is over
                log.warning("lease not renewed", channel=lease.channel, problem=str(problem))

    async def _start_some(
        self, lease: Lease, batcher: Batcher[Result, State], woken: asyncio.Event
    ) -> float:
        """Begin to send what is due and allowed now.

        Returns:
            Seconds to wait before looking again, or until a nudge.
        """
        free = self._channel.limits.at_once - len(self._sending)
        room = self._circuit.room(min(free, self._bucket.available()))
        if room < 1:
            return max(self._circuit.wait(), self._bucket.wait()) or FALLBACK_SECONDS
        try:
            taken = await asyncio.to_thread(
                attempts.take, self._database, lease, room, self._help_url
            )
        except Unavailable as problem:
            log.warning("waiting for the database", problem=str(problem))
            await asyncio.sleep(PAUSE_AFTER_ERROR)
            return 0
        self._bucket.spend(len(taken))
        for attempt in taken:
            task = asyncio.create_task(
                self._send(lease, attempt, self._circuit.permit(), batcher, woken)
            )
            self._sending.add(task)
            task.add_done_callback(partial(self._ended, lease, woken))
        return 0 if len(taken) == room else FALLBACK_SECONDS

    def _ended(self, lease: Lease, woken: asyncio.Event, task: "asyncio.Task[None]") -> None:
        """There is room again, and the customer's next message may be due."""
        self._sending.discard(task)
        woken.set()
        if not task.cancelled() and (problem := task.exception()) is not None:
            # Its delivery is left as "attempting", and a new lease settles that.
            log.error("sending went wrong", channel=lease.channel, exc_info=problem)
            lease.ends_at = 0.0

    async def _send(
        self,
        lease: Lease,
        attempt: Attempt,
        permit: Permit,
        batcher: Batcher[Result, State],
        woken: asyncio.Event,
    ) -> None:
        try:
            if not lease.is_ours():
                return  # frozen since the attempt was written: it is no longer ours to make
            point("delivery.before_send")
            result = await self._call(attempt, permit)
            point("delivery.after_send")
        finally:
            self._circuit.withdrawn(permit)
        state = await self._record(lease, result, batcher)
        if state is State.PENDING:  # look again just when it is due
            asyncio.get_running_loop().call_later(result.wait, woken.set)
        if state is not None:
            metrics.DELIVERIES.labels(lease.channel, state).inc()
            log.info(
                "delivery",
                channel=lease.channel,
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

    async def _record(
        self, lease: Lease, result: Result, batcher: Batcher[Result, State]
    ) -> State | None:
        """Write a result; None when the channel was taken over, whose new sender has decided."""
        while lease.is_ours():
            try:
                return await batcher(result)
            except Unavailable as problem:
                log.warning("waiting for the database", problem=str(problem))
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            except LeaseLost:
                break
        log.warning("result not recorded", delivery=result.delivery_id, state=result.state)
        return None


async def _stop(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
