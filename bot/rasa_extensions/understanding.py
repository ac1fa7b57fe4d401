"""What a message is: intent and entities from what the knowledge process has found.

A turn brings that along in the message's metadata, so that nothing slow happens inside Rasa, whose
pipeline is synchronous. Only `rasa shell` and `rasa test`, which bring nothing, ask for it here.
Nothing else looks at a probability: rules and actions act on the intent and on the outcome alone.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any, Dict, List, Text

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import (
    ENTITIES,
    INTENT,
    INTENT_NAME_KEY,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message

QUESTION = "question"
"""The intent of whatever is no act: the actions go by its outcome."""
NOT_UNDERSTOOD = "not_understood"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class KnowledgeUnderstanding(GraphComponent, IntentClassifier):
    """Sets what the rules and actions go by."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {}

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "KnowledgeUnderstanding":
        return cls()

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """Nothing to set."""

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            # Popped: the tracker shares this dictionary and keeps the same as `kb`.
            found = (message.get("metadata") or {}).pop("_nlu", None)
            if found is None and message.get(TEXT):
                found = {"matches": ask_knowledge(message.get(TEXT)), "context": {}}
            if found is not None:
                self._set(message, found["matches"], found["context"])
        return messages

    @staticmethod
    def _set(message: Message, matches: List[Dict[Text, Any]], context: Dict[Text, Any]) -> None:
        first = matches[0]
        intent, confidence = QUESTION, first["confidence"]
        if first["outcome"] == "act":
            intent, confidence = first["act"], first["act_probability"]
        elif first["outcome"] == NOT_UNDERSTOOD:
            intent, confidence = NOT_UNDERSTOOD, 1 - first["act_probability"]
        understood = {INTENT_NAME_KEY: intent, PREDICTED_CONFIDENCE_KEY: confidence}
        message.set(INTENT, understood, add_to_output=True)
        entities = {
            "language": first["language"],
            "asked": context.get("asked") or "nothing",
            "unhelped": context.get("unhelped") or 0,
            "waiting": bool(context.get("waiting")),
        }
        message.set(
            ENTITIES,
            [
                {"entity": name, "value": value, "extractor": "knowledge"}
                for name, value in entities.items()
            ],
            add_to_output=True,
        )
        message.set("kb", matches, add_to_output=True)


def ask_knowledge(text: Text) -> List[Dict[Text, Any]]:
    """What a text most probably is, from the knowledge process."""
    url = os.environ.get("USHER_KNOWLEDGE_URL", "")
    body = json.dumps({"text": text, "language": "en", "products": []}).encode()
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ.get('USHER_RASA_SECRET', '')}",
    }
    request = urllib.request.Request(f"{url}/match", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            matches = json.load(response)
    except (urllib.error.URLError, ValueError) as error:
        raise RasaException(
            f"The knowledge process does not answer at {url!r}: {error}. "
            "Start it with `.venv/bin/usher up`, or set USHER_KNOWLEDGE_URL."
        ) from error
    for match in matches:
        match["candidates"] = [
            [each["article"], each["title"], each["probability"]] for each in match["candidates"]
        ]
    return matches
