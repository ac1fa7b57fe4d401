"""`usher up`: set up what is missing, start every process, wait until all is ready."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import httpx
from supervisor.xmlrpc import SupervisorTransport

from bot.conversations.database import Database
from bot.errors import UsherError
from bot.internal_http import HEALTH_PATHS, authorization
from bot.operations import doctor
from bot.operations.indexing import is_indexed
from bot.operations.migrating import migrate
from bot.operations.processes import STOP_SECONDS, environment, programs, supervisor_config
from bot.operations.progress import console
from bot.operations.training import is_trained
from bot.settings import Settings

READY_SECONDS = 180
_KILL_SECONDS = 2
"""Until the supervisor kills a program that does not stop, and has seen it dead."""


class CannotStart(UsherError):
    """Usher cannot start; the message says why and what to do."""

    code = "cannot_start"


class CannotStop(UsherError):
    """Some programs may still run; the message says how to find them."""

    code = "cannot_stop"


@contextmanager
def data_folder(settings: Settings) -> Iterator[None]:
    """Hold the data folder, so that no second `usher up` works on it."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(settings.data_dir / "usher.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CannotStart(
            f"{settings.data_dir} is in use by another `usher up`. Stop that one with Ctrl-C, "
            "or set USHER_DATA_DIR to another folder."
        ) from None
    try:
        yield
    finally:
        os.close(lock)


def up(settings: Settings) -> None:
    """Run Usher until Ctrl-C.

    Raises:
        CannotStart: something has to be mended first.
    """
    wrong = [each for each in doctor.before_start(settings) if not each.ok]
    lines = "\n".join(f"  {each.name}: {each.detail}. {each.fix}" for each in wrong)
    if any(each.blocks for each in wrong):
        raise CannotStart(f"Usher cannot start:\n{lines}")
    if wrong:
        console.print(f"Usher starts, but:\n{lines}", markup=False, soft_wrap=True)
    with data_folder(settings):
        prepare(settings)
        _run(settings)


def prepare(settings: Settings) -> None:
    """Migrate, train and index, each only when needed."""
    database = Database(settings.effective_database_url)
    try:
        migrate(database)
    finally:
        database.close()
    trained = not settings.runs("rasa") or is_trained(settings)
    if trained and (not settings.runs("knowledge") or is_indexed(settings)):
        return
    # In a process of its own: the embedding model would stay in this one's memory.
    done = subprocess.run([sys.executable, "-m", "bot.cli", "prepare"])
    if done.returncode != 0:
        raise CannotStart("The preparation failed; its own message above says why.")


def _run(settings: Settings) -> None:
    folder = settings.data_dir.resolve()
    (folder / "logs").mkdir(exist_ok=True)
    config = folder / "supervisord.conf"
    config.write_text(supervisor_config(settings))
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(config)],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours: we pass it on once, in order
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, interrupt)
    try:
        started = time.monotonic()
        _wait_until_ready(settings, supervisor, folder)
        _say_addresses(settings, time.monotonic() - started)
        supervisor.wait()
        raise CannotStart(f"supervisord ended by itself; see {folder / 'logs'}.")
    except KeyboardInterrupt:
        pass
    finally:
        _stop(supervisor, (STOP_SECONDS + _KILL_SECONDS) * len(programs(settings)))


def _wait_until_ready(
    settings: Settings, supervisor: subprocess.Popen[bytes], folder: Path
) -> None:
    missing_now = _missing if settings.runs_everything else _missing_here
    logs = folder / "logs"
    until = time.monotonic() + READY_SECONDS
    missing = ["all processes"]
    with console.status("Starting") as status:
        while time.monotonic() < until:
            if supervisor.poll() is not None:
                raise CannotStart(f"supervisord did not start; see {logs / 'supervisord.log'}.")
            missing = missing_now(settings)
            if not missing:
                return
            status.update(f"Starting: waiting for {', '.join(missing)}")
            time.sleep(0.3)
    raise CannotStart(
        f"After {READY_SECONDS} s this is still not ready: {', '.join(missing)}. "
        f"Read the logs in {logs}."
    )


def _missing(settings: Settings) -> list[str]:
    """What is not ready of a whole Usher, as its gateway says."""
    try:
        answer = httpx.get(f"http://{settings.host}:{settings.port}/healthz", timeout=5)
        if answer.status_code == httpx.codes.OK:
            return []
        return [name for name, state in answer.json()["components"].items() if state != "ready"]
    except (httpx.HTTPError, ValueError, KeyError, AttributeError):
        return ["gateway"]


def _missing_here(settings: Settings) -> list[str]:
    """Which of this machine's processes are not ready; the other machines may come later."""
    ports = {
        "gateway": f"http://{settings.host}:{settings.port}/healthz",
        "knowledge": settings.knowledge_url + HEALTH_PATHS["knowledge"],
        "actions": settings.actions_url + HEALTH_PATHS["actions"],
        "rasa": settings.rasa_url + HEALTH_PATHS["rasa"],
    }
    headers = authorization(settings.secret("rasa"))
    missing = _not_running(settings)
    for process, url in ports.items():
        if not settings.runs(process) or process in missing:
            continue
        try:
            status = httpx.get(url, headers=headers, timeout=5).status_code
        except httpx.HTTPError:
            status = 0
        # A gateway that answers is there, whatever it says of the other machines.
        if status != httpx.codes.OK and (process != "gateway" or status == 0):
            missing.append(process)
    return missing


def _not_running(settings: Settings) -> list[str]:
    """The programs that supervisord has not seen running for a moment."""
    path = settings.data_dir.resolve() / "supervisor.sock"
    transport = SupervisorTransport(serverurl=f"unix://{path}")
    supervisor = ServerProxy("http://localhost", transport=transport)
    try:
        found: Any = supervisor.supervisor.getAllProcessInfo()
    except OSError:
        return ["supervisord"]
    return [each["name"] for each in found if each["statename"] != "RUNNING"]


def _say_addresses(settings: Settings, seconds: float) -> None:
    if not settings.runs("gateway"):
        console.print(
            f"\n[bold]This part of Usher is ready[/bold] (started in {seconds:.0f} s): "
            f"{settings.processes}. Press Ctrl-C to stop.\n"
            f"  Logs  {settings.data_dir / 'logs'}\n"
        )
        return
    url = settings.gateway_url
    console.print(
        f"\n[bold]Usher is ready[/bold] (started in {seconds:.0f} s). Press Ctrl-C to stop.\n"
        f"  Demo shop and chat  {url}/\n"
        f"  Help center         {url}/help/{settings.default_language}\n"
        f"  Agents' console     {url}/console   (first: .venv/bin/usher agents add)\n"
        f"  Logs                {settings.data_dir / 'logs'}\n"
    )


def _stop(supervisor: subprocess.Popen[bytes], seconds: int) -> None:
    """Stop everything; a second Ctrl-C does not leave half of it behind.

    Args:
        seconds: that it may take. The supervisor stops one program after the other and kills those
            that do not stop; were it killed itself before, the rest would stay.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if supervisor.poll() is None:
        with console.status("Stopping"):
            supervisor.terminate()
            try:
                supervisor.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(supervisor.pid, signal.SIGKILL)
                raise CannotStop(
                    f"Not everything has stopped within {seconds} s. What still runs keeps its "
                    "port; `.venv/bin/usher doctor` names the ports that are taken."
                ) from None
    console.print("Usher has stopped.")
