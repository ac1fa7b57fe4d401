"""Kills and freezes processes: at named points, and at random."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.crash.cluster import Cluster
from tests.crash.points import within_reach

WEIGHTS: Mapping[str, float] = {
    "gateway": 4, "worker": 6, "actions": 1, "knowledge": 0.3, "valkey": 0.7, "rasa": 0.7,
}  # fmt: skip
"""How often each kind is struck at random; those that start slowly more seldom."""
_ASKED: Mapping[str, tuple[str, ...]] = {
    "call.match": ("knowledge",),
    "call.webhooks.usher": ("rasa", "actions", "actions", "valkey", "valkey"),
}
"""Who may be struck instead, while the process at the point waits for its answer."""

AT_A_POINT, AT_RANDOM, FREEZE, STRIKE_THE_ASKED, FLUSH = 0.65, 0.35, 0.1, 0.12, 0.01
ARMED_AT_ONCE = 4
ARMED_SECONDS = 6.0
"""A point that is not reached for so long is given up for now."""
LEASE_SECONDS = 10.0
WORK, WORK_SECONDS = 4, 4.0
"""Between two acts so many messages are acknowledged or shown, or so long nothing is done."""


@dataclass(frozen=True)
class _Order:
    """A point that is armed."""

    until: float
    frozen_for: float
    """0: it kills."""


class Killer:
    """Strikes until enough processes were killed."""

    def __init__(
        self,
        cluster: Cluster,
        faults: Path,
        rng: random.Random,
        kills: int,
        pause: float,
        weights: Mapping[str, float] = WEIGHTS,
        points: Sequence[str] = (),
    ) -> None:
        """
        Args:
            kills: so many processes are to be killed.
            pause: mean seconds between two acts.
            weights: see `WEIGHTS`; a kind that is missing is spared.
            points: only these are armed; empty: all that can be reached.
        """
        self._cluster = cluster
        self._faults = faults
        self._rng = rng
        self._kills = kills
        self._pause = pause
        self._weights = weights
        self._points = list(points) or within_reach()
        self._armed: dict[str, _Order] = {}
        self._frozen: dict[int, tuple[str, float]] = {}
        self._freeze_next = 0.0
        self.struck: Counter[str] = Counter(dict.fromkeys(self._points, 0))
        """How often somebody was struck at each point."""
        self.flushed = 0
        """How often Valkey was emptied."""

    @property
    def killed(self) -> int:
        return sum(self._cluster.deaths.killed.values())

    async def run(self, progress: Callable[[int], None], work_done: Callable[[], int]) -> None:
        """Until there are enough kills; then nothing is armed or frozen any more.

        Args:
            work_done: grows with what customers have got done. Between two acts it always
                grows, or a slow machine would do nothing but start processes.
        """
        try:
            while self.killed < self._kills:
                progress(self.killed)
                enough, until = work_done() + WORK, time.monotonic() + WORK_SECONDS
                await asyncio.sleep(min(self._rng.expovariate(1 / self._pause), 5 * self._pause))
                self._look()
                while work_done() < enough and time.monotonic() < until:
                    await asyncio.sleep(0.05)
                    self._look()
                await self._act()
        finally:
            await self._end()
        progress(self.killed)

    async def _act(self) -> None:
        kind = self._rng.random()
        if kind < FLUSH:
            await self._flush()
        elif kind < FLUSH + AT_A_POINT:
            if len(self._armed) < ARMED_AT_ONCE:
                await self._arm()
        else:
            await self._strike()

    async def _arm(self) -> None:
        """Write an order for a point; those that were struck least come first."""
        free = [each for each in self._points if each not in self._armed]
        if not free:
            return
        least = min(self.struck[each] for each in free)
        weights = [1 / (1 + self.struck[each] - least) for each in free]
        (point,) = self._rng.choices(free, weights)
        frozen_for, target = 0.0, ""
        if self._rng.random() < FREEZE and not self._freezing():
            holds_lock = point.endswith(".before_commit") and self._rng.random() < 0.8
            frozen_for = self._length("" if holds_lock else "worker")
        elif self._rng.random() < STRIKE_THE_ASKED:
            target = await self._asked(point)
        signal_name = "SIGSTOP" if frozen_for else "SIGKILL"
        temporary = self._faults / f".new.{point}"
        temporary.write_text(f"{signal_name} {target}".strip())
        temporary.rename(self._faults / point)
        self._armed[point] = _Order(time.monotonic() + ARMED_SECONDS, frozen_for)

    async def _asked(self, point: str) -> str:
        """The pid of a process that is asked at a point, or nothing."""
        for start, names in _ASKED.items():
            if point.startswith(start):
                process = self._cluster.processes[self._rng.choice(names)]
                ready = process.kind in self._weights and await self._cluster.is_ready(process.kind)
                return str(process.pid) if ready and process.pid else ""
        return ""

    def _freezing(self) -> bool:
        return bool(self._frozen) or any(each.frozen_for for each in self._armed.values())

    def _length(self, kind: str) -> float:
        """Seconds of a freeze: a worker's is often longer than its leases."""
        if kind == "worker" and self._rng.random() < 0.4:
            return LEASE_SECONDS + self._rng.uniform(1, 3)
        return self._rng.uniform(0.2, 7 if kind in {"gateway", "worker"} else 2.5)

    async def _strike(self) -> None:
        kinds = list(self._weights)
        (kind,) = self._rng.choices(kinds, [self._weights[each] for each in kinds])
        if not await self._cluster.is_ready(kind):
            return
        name = self._rng.choice([n for n, p in self._cluster.processes.items() if p.kind == kind])
        if self._rng.random() < FREEZE and not self._freezing():
            self._freeze_next = self._length(kind)
            self._cluster.send(name, signal.SIGSTOP)
        else:
            self._cluster.send(name, signal.SIGKILL)

    async def _flush(self) -> None:
        address = self._cluster.settings.effective_redis_url
        with suppress(RedisError, OSError):
            async with Redis.from_url(address, socket_timeout=1) as redis:
                await redis.flushall()
                self.flushed += 1

    def _look(self) -> None:
        """See which orders were carried out, and let go on what was frozen long enough."""
        at = time.monotonic()
        for point, order in list(self._armed.items()):
            if not (self._faults / point).exists():
                self.struck[point] += 1
                self._freeze_next = order.frozen_for or self._freeze_next
                del self._armed[point]
            elif order.until < at:
                with suppress(FileNotFoundError):
                    (self._faults / point).unlink()
                    del self._armed[point]
        for process in self._cluster.frozen():
            if process.pid not in self._frozen:
                self._cluster.deaths.frozen[process.kind] += 1
                self._frozen[process.pid] = (process.name, at + self._freeze_next)
        for pid, (name, until) in list(self._frozen.items()):
            if self._cluster.processes[name].pid != pid:  # killed meanwhile
                del self._frozen[pid]
            elif until < at:
                self._cluster.send(name, signal.SIGCONT)
                del self._frozen[pid]

    async def _end(self) -> None:
        for point in self._armed:
            with suppress(FileNotFoundError):
                (self._faults / point).unlink()
        self._armed.clear()
        await asyncio.sleep(0.2)  # an order may have been read before it was taken away
        while frozen := self._cluster.frozen():
            for process in frozen:
                self._cluster.send(process.name, signal.SIGCONT)
            await asyncio.sleep(0.1)
