"""Build the two Python environments from their hashed locks: `.venv` and `.venv-rasa`.

Runs with any Python 3.8+ and the standard library only, so that it can be the first thing
on a bare machine. A finished environment carries a stamp with the hash of its lock files;
building again with the same locks is a matter of milliseconds.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "environments"
VENV = ROOT / ".venv"
VENV_RASA = ROOT / ".venv-rasa"
USHER_VERSIONS = ((3, 11), (3, 12), (3, 13))
RASA_VERSIONS = ((3, 10),)
STARTED = (
    "actions",
    "bot.cli",
    "bot.knowledge.service",
    "bot.operations.preparing",
    "bot.operations.servers",
    "bot.operations.up",
    "bot.operations.valkey",
    "bot.worker",
    "rasa_sdk.endpoint",
    "supervisor.supervisord",
    "uvicorn.__main__",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
STARTED_RASA = (
    "bot.rasa_extensions.channel",
    "bot.rasa_extensions.tracker_store",
    "bot.rasa_extensions.understanding",
    "rasa.__main__",
    "rasa.core.run",
    "rasa.engine.recipes.default_recipe",
    "rasa.model_training",
)
"""What the processes import."""


class BuildError(Exception):
    """Something the person at the keyboard has to mend; the message says what and how."""


def say(text: str) -> None:
    print(f"\033[2m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


def version_of(python: Path) -> Optional[Tuple[int, int]]:
    """The version that a command really runs; None for pyenv shims that lead nowhere."""
    probe = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])"
    try:
        done = subprocess.run(
            [str(python), "-c", probe], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    major, minor = done.stdout.split()
    return int(major), int(minor)


def find_python(versions: Sequence[Tuple[int, int]]) -> Optional[Path]:
    """The first working interpreter of the wanted versions: on PATH, in pyenv, or through uv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates: List[Path] = []
    for major, minor in versions:
        on_path = shutil.which(f"python{major}.{minor}")
        candidates += [Path(on_path)] if on_path else []
        candidates += sorted(pyenv.glob(f"{major}.{minor}.*/bin/python"), reverse=True)
    candidates.append(Path(sys.executable))
    for python in candidates:
        if version_of(python) in versions:
            return python
    uv = VENV / "bin" / "uv"
    if uv.exists():
        wanted = f"{versions[0][0]}.{versions[0][1]}"
        say(f"Python {wanted} is not on this machine; asking uv for it ...")
        if subprocess.run([str(uv), "python", "install", "--quiet", wanted]).returncode == 0:
            found = subprocess.run(
                [str(uv), "python", "find", wanted], capture_output=True, text=True
            )
            python = Path(found.stdout.strip())
            if found.returncode == 0 and version_of(python) in versions:
                return python
    return None


