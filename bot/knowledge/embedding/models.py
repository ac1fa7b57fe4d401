"""Embedding models: the bundled one, on ONNX Runtime alone, and any other of sentence-transformers.

The bundled one could be loaded like any other, and a test does: the vectors are the same. It is run
without sentence-transformers because that and PyTorch take 400 MB and half a dozen seconds.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sentencepiece import SentencePieceProcessor

from bot.errors import WrongSetting
from bot.knowledge.embedding import bundled
from bot.knowledge.embedding.cache import Role, Vectors
from bot.knowledge.embedding.graph import INPUTS, OUTPUT

MAX_TOKENS: Mapping[Role, int] = {"query": 100, "passage": 160}
"""Of a text that are read: a passage with its heading in any language; of a question some 400
characters, because late interaction takes time with each of its tokens."""
_MAX_CHARACTERS = 2000
"""No script needs more for so many tokens, and the tokenizer's time grows with characters."""
BATCH = 4


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

    def __init__(self, folder: Path, max_tokens: Mapping[Role, int] = MAX_TOKENS) -> None:
        import onnxruntime  # starts a thread, which importing a module should not

        config = json.loads((folder / "config.json").read_text("utf-8"))
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text("utf-8"))
        self._prompts: dict[Role, str] = prompts["prompts"]
        # A fifth of the memory that Hugging Face's tokenizer takes, and a third of its time.
        self._pieces: Any = SentencePieceProcessor(model_file=str(folder / bundled.PIECES))
        self._begin, self._end = self._pieces.bos_id(), self._pieces.eos_id()
        self._padding = config["pad_token_id"]
        self._room = {role: most - len(("begin", "end")) for role, most in max_tokens.items()}
        self._before = {
            role: 1 + len(self._pieces.encode(prompt)) for role, prompt in self._prompts.items()
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
            read = [self._read(prompt + text, role) for text in texts[start : start + BATCH]]
            longest = max(map(len, read))
            ids = np.full((len(read), longest), self._padding)
            mask = np.zeros_like(ids)
            for row, tokens in enumerate(read):
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            (found,) = self._session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))
            for vectors, tokens in zip(found, read, strict=True):
                own = vectors[: len(tokens)]
                yield _unit(own.mean(axis=0)), own[before:-1]

    def _read(self, text: str, role: Role) -> list[int]:
        """The model's tokens of a text."""
        # The library keeps the joiner, which the model has never seen, since it was trained.
        plain = text[:_MAX_CHARACTERS].replace("\N{ZERO WIDTH JOINER}", " ")
        return [self._begin, *self._pieces.encode(plain)[: self._room[role]], self._end]


class SentenceModel:
    """Any model that sentence-transformers can load, on PyTorch."""

    def __init__(self, name: str) -> None:
        import torch  # slow to import, and of no use to the bundled model
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)  # as above
        self._model = SentenceTransformer(name, device="cpu")
        most = max(MAX_TOKENS.values())
        self._model.max_seq_length = min(self._model.max_seq_length or most, most)
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
        found = self._run(
            [self._cut(self._prompts[role] + text[:_MAX_CHARACTERS], role) for text in texts]
        )
        for each in found:
            vector: Vectors = each["sentence_embedding"].float().numpy()
            tokens: Vectors = each["token_embeddings"].float().numpy()
            yield _unit(vector), tokens[self._own(each)][self._before[role] :]

    def _cut(self, text: str, role: Role) -> str:
        """A text up to the last token that is read of it."""
        tokenizer: Any = self._model.tokenizer
        if not tokenizer.is_fast:  # the others do not tell where tokens end
            return text
        read = tokenizer(
            text, truncation=True, max_length=MAX_TOKENS[role], return_offsets_mapping=True
        )
        return text[: max((end for _, end in read["offset_mapping"]), default=0)]

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
