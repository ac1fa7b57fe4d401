"""One run of the crash test: start, write and kill, let it come to rest, judge."""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from redis import Redis

from bot.conversations.database import Database
from bot.handoff.agents import add_agent
from bot.operations.migrating import migrate
from bot.operations.training import is_trained
from bot.settings import ROOT, Settings, load_settings
from tests.crash.agent import Agent
from tests.crash.app import App, AppCustomer, send_reports
from tests.crash.client import Client
from tests.crash.cluster import Cluster, running
from tests.crash.customers import Visitor
from tests.crash.diary import Diary
from tests.crash.killer import WEIGHTS, Killer
from tests.crash.record import unfinished
from tests.crash.report import Report
from tests.crash.verdict import Trackers, judge, numbered
from tests.e2e.running import EMAIL, PASSWORD, free_ports, quick_journeys, take_over_model
from tests.vendor import SECRET, Vendor, vendor

LEAVE_SECONDS = 90
"""How long customers may take to send their last words when nothing is killed any more."""
AT_ONCE = 20
"""Customers who come back side by side."""

Progress = Callable[[str, int], None]
"""Is told what goes on, and how many processes were killed so far."""


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    kills: int
    seed: int = 1
    database_url: str = ""
    """Empty: SQLite."""
    visitors: int = 12
    """Customers on pages at the same time; when one leaves, the next one comes."""
    app_customers: int = 4
    pause: float = 0.3
    """Mean seconds between two acts of the killer."""
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    points: Sequence[str] = ()
    """Only these are armed; empty: all that can be reached."""
    broken_by: str = ""
    """A function of `faulty.py` that breaks gateways and workers, to test the test."""
    rest_seconds: float = 180
    """How long what is pending may take when nothing is killed any more."""


def crash(plan: Plan, progress: Progress) -> Report:
    """Carry a plan out."""
    with tempfile.TemporaryDirectory(prefix="usher-crash-") as folder:
        return asyncio.run(_Run(plan, Path(folder), progress).carry_out())


