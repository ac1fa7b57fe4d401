"""Answers, doubts and handoffs."""

from functools import cache
from http import HTTPStatus
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.reading import knowledge, last_asked
from actions.turning import Events, TurnAction
from bot.bootstrap import settings
from bot.internal_http import InternalClient
from bot.texts import texts

KNOWLEDGE_SECONDS = 2.0
DOUBTS_BEFORE_HUMAN = 2
SURE = SlotSet("times_not_sure", 0)


@cache
def _knowledge_process() -> InternalClient:
    return InternalClient(
        "The knowledge process",
        settings().knowledge_servers,
        KNOWLEDGE_SECONDS,
        settings().secret("rasa"),
        repeatable=True,
    )


def hand_off(dispatcher: CollectingDispatcher, reason: str) -> Events:
    """Ask the worker for a human; the record tells the customer."""
    dispatcher.utter_message(json_message={"handoff": reason})
    return [SURE]


def _doubt(tracker: Tracker) -> tuple[bool, Events]:
    """Whether it is time for a human, and the count of doubts in a row."""
    times = (tracker.get_slot("times_not_sure") or 0) + 1
    return times >= DOUBTS_BEFORE_HUMAN, [SlotSet("times_not_sure", times)]


class ActionAnswer(TurnAction):
    """Say what the knowledge base has found, ask which one is meant, or get a human."""

    action = "action_answer"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        kb = knowledge(tracker)
        if kb.outcome == "answer":
            article, title, _ = kb.candidates[0]
            source = {
                "article": article,
                "language": kb.article_language,
                "title": title,
                "heading": kb.heading,
            }
            if kb.article_language != kb.language:
                dispatcher.utter_message(response="utter_other_language")
            dispatcher.utter_message(text=kb.text, json_message={"sources": [source]})
            return [SURE]
        if kb.outcome == "clarify":  # whoever can choose is not queued unasked
            said = texts(kb.language)
            offered = [title for _, title, _ in kb.candidates]
            choices = [*offered, said["button_something_else"], said["button_human"]]
            buttons = [{"title": choice, "payload": choice} for choice in choices]
            dispatcher.utter_message(response="utter_not_sure", buttons=buttons)
            return []
        enough, events = _doubt(tracker)
        if enough:
            return hand_off(dispatcher, "not_sure")
        dispatcher.utter_message(response="utter_no_answer")
        return events


class ActionRejectAnswer(TurnAction):
    """The last answer was not the right one."""

    action = "action_reject_answer"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        enough, events = _doubt(tracker)
        if enough:
            return hand_off(dispatcher, "not_sure")
        dispatcher.utter_message(response="utter_rejected")
        return events


class ActionHandOff(TurnAction):
    """The customer asked for a human."""

    action = "action_hand_off"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        return hand_off(dispatcher, "asked_for_human")


class ActionReportProblem(TurnAction):
    """Something does not work: the customer says what, or the last tip does, or we ask."""

    action = "action_report_problem"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        kb = knowledge(tracker)
        tip = tracker.get_slot("last_tip")
        if kb.products and not (tip and tip["product"] in kb.products):
            return await ActionAnswer().act(dispatcher, tracker)
        article = await _article(kb.language, tip["help"]) if tip else None
        human = texts(kb.language)["button_human"]
        buttons = [{"title": human, "payload": human}]
        if article is None:
            dispatcher.utter_message(response="utter_which_product", buttons=buttons)
            return []
        enough, events = _doubt(tracker)
        if enough:
            return hand_off(dispatcher, "problem_unsolved")
        source = {key: article[key] for key in ("article", "language", "title")}
        dispatcher.utter_message(response="utter_problem_intro")
        dispatcher.utter_message(
            text=article["text"],
            buttons=buttons,
            json_message={"asks": "tip_check", "sources": [source]},
        )
        return events


async def _article(language: str, article_id: str) -> dict[str, str] | None:
    """Title and short answer of an article, or None when there is none in the language."""

    def read(status: int, answer: Any) -> dict[str, str] | None:
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise ValueError(f"status {status}")
        found: dict[str, str] = answer
        return found

    return await _knowledge_process().get(f"/articles/{language}/{article_id}", read)


class ActionDeny(ActionReportProblem):
    """A bare "no": to the offer of a human, to "does it work?", or to nothing in particular."""

    action = "action_deny"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        if last_asked(tracker) == "tip_check":
            return await super().act(dispatcher, tracker)
        dispatcher.utter_message(response="utter_ask_rephrase_deny")
        return []
