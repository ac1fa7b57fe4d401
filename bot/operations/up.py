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

import httpx

from bot.conversations.database import Database
from bot.errors import UsherError
from bot.operations import doctor
from bot.operations.indexing import is_indexed
from bot.operations.migrating import migrate
from bot.operations.processes import STOP_SECONDS, environment, supervisor_config
from bot.operations.progress import console
from bot.operations.training import is_trained
from bot.settings import Settings

READY_SECONDS = 180


class CannotStart(UsherError):
    """Usher cannot start; the message says why and what to do."""

    code = "cannot_start"


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
    if is_trained(settings) and is_indexed(settings):
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
        _wait_until_ready(settings, supervisor, folder / "logs")
        _say_addresses(settings, time.monotonic() - started)
        supervisor.wait()
        raise CannotStart(f"supervisord ended by itself; see {folder / 'logs'}.")
    except KeyboardInterrupt:
        pass
    finally:
        _stop(supervisor)


def _wait_until_ready(settings: Settings, supervisor: subprocess.Popen[bytes], logs: Path) -> None:
    url = f"http://{settings.host}:{settings.port}/healthz"
    until = time.monotonic() + READY_SECONDS
    missing = "all processes"
    with console.status("Starting") as status:
        while time.monotonic() < until:
            if supervisor.poll() is not None:
                raise CannotStart(f"supervisord did not start; see {logs / 'supervisord.log'}.")
            try:
                answer = httpx.get(url, timeout=5)
                if answer.status_code == httpx.codes.OK:
                    return
                parts = answer.json()["components"]
                missing = ", ".join(name for name, state in parts.items() if state != "ready")
            except (httpx.HTTPError, ValueError, KeyError):
                missing = "gateway"
            status.update(f"Starting: waiting for {missing}")
            time.sleep(0.3)
    raise CannotStart(
        f"After {READY_SECONDS} s this is still not ready: {missing}. Read the logs in {logs}."
    )


def _say_addresses(settings: Settings, seconds: float) -> None:
    url = settings.gateway_url
    console.print(
        f"\n[bold]Usher is ready[/bold] (started in {seconds:.0f} s). Press Ctrl-C to stop.\n"
        f"  Demo shop and chat  {url}/\n"
        f"  Help center         {url}/help/{settings.default_language}\n"
        f"  Agents' console     {url}/console   (first: .venv/bin/usher agents add)\n"
        f"  Logs                {settings.data_dir / 'logs'}\n"
    )


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    """Stop everything; a second Ctrl-C does not leave half of it behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if supervisor.poll() is None:
        with console.status("Stopping"):
            supervisor.terminate()
            try:
                supervisor.wait(STOP_SECONDS + 5)
            except subprocess.TimeoutExpired:
                os.killpg(supervisor.pid, signal.SIGKILL)
    console.print("Usher has stopped.")
