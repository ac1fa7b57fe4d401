"""The whole of Usher as `usher up` starts it, with its own ports and data folder."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from redis import Redis

from bot.operations.processes import model_path
from bot.operations.training import is_trained
from bot.settings import ROOT, Settings, load_settings
from bot.signatures import sign
from tests.e2e.clients import Agent, Customer

READY_SECONDS = 240
EXIT_SECONDS = 40
USHER = Path(sys.executable).with_name("usher")
EMAIL, PASSWORD = "agent@example.com", "a password for tests"


class Process:
    """One of Usher's processes, found and held through supervisorctl."""

    def __init__(self, config: Path, name: str) -> None:
        self.name = name
        self._config = config

    def _control(self, act: str) -> str:
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._config)]
        done = subprocess.run(
            [*command, act, self.name], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    @property
    def pid(self) -> int:
        return int(self._control("pid"))

    def kill(self) -> None:
        """SIGKILL; supervisord starts it again."""
        os.kill(self.pid, signal.SIGKILL)

    def start(self) -> None:
        self._control("start")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Killed, and held down until the end of the block."""
        self.kill()
        self._control("stop")
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It holds its connections and answers nothing until the end of the block."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):  # killed while it was frozen
                os.kill(pid, signal.SIGCONT)


class Usher:
    """A running Usher and everything that a test needs of it."""

    def __init__(self, folder: Path) -> None:
        port, internal_port = free_ports()
        self.folder = folder
        self.data_dir = folder / "data"
        self.log = folder / "up.log"
        self.settings: Settings = load_settings(
            data_dir=self.data_dir,
            database_url="",
            redis_url="",
            port=port,
            internal_port=internal_port,
            metrics_port=internal_port + 4,
            journeys=quick_journeys(folder / "journeys"),
            messages_per_minute=60_000,
            visitors_per_minute=60_000,
        )
        self.url = self.settings.gateway_url
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("USHER_")},
            "DATABASE_URL": "",
            "REDIS_URL": "",
            **{
                f"USHER_{name.upper()}": str(getattr(self.settings, name))
                for name in (
                    "data_dir", "port", "internal_port", "metrics_port", "journeys",
                    "messages_per_minute", "visitors_per_minute",
                )
            },
        }  # fmt: skip
        self._open = ExitStack()
        self._up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until all of it is ready."""
        take_over_model(self.data_dir)
        with self.log.open("wb") as log:
            self._up = subprocess.Popen(
                [USHER, "up"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until /healthz says so."""

        def ready() -> bool:
            assert self._up is None or self._up.poll() is None, self.log.read_text()
            try:
                return httpx.get(f"{self.url}/healthz", timeout=5).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

        wait_until(ready, seconds, "Usher is not ready", pause=0.25)

    def stop(self) -> tuple[int, list[str]]:
        """Ctrl-C.

        Returns:
            The exit status, and the command lines of processes that were left behind.
        """
        self._open.close()
        assert self._up is not None
        self._up.send_signal(signal.SIGINT)
        try:
            status = self._up.wait(EXIT_SECONDS)
        finally:
            left = processes_of(self.data_dir)
            for process in left:
                process.kill()
        return status, [" ".join(process.info["cmdline"] or ()) for process in left]

    def cli(self, *arguments: str) -> str:
        """What `usher …` prints."""
        done = subprocess.run(
            [USHER, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def process(self, name: str) -> Process:
        return Process(self.data_dir / "supervisord.conf", name)

    def customer(self, language: str = "en") -> Customer:
        """A new visitor of the page in a language."""
        return self._open.enter_context(Customer(self.url, language))

    @cached_property
    def _agent(self) -> Agent:
        return self._open.enter_context(Agent(self.url, EMAIL, PASSWORD))

    def agent(self) -> Agent:
        """The agent, signed in once: the gateway limits how often."""
        return self._agent

    def buy(self, product: str, **customer: str) -> httpx.Response:
        """A shop's signed purchase event."""
        number = f"{time.time_ns()}"
        event = {
            "event_id": number,
            "order_id": number,
            "customer": customer,
            "products": [product],
        }
        return self.purchase_event(event)

    def purchase_event(self, event: dict[str, Any], secret: str = "") -> httpx.Response:
        body = httpx.Request("POST", self.url, json=event).content
        signature = sign(body, secret or self.settings.purchase_secrets[0])
        return httpx.post(
            f"{self.url}/webhooks/purchases/generic",
            content=body,
            headers={"Usher-Signature": signature},
            timeout=10,
        )

    def tracker(self, conversation_id: str) -> str:
        """Rasa's tracker of a conversation, as it lies in Valkey."""
        with Redis.from_url(self.settings.effective_redis_url, decode_responses=True) as redis:
            return str(redis.get(f"usher:tracker:{conversation_id}") or "")


def quick_journeys(folder: Path) -> Path:
    """The project's journeys, with a first tip that comes a second after the purchase."""
    folder.mkdir(parents=True)
    for path in (ROOT / "journeys").glob("*.yml"):
        journey = yaml.safe_load(path.read_text("utf-8"))
        journey["steps"][0]["wait"] = "1s"
        (folder / path.name).write_text(yaml.safe_dump(journey, allow_unicode=True), "utf-8")
    return folder


def take_over_model(data_dir: Path) -> None:
    """Spare the time for what the project's own Usher has embedded and trained."""
    own = load_settings(data_dir=ROOT / ".usher")
    if (own.data_dir / "vectors").exists():
        shutil.copytree(own.data_dir / "vectors", data_dir / "vectors")
    if is_trained(own):
        shutil.copytree(model_path(own).parent, data_dir / "models")


def free_ports() -> tuple[int, int]:
    """A port, and the first of seven in a row, outside the range of outgoing connections."""
    while True:
        first = random.randrange(20_000, 30_000)
        with ExitStack() as taken:
            try:
                for port in range(first, first + 8):
                    taken.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first, first + 1


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Processes that were started with this data folder and are still alive."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        environment = process.info["environ"] or {}
        is_alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if environment.get("USHER_DATA_DIR") == str(data_dir) and is_alive:
            found.append(process)
    return found


def wait_until(
    condition: Callable[[], Any], seconds: float, otherwise: str, pause: float = 0.1
) -> Any:
    """What the condition gives as soon as it is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"{otherwise} after {seconds} s"
        time.sleep(pause)
    return found


within_ten_seconds = partial(wait_until, seconds=10)
