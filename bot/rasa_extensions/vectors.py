"""Featurizer: the sentence vector that the knowledge process made of a message.

A turn brings its vector along in the message's metadata, so that nothing slow happens inside
Rasa, whose pipeline is synchronous. Training reads vectors that `usher train` has stored.
Only `rasa shell` and `rasa test`, which bring neither, ask the knowledge process.
"""

import base64
import hashlib
import json
import os
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any, Dict, List, Text

import numpy as np
import numpy.typing as npt
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

Vectors = npt.NDArray[np.float32]

DIMENSIONS_SCALE = 16.0
"""E5's vectors sit in a narrow cone: without scaling every confidence stays below 0.4."""


def unpack(vector: Text) -> Vectors:
    return np.frombuffer(base64.b64decode(vector), dtype="<f4")


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class SentenceVectorFeaturizer(DenseFeaturizer, GraphComponent):
    """Centred and scaled sentence vectors as dense sentence features."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {"alias": "SentenceVectorFeaturizer"}

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "SentenceVectorFeaturizer":
        return cls(config, model_storage, resource, execution_context, np.zeros(1, np.float32))

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "SentenceVectorFeaturizer":
        with model_storage.read_from(resource) as folder:
            centre = np.load(folder / "centre.npy")
        return cls(config, model_storage, resource, execution_context, centre)

    def __init__(
        self,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        centre: Vectors,
    ) -> None:
        super().__init__(execution_context.node_name, config)
        self._model_storage = model_storage
        self._resource = resource
        self._centre = centre

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """Nothing to set."""

    def train(self, training_data: TrainingData) -> Resource:
        """Learn the centre of the cone."""
        texts = [each.get(TEXT) for each in training_data.training_examples if each.get(TEXT)]
        self._centre = np.mean(stored_vectors(texts), axis=0)
        with self._model_storage.write_to(self._resource) as folder:
            np.save(folder / "centre.npy", self._centre)
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        examples = [each for each in training_data.training_examples if each.get(TEXT)]
        for message, vector in zip(examples, stored_vectors([m.get(TEXT) for m in examples])):
            self._set(message, vector)
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            brought = (message.get("metadata") or {}).get("_nlu")
            if brought is None and message.get(TEXT):
                brought = ask_knowledge(message.get(TEXT))
                message.set("metadata", {**(message.get("metadata") or {}), "_nlu": brought})
            if brought is not None:
                # Popped: the tracker shares this dictionary and must not store vectors.
                self._set(message, unpack(brought.pop("vector")))
        return messages

    def _set(self, message: Message, vector: Vectors) -> None:
        features = ((vector - self._centre) * DIMENSIONS_SCALE).astype(np.float32)
        message.add_features(
            Features(
                features[np.newaxis, :],
                FEATURE_TYPE_SENTENCE,
                TEXT,
                self._config["alias"],
            )
        )


def stored_vectors(texts: List[Text]) -> Vectors:
    """Vectors of training examples, from the cache that `usher train` has filled."""
    path = os.environ.get("USHER_VECTORS", "")
    if not os.path.exists(path):
        raise RasaException(
            "The vectors of the training data are missing. Train with `.venv/bin/usher train`, "
            "which makes them and then calls `rasa train`."
        )
    vectors = []
    with closing(sqlite3.connect(path)) as connection:
        for text in texts:
            key = hashlib.sha256(f"query\0{text}".encode()).digest()
            row = connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
            if row is None:
                raise RasaException(
                    f"There is no vector for the training example {text!r}. "
                    "Train with `.venv/bin/usher train`."
                )
            vectors.append(np.frombuffer(row[0], dtype="<f4"))
    return np.stack(vectors)


def ask_knowledge(text: Text) -> Dict[Text, Any]:
    """Vector and match of a text that came without, from the knowledge process."""
    url = os.environ.get("USHER_KNOWLEDGE_URL", "")
    body = json.dumps({"text": text, "language": "en", "products": []}).encode()
    request = urllib.request.Request(
        f"{url}/match", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            answer = json.load(response)
    except (urllib.error.URLError, ValueError) as error:
        raise RasaException(
            f"The knowledge process does not answer at {url!r}: {error}. "
            "Start it with `.venv/bin/usher up`, or set USHER_KNOWLEDGE_URL."
        ) from error
    vector = answer.pop("vector")
    answer["candidates"] = [
        [each["article"], each["title"], each["probability"]] for each in answer["candidates"]
    ]
    return {"vector": vector, "kb": answer}
