"""BERT as a graph for ONNX Runtime, with the operators that it runs fastest.

Products are those of whole numbers: of the weights each output has a scale, of what they are
multiplied with each token, so that a text's vectors do not depend on its batch. Before that, a
channel that reaches far is divided by what its weights are multiplied with (SmoothQuant, Xiao et
al. 2023), and takes no precision from the others. How far channels reach, the same graph in floats
tells. The word embeddings, four fifths of the model, stay at their 4 bits and are made into floats
one word at a time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bot.knowledge.embedding.wheel import BLOCK, Quantised, Weights, Wheel

OUTPUT = "last_hidden_state"
INPUTS = ("input_ids", "attention_mask")
_OPSET = 19
_IR_VERSION = 10
_FUSED = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""
_LEVELS = 127
"""Of a token's numbers on each side of 0; they are stored with 128 added."""
_ZERO = np.uint8(_LEVELS + 1)
_WEIGHT_LEVELS = 63
"""Of a weight. With 127 the sum of two products would not fit in the 16 bits that the fast
instructions of a CPU without VNNI have for it."""

Reaches = Mapping[str, Weights]
"""Of each product: the largest magnitude of each channel that its weights are multiplied with."""


def in_floats(wheel: Wheel) -> onnx.ModelProto:
    """The graph with exact weights, which also gives `reaches`."""
    return _Graph(wheel, None).model()


def reaches(texts: Sequence[Sequence[int]], model: onnx.ModelProto) -> Reaches:
    """How far channels reach in any of some texts.

    Args:
        texts: the tokens of each.
        model: `in_floats`.
    """
    import onnxruntime  # starts a thread, which importing a module should not

    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name for each in session.get_outputs() if each.name != OUTPUT]
    found: dict[str, Weights] = {}
    for text in texts:
        fed = {INPUTS[0]: np.array([text]), INPUTS[1]: np.ones((1, len(text)), dtype=np.int64)}
        for name, reach in zip(names, session.run(names, fed), strict=True):
            found[name] = np.maximum(found.get(name, 0), reach)
    return found


def write(wheel: Wheel, reached: Reaches, path: Path) -> None:
    """The graph in whole numbers as `path`; its weights beside it, with `.data` behind the name."""
    onnx.save(
        _Graph(wheel, reached).model(),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
    )