class _Run:
    def __init__(self, plan: Plan, folder: Path, progress: Progress) -> None:
        self._plan = plan
        self._folder = folder
        self._progress = progress
        self._rng = random.Random(plan.seed)
        self._goes_on = True
        self._http: aiohttp.ClientSession | None = None
        self._clients: list[Client] = []
        self._visitors: list[Visitor] = []
        self._app_customers: list[AppCustomer] = []

    async def carry_out(self) -> Report:
        async with AsyncExitStack() as stack:
            app = App(self._new_rng())
            server = stack.enter_context(vendor(app.take))
            settings = self._settings(server)
            database = Database(settings.effective_database_url)
            stack.callback(database.close)
            self._progress("starting", 0)
            migrate(database)
            add_agent(database, EMAIL, "Agent", PASSWORD)
            _prepare(settings)
            faults = self._folder / "faults"
            faults.mkdir()
            cluster = await stack.enter_async_context(
                running(settings, faults, self._plan.broken_by)
            )
            connector = aiohttp.TCPConnector(limit=0)
            self._http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            plan = self._plan
            killer = Killer(
                cluster, faults, self._new_rng(), plan.kills, plan.pause, plan.weights, plan.points
            )
            return await self._kill_and_judge(cluster, killer, database, app, server)

    def _settings(self, server: Vendor) -> Settings:
        port, internal_port = free_ports()
        return load_settings(
            _env_file=None,
            data_dir=self._folder / "data",
            database_url=self._plan.database_url,
            redis_url="",
            port=port,
            internal_port=internal_port,
            journeys=quick_journeys(self._folder / "journeys"),
            messages_per_minute=60_000,
            visitors_per_minute=60_000,
            metrics_port=0,
            webhook_channel_url=server.url,
            webhook_channel_secret=SECRET,
            webhook_channel_per_second=1000.0,
        )

    def _new_rng(self) -> random.Random:
        return random.Random(self._rng.random())

    def _new_client(self, cluster: Cluster) -> Client:
        assert self._http is not None
        self._clients.append(Client(self._http, cluster.gateways, self._new_rng()))
        return self._clients[-1]

    async def _kill_and_judge(
        self, cluster: Cluster, killer: Killer, database: Database, app: App, server: Vendor
    ) -> Report:
        plan, began = self._plan, time.monotonic()
        agent = Agent(self._new_client(cluster), self._new_rng())
        working = asyncio.create_task(agent.work())
        reporting = asyncio.create_task(send_reports(app, self._new_client(cluster), SECRET))
        chairs = [
            asyncio.create_task(self._chair(cluster, app if n < plan.app_customers else None))
            for n in range(plan.visitors + plan.app_customers)
        ]
        await killer.run(
            lambda killed: self._progress("killing", killed),
            lambda: sum(each.progress for each in self._diaries),
        )
        seconds_killing = time.monotonic() - began
        self._progress("coming to rest", killer.killed)
        self._goes_on, app.is_reliable = False, True
        _, stuck = await asyncio.wait(chairs, timeout=LEAVE_SECONDS)
        rest_began = time.monotonic()
        await self._come_to_rest(database, app)
        seconds_to_rest = time.monotonic() - rest_began
        for task in (working, reporting, *stuck):
            task.cancel()
        await asyncio.gather(working, reporting, *chairs, return_exceptions=True)
        self._progress("judging", killer.killed)
        await self._let_all_come_back()
        diaries = self._diaries
        trackers = _trackers(cluster.settings)
        verdict = judge(database, diaries, agent.diary, trackers, app.arrived)
        refused = [each for client in self._clients for each in client.refusals.found]
        verdict.lost += [f"a client was refused: {each}" for each in refused]
        verdict.lost += [f"the app was sent something wrong: {each}" for each in server.problems]
        verdict.lost += ["a customer could not send a message"] * len(stuck)
        return Report(
            kills=plan.kills,
            seed=plan.seed,
            database="PostgreSQL" if plan.database_url else "SQLite",
            broken_by=plan.broken_by,
            seconds=time.monotonic() - began,
            seconds_killing=seconds_killing,
            seconds_to_rest=seconds_to_rest,
            customers=len(diaries),
            retries=dict(sum((each.retries for each in self._clients), Counter())),
            killed=dict(cluster.deaths.killed),
            frozen=dict(cluster.deaths.frozen),
            ended=dict(cluster.deaths.ended),
            flushed=killer.flushed,
            points=dict(killer.struck),
            verdict=verdict,
        )

    @property
    def _diaries(self) -> list[Diary]:
        return [each.diary for each in (*self._visitors, *self._app_customers)]

    async def _chair(self, cluster: Cluster, app: App | None) -> None:
        """One customer after the other, as long as there is killing."""
        client, secret = self._new_client(cluster), cluster.settings.purchase_secrets[0]
        while self._goes_on:
            if app is None:
                name = f"visitor-{len(self._visitors)}"
                visitor = Visitor(client, name, self._new_rng(), secret)
                self._visitors.append(visitor)
                await visitor.live(lambda: self._goes_on)
            else:
                name = f"app-{len(self._app_customers)}"
                customer = AppCustomer(client, name, self._new_rng(), secret, app, SECRET)
                self._app_customers.append(customer)
                await customer.live(lambda: self._goes_on)

    async def _let_all_come_back(self) -> None:
        few = asyncio.Semaphore(AT_ONCE)

        async def come_back(visitor: Visitor) -> None:
            async with few:
                await visitor.come_back()

        await asyncio.gather(*(come_back(each) for each in self._visitors))

    async def _come_to_rest(self, database: Database, app: App) -> None:
        """Until nothing is pending any more; what is left over after that is for the verdict."""
        until = time.monotonic() + self._plan.rest_seconds
        quiet = 0
        while quiet < 3 and time.monotonic() < until:
            await asyncio.sleep(0.5)
            waiting = await asyncio.to_thread(unfinished, database)
            quiet = 0 if waiting or not app.reports.empty() else quiet + 1


def _prepare(settings: Settings) -> None:
    """The trained model: the project's own, or a new one that is kept there for the next time."""
    own = load_settings(_env_file=None, data_dir=ROOT / ".usher")
    if not is_trained(own):
        others = {k: v for k, v in os.environ.items() if not k.startswith("USHER_")}
        command = [sys.executable, "-m", "bot.cli", "prepare"]
        subprocess.run(command, cwd=ROOT, env=others, check=True, capture_output=True)
    take_over_model(settings.data_dir)


def _trackers(settings: Settings) -> Trackers:
    found = {}
    with Redis.from_url(settings.effective_redis_url, decode_responses=True) as redis:
        for key in redis.scan_iter(match="usher:tracker:*"):
            stored = redis.get(key)
            if stored:
                found[key.removeprefix("usher:tracker:")] = numbered(json.loads(stored)["events"])
    return found
