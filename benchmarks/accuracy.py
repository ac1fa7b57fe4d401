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
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import datasets
import own_sets
import summaries
import targets
from dense import recall_of_dense_alone
from rich import progress
from rich.console import Console
from rich.table import Table
from summaries import Result

from bot import bootstrap
from bot.knowledge.acts.acts import ActFolder
from bot.knowledge.articles.articles import read_articles
from bot.knowledge.embedding.cache import Embedded, Role, Shelf
from bot.knowledge.embedding.embedder import Asked, Embedder, Progress
from bot.knowledge.evaluation.figures import ALL, Judged
from bot.languages import LANGUAGES
from bot.operations.evaluating import Evaluation, evaluate
from bot.settings import ROOT, Settings, load_settings

HERE = Path(__file__).parent
COMMAND = ".venv/bin/python benchmarks/accuracy.py"
PRECISION = Settings.model_fields["answer_precision"].default
OFFER_PRECISION = Settings.model_fields["offer_precision"].default
KNOWLEDGE_BASE = ROOT / "knowledge_base"
OWN_SETS = ("questions", "newcomers", "strangers", "sections")
DRAWS = {5: 3, 10: 3, 20: 3, 100: 1}
"""How often other examples are drawn, for each number of examples an article."""
BANKING_DRAWS = 5


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
        self._acts = ActFolder(load_settings().acts).acts
        self._public = public
        self._cache = cache

    def sets(self) -> dict[str, Callable[[], Result]]:
        found: dict[str, Callable[[], Result]] = {
            f"own-{name}": lambda name=name: self._own(name)
            for name in OWN_SETS
            if (HERE / name).is_dir()
        }
        found["own-kinds"] = self._kinds
        found["own-products"] = self._products
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
        for language in LANGUAGES:
            found[f"says-{language}"] = lambda language=language: self._says(language)
        return found

    def _own(self, name: str) -> Result:
        groups = self._evaluate(KNOWLEDGE_BASE, [HERE / name]).groups
        return {group: summaries.measured(judged) for group, judged in groups.items()}

    def _kinds(self) -> Result:
        """The same needs in every way of typing."""
        groups = self._evaluate(KNOWLEDGE_BASE, [HERE / "kinds"]).groups
        found = {group: summaries.measured(judged) for group, judged in groups.items()}
        kinds = own_sets.labels(HERE / "kinds", "kind")
        found[ALL] |= own_sets.kinds_of_typing(groups[ALL], kinds)
        return found

    def _products(self) -> Result:
        """Which article is right is not known; which products' articles are wrong, is."""
        asked = own_sets.labels(HERE / "products", "product")
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            questions = own_sets.write_without_articles(asked, Path(folder))
            groups = self._evaluate(KNOWLEDGE_BASE, [questions]).groups
        articles, _ = read_articles(KNOWLEDGE_BASE)
        return {
            group: own_sets.wrong_products(judged, asked, articles)
            for group, judged in groups.items()
        }

    def _clinc(self, examples: int) -> Result:
        """In-scope questions alone, and with those of `oos_val` mixed in."""
        alone: list[Result] = []
        mixed: list[Result] = []
        for judged in self._draws(datasets.clinc, examples, DRAWS[examples]):
            alone.append(summaries.measured([each for each in judged if each.question.article]))
            mixed.append(
                summaries.measured(judged) | {"out_of_scope": summaries.out_of_scope(judged)}
            )
        return {"in-scope": summaries.mean(alone), "mixed": summaries.mean(mixed)}

    def _banking(self) -> Result:
        found = self._draws(datasets.banking, 10, BANKING_DRAWS)
        return {ALL: summaries.mean([summaries.measured(judged) for judged in found])}

    def _banking_out_of_scope(self) -> Result:
        """With questions that nothing answers: near ones, far ones, and both, a third of all."""
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            case = datasets.banking_out_of_scope(self._public, Path(folder))
            judged = self._evaluate(case.knowledge, [case.questions]).groups[ALL]
        kinds = datasets.out_of_scope_kinds(self._public)
        return {
            name: summaries.measured(
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
            return {
                ALL: summaries.measured(
                    self._evaluate(case.knowledge, [case.questions]).groups[ALL]
                )
            }

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
        found = {ALL: summaries.measured(answerable) | {"dense_alone": dense}}
        if len(answerable) < len(judged):
            found["with unanswerable"] = summaries.measured(judged)
        return found

    def _says(self, language: str) -> Result:
        """Whether what is said of a long article holds the answer."""
        with tempfile.TemporaryDirectory(prefix="usher-accuracy-") as folder:
            case = datasets.long_articles(self._public, Path(folder), language)
            judged = self._evaluate(case.knowledge, [case.questions]).groups[ALL]
            articles, _ = read_articles(case.knowledge)
        return {ALL: summaries.measured(judged) | own_sets.replies(judged, articles)}

    def _evaluate(self, knowledge: Path, questions: Sequence[Path]) -> Evaluation:
        return evaluate(
            self._embedder, knowledge, questions, PRECISION, OFFER_PRECISION, "en", self._acts,
            quiet=True,
        )  # fmt: skip


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
