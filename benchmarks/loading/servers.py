"""What is measured: a whole Usher, and beside it a second Rasa server the stock way."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from rich.console import Console

from bot.errors import UsherError
from bot.operations.processes import RASA_PYTHON, environment, model_path, programs
from bot.settings import ROOT, Settings

READY_SECONDS = 240
STOP_SECONDS = 30

STOCK_RASA = "rasa (stock)"
SHARED = ("valkey", "knowledge", "actions")
"""Programs that serve both ways; only one way is measured at a time."""

_ENDPOINTS = """action_endpoint:
  url: ${USHER_ACTIONS_URL}/webhook
tracker_store:
  type: redis
  url: 127.0.0.1
  port: %(port)d
  password: ${BENCHMARK_REDIS_PASSWORD}
  key_prefix: stocktracker
lock_store:
  type: redis
  url: 127.0.0.1
  port: %(port)d
  password: ${BENCHMARK_REDIS_PASSWORD}
  key_prefix: stocklock
"""


class DidNotStart(UsherError):
    """A server was not ready in time, or ended."""

    code = "did_not_start"


class Servers:
    """Both ways, running; at any moment at most one of them is awake."""

    def __init__(self, settings: Settings, stock_port: int, trees: Mapping[str, psutil.Process]):
        self.gateway_url = settings.gateway_url
        self.knowledge_url = settings.knowledge_url
        self.stock_url = f"http://127.0.0.1:{stock_port}"
        self._trees = dict(trees)

    def programs_of(self, way: str) -> list[str]:
        own = [name for name in self._trees if name not in SHARED]
        mine = [name for name in own if (name == STOCK_RASA) == (way == "stock")]
        return [*mine, *SHARED]

    def wake(self, way: str) -> None:
        """Let one way run, and stop the other from using any CPU (SIGSTOP)."""
        for name in set(self._trees) - set(self.programs_of(way)):
            for process in self._tree(name):
                process.suspend()
        for name in self.programs_of(way):
            for process in self._tree(name):
                process.resume()

    def wake_all(self) -> None:
        for name in self._trees:
            for process in self._tree(name):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def cpu_seconds(self, way: str) -> dict[str, float]:
        """CPU time so far, user and system, of every program that takes part."""
        return {
            name: sum(sum(process.cpu_times()[:2]) for process in self._tree(name))
            for name in self.programs_of(way)
        }

    def memory_bytes(self, way: str) -> dict[str, int]:
        """Resident memory of every program that takes part, its child processes included."""
        return {
            name: sum(process.memory_info().rss for process in self._tree(name))
            for name in self.programs_of(way)
        }

    def _tree(self, name: str) -> list[psutil.Process]:
        root = self._trees[name]
        return [root, *root.children(recursive=True)]


@contextmanager
def running(folder: Path, model_folder: Path, console: Console) -> Iterator[Servers]:
    """Start everything on free ports in an empty folder; stop everything at the end.

    Args:
        model_folder: data folder whose model and vectors are copied, so that nothing has to
            be trained or embedded again.

    Raises:
        DidNotStart: names the log to read.
    """
    for name in ("vectors", "models"):
        if (model_folder / name).exists():
            shutil.copytree(model_folder / name, folder / name)
    first = _free_ports(6)
    settings = Settings(
        data_dir=folder,
        database_url="",
        redis_url="",
        port=first,
        internal_port=first + 1,
        demo_shop=True,
    )
    with ExitStack() as started:
        with console.status("Starting Usher (and training, if its model is not current)"):
            started.enter_context(_usher(settings))
        trees = _supervised(settings)
        port = _free_ports(1)
        with console.status("Starting a stock Rasa server"):
            trees[STOCK_RASA] = started.enter_context(_stock_rasa(settings, port))
        servers = Servers(settings, port, trees)
        try:
            yield servers
        finally:
            servers.wake_all()  # a stopped process would not hear that it is to end


@contextmanager
def _usher(settings: Settings) -> Iterator[None]:
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("USHER_") and key not in {"DATABASE_URL", "REDIS_URL"}
    } | {
        "USHER_DATA_DIR": str(settings.data_dir),
        "USHER_DATABASE_URL": "",
        "USHER_REDIS_URL": "",
        "USHER_PORT": str(settings.port),
        "USHER_INTERNAL_PORT": str(settings.internal_port),
        "USHER_MESSAGES_PER_MINUTE": "1000000",
        "USHER_VISITORS_PER_MINUTE": "1000000",
    }
    log = settings.data_dir / "up.log"
    command = [str(Path(sys.executable).with_name("usher")), "up"]
    with _process(command, environ, log) as process:
        _wait_for(f"{settings.gateway_url}/healthz", process, log)
        yield


def _supervised(settings: Settings) -> dict[str, psutil.Process]:
    """The supervisor's programs by name."""
    command = [
        sys.executable, "-m", "supervisor.supervisorctl",
        "--configuration", str(settings.data_dir / "supervisord.conf"), "pid",
    ]  # fmt: skip
    found = {}
    for program in programs(settings):
        done = subprocess.run(
            [*command, program.name], capture_output=True, text=True, timeout=20, check=True
        )
        found[program.name] = psutil.Process(int(done.stdout))
    return found


@contextmanager
def _stock_rasa(settings: Settings, port: int) -> Iterator[psutil.Process]:
    """Rasa's own server: REST channel, own validation of replies, own tracker and lock store.

    Our private channel, which is what puts our own parts in, is not among its credentials.
    """
    endpoints = settings.data_dir / "stock-endpoints.yml"
    credentials = settings.data_dir / "stock-credentials.yml"
    endpoints.write_text(_ENDPOINTS % {"port": settings.valkey_port})
    credentials.write_text("rest:\n")
    environ = {
        **environment(settings),
        "BENCHMARK_REDIS_PASSWORD": settings.secret("valkey"),
    }
    command = [
        str(RASA_PYTHON), "-m", "rasa", "run", "--interface", "127.0.0.1", "--port", str(port),
        "--model", str(model_path(settings)), "--endpoints", str(endpoints),
        "--credentials", str(credentials),
    ]  # fmt: skip
    log = settings.data_dir / "logs" / "stock-rasa.log"
    with _process(command, environ, log) as process:
        _wait_for(f"http://127.0.0.1:{port}/webhooks/rest/", process, log)
        yield psutil.Process(process.pid)


@contextmanager
def _process(
    command: list[str], environ: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise DidNotStart(f"It ended with code {process.returncode}: {_end_of(log)}")
        with suppress(httpx.HTTPError, json.JSONDecodeError):
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.5)
    raise DidNotStart(f"It was not ready after {READY_SECONDS} s: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:]


def _free_ports(count: int) -> int:
    """The first of some neighbouring ports that nobody listens on."""
    for _ in range(200):
        first = random.randrange(20_000, 30_000)
        with ExitStack() as probes:
            try:
                for port in range(first, first + count):
                    probe = probes.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise DidNotStart("There are no free ports between 20000 and 30000.")
