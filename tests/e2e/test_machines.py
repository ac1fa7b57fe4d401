"""Two machines as one Usher: each `usher up` starts a part, PostgreSQL and Valkey are shared."""

import ipaddress
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis

from bot.settings import ROOT, Settings, load_settings
from tests import postgres
from tests.conftest import valkey_server
from tests.e2e.clients import Customer
from tests.e2e.phrases import ARTICLE, PHRASES, article
from tests.e2e.running import (
    EXIT_SECONDS,
    READY_SECONDS,
    USHER,
    Process,
    free_ports,
    processes_of,
    take_over_model,
    wait_until,
)


def private_address() -> str:
    """This machine's address on its network, or loopback when it has none that is private."""
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET:
                address = ipaddress.ip_address(each.address)
                if not (address.is_global or address.is_loopback):
                    return each.address
    return "127.0.0.1"


class Machine:
    """One `usher up` with a data folder and settings of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir()
        self.data_dir = folder / "data"
        self._log = folder / "up.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("USHER_")},
            "USHER_DATA_DIR": str(self.data_dir),
            **settings,
        }
        self._up: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._log.open("wb") as log:
            self._up = subprocess.Popen(
                [USHER, "up"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            self._up.send_signal(signal.SIGINT)
            try:
                status = self._up.wait(EXIT_SECONDS)
            finally:
                left = processes_of(self.data_dir)
                commands = [process.cmdline() for process in left]
                for process in left:
                    process.kill()
        assert (status, commands) == (0, []), self._log.read_text()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self._up is not None
            said = self._log.read_text()
            assert self._up.poll() is None, said
            return "is ready" in said

        wait_until(ready, READY_SECONDS, "this part of Usher is not ready", pause=0.2)

    def doctor(self) -> str:
        done = subprocess.run(
            [USHER, "doctor"],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def process(self, name: str) -> Process:
        return Process(self.data_dir / "supervisord.conf", name)

    def freeze(self, name: str) -> None:
        """For good: it has to be killed."""
        program = self.process(name)
        os.kill(wait_until(lambda: program.pid, 10, f"{name} is not running"), signal.SIGSTOP)


@contextmanager
def shared(folder: Path) -> Iterator[tuple[str, Settings]]:
    """PostgreSQL and Valkey, as both machines see them."""
    try:
        with (
            postgres.server() as server,
            postgres.database(server, "template1") as url,
            valkey_server(folder / "valkey") as valkey,
        ):
            yield url, valkey
    except postgres.NoPostgres:
        pytest.skip("NOT TESTED WITH TWO MACHINES: `apt-get install postgresql`")


@pytest.mark.slow
def test_two_machines_answer_as_one_and_each_may_lose_its_worker(tmp_path: Path) -> None:
    """Gateway and a worker here; knowledge, actions, Rasa and another worker there."""
    (port, first), (_, second) = free_ports(), free_ports()
    there = private_address()
    with shared(tmp_path) as (database_url, valkey):
        common = {
            "DATABASE_URL": database_url,
            "REDIS_URL": valkey.effective_redis_url,
            "USHER_KNOWLEDGE_URLS": f"http://{there}:{second}",
            "USHER_ACTIONS_URLS": f"http://{there}:{second + 1}",
            "USHER_RASA_URLS": f"http://{there}:{second + 2}",
            "USHER_METRICS_PORT": "0",
        }
        front = Machine(
            tmp_path / "front",
            **common,
            USHER_PROCESSES="gateway,worker",
            USHER_WORKERS="2",
            USHER_PORT=str(port),
            USHER_INTERNAL_PORT=str(first),
        )
        secrets = load_settings(_env_file=None, data_dir=front.data_dir)
        secrets.secret("rasa")
        back = Machine(
            tmp_path / "back",
            **common,
            USHER_PROCESSES="worker,knowledge,actions,rasa",
            USHER_INTERNAL_HOST=there,
            USHER_INTERNAL_PORT=str(second),
            USHER_SECRETS_FILE=str(front.data_dir / "secrets.json"),
        )
        take_over_model(back.data_dir)
        url = f"http://127.0.0.1:{port}"
        with front.running(), back.running():
            front.wait_until_ready()  # whatever the other one does
            back.wait_until_ready()
            wait_until(
                lambda: httpx.get(f"{url}/healthz", timeout=5).status_code == httpx.codes.OK,
                READY_SECONDS,
                "the two are not one Usher",
            )
            assert "fix" not in front.doctor().replace("→", "")
            expected = article(ARTICLE, "en").short_answer
            with Customer(url, "en") as customer:
                for machine, worker in ((back, "worker"), (front, "worker-1")):
                    replies = customer.say(PHRASES["en"].question)
                    assert replies[0]["text"].startswith(expected)
                    machine.process(worker).kill()  # supervisor starts it again
                replies = customer.say(PHRASES["en"].question)
                assert replies[0]["text"].startswith(expected)
            if there != "127.0.0.1":
                assert httpx.get(f"http://{there}:{second}/healthz").status_code == 401
                assert httpx.post(f"http://{there}:{second + 1}/webhook").status_code == 401
            with Redis.from_url(valkey.effective_redis_url) as redis:
                assert redis.keys("usher:tracker:*")
            for name in ("worker", "rasa"):  # they end only when they are killed, and one by one
                back.freeze(name)
