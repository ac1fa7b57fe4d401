"""Progress on everything that takes longer than two seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

console = Console(stderr=True)

LINE_SECONDS = 10
"""Where there is no terminal for a bar, a line is printed this often."""


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; call what it gives with (done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        line_at = time.monotonic() + LINE_SECONDS

        def update(done: int, total: int) -> None:
            nonlocal line_at
            progress.update(task, completed=done, total=total)
            if not console.is_terminal and time.monotonic() > line_at:
                line_at = time.monotonic() + LINE_SECONDS
                console.print(f"{what}: {done} of {total}", highlight=False)

        yield update
