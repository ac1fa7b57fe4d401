"""The one place where a dialogue act and a question compete.

The classifier says how probable it is that the message is a question, and how probable each
dialogue act is; the knowledge base says how probable it is that one of its articles answers.
That speaks for a question, but only so far: "a human, please" is close to the article on how
to reach one and is still no question. That nothing answers speaks against nothing: most
questions in the world have no article. After this component nothing looks at scores any
more: rules and actions act on the intent and on the outcome alone.
"""

from typing import Any, Dict, List, Text

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import (
    ENTITIES,
    INTENT,
    INTENT_NAME_KEY,
    INTENT_RANKING_KEY,
    PREDICTED_CONFIDENCE_KEY,
)
from rasa.shared.nlu.training_data.message import Message

QUESTION = "question"
STRENGTH = 4.0
"""How many times more probable the knowledge base may make it that this is a question."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class IntentArbiter(GraphComponent, IntentClassifier):
    """Sets the intent from the classifier's and the knowledge base's probabilities."""

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
    ) -> "IntentArbiter":
        return cls()

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """Nothing to set."""

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            brought = (message.get("metadata") or {}).pop("_nlu", None)
            if brought is None:
                continue
            kb = brought["kb"]
            message.set("kb", kb, add_to_output=True)
            entity = {"entity": "language", "value": kb["language"], "extractor": "knowledge"}
            message.set(ENTITIES, [entity], add_to_output=True)
            self._decide(message, kb)
        return messages

    @staticmethod
    def _decide(message: Message, kb: Dict[Text, Any]) -> None:
        ranking = message.get(INTENT_RANKING_KEY) or []
        acts = [each for each in ranking if each[INTENT_NAME_KEY] != QUESTION]
        by_classifier = sum(
            each[PREDICTED_CONFIDENCE_KEY] for each in ranking if each[INTENT_NAME_KEY] == QUESTION
        )
        answered = sum(probability for _, _, probability in kb["candidates"])
        question = by_classifier * min(max(_odds(answered), 1.0), STRENGTH)
        if acts and acts[0][PREDICTED_CONFIDENCE_KEY] > question:
            intent = acts[0]
        else:
            intent = {INTENT_NAME_KEY: QUESTION, PREDICTED_CONFIDENCE_KEY: min(question, 1.0)}
        message.set(INTENT, intent, add_to_output=True)
        message.set(INTENT_RANKING_KEY, ranking[:3], add_to_output=True)
        reckoning = {
            "chose": "question" if intent[INTENT_NAME_KEY] == QUESTION else "dialogue_act",
            "question": round(float(question), 4),
            "question_by_classifier": round(float(by_classifier), 4),
            "dialogue_act": round(float(acts[0][PREDICTED_CONFIDENCE_KEY]), 4) if acts else None,
        }
        message.set("arbiter", reckoning, add_to_output=True)


def _odds(probability: float) -> float:
    return probability / max(1 - probability, 1e-6)
