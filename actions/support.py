"""Answers, doubts and handoffs."""

from functools import cache
from http import HTTPStatus
from textwrap import shorten
from typing import Any, ClassVar

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.helping import hand_off, helped, not_helped
from actions.reading import Knowledge, asked, understood, unhelped_before
from actions.turning import Events, TurnAction
from bot.bootstrap import settings
from bot.internal_http import InternalClient
from bot.messages import URGENT
from bot.texts import texts

KNOWLEDGE_SECONDS = 2.0
REASONS = {
    "danger": "danger",
    "crisis": "crisis",
    "legal": "legal",
    "inform_order_number": "order",
}
"""Why a human is asked, by the act; else because the customer wants one."""
UNSOLVED = "problem_unsolved"
_MOST_QUOTED = 80
"""Characters of a question that is said again."""


@cache
def _knowledge_process() -> InternalClient:
    return InternalClient(
        "The knowledge process",
        settings().knowledge_servers,
        KNOWLEDGE_SECONDS,
        settings().secret("rasa"),
        repeatable=True,
    )


class ActionAnswer(TurnAction):
    """Say what the knowledge base has found, ask which one is meant, or say that there is none."""

    action = "action_answer"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        first, *others = found = understood(tracker)
        if others:
            for each in found:
                _say_part(dispatcher, each)
            return helped(dispatcher)
        if first.outcome == "answer":
            _answer(dispatcher, first)
            return helped(dispatcher)
        if first.outcome == "clarify":
            _offer(dispatcher, first, response="utter_not_sure")
            return []
        if first.outcome == "confirm":
            dispatcher.utter_message(response=f"utter_confirm_{first.act}")
            return []
        return not_helped(dispatcher, tracker, "not_sure", "utter_no_answer")


def _answer(dispatcher: CollectingDispatcher, kb: Knowledge) -> None:
    article, title, _ = kb.candidates[0]
    source = {
        "article": article,
        "language": kb.article_language,
        "title": title,
        "heading": kb.heading,
    }
    if kb.article_language != kb.language:
        dispatcher.utter_message(response="utter_other_language")
    asks = {"asks": kb.asks} if kb.asks else {}
    dispatcher.utter_message(text=kb.text, json_message={"sources": [source], **asks})


def _offer(dispatcher: CollectingDispatcher, kb: Knowledge, **said: Any) -> None:
    """Titles to choose from."""
    words = texts(kb.language)
    offered = [title for _, title, _ in kb.candidates]
    choices = [*offered, words["button_something_else"], words["button_human"]]
    dispatcher.utter_message(
        buttons=_buttons(*choices),
        json_message={"asks": "choice", "choices": [article for article, *_ in kb.candidates]},
        **said,
    )


def _say_part(dispatcher: CollectingDispatcher, kb: Knowledge) -> None:
    """One of several questions."""
    # Rasa's templates take a bracket for one of their own.
    question = shorten(kb.question, _MOST_QUOTED, placeholder="…").replace("[", "(")
    if kb.outcome == "answer":
        _answer(dispatcher, kb)
    elif kb.outcome == "clarify":
        _offer(dispatcher, kb, response="utter_which_of", question=question)
    else:
        dispatcher.utter_message(response="utter_left_over", question=question)


class _NotHelped:
    """What is said does not help, see `not_helped`; no action itself: Rasa takes all there are."""

    reason: ClassVar[str] = "not_sure"
    response: ClassVar[str | None] = None

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        return not_helped(dispatcher, tracker, self.reason, self.response)


class ActionNotUnderstood(_NotHelped, TurnAction):
    """No word is known, or no rule fits. Unlike Rasa's own fallback it keeps the turn."""

    action = "action_not_understood"
    response = "utter_not_understood"


class ActionRejectAnswer(_NotHelped, TurnAction):
    """The last answer was not the right one."""

    action = "action_reject_answer"
    response = "utter_rejected"


