"""Where a process's time goes, in all of its threads: what each is at, every few milliseconds.

Waiting for the database counts as much as computing; which of both it is, the function tells.
"""

import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_SECONDS = 0.005
_WAITING = {"wait", "_worker", "run", "run_until_complete", "run_forever", "main", "select", "get"}
"""A thread whose innermost function is one of these waits for work."""


class Sampler:
    """Counts in which functions the threads are."""

    def __init__(self) -> None:
        self._inner: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        self._samples = self._busy = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._samples += 1
            for thread, frame in sys._current_frames().items():
                if thread != threading.get_ident() and frame.f_code.co_name not in _WAITING:
                    self._count(frame)

    def _count(self, frame: FrameType | None) -> None:
        self._busy += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_name}"
            if not seen:
                self._inner[name] += 1
            seen.add(name)
            frame = frame.f_back
        self._within.update(seen)

    def write(self, path: Path) -> None:
        """Stop, and write both lists: shares of the samples in which a thread was busy."""
        self._stop.set()
        self._thread.join()
        lines = [f"{time.process_time():.1f} s CPU, {self._busy} busy of {self._samples} samples"]
        for title, counts in (("within", self._within), ("innermost", self._inner)):
            lines.append(f"\n{title}")
            lines += [
                f"{count / max(self._busy, 1):6.1%}  {name}"
                for name, count in counts.most_common(70)
            ]
        path.write_text("\n".join(lines) + "\n")
