"""How often the right article comes first and is answered, and what the confidence is worth.

    .venv/bin/python benchmarks/accuracy.py                        # everything
    .venv/bin/python benchmarks/accuracy.py --only clinc-10 own    # some of it

Every set goes the way of `usher evaluate`: a folder of articles, a CSV of questions, the same
function. `datasets.py` makes both of public sets; where those are not there, only the shop's own
questions are asked. benchmarks/README.md says what the sets are and what they cannot show.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import targets
from dense import recall_of_dense_alone
from rich import progress
from rich.console import Console
from rich.table import Table

from bot import bootstrap
from bot.knowledge.embedding.cache import Embedded, Role, Shelf
from bot.knowledge.embedding.embedder import Asked, Embedder, Progress
from bot.knowledge.evaluation.figures import ALL, Judged, figures
from bot.languages import LANGUAGES
from bot.operations.evaluating import Evaluation, evaluate
from bot.settings import ROOT

HERE = Path(__file__).parent
COMMAND = ".venv/bin/python benchmarks/accuracy.py"
PRECISION = 0.9
OFFER_PRECISION = 0.2
OWN_SETS = ("questions", "newcomers", "strangers")
DRAWS = {5: 3, 10: 3, 20: 3, 100: 1}
"""How often other examples are drawn, for each number of examples an article."""
BANKING_DRAWS = 5

Result = dict[str, Any]


class CachedEmbedder(Embedder):
    """Keeps the vectors of questions too: a second run needs minutes instead of an hour.

    What a match costs is measured by speed.py, without this.
    """

    def __init__(self, model: str, cache_folder: Path) -> None:
        super().__init__(model)
        self._kept = Embedder(model, cache_folder)

    def encode(self, texts: Sequence[str], role: Role) -> list[Embedded]:
        return self._kept.encode_cached([(role, text) for text in texts])

    def encode_cached(
        self,
        asked: Sequence[Asked],
        progress: Progress = lambda _done, _total: None,
        shelf: Shelf = "vectors",
    ) -> list[Embedded]:
        return self._kept.encode_cached(asked, progress, shelf)


class Benchmark:
    """Every set, by name; each is measured when it is called for."""

    def __init__(self, embedder: Embedder, public: Path, cache: Path) -> None:
        self._embedder = embedder
        self._public = public
        self._cache = cache

    def sets(self) -> dict[str, Callable[[], Result]]:
        found: dict[str, Callable[[], Result]] = {
            f"own-{name}": lambda name=name: self._own(name)
            for name in OWN_SETS
            if (HERE / name).is_dir()
        }
        if not self._public.is_dir():
            return found
        for examples in DRAWS:
            found[f"clinc-{examples}"] = lambda examples=examples: self._clinc(examples)
        found["banking-10"] = self._banking
        found["banking-oos"] = self._banking_out_of_scope
        found["hint3-curekart"] = self._hint3
        for language in LANGUAGES:
            found[f"reading-{language}"] = lambda language=language: self._reading(
                language, language
            )
        for language in ("vi", "th"):
            found[f"reading-{language}-en"] = lambda language=language: self._reading(
                language, "en"
            )
        return found

    def _own(self, name: str) -> Result:
        evaluation = self._evaluate(ROOT / "knowledge_base", [HERE / name])
        return {group: _measured(judged) for group, judged in evaluation.groups.items()}

    def _clinc(self, examples: int) -> Result:
        """In-scope questions alone, and with those of `oos_val` mixed in."""
        alone: list[Result] = []
        mixed: list[Result] = []
        for judged in self._draws(datasets.clinc, examples, DRAWS[examples]):
            alone.append(_measured([each for each in judged if each.question.article]))
            mixed.append(_measured(judged) | {"out_of_scope": _out_of_scope(judged)})
        return {"in-scope": _mean(alone), "mixed": _mean(mixed)}

    def _banking(self) -> Result:
        found = self._draws(datasets.banking, 10, BANKING_DRAWS)
        return {ALL: _mean([_measured(judged) for judged in found])}

    def _banking_out_of_scope(self) -> Result:
        """With questions that nothing answers: near ones, far ones, and both, a third of all."""
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            case = datasets.banking_out_of_scope(self._public, Path(folder))
            judged = self._evaluate(case.knowledge, [case.questions]).groups[ALL]
        kinds = datasets.out_of_scope_kinds(self._public)
        return {
            name: _measured(
                [
                    each
                    for each in judged
                    if each.question.article or kinds[each.question.text] in wanted
                ]
            )
            for name, wanted in (("all", ("near", "far")), ("near", ("near",)), ("far", ("far",)))
        }

    def _hint3(self) -> Result:
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            case = datasets.hint3(self._public, Path(folder))
            return {ALL: _measured(self._evaluate(case.knowledge, [case.questions]).groups[ALL])}

    def _draws(
        self, make: Callable[..., datasets.Case], examples: int, draws: int
    ) -> Iterator[Sequence[Judged]]:
        for draw in range(draws):
            with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
                case = make(self._public, Path(folder), examples, draw)
                yield self._evaluate(case.knowledge, [case.questions]).groups[ALL]

    def _reading(self, asked_in: str, written_in: str) -> Result:
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            case = datasets.reading(self._public, Path(folder), asked_in, written_in)
            judged = self._evaluate(case.knowledge, [case.questions]).groups[ALL]
        answerable = [each for each in judged if each.question.article]
        dense = recall_of_dense_alone(
            datasets.paragraphs(self._public, asked_in),
            datasets.paragraphs(self._public, written_in),
            self._cache,
        )
        found = {ALL: _measured(answerable) | {"dense_alone": dense}}
        if len(answerable) < len(judged):
            found["with unanswerable"] = _measured(judged)
        return found

    def _evaluate(self, knowledge: Path, questions: Sequence[Path]) -> Evaluation:
        return evaluate(
            self._embedder, knowledge, questions, PRECISION, OFFER_PRECISION, "en", quiet=True
        )


def _measured(judged: Sequence[Judged]) -> Result:
    """As `usher evaluate --json`, without the time (vectors come from a cache) and with the share
    answered of what can be answered."""
    found = figures(judged).as_json()
    del found["ms_per_question"]
    answerable = [each for each in judged if each.question.article]
    found["answered"] = sum(each.answered for each in judged)
    found["share_answered_of_answerable"] = round(
        sum(each.answered for each in answerable) / max(len(answerable), 1), 4
    )
    return found


def _out_of_scope(judged: Sequence[Judged]) -> Result:
    """What a threshold gives up of the one to gain of the other (Larson et al. 2019).

    In-scope accuracy: share of all in-scope questions that are answered with the right article.
    Out-of-scope recall: share of the out-of-scope questions that are not answered.
    """
    inside = [each for each in judged if each.question.article]
    outside = np.array([each.confidence for each in judged if not each.question.article])
    confidences = np.array([each.confidence for each in inside])
    right = np.array([each.right for each in inside])
    thresholds = np.unique([0.0, *(each.confidence for each in judged), 1.01])
    points = [
        (float((right & (confidences >= bar)).mean()), float((outside < bar).mean()))
        for bar in thresholds
    ]
    return {
        "accuracy_at_recall_0.80": _best(points, least=0.80),
        "recall_at_accuracy_0.93": _best([point[::-1] for point in points], least=0.93),
        "recall_at_accuracy": {
            str(wanted): _best([point[::-1] for point in points], least=wanted)
            for wanted in (0.9, 0.915, 0.92, 0.94, 0.95)
        },
    }


def _best(points: Sequence[tuple[float, float]], least: float) -> float:
    """The largest first number where the second reaches a least one; 0 if it never does."""
    return round(max((first for first, second in points if second >= least), default=0), 4)


def _mean(draws: Sequence[Result]) -> Result:
    """The mean of every number over the draws; of the accuracy also the lowest and highest."""
    merged = _mean_of(draws)
    merged["draws"] = len(draws)
    merged["top1_range"] = [
        min(each["top1"] for each in draws),
        max(each["top1"] for each in draws),
    ]
    return merged


def _mean_of(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, dict):
        return {key: _mean_of([each[key] for each in values]) for key in first}
    if any(each is None for each in values):
        return None
    return round(statistics.fmean(values), 4)


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True, text=True, timeout=10, cwd=ROOT,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        help="sets with these names, or names that begin so: own, clinc",
    )
    parser.add_argument(
        "--datasets",
        type=Path,
        default=Path(os.environ.get("USHER_DATASETS", ROOT.parent / "shared" / "datasets")),
        help="folder of the public sets (USHER_DATASETS, or ../shared/datasets)",
    )
    parser.add_argument("--output", type=Path, default=HERE / "results", help="of the results")
    return parser.parse_args(arguments)


def main() -> None:
    options = _options(sys.argv[1:])
    console = Console()
    settings = bootstrap.settings()
    cache = settings.data_dir / "benchmarks"
    embedder = CachedEmbedder(settings.embedding_model, cache)
    every = Benchmark(embedder, options.datasets, cache).sets()
    if not options.datasets.is_dir():
        console.print(
            f"There are no public sets in {options.datasets}: only the shop's own questions are "
            "asked. Set USHER_DATASETS to the folder that has them."
        )
    wanted = [
        name
        for name in every
        if not options.only
        or any(name == only or name.startswith(f"{only}-") for only in options.only)
    ]
    file = options.output / "answers.json"
    kept = json.loads(file.read_text("utf-8"))["sets"] if file.exists() else {}
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "model": settings.embedding_model,
    }
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("", total=len(wanted))
        for name in wanted:
            shown.update(task, description=name)
            command = shlex.join([*shlex.split(COMMAND), "--only", name])
            kept[name] = {"command": command, **about, "results": every[name]()}
            shown.advance(task)
            options.output.mkdir(parents=True, exist_ok=True)
            file.write_text(
                json.dumps({"sets": kept}, indent=1, ensure_ascii=False) + "\n", "utf-8"
            )
    ordered = {name: kept[name] for name in every if name in kept}
    (options.output / "answers.md").write_text(targets.page(ordered), "utf-8")
    table = Table("set", "what", "asked", "measured", "met")
    for each in targets.outcomes({name: ordered[name] for name in wanted}):
        target = each.target
        table.add_row(target.of, target.what, target.asked, targets.number(each.value), each.met)
    console.print(table)
    console.print(f"Written: answers.json and answers.md in {options.output}.")


if __name__ == "__main__":
    main()
