"""Starts Usher's processes by fork, so that a restart takes a moment instead of seconds.

Importing a process's libraries takes longer than anything else of its start. This process
imports them once, has no threads and no connections, and forks a child for every order; the
child runs the same module with the same arguments as in production. It is run by both of
Usher's Pythons, so it imports nothing of ours and keeps to Python 3.10.

Orders come as lines of JSON on standard input (`id`, `module`, `arguments`, `environment`,
`log`, `before`), answers go to standard output: `{"started": id, "pid": …}` and
`{"ended": pid, "status": …}`. When the input ends, every child is killed.
"""

import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import sys
import warnings
from typing import Any

_PR_SET_PDEATHSIG = 1


def _say(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Run the ordered program in this new process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, 64)
    os.environ.update(order["environment"])
    random.seed()
    if order["before"]:
        module, _, function = order["before"].partition(":")
        getattr(importlib.import_module(module), function)()
    warnings.filterwarnings("ignore", module="runpy")  # it was imported, that is the point
    sys.argv = [order["module"], *order["arguments"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def _start(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _become(order)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  the child must never return into the loop
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(status)


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if threads > 1:
        sys.exit(f"The imports started {threads - 1} threads; a fork would lose them.")
    gc.collect()
    gc.freeze()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ready = selectors.DefaultSelector()
    ready.register(0, selectors.EVENT_READ)
    ready.register(reading, selectors.EVENT_READ)
    _say({"ready": os.getpid()})
    rest = b""
    while True:
        for key, _ in ready.select():
            if key.fd == reading:
                os.read(reading, 4096)
                continue
            received = os.read(0, 65536)
            if not received:
                os._exit(0)  # the children are killed by the kernel
            *lines, rest = (rest + received).split(b"\n")
            for line in lines:
                order = json.loads(line)
                _say({"started": order["id"], "pid": _start(order)})
        _bury()


if __name__ == "__main__":
    main()
