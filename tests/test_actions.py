"""What actions say, read from a tracker."""

import asyncio

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.support import ActionAnswer, ActionReportProblem

ANSWER = {
    "outcome": "answer",
    "candidates": [["returns", "Return a product", 0.97]],
    "language": "en",
    "article_language": "en",
    "text": "How to pack it\nUse the original box.",
}


@pytest.mark.parametrize(
    ("heading", "expected"),
    [({"heading": "How to pack it"}, "How to pack it"), ({}, "")],  # a message of an old tracker
)
def test_an_answer_tells_which_section_it_is_from(heading: dict[str, str], expected: str) -> None:
    message = {"text": "which box?", "kb": ANSWER | heading}
    tracker = Tracker("customer", {}, message, [], False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    asyncio.run(ActionAnswer().act(dispatcher, tracker))
    [said] = dispatcher.messages
    assert said["text"] == ANSWER["text"]
    assert said["custom"] == {
        "sources": [
            {
                "article": "returns",
                "language": "en",
                "title": "Return a product",
                "heading": expected,
            }
        ]
    }


@pytest.mark.parametrize("tip", [None, {"product": "clara", "help": "clara-cleaning"}])
def test_a_problem_with_a_product_that_is_named_is_not_taken_for_one_with_the_last_tips(
    tip: dict[str, str] | None,
) -> None:
    message = {"text": "the coffee machine is leaking", "kb": ANSWER | {"products": ["brio"]}}
    slots = {"last_tip": tip}
    tracker = Tracker("customer", slots, message, [], False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    asyncio.run(ActionReportProblem().act(dispatcher, tracker))
    [said] = dispatcher.messages
    assert said["text"] == ANSWER["text"]
