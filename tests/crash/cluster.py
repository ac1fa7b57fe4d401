"""A whole Usher whose processes may die at any moment: whatever dies is started again at once.

Two gateways and three workers, knowledge, actions, Rasa and Valkey, with the commands of
`usher up`, on one database. They are forked from zygotes, see `zygote.py`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bot.operations.processes import RASA_PYTHON, environment, programs
from bot.settings import ROOT, Settings

READY_SECONDS = 120
GATEWAYS = 2
WORKERS = 3
KINDS = ("gateway", "worker", "knowledge", "actions", "rasa", "valkey")

_ZYGOTES: Mapping[str, tuple[str, ...]] = {
    "light": ("uvicorn.main", "uvloop", "httptools", "bot.operations.servers",
              "bot.operations.valkey", "bot.worker", "tests.crash.faulty"),
    "models": ("uvicorn.main", "uvloop", "httptools", "bot.operations.servers",
               "bot.knowledge.service", "rasa_sdk.endpoint", "tokenizers"),
    "rasa": ("skops.io", "rasa.__main__", "rasa.core.run", "rasa.server", "rasa.core.agent",
             "rasa.engine.recipes.default_recipe", "rasa.core.policies.rule_policy",
             "bot.rasa_extensions.channel", "bot.rasa_extensions.tracker_store",
             "bot.rasa_extensions.understanding"),
}  # fmt: skip
"""What each zygote imports."""
_ZYGOTE_OF = {"knowledge": "models", "actions": "models", "rasa": "rasa"}
_TOO_MANY = 30
"""Processes that end by themselves: it will not get better."""
_QUICK_DEATH_SECONDS = 1.0
_PAUSE_AFTER_QUICK_DEATH = 0.2


@dataclass
class Process:
    """One of Usher's processes, under a name that outlives its deaths."""

    name: str
    kind: str
    order: dict[str, Any]
    pid: int = 0
    """0 while it is being started."""
    started_at: float = 0.0


