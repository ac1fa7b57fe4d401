"""The bundled model is an ordinary one: sentence-transformers makes the same of its folder, in
floats exactly and in whole numbers nearly.

Apart from the other tests of embedding, because PyTorch takes long to import.
"""

from pathlib import Path

import numpy as np
import pytest

from bot.errors import WrongSetting
from bot.knowledge.embedding import bundled, graph, wheel
from bot.knowledge.embedding.cache import Role, Vectors
from bot.knowledge.embedding.models import Model, OnnxModel, load

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


@pytest.fixture(scope="module")
def in_floats(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The bundled model's graph before it is made one of whole numbers."""
    folder = tmp_path_factory.mktemp("in-floats")
    for each in bundled.folder().iterdir():
        if each.is_file():
            (folder / each.name).symlink_to(each)
    (folder / "onnx").mkdir()
    made = graph.in_floats(wheel.read()).SerializeToString()
    (folder / "onnx" / "model.onnx").write_bytes(made)
    return OnnxModel(folder)


def least_cosine(one: Vectors, other: Vectors) -> float:
    """Of each row and the same row of the other; 1 where there is none."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float((np.einsum("nd,nd->n", one, other) / lengths).min(initial=1))


@pytest.mark.parametrize("role", ROLES)
def test_texts_and_each_of_their_tokens_have_the_same_direction_on_both_runtimes(
    in_floats: Model, on_onnx: Model, on_torch: Model, role: Role
) -> None:
    found = [
        [*each.encode(TEXTS, role), *each.encode(LONG, role)]
        for each in (on_torch, in_floats, on_onnx)
    ]
    for text, (vector, tokens), exact, near in zip([*TEXTS, *LONG], *found, strict=True):
        assert tokens.shape == exact[1].shape == near[1].shape, text
        assert least_cosine(vector[None], exact[0][None]) > 0.9999, text
        assert least_cosine(tokens, exact[1]) > 0.9999, text
        # What nobody types, such as one word many times, differs most.
        assert least_cosine(vector[None], near[0][None]) > (0.998 if text in TEXTS else 0.995), text
        assert least_cosine(tokens, near[1]) > 0.99, text
        assert np.linalg.norm([vector, near[0]], axis=1) == pytest.approx([1, 1], abs=1e-5)


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
