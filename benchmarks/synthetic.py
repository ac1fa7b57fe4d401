"""Articles and questions of any number for measurements of speed.

Articles are put together from sentences of the shop's own articles, with a few made-up words
each, so that lengths are true to life and every article brings new words, as real ones do.
"""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.embedding.cache import Embedded, Role, Shelf
from bot.knowledge.embedding.embedder import Asked, Embedder, Progress
from bot.settings import ROOT

HERE = Path(__file__).parent
QUESTION_LENGTH = 60
_LETTERS = {
    "en": "abcdefghiklmnoprstuvw",
    "vi": "abcdeghiklmnopqrstuvxy",
    "th": "กขคงจชดตทนบปพฟมยรลวสหอ",
    "fa": "ابپتجچخدرزسشفقکگلمنوهی",
}
_NEW_WORDS = 12


def write_articles(folder: Path, count: int, languages: Sequence[str], examples: int) -> None:
    """So many articles, each in every language, in `folder/<language>/`.

    Args:
        examples: the most example questions of each.
    """
    for number in range(count):
        _write(folder, number // len(languages), languages[number % len(languages)], examples)


def write_passages(folder: Path, count: int, language: str, examples: int) -> int:
    """Articles of one language until they have so many passages; how many that were."""
    number = passages = 0
    while passages < count:
        passages += _write(folder, number, language, examples)
        number += 1
    return number


def _write(folder: Path, number: int, language: str, examples: int) -> int:
    """One article; about how many passages it has."""
    chance = random.Random(f"{language} {number}")
    own = _own(language)
    model = own[random.Random(number).randrange(len(own))]  # of the same id in every language
    words = ["".join(chance.choices(_LETTERS[language], k=6)) for _ in range(_NEW_WORDS)]

    def mixed(texts: Sequence[str]) -> list[str]:
        return [f"{text} {chance.choice(words)}" for text in texts]

    lines = [line for each in chance.sample(own, 8) for line in each.body.split("\n") if line]
    body = [
        mixed([chance.choice(lines)])[0] if line and not line.startswith("#") else line
        for line in model.body.split("\n")
    ]
    questions = [chance.choice(chance.choice(own).questions) for _ in model.questions[:examples]]
    front = {
        "id": f"{model.id}-{number}",
        "language": language,
        "title": mixed([model.title])[0],
        "questions": mixed(questions),
    }
    file = folder / language / f"{front['id']}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    file.write_text(f"---\n{text}---\n" + "\n".join(body) + "\n", "utf-8")
    return len(model.passages)


_own_articles: dict[str, list[Article]] = {}


def _own(language: str) -> list[Article]:
    if not _own_articles:
        for each in read_articles(ROOT / "knowledge_base")[0]:
            _own_articles.setdefault(each.language, []).append(each)
    return _own_articles[language]


def passages(language: str, count: int) -> list[str]:
    """Pieces of the shop's own articles."""
    return [part.searched for each in _own(language) for part in each.passages][:count]


def questions(language: str, count: int) -> list[str]:
    """Different questions of 60 characters, as customers of the shop wrote them, cut or joined."""
    texts = [
        row["text"]
        for name in ("questions", "newcomers", "strangers")
        for file in [HERE / name / f"{language}.csv"]
        if file.exists()
        for row in csv.DictReader(file.read_text("utf-8").splitlines())
    ]
    chance = random.Random(language)
    found: dict[str, None] = {}
    while len(found) < count:
        joined = " ".join(chance.sample(texts, 3))
        if len(joined) >= QUESTION_LENGTH:
            found[joined[:QUESTION_LENGTH].strip()] = None
    return list(found)


class PerturbedEmbedder(Embedder):
    """Embeds questions, but makes up vectors of articles: true ones, moved a little.

    For 200,000 passages the model would need hours, and the time of a search does not depend
    on what the vectors mean. Neighbours lie about as near as those of real articles.
    """

    _MOVED = 0.35
    _POOL = 400

    def __init__(self, model: str, cache_folder: Path) -> None:
        super().__init__(model, cache_folder)
        own = [each for language in _LETTERS for each in _own(language)]
        asked = [text for each in own for text in each.questions][: self._POOL]
        told = [part.searched for each in own for part in each.passages][: self._POOL]
        self._pool: dict[Role, list[Embedded]] = {
            "query": super().encode_cached([("query", text) for text in asked]),
            "passage": super().encode_cached([("passage", text) for text in told]),
        }

    def encode_cached(
        self,
        asked: Sequence[Asked],
        progress: Progress = lambda _done, _total: None,
        shelf: Shelf = "vectors",  # noqa: ARG002
    ) -> list[Embedded]:
        chance = np.random.default_rng(len(asked))
        made_up: list[Embedded] = []
        for role, _ in asked:
            true = self._pool[role][chance.integers(0, len(self._pool[role]))]
            length = np.linalg.norm(true.codes.astype(np.float32), axis=1, keepdims=True)
            noise = chance.standard_normal(true.codes.shape, dtype=np.float32)
            moved = true.codes + noise * (length * self._MOVED / true.codes.shape[1] ** 0.5)
            made_up.append(Embedded(true.vector, np.clip(moved, -127, 127).astype(np.int8)))
        progress(len(asked), len(asked))
        return made_up
