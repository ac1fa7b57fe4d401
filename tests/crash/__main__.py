"""The crash test's command line: `python -m tests.crash --help`."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests import postgres
from tests.crash.faulty import SHOWN_AT
from tests.crash.report import Report
from tests.crash.run import Plan, crash

HEAD = """# Crash test

Written by `make crash-test`; what it does stands in `docs/crash-test.md`.

"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description="Kill and freeze Usher's processes while customers write, and look for what "
        "was lost, doubled or put into another order.",
        epilog="Status 0: nothing; 1: something was found, or a point was never reached.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--kills", type=int, default=2000, help="processes to kill, of each database"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the killer and the customers")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--pause", type=float, default=0.3, help="mean seconds between two acts")
    parser.add_argument(
        "--broken-by", default="", choices=("", *SHOWN_AT), help="break Usher first, see faulty.py"
    )
    parser.add_argument("--report", type=Path, help="file for the report; JSON goes beside it")
    return parser.parse_args()


@contextmanager
def _database_url(database: str) -> Iterator[str]:
    if database == "sqlite":
        yield ""
        return
    # A power cut of PostgreSQL itself is not part of this: its own promises hold.
    with postgres.server() as server, postgres.database(server, "template1") as url:
        yield url


def _run(arguments: argparse.Namespace, database: str) -> Report:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("killed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar, _database_url(database) as url:
        task = bar.add_task(database, total=arguments.kills)

        def tell(what: str, killed: int) -> None:
            bar.update(task, description=f"{database}: {what}", completed=killed)

        plan = Plan(
            arguments.kills,
            arguments.seed,
            url,
            pause=arguments.pause,
            broken_by=arguments.broken_by,
            points=SHOWN_AT.get(arguments.broken_by, ()),
        )
        return crash(plan, tell)


def main() -> int:
    arguments = _arguments()
    both = arguments.database == "both"
    reports = [
        _run(arguments, each)
        for each in (("sqlite", "postgres") if both else (arguments.database,))
    ]
    text = HEAD + "\n".join(each.as_text() for each in reports)
    print(text)
    if arguments.report:
        arguments.report.write_text(text, "utf-8")
        json = ",\n".join(each.as_json() for each in reports)
        arguments.report.with_suffix(".json").write_text(f"[{json}]\n", "utf-8")
    clean = all(each.verdict.is_clean and not each.never_struck for each in reports)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
