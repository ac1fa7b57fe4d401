"""What the assistant's tracker is told before a turn, and how a lost one is rebuilt."""

from datetime import UTC, datetime

import pytest

from bot.conversations.database import Database
from bot.conversations.tables import Conversation
from bot.conversations.timeline import append, lock_customer
from bot.errors import Unavailable
from bot.handoff import queue
from bot.journeys.purchases import PurchaseEvent, record
from bot.messages import Author, TurnResult
from bot.texts import texts
from bot.turns.assistant import TrackerBehind, parse_result
from bot.turns.history import HISTORY_LIMIT, everything
from tests.players import Asked, Stage, echo
from tests.scenes import add_agent, conversation_of, new_customer, say, timeline, waiting


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def tip(database: Database, conversation_id: str, text: str = "a tip") -> None:
    with database.write("test") as session:
        conversation = session.get_one(Conversation, conversation_id)
        customer = lock_customer(session, conversation.customer_id)
        append(session, customer, conversation, Author.ASSISTANT, text, context={"asks": "tip"})


def test_tracker_seq_is_the_last_message_whose_turn_was_taken(stage: Stage) -> None:
    customer = new_customer(stage.database)
    for number, seq in ((1, 1), (2, 3)):
        accepted = say(stage.database, customer, f"message {number}")
        stage.take_all()
        conversation = conversation_of(stage.database, accepted.conversation_id)
        assert conversation.tracker_seq == accepted.seq == seq


def test_a_failed_turn_leaves_tracker_seq_as_it_was(stage: Stage) -> None:
    stage.knowledge.down = True
    conversation = say(stage.database, new_customer(stage.database)).conversation_id
    stage.next_turn()
    assert conversation_of(stage.database, conversation).tracker_seq == 0


def test_the_assistant_is_told_what_others_said_but_not_its_own_replies(stage: Stage) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer, "one").conversation_id
    stage.take_all()
    tip(stage.database, conversation)
    say(stage.database, customer, "two")
    stage.take_all()
    last = stage.assistant.asked[-1]
    assert last.after == 1
    assert [(each.author, each.text, each.context) for each in last.history] == [
        ("assistant", "a tip", {"asks": "tip"})
    ]


def test_after_a_handoff_the_assistant_is_told_what_was_said_meanwhile(stage: Stage) -> None:
    conversation = waiting(stage.database).conversation_id
    customer = conversation_of(stage.database, conversation).customer_id
    agent = add_agent(stage.database)
    queue.claim(stage.database, conversation, agent)
    queue.reply(stage.database, conversation, agent, "1", "I looked it up")
    say(stage.database, customer, "thank you")
    queue.resolve(stage.database, conversation, agent)
    say(stage.database, customer, "one more thing")
    assert stage.take_all() == 1
    [asked] = stage.assistant.asked
    words = texts("en")
    assert [each.text for each in asked.history] == [
        "A person, please",
        words["system_waiting"],
        words["system_claimed"],
        "I looked it up",
        "thank you",
        words["system_resolved"],
    ]


def test_a_tracker_that_lost_everything_is_told_everything(stage: Stage) -> None:
    customer = new_customer(stage.database)
    say(stage.database, customer, "one")
    stage.take_all()

    async def emptied(asked: Asked) -> TurnResult:
        stage.assistant.act = echo
        raise TrackerBehind(0)

    stage.assistant.act = emptied
    say(stage.database, customer, "two")
    stage.take_all()
    refused, repeated = stage.assistant.asked[-2:]
    assert (refused.after, repeated.after) == (1, 0)
    assert [each.text for each in repeated.history] == ["one", "re: one"]
    assert timeline(stage.database, customer)[-1].text == "re: two"


def test_a_tracker_that_stays_behind_is_a_failed_turn(stage: Stage) -> None:
    customer = new_customer(stage.database)

    async def always_behind(asked: Asked) -> TurnResult:
        raise TrackerBehind(0)

    stage.assistant.act = always_behind
    say(stage.database, customer)
    assert stage.next_turn()
    assert len(stage.assistant.asked) == 2
    assert timeline(stage.database, customer)[-1].text == texts("en")["system_unavailable"]


def test_history_is_what_lies_between_two_messages_in_order_and_limited(stage: Stage) -> None:
    conversation = say(stage.database, new_customer(stage.database), "one").conversation_id
    for number in range(2, HISTORY_LIMIT + 12):
        tip(stage.database, conversation, f"tip {number}")
    found = everything(stage.database, conversation, 3, 7)
    assert [each.seq for each in found] == [4, 5, 6]
    newest = everything(stage.database, conversation, 0, HISTORY_LIMIT + 11)
    assert [each.seq for each in newest] == list(range(11, HISTORY_LIMIT + 11))
    assert everything(stage.database, "another", 0, 100) == ()


def test_the_knowledge_base_is_told_what_the_customer_bought(stage: Stage) -> None:
    customer = new_customer(stage.database)
    bought = datetime.now(UTC)
    event = PurchaseEvent("shop", "e", "o", "", customer, None, ("brio", "clara"), bought)
    record(stage.database, event, [], "en")
    say(stage.database, customer)
    stage.take_all()
    assert stage.knowledge.products == [("brio", "clara")]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"replies": None},
        {"replies": []},
        {"replies": [{"text": ""}]},
        {"replies": ["text"]},
        {"replies": [{"text": "a", "buttons": [{}]}]},
        {"replies": [{"text": "a", "custom": {"sources": [{"unknown": 1}]}}]},
    ],
)
def test_an_answer_that_says_nothing_or_is_not_understood_is_a_failure(answer: object) -> None:
    with pytest.raises(Unavailable):
        parse_result(answer)


def test_an_answer_is_parsed_into_replies_handoff_and_language() -> None:
    old = {"article": "a", "language": "fa", "title": "A"}
    sources = [old, old | {"heading": "B"}]
    result = parse_result(
        {
            "replies": [
                {
                    "text": "Hello",
                    "buttons": [{"title": "Yes", "payload": "yes please"}, {"title": "No"}],
                    "custom": {"asks": "tip_check", "language": "fa", "sources": sources},
                },
                {"custom": {"handoff": "complaint"}},
            ]
        }
    )
    [reply] = result.replies
    assert [(each.title, each.text) for each in reply.buttons] == [
        ("Yes", "yes please"),
        ("No", "No"),
    ]
    assert reply.asks == "tip_check"
    assert [each.heading for each in reply.sources] == ["", "B"]
    assert result.language == "fa"
    assert result.handoff is not None
    assert result.handoff.reason == "complaint"


def test_a_language_that_usher_does_not_speak_is_not_taken_over() -> None:
    result = parse_result({"replies": [{"text": "oui", "custom": {"language": "fr"}}]})
    assert result.language is None