class _Zygote:
    """A process that forks others, and the two pipes to it."""

    def __init__(self, kind: str, env: Mapping[str, str], log: Path) -> None:
        python = str(RASA_PYTHON) if kind == "rasa" else sys.executable
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [python, "-m", "tests.crash.zygote", *_ZYGOTES[kind]],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._said = self._process.stdout

    def order(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def next_word(self) -> dict[str, Any] | None:
        """What it says next, or None at its end; blocks."""
        line = self._said.readline()
        return json.loads(line) if line else None

    def stop(self) -> None:
        """Its children are killed by the kernel."""
        self._process.kill()
        self._process.wait()


@dataclass
class Deaths:
    """What has happened to the processes so far."""

    killed: Counter[str] = field(default_factory=Counter)
    """Ended by SIGKILL, by kind."""
    frozen: Counter[str] = field(default_factory=Counter)
    """Stopped by SIGSTOP, by kind."""
    ended: Counter[str] = field(default_factory=Counter)
    """Ended otherwise, by kind and status: nobody asked for it."""


class Cluster:
    """The processes; use `running` to make one."""

    def __init__(self, settings: Settings, faults: Path, broken_by: str) -> None:
        """
        Args:
            faults: the folder of the orders of `bot.faults`.
            broken_by: a function of `faulty.py` that gateways and workers call first.
        """
        self.settings = settings
        self.deaths = Deaths()
        self.processes: dict[str, Process] = {}
        self._faults = faults
        self._before = f"tests.crash.faulty:{broken_by}" if broken_by else ""
        self._logs = settings.data_dir / "logs"
        self._zygotes: dict[str, _Zygote] = {}
        self._listening: list[asyncio.Task[None]] = []
        self._stopping = False
        for n in range(GATEWAYS):
            port = settings.port if n == 0 else settings.internal_port + 3 + n
            self._add("gateway", f"gateway-{n}", settings.model_copy(update={"port": port}))
        for n in range(WORKERS):
            self._add("worker", f"worker-{n}", settings)
        for kind in KINDS[2:]:
            self._add(kind, kind, settings)

    def _add(self, kind: str, name: str, settings: Settings) -> None:
        (program,) = (each for each in programs(settings) if each.name == kind)
        _, dash_m, module, *arguments = program.command
        assert dash_m == "-m"
        breakable = kind in {"gateway", "worker"}
        self.processes[name] = Process(
            name,
            kind,
            {
                "id": name,
                "module": module,
                "arguments": arguments,
                "environment": {"USHER_PORT": str(settings.port), "USHER_WORKER_NAME": name},
                "log": str(self._logs / f"{name}.log"),
                "before": self._before if breakable else "",
            },
        )

    @property
    def gateways(self) -> list[str]:
        """Addresses of the gateways."""
        first, host = self.settings.port, self.settings.host
        ports = [first, *(self.settings.internal_port + 3 + n for n in range(1, GATEWAYS))]
        return [f"http://{host}:{port}" for port in ports]

    async def start(self) -> None:
        """Start everything and wait until both gateways say that all is ready."""
        self._logs.mkdir(parents=True, exist_ok=True)
        env = self._environment()
        for kind in _ZYGOTES:
            self._zygotes[kind] = zygote = _Zygote(kind, env, self._logs / "zygotes.log")
            self._listening.append(asyncio.create_task(self._listen(zygote)))
        for process in self.processes.values():
            self._order(process)
        try:
            await self.wait_until_ready()
        except AssertionError as problem:
            raise AssertionError(f"{problem}; {self._last_words()}") from problem

    def _last_words(self) -> str:
        """The ends of the logs: they are gone with the folder."""
        ends = {path.name: path.read_text()[-500:] for path in sorted(self._logs.glob("*.log"))}
        return "\n".join(f"{name}: {end}" for name, end in ends.items())

    def _environment(self) -> dict[str, str]:
        """The environment of `usher up`, with the settings and nothing of the machine's own."""
        settings = self.settings
        named = settings.model_fields_set | {"data_dir", "port", "internal_port"}
        inherited = {
            name: value
            for name, value in environment(settings).items()
            if name in {"PATH", "HOME", "LANG", "TMPDIR"} or name not in os.environ
        }
        return inherited | {
            **{f"USHER_{name.upper()}": str(getattr(settings, name)) for name in named},
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": "",
            "USHER_DATA_DIR": str(settings.data_dir.resolve()),
            "USHER_REDIS_URL": settings.effective_redis_url,
            "USHER_FAULTS": str(self._faults),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _order(self, process: Process) -> None:
        process.pid, process.started_at = 0, time.monotonic()
        self._zygotes[_ZYGOTE_OF.get(process.kind, "light")].order(process.order)

    async def _listen(self, zygote: _Zygote) -> None:
        """Restart what dies, for ever."""
        while (word := await asyncio.to_thread(zygote.next_word)) is not None:
            if "started" in word:
                self.processes[word["started"]].pid = word["pid"]
            elif "ended" in word:
                await self._bury(word["ended"], word["status"])
        assert self._stopping, f"a zygote has ended, see {self._logs / 'zygotes.log'}"

    async def _bury(self, pid: int, status: int) -> None:
        (process,) = (each for each in self.processes.values() if each.pid == pid)
        if status == -signal.SIGKILL:
            self.deaths.killed[process.kind] += 1
        else:
            self.deaths.ended[f"{process.kind}, status {status}"] += 1
            if time.monotonic() - process.started_at < _QUICK_DEATH_SECONDS:
                await asyncio.sleep(_PAUSE_AFTER_QUICK_DEATH)
        if not self._stopping:
            self._order(process)

    def send(self, name: str, sent: signal.Signals) -> bool:
        """Send a signal to a process; False while it is being started."""
        process = self.processes[name]
        if process.pid == 0:
            return False
        with suppress(ProcessLookupError):
            os.kill(process.pid, sent)
        return True

    def frozen(self) -> list[Process]:
        """Processes that are stopped at this moment, by whomever."""
        return [each for each in self.processes.values() if each.pid and _is_stopped(each.pid)]

    async def is_ready(self, kind: str) -> bool:
        """Whether a kind that starts slowly has started; the others always have."""
        settings = self.settings
        address = {
            "knowledge": f"{settings.knowledge_url}/healthz",
            "rasa": f"{settings.rasa_url}/webhooks/usher/ready",
        }.get(kind)
        if address is None:
            return True
        timeout = aiohttp.ClientTimeout(total=1)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.get(address) as answer,
            ):
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        until = time.monotonic() + seconds
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            for address in self.gateways:
                while True:
                    said = "nothing"
                    with suppress(aiohttp.ClientError, TimeoutError):
                        async with http.get(f"{address}/healthz") as answer:
                            said = await answer.text()
                            if answer.status == HTTPStatus.OK:
                                break
                    assert time.monotonic() < until, f"not ready after {seconds} s: {said}"
                    assert not any(each.done() for each in self._listening), "a zygote has ended"
                    assert sum(self.deaths.ended.values()) < _TOO_MANY, "they end again and again"
                    await asyncio.sleep(0.2)

    async def stop(self) -> None:
        self._stopping = True
        for zygote in self._zygotes.values():
            zygote.stop()
        await asyncio.gather(*self._listening)
        until = time.monotonic() + 10  # the kernel kills the children, if not in this moment
        while any(psutil.pid_exists(each.pid) for each in self.processes.values() if each.pid):
            assert time.monotonic() < until, "processes were left behind"
            await asyncio.sleep(0.05)


def _is_stopped(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] == "T"


@asynccontextmanager
async def running(settings: Settings, faults: Path, broken_by: str = "") -> AsyncIterator[Cluster]:
    """A cluster that is ready; at the end everything of it is gone."""
    cluster = Cluster(settings, faults, broken_by)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()