def fingerprint(python: Path, locks: Sequence[Path]) -> str:
    digest = hashlib.sha256(str(version_of(python)).encode())
    for lock in locks:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def run(command: Sequence[object], log: Path) -> None:
    """Run a step; its output goes to the log, whose end is shown when it fails."""
    with log.open("ab") as out:
        code = subprocess.run(
            [str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, cwd=str(ROOT)
        ).returncode
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(
            f"a step of the set-up failed:\n{tail}\n"
            f"The whole output is in {log}. Check the network and the free disk space "
            "(7 GB are needed), then run the same command again."
        )


def build(venv: Path, python: Path, locks: Sequence[Path], install: Callable[[Path], None]) -> None:
    """Build one environment unless its stamp says that it is current."""
    stamp = venv / ".built-from"
    wanted = fingerprint(python, locks)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    log = ROOT / f"{venv.name}.log"
    log.write_bytes(b"")
    install(log)
    stamp.write_text(wanted)
    log.unlink()


def install_uv(python: Path) -> None:
    current = VENV / "bin" / "python"
    if not current.exists() or version_of(current) != version_of(python):
        shutil.rmtree(VENV, ignore_errors=True)
        log = ROOT / ".venv.log"
        run([python, "-m", "venv", VENV], log)
    if not (VENV / "bin" / "uv").exists():
        pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet"]
        run(
            [*pip, "--require-hashes", "-r", LOCKS / "usher" / "uv.txt"],
            ROOT / ".venv.log",
        )


def uv_install(venv: Path, lock: Path, log: Path) -> None:
    # The lock is the full closure, so nothing needs to be resolved.
    uv = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
    run([*uv, "--no-deps", "--require-hashes", "-r", lock], log)


def compile_imported(venv: Path, modules: Sequence[str], log: Path) -> None:
    """Compile what is imported at a start: all of the packages would take a minute more."""
    imports = f"import sys; sys.dont_write_bytecode = False; import {', '.join(modules)}"
    with log.open("ab") as out:  # only starts are slower where it fails
        subprocess.run(
            [str(venv / "bin" / "python"), "-c", imports],
            stdout=out, stderr=subprocess.STDOUT,
            cwd=str(ROOT), env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip


def install_torch(log: Path) -> None:
    """The small CPU build where pip finds one, else what the ordinary index serves.

    pip and not uv, because operators point pip at a folder or an index with the CPU build.
    """
    python, locks = VENV / "bin" / "python", LOCKS / "usher"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    pip += ["--require-hashes", "-r"]
    try:
        run([*pip, locks / "torch-cpu.txt"], log)
    except BuildError:
        run([*pip, locks / "torch.txt"], log)
        if sys.platform == "linux" and platform.machine() == "x86_64":
            uv_install(VENV, locks / "torch-cuda.txt", log)


def install_usher(log: Path) -> None:
    python = VENV / "bin" / "python"
    uv_install(VENV, LOCKS / "usher" / "requirements.txt", log)
    install_torch(log)
    uv = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", python]
    run([*uv, "--no-deps", "--no-build-isolation", "--editable", ROOT], log)
    compile_imported(VENV, STARTED, log)


def install_dev(log: Path) -> None:
    uv_install(VENV, LOCKS / "usher" / "dev.txt", log)


def install_rasa(python: Path, log: Path) -> None:
    shutil.rmtree(VENV_RASA, ignore_errors=True)
    run([python, "-m", "venv", "--without-pip", VENV_RASA], log)
    uv_install(VENV_RASA, LOCKS / "rasa" / "requirements.txt", log)
    compile_imported(VENV_RASA, STARTED_RASA, log)


def while_showing_progress(what: str, steps: Sequence[Callable[[], None]]) -> None:
    """Run the steps side by side, with the elapsed seconds shown after two of them."""
    failures: List[BaseException] = []

    def guarded(step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as failure:  # noqa: BLE001  raised below
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    shown = 0
    while any(thread.is_alive() for thread in threads):
        threads[0].join(0.2)
        elapsed = int(time.monotonic() - started)
        every = 1 if sys.stdout.isatty() else 15
        if elapsed >= 2 and elapsed >= shown + every:
            shown = elapsed
            end = "\r" if sys.stdout.isatty() else "\n"
            print(f"{what} ... {elapsed} s", end=end, flush=True)
        time.sleep(0.1)
    if failures:
        raise failures[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="with the tools for tests and checks")
    options = parser.parse_args()

    python = find_python(USHER_VERSIONS)
    if python is None:
        raise BuildError(
            "Python 3.11, 3.12 or 3.13 with its venv module is needed and was not found on "
            "PATH or in pyenv. Install it (Debian: apt install python3.11 python3.11-venv; "
            "anywhere: pyenv install 3.11) and run the same command again."
        )
    install_uv(python)
    rasa_python = find_python(RASA_VERSIONS)
    if rasa_python is None:
        raise BuildError(
            "Rasa needs Python 3.10, which was not found on PATH or in pyenv and could not be "
            "had through uv. Install it (pyenv install 3.10; uv python install 3.10) and run "
            "the same command again."
        )
    usher, rasa = LOCKS / "usher", LOCKS / "rasa"
    usher_locks = [usher / "requirements.txt", usher / "torch-cpu.txt", ROOT / "pyproject.toml"]
    steps: List[Callable[[], None]] = [
        lambda: build(VENV, python, usher_locks, install_usher),
        lambda: build(
            VENV_RASA,
            rasa_python,
            [rasa / "requirements.txt"],
            lambda log: install_rasa(rasa_python, log),
        ),
    ]
    while_showing_progress("Installing packages (about 3.5 GB the first time)", steps)
    if options.dev:
        dev_stamp = VENV / ".built-dev-from"
        wanted = fingerprint(python, [usher / "dev.txt", *usher_locks])
        if not dev_stamp.exists() or dev_stamp.read_text() != wanted:
            log = ROOT / ".venv.log"
            while_showing_progress("Installing test tools", [lambda: install_dev(log)])
            dev_stamp.write_text(wanted)
            log.unlink()


if __name__ == "__main__":
    try:
        main()
    except BuildError as error:
        sys.exit(f"usher: {error}")
    except KeyboardInterrupt:
        sys.exit("usher: interrupted; run the same command again to go on")