class ActionDecline(_NotHelped, TurnAction):
    """The customer does not want something done."""

    action = "action_decline"
    response = "utter_declined"


class ActionComplain(_NotHelped, TurnAction):
    """The customer is angry: an apology and a person, who comes if it goes on."""

    action = "action_complain"
    reason = "complaint"
    response = "utter_apologise_complaint"


class ActionSaidAgain(TurnAction):
    """The assistant has said the same as before: that did not help."""

    action = "action_said_again"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        # What was said again may have begun the count anew.
        return not_helped(dispatcher, tracker, "not_sure", before=unhelped_before(tracker))


class ActionHandOff(TurnAction):
    """A human has to come: the customer wants one, or it is urgent.

    The words of safety are said here and not by a rule: if this fails, nothing is said, and the
    turn is taken again until a human is called.
    """

    action = "action_hand_off"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        intent = tracker.latest_message["intent"]["name"]
        if intent in URGENT:
            dispatcher.utter_message(response=f"utter_{intent}")
        return hand_off(dispatcher, REASONS.get(intent, "asked_for_human"))


class ActionOrderNumber(TurnAction):
    """The number of an order: a human gets it if it was asked for, else is offered."""

    action = "action_order_number"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        if asked(tracker) == "order_number":
            return hand_off(dispatcher, "order")
        kb = understood(tracker)[0]
        titles = [title for _, title, _ in kb.candidates]
        dispatcher.utter_message(response="utter_about_order", buttons=_buttons(*titles))
        return []


class ActionReportProblem(TurnAction):
    """Something does not work: the customer says what, or has bought one thing, or we ask."""

    action = "action_report_problem"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        kb = understood(tracker)[0]
        tip = tracker.get_slot("last_tip")
        bought = kb.bought or ((tip["product"],) if tip else ())
        human = _buttons(texts(kb.language)["button_human"])
        if len(bought) != 1:
            others = [each for each in await _products() if each not in bought]
            names = [each.replace("-", " ").title() for each in (*bought, *others)]
            buttons = [*_buttons(*names), *human]
            return not_helped(dispatcher, tracker, UNSOLVED, "utter_which_product", buttons=buttons)
        if tracker.get_slot("unhelped"):  # this very article did not help
            return not_helped(dispatcher, tracker, UNSOLVED)
        if tip and tip["product"] in bought:
            article = await _article(kb.language, tip["help"])
        else:
            article = await _help_with(kb, bought[0])
        if article is None:
            return not_helped(dispatcher, tracker, UNSOLVED, "utter_no_answer")
        source = {key: article[key] for key in ("article", "language", "title")}
        events = not_helped(dispatcher, tracker, UNSOLVED, "utter_problem_intro")
        dispatcher.utter_message(
            text=article["text"],
            buttons=human,
            json_message={"asks": "tip_check", "sources": [source]},
        )
        return events


def _buttons(*titles: str) -> list[dict[str, str]]:
    return [{"title": each, "payload": each} for each in titles]


async def _products() -> list[str]:
    """Ids of the products that have names."""

    def read(status: int, answer: Any) -> list[str]:
        if status != HTTPStatus.OK:
            raise ValueError(f"status {status}")
        return [str(each) for each in answer]

    return await _knowledge_process().get("/products", read)


async def _help_with(kb: Knowledge, product: str) -> dict[str, str] | None:
    """The article that helps with a product of which something does not work, if one is sure."""

    def read(status: int, answer: Any) -> dict[str, str] | None:
        if status != HTTPStatus.OK:
            raise ValueError(f"status {status}")
        match: dict[str, Any] = answer[0]
        if match["outcome"] != "answer":
            return None
        first = match["candidates"][0]
        return {
            "article": first["article"],
            "title": first["title"],
            "language": match["article_language"],
            "text": match["text"],
        }

    asked_for = {"text": f"{kb.question} {product.replace('-', ' ')}", "language": kb.language}
    return await _knowledge_process().post("/match", asked_for, read=read)


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
