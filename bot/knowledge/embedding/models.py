"""Embedding models: the bundled one, on ONNX Runtime alone, and any other of sentence-transformers.

The bundled one could be loaded like any other, and a test does: the vectors are the same. It is run
without sentence-transformers because that and PyTorch take 400 MB and half a dozen seconds.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from bot.errors import WrongSetting
from bot.knowledge.embedding import bundled
from bot.knowledge.embedding.cache import Role, Vectors
from bot.knowledge.embedding.graph import INPUTS, OUTPUT

MAX_TOKENS = 128
"""Of a text that are read, some 500 characters; time grows with them, and a question that is
longer says little more."""
_MAX_CHARACTERS = 2000
"""No script needs more for so many tokens, and the tokenizer's time grows with characters."""
BATCH = 16


class Model(Protocol):
    """What turns texts into vectors. Several threads may use one at a time each."""

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[tuple[Vectors, Vectors]]:
        """Of each text: the vector of the whole, L2-normalised, (dimensions,); and those of its
        own tokens, without the prompt's and the model's, (tokens, dimensions).
        """


def load(name: str) -> Model:
    """A model by the name that the setting gives.

    Raises:
        WrongSetting: it cannot be loaded.
    """
    try:
        return OnnxModel(bundled.folder()) if name == bundled.NAME else SentenceModel(name)
    except (OSError, ValueError, RuntimeError) as error:
        raise WrongSetting(
            f"USHER_EMBEDDING_MODEL is '{name}', which cannot be loaded: {error}. Use "
            f"'{bundled.NAME}', or the folder or hub name of a sentence-transformers model."
        ) from error


class OnnxModel:
    """A BERT with mean pooling, from a folder as `bundled` writes it."""

    def __init__(self, folder: Path, max_tokens: int = MAX_TOKENS) -> None:
        import onnxruntime  # starts a thread, which importing a module should not

        config = json.loads((folder / "config.json").read_text("utf-8"))
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text("utf-8"))
        self._prompts: dict[Role, str] = prompts["prompts"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding(pad_id=config["pad_token_id"])
        self._around = len(self._tokenizer.encode("").ids)
        self._before = {
            role: len(self._tokenizer.encode(prompt).ids) - self._around + 1
            for role, prompt in self._prompts.items()
        }
        options = onnxruntime.SessionOptions()
        # One thread a text: whoever has many texts embeds several at once, and processes that
        # share the cores do not wait for each other by spinning.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[tuple[Vectors, Vectors]]:
        prompt, before = self._prompts[role], self._before[role]
        for start in range(0, len(texts), BATCH):
            part = [prompt + text[:_MAX_CHARACTERS] for text in texts[start : start + BATCH]]
            read = self._tokenizer.encode_batch(part)
            fed = {
                INPUTS[0]: np.array([each.ids for each in read]),
                INPUTS[1]: np.array([each.attention_mask for each in read]),
            }
            (found,) = self._session.run([OUTPUT], fed)
            for tokens, length in zip(found, fed[INPUTS[1]].sum(axis=1), strict=True):
                yield _unit(tokens[:length].mean(axis=0)), tokens[before : length - 1]


class SentenceModel:
    """Any model that sentence-transformers can load, on PyTorch."""

    def __init__(self, name: str) -> None:
        import torch  # slow to import, and of no use to the bundled model
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)  # as above
        self._model = SentenceTransformer(name, device="cpu")
        length = self._model.max_seq_length or MAX_TOKENS
        self._model.max_seq_length = min(length, MAX_TOKENS)
        prompts = self._model.prompts
        self._prompts: dict[Role, str] = {
            "query": prompts.get("query") or "",
            "passage": prompts.get("passage") or prompts.get("document") or "",  # E5 and its kin
        }
        tokenizer: Any = self._model.tokenizer
        self._special = [
            each for each in tokenizer.all_special_ids if each != tokenizer.unk_token_id
        ]
        self._before = {role: self._length(prompt) for role, prompt in self._prompts.items()}

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[tuple[Vectors, Vectors]]:
        found = self._run([self._prompts[role] + text[:_MAX_CHARACTERS] for text in texts])
        for each in found:
            vector: Vectors = each["sentence_embedding"].float().numpy()
            tokens: Vectors = each["token_embeddings"].float().numpy()
            yield _unit(vector), tokens[self._own(each)][self._before[role] :]

    def _run(self, texts: Sequence[str]) -> Sequence[Any]:
        found: Any = self._model.encode(
            list(texts), prompt="", batch_size=BATCH, output_value=None, show_progress_bar=False
        )
        return list(found)

    def _own(self, features: Any) -> Any:
        """Which tokens stand for text."""
        ids = features["input_ids"].numpy()
        return (features["attention_mask"].numpy() > 0) & ~np.isin(ids, self._special)

    def _length(self, prompt: str) -> int:
        return int(self._own(self._run([prompt])[0]).sum()) if prompt else 0


def _unit(vector: Vectors) -> Vectors:
    unit: Vectors = vector / np.float32(max(float(np.linalg.norm(vector)), 1e-9))
    return unit