class _Graph:
    def __init__(self, wheel: Wheel, reached: Reaches | None) -> None:
        """
        Args:
            reached: None: products in floats, and they tell how far their channels reach.
        """
        self._wheel = wheel
        self._reached = reached
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._outputs: dict[str, list[str | int | None]] = {
            OUTPUT: ["batch", "tokens", wheel.width]
        }

    def model(self) -> onnx.ModelProto:
        x = self._embeddings()
        for layer in range(self._wheel.layers):
            x = self._layer(layer, x)
        given, floats = TensorProto.INT64, TensorProto.FLOAT
        inputs = [
            helper.make_tensor_value_info(name, given, ["batch", "tokens"]) for name in INPUTS
        ]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            inputs,
            [
                helper.make_tensor_value_info(name, floats, shape)
                for name, shape in self._outputs.items()
            ],
            self._weights,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _embeddings(self) -> str:
        """Word, position and type of each token, added up and normalised."""
        wheel = self._wheel
        words = wheel.tensors["emb.word"]
        assert isinstance(words, Quantised)
        first, second = words.numbers[:, 0::2], words.numbers[:, 1::2]
        self._fused(
            "GatherBlockQuantized",
            [
                self._weight("words", (first | second << 4).reshape(wheel.vocabulary, -1)),
                INPUTS[0],
                self._weight("scales", words.scales.reshape(wheel.vocabulary, -1)),
            ],
            "word",
            bits=4, block_size=BLOCK, gather_axis=0, quantize_axis=1,
        )  # fmt: skip
        # Every text is of the first type, so its row joins those of the positions.
        places = wheel.dense("emb.pos", wheel.positions, wheel.width)
        places = places + wheel.dense("emb.type", wheel.types, wheel.width)[0]
        zero = self._weight("zero", np.array([0]))
        self._plain("Shape", [INPUTS[0]], "length", start=1, end=2)
        self._plain("Slice", [self._weight("places", places), zero, "length", zero], "place")
        self._plain("Add", ["word", "place"], "sum")
        self._plain("Cast", [INPUTS[1]], "mask", to=TensorProto.INT32)
        return self._norm("emb.ln", "sum", "x")

    def _layer(self, number: int, x: str) -> str:
        """Attention and feed-forward network, each with what goes past it."""
        wheel, name = self._wheel, f"l{number}"
        square = (wheel.width, wheel.width)
        parts = [f"{name}.{part}" for part in "qkv"]
        joint = np.concatenate([wheel.dense(f"{part}.w", *square) for part in parts])
        bias = np.concatenate([wheel.dense(f"{part}.b") for part in parts])
        self._plain(
            "Split", [self._product(f"{name}.qkv", x, joint)], *parts, axis=-1, num_outputs=3
        )
        attended = self._fused(
            "MultiHeadAttention",
            [*parts, self._weight(f"{name}.qkv.b", bias), "mask"],
            f"{name}.attended",
            num_heads=wheel.heads,
        )
        inward = self._product(f"{name}.ao", attended, wheel.dense(f"{name}.ao.w", *square))
        x = self._past(f"{name}.aln", inward, x, f"{name}.ao.b")
        into, out = (
            wheel.dense(f"{name}.fi.w", wheel.inner, wheel.width),
            wheel.dense(f"{name}.fo.w", wheel.width, wheel.inner),
        )
        inner = self._product(f"{name}.fi", x, into)
        active = self._fused("BiasGelu", [inner, self._tensor(f"{name}.fi.b")], f"{name}.active")
        outward = self._product(f"{name}.fo", active, out)
        last = number == wheel.layers - 1
        return self._past(f"{name}.oln", outward, x, f"{name}.fo.b", OUTPUT if last else "")

    def _past(self, norm: str, of: str, x: str, bias: str, output: str = "") -> str:
        """Add what went past and normalise."""
        added = self._plain("Add", [of, self._tensor(bias)], f"{norm}.of")
        both = self._plain("Add", [added, x], f"{norm}.sum")
        return self._norm(norm, both, output or f"{norm}.x")

    def _norm(self, name: str, of: str, output: str) -> str:
        # Several times as fast as the fused operator, which also adds.
        weights = [self._tensor(f"{name}.{each}") for each in "wb"]
        return self._plain(
            "LayerNormalization", [of, *weights], output, axis=-1, epsilon=self._wheel.epsilon
        )

    def _product(self, name: str, of: str, weights: Weights) -> str:
        """Of each token's row with weights, (out, in)."""
        reach = f"{name}.reach"
        if self._reached is None:
            size = self._plain("Abs", [of], f"{name}.size")
            axes = self._weight(f"{name}.axes", np.array([0, 1]))
            self._plain("ReduceMax", [size, axes], reach, keepdims=0)
            self._outputs[reach] = [weights.shape[1]]
            return self._plain("MatMul", [of, self._weight(f"{name}.w", weights.T)], name)
        # As far as the weights of a channel reach, so far it reaches itself.
        smooth = np.sqrt(self._reached[reach] / np.abs(weights).max(axis=0))
        even = self._plain("Mul", [of, self._weight(f"{name}.smooth", 1 / smooth)], f"{name}.even")
        weights = weights * smooth
        scales = np.abs(weights).max(axis=1) / np.float32(_WEIGHT_LEVELS)
        rounded = np.rint(weights / scales[:, None])
        size = self._plain("Abs", [even], f"{name}.size")
        largest = self._plain(
            "ReduceMax", [size, self._weight(f"{name}.axes", np.array([-1]))], f"{name}.largest"
        )
        share = self._plain("Div", [even, largest], f"{name}.share")
        level = self._weight(f"{name}.level", np.float32(1 / _LEVELS))
        zero = self._weight(f"{name}.zero", _ZERO)
        coded = self._plain("QuantizeLinear", [share, level, zero], f"{name}.coded")
        product = self._fused(
            "MatMulIntegerToFloat",
            [
                coded,
                self._weight(f"{name}.w", rounded.T.astype(np.int8)),
                level,
                self._weight(f"{name}.scales", scales),
                zero,
            ],
            f"{name}.part",
        )
        return self._plain("Mul", [product, largest], name)

    def _tensor(self, name: str) -> str:
        return self._weight(name, self._wheel.dense(name))

    def _weight(self, name: str, values: Any) -> str:
        self._weights.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def _plain(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]

    def _fused(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """One of ONNX Runtime's own."""
        node = helper.make_node(operator, inputs, [output], domain=_FUSED, **attributes)
        self._nodes.append(node)
        return output
