"""What actions say, read from a tracker."""

import asyncio
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.control import ActionAffirm, ActionDeny, ActionGiveFeedback, ActionRepeat
from actions.support import (
    ActionAnswer,
    ActionComplain,
    ActionHandOff,
    ActionNotUnderstood,
    ActionOrderNumber,
    ActionSaidAgain,
)
from actions.turning import TurnAction

ANSWER = {
    "outcome": "answer",
    "candidates": [["returns", "Return a product", 0.97]],
    "language": "en",
    "article_language": "en",
    "text": "How to pack it\nUse the original box.",
}
UNSURE = ANSWER | {
    "outcome": "clarify",
    "question": "what about E0[3]?",
    "candidates": [["returns", "Return a product", 0.3], ["refund", "Refunds", 0.2]],
}
NOTHING = ANSWER | {"outcome": "handoff", "candidates": [], "question": "x" * 200}


def said(
    action: TurnAction,
    *matches: dict[str, Any],
    intent: str = "question",
    events: tuple[dict[str, Any], ...] = (),
    before: dict[str, Any] = {},  # noqa: B006  it is only read
    **slots: Any,
) -> list[dict[str, Any]]:
    """What an action says, without what is empty."""
    message = {
        "text": "?",
        "kb": list(matches or [ANSWER]),
        "intent": {"name": intent},
        "entities": [{"entity": name, "value": value} for name, value in before.items()],
    }
    tracker = Tracker("customer", slots, message, list(events), False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    asyncio.run(action.run(dispatcher, tracker, {}))
    return [{key: value for key, value in each.items() if value} for each in dispatcher.messages]


def responses(messages: list[dict[str, Any]]) -> list[str]:
    return [each["response"] for each in messages if "response" in each]


def handoff(messages: list[dict[str, Any]]) -> str | None:
    found = [each["custom"]["handoff"] for each in messages if "handoff" in each.get("custom", {})]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("heading", "expected"),
    [({"heading": "How to pack it"}, "How to pack it"), ({}, "")],  # a message of an old tracker
)
def test_an_answer_tells_which_section_it_is_from(heading: dict[str, str], expected: str) -> None:
    answer, count = said(ActionAnswer(), ANSWER | heading)
    assert answer["text"] == ANSWER["text"]
    source = {"article": "returns", "language": "en", "title": "Return a product"}
    assert answer["custom"] == {"sources": [source | {"heading": expected}]}
    assert count["custom"] == {"unhelped": 0}


def test_an_answer_that_asks_for_the_number_of_an_order_says_so() -> None:
    answer, _ = said(ActionAnswer(), ANSWER | {"asks": "order_number"})
    assert answer["custom"]["asks"] == "order_number"


def test_titles_are_offered_with_the_articles_that_they_are_of() -> None:
    [offer] = said(ActionAnswer(), UNSURE)
    assert offer["custom"] == {"asks": "choice", "choices": ["returns", "refund"]}
    assert [each["title"] for each in offer["buttons"]][:2] == ["Return a product", "Refunds"]


def test_of_several_questions_each_is_answered_and_what_is_left_is_told() -> None:
    answer, which, left, _ = said(ActionAnswer(), ANSWER, UNSURE, NOTHING)
    assert answer["text"] == ANSWER["text"]
    assert (which["response"], which["question"]) == ("utter_which_of", "what about E0(3]?")
    assert left["response"] == "utter_left_over"
    assert len(left["question"]) <= 80


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (ActionAnswer(), "not_sure"),
        (ActionNotUnderstood(), "not_sure"),
        (ActionComplain(), "complaint"),
    ],
)
def test_the_second_turn_without_help_offers_a_person_and_the_third_gets_one(
    action: TurnAction, reason: str
) -> None:
    first, second = (said(action, NOTHING, unhelped=times) for times in (0, 1))
    assert "utter_offer_human" not in responses(first)
    assert responses(second)[-1] == "utter_offer_human"
    assert [each[-1]["custom"] for each in (first, second)] == [{"unhelped": 1}, {"unhelped": 2}]
    assert handoff(first) is handoff(second) is None
    assert handoff(said(action, NOTHING, unhelped=2)) == reason


def test_the_same_answer_again_and_again_brings_a_person() -> None:
    counted = [said(ActionSaidAgain(), before={"unhelped": times}, unhelped=0) for times in (0, 1)]
    assert [each[-1]["custom"]["unhelped"] for each in counted] == [1, 2]
    assert all(responses(each) == ["utter_offer_human"] for each in counted)
    assert handoff(said(ActionSaidAgain(), before={"unhelped": 2}, unhelped=0)) == "not_sure"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("nothing", ["utter_continue"]),
        ("tip_check", ["utter_glad"]),
        ("confirm_stop", ["utter_stop"]),
        ("confirm_stop_tips", ["utter_stop_tips"]),
        ("human_for_complaint", []),
    ],
)
def test_yes_answers_what_was_asked(asked: str, expected: list[str]) -> None:
    messages = said(ActionAffirm(), intent="affirm", asked=asked)
    assert responses(messages) == expected
    assert handoff(messages) == ("complaint" if asked.startswith("human") else None)


def test_no_to_titles_is_no_help_and_no_to_a_person_is_taken() -> None:
    assert responses(said(ActionDeny(), asked="choice")) == ["utter_rejected"]
    assert responses(said(ActionDeny(), asked="human_for_doubt")) == ["utter_ask_rephrase_deny"]


def test_what_is_said_again_has_its_buttons_and_sources() -> None:
    buttons = [{"title": "Refunds", "payload": "Refunds"}]
    custom = {"asks": "choice", "choices": ["refund"]}
    bot = {"event": "bot", "text": "Which?", "data": {"buttons": buttons, "custom": custom}}
    events = ({"event": "user"}, bot, {"event": "user"})
    assert said(ActionRepeat(), events=events) == [
        {"text": "Which?", "buttons": buttons, "custom": custom}
    ]
    assert responses(said(ActionRepeat())) == ["utter_nothing_to_repeat"]


def test_an_opinion_is_asked_for_and_then_passed_on() -> None:
    assert responses(said(ActionGiveFeedback())) == ["utter_feedback"]
    wish, thanks, _ = said(ActionGiveFeedback(), asked="feedback")
    assert wish["custom"] == {"wish": "feedback"}
    assert thanks["response"] == "utter_feedback_thanks"


def test_a_number_of_an_order_gets_a_person_only_where_it_was_asked_for() -> None:
    assert handoff(said(ActionOrderNumber(), asked="order_number")) == "order"
    [offer] = said(ActionOrderNumber(), UNSURE)
    assert offer["response"] == "utter_about_order"
    assert [each["title"] for each in offer["buttons"]] == ["Return a product", "Refunds"]


@pytest.mark.parametrize(
    ("intent", "reason"), [("danger", "danger"), ("ask_human", "asked_for_human")]
)
def test_why_a_person_has_to_come_is_told(intent: str, reason: str) -> None:
    messages = said(ActionHandOff(), intent=intent)
    assert handoff(messages) == reason
    words = ["utter_danger"] if intent == "danger" else []
    assert responses(messages) == words, "in the same answer as the call"
