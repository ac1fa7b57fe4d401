"""The bundled model is an ordinary one: sentence-transformers makes the same of its folder.

Apart from the other tests of embedding, because PyTorch takes long to import.
"""

from pathlib import Path

import numpy as np
import pytest

from bot.errors import WrongSetting
from bot.knowledge.embedding import bundled
from bot.knowledge.embedding.cache import Role, Vectors
from bot.knowledge.embedding.models import Model, load

TEXTS = [
    "How long does delivery take?",
    "can't log in - ID 4711!",
    "Tôi muốn trả lại hàng đã mua",
    "พัสดุของฉันอยู่ที่ไหนแล้ว น้ำ",
    "كي پولم برميگردد؟",
    "نمی‌توانم وارد حسابم شوم",
    "👩‍👩‍👧 hi 🇻🇳",
    "🙂",
    "ﬁne ½ ①",
    "日本語テキスト 𠜎𠜱",
    "passage: query: ▁",
    "a",
    "",
    " ",
    "\u200b",
]
LONG = ["oà " * 170, "word " * 1000]
ROLES: tuple[Role, Role] = ("query", "passage")


@pytest.fixture(scope="module")
def on_onnx() -> Model:
    return load(bundled.NAME)


@pytest.fixture(scope="module")
def on_torch() -> Model:
    return load(str(bundled.folder()))


def are_alike(one: Vectors, other: Vectors) -> bool:
    """Whether each row points where the same row points."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return bool((np.einsum("nd,nd->n", one, other) > 0.9999 * lengths).all())


@pytest.mark.parametrize("role", ROLES)
def test_texts_and_each_of_their_tokens_have_the_same_direction_on_both_runtimes(
    on_onnx: Model, on_torch: Model, role: Role
) -> None:
    texts = [*TEXTS, *LONG]
    ours, theirs = (
        [*each.encode(TEXTS, role), *each.encode(LONG, role)] for each in (on_onnx, on_torch)
    )
    for text, (vector, tokens), (same, same_tokens) in zip(texts, ours, theirs, strict=True):
        assert are_alike(vector[None], same[None]), text
        assert tokens.shape == same_tokens.shape, text
        assert are_alike(tokens, same_tokens), text
        assert np.linalg.norm([vector, same], axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.fixture
def wrong_names(tmp_path: Path) -> list[str]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{", "utf-8")
    return [str(tmp_path / name) for name in ("empty", "broken", "missing")]


def test_a_model_that_cannot_be_loaded_is_a_wrong_setting_that_names_itself(
    wrong_names: list[str],
) -> None:
    for name in wrong_names:
        with pytest.raises(WrongSetting) as refused:
            load(name)
        assert "USHER_EMBEDDING_MODEL" in str(refused.value)
        assert name in str(refused.value)
        assert bundled.NAME in str(refused.value), "what could be used instead"
