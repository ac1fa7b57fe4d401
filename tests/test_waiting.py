"""What a customer may do with the conversation: leave the queue, stop tips, say it once more."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Customer, Remark, Turn
from bot.handoff import queue
from bot.journeys.tips import send_next
from bot.messages import HandoffRequest, Outcome, Reply, TurnResult
from bot.texts import texts
from bot.turns.beginning import begin
from tests.players import Asked, Stage, echo
from tests.scenes import (
    add_agent,
    change,
    conversation_of,
    new_customer,
    say,
    timeline,
    waiting,
)
from tests.test_tips import buy

SILENCE = timedelta(hours=1)
WORDS = texts("en")


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def says(stage: Stage, result: TurnResult) -> list[Asked]:
    """Let the assistant answer so; what it is asked from then on."""
    heard: list[Asked] = []

    async def act(asked: Asked) -> TurnResult:
        heard.append(asked)
        return result

    stage.assistant.act = act
    return heard


def who_waits(stage: Stage) -> tuple[str, str]:
    """Customer and conversation."""
    conversation = waiting(stage.database).conversation_id
    return conversation_of(stage.database, conversation).customer_id, conversation


def last_words(database: Database, customer: str) -> Sequence[str]:
    return [each.text for each in timeline(database, customer)][-1:]


def test_who_waits_is_not_answered_by_halves(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    heard = says(stage, TurnResult((Reply("Which one?"),)))
    stage.knowledge.outcome = Outcome.CLARIFY
    say(stage.database, customer, "my order number is on the box")
    assert stage.take_all() == 1
    assert heard == []
    assert last_words(stage.database, customer) == ["my order number is on the box"]
    assert conversation_of(stage.database, conversation).owner == Owner.WAITING


def test_what_the_assistant_did_not_hear_is_told_with_the_next_turn(stage: Stage) -> None:
    customer, _ = who_waits(stage)
    heard = says(stage, TurnResult((Reply("Two days."),)))
    stage.knowledge.outcome = Outcome.HANDOFF
    say(stage.database, customer, "for the human")
    stage.take_all()
    stage.knowledge.outcome = Outcome.ANSWER
    say(stage.database, customer, "how long is delivery?")
    stage.take_all()
    assert "for the human" in [each.text for each in heard[0].history]


def test_who_needs_nobody_any_more_leaves_the_queue_and_is_told_so_once(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    says(stage, TurnResult((), wish="leave_queue"))
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "stop"
    say(stage.database, customer, "never mind")
    stage.take_all()
    assert conversation_of(stage.database, conversation).owner == Owner.ASSISTANT
    assert queue.entries(stage.database) == []
    told = [each.text for each in timeline(stage.database, customer)]
    assert told.count(WORDS["system_left_queue"]) == 1


def test_danger_is_heard_while_waiting_and_goes_ahead(stage: Stage) -> None:
    waiting(stage.database)
    customer, conversation = who_waits(stage)
    says(stage, TurnResult((Reply("Keep away from it."),), HandoffRequest("danger")))
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "danger"
    say(stage.database, customer, "it burns")
    stage.take_all()
    first = queue.entries(stage.database)[0]
    assert (first.conversation.id, first.handoff.reason) == (conversation, "danger")


def test_an_agent_who_comes_during_a_turn_is_not_talked_over(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    agent = add_agent(stage.database)

    async def act(asked: Asked) -> TurnResult:
        queue.claim(stage.database, conversation, agent)
        return TurnResult((Reply("Two days."),), wish="leave_queue")

    stage.assistant.act = act
    say(stage.database, customer, "how long is delivery?")
    stage.take_all()
    assert "Two days." not in [each.text for each in timeline(stage.database, customer)]
    assert conversation_of(stage.database, conversation).owner == Owner.AGENT


def test_an_outage_while_waiting_says_nothing_and_danger_is_heard_after_it(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    stage.knowledge.down = True
    say(stage.database, customer, "it burns")
    assert stage.take_all() == 1
    assert last_words(stage.database, customer) == ["it burns"]
    stage.knowledge.down = False
    says(stage, TurnResult((Reply("Keep away from it."),), HandoffRequest("danger")))
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "danger"
    change(stage.database, conversation, turn_due_at=now())
    assert stage.take_all() == 1
    [entry] = queue.entries(stage.database)
    assert entry.handoff.reason == "danger"


def test_danger_that_was_sent_while_a_person_was_being_called_is_heard(stage: Stage) -> None:
    customer = new_customer(stage.database)
    says(stage, TurnResult((), HandoffRequest("asked_for_human")))
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "ask_human"
    say(stage.database, customer, "a person please")
    say(stage.database, customer, "it burns")
    stage.next_turn()
    says(stage, TurnResult((Reply("Keep away from it."),), HandoffRequest("danger")))
    stage.knowledge.act = "danger"
    assert stage.take_all() == 1
    [entry] = queue.entries(stage.database)
    assert entry.handoff.reason == "danger"


def test_ok_leaves_no_queue(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    heard = says(stage, TurnResult((Reply("Still waiting.", asks="leave_queue"),)))
    say(stage.database, customer, "how long is delivery?")
    stage.take_all()
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "affirm"
    say(stage.database, customer, "ok")
    stage.take_all()
    assert len(heard) == 1
    assert conversation_of(stage.database, conversation).owner == Owner.WAITING


def test_no_tip_comes_to_who_talks_to_a_human_or_wants_none(stage: Stage) -> None:
    database = stage.database
    customer = new_customer(database)
    conversation = say(database, customer, "hello").conversation_id
    stage.take_all()
    buy(database, customer, steps=2, ago=timedelta(minutes=5))
    for owner in (Owner.WAITING, Owner.AGENT):
        change(database, conversation, owner=owner)
        assert send_next(database, SILENCE) is None
    change(database, conversation, owner=Owner.ASSISTANT)
    assert send_next(database, SILENCE) is not None
    says(stage, TurnResult((Reply("No more tips."),), wish="stop_tips"))
    say(database, customer, "stop sending me tips")
    stage.take_all()
    assert send_next(database, SILENCE) is None
    says(stage, TurnResult((Reply("Tips again."),), wish="resume_tips"))
    say(database, customer, "send them again")
    stage.take_all()
    assert send_next(database, SILENCE) is not None


def test_an_opinion_is_kept_for_the_team(stage: Stage) -> None:
    customer = new_customer(stage.database)
    says(stage, TurnResult((Reply("Thank you."),), wish="feedback"))
    stage.together = True
    said = ["The letters are too small.", "On the phone, too."]
    accepted = {say(stage.database, customer, each).message_id for each in said}
    stage.take_all()
    with stage.database.read() as session:
        remarks = session.scalars(select(Remark)).all()
    assert {each.message_id for each in remarks} == accepted
    assert {each.read_at for each in remarks} == {None}


def test_who_asks_what_is_kept_is_told_in_numbers(stage: Stage) -> None:
    customer = new_customer(stage.database)
    says(stage, TurnResult((), wish="my_data"))
    say(stage.database, customer, "what do you know about me?")
    stage.take_all()
    [told] = last_words(stage.database, customer)
    assert told.startswith("Kept here of you: 1 messages since")


def test_who_starts_over_has_no_context(stage: Stage) -> None:
    customer = new_customer(stage.database)
    says(stage, TurnResult((Reply("Which?", asks="choice", choices=("a",)),), unhelped=1))
    stage.knowledge.outcome = Outcome.CLARIFY
    say(stage.database, customer, "something")
    stage.take_all()
    says(stage, TurnResult((Reply("From the beginning."),), wish="start_over"))
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "start_over"
    say(stage.database, customer, "start over")
    stage.take_all()
    say(stage.database, customer, "a")
    stage.take_all()
    first, second, third = stage.knowledge.contexts
    assert (second.asked, second.choices, second.unhelped) == ("choice", ("a",), 1)
    assert first == third


def test_who_says_the_same_before_the_answer_is_there_gets_one(stage: Stage) -> None:
    customer, stage.together = new_customer(stage.database), True
    question = "How long does delivery take?"

    async def act(asked: Asked) -> TurnResult:
        if asked.message.text == question:
            say(stage.database, customer, question)
            say(stage.database, customer, question)
            say(stage.database, customer, "And is it free?")
        return TurnResult((Reply(f"re: {asked.message.text}"),))

    stage.assistant.act = act
    say(stage.database, customer, question)
    assert stage.take_all() == 2
    said = timeline(stage.database, customer)
    assert [each.text for each in said if each.author == "assistant"] == [
        f"re: {question}",
        "re: And is it free?",
    ]
    assert not any(each.pending for each in said)
    stage.assistant.act = echo
    say(stage.database, customer, question)  # after the answer it is asked anew
    assert stage.take_all() == 1


def test_an_opt_out_is_recorded_at_once_and_its_time_stays(database: Database) -> None:
    stage = Stage(database)
    customer = new_customer(database)
    says(stage, TurnResult((Reply("No more."),), wish="stop_tips"))
    times = []
    for text in ("stop tips", "stop tips!"):
        say(database, customer, text)
        stage.take_all()
        with database.read() as session:
            times.append(session.get_one(Customer, customer).tips_stopped_at)
    assert times[0] is not None
    assert times[0] == times[1]


def test_an_open_turn_of_who_waits_ends_when_a_human_comes(stage: Stage) -> None:
    customer, conversation = who_waits(stage)
    say(stage.database, customer, "are you there?")
    [work] = begin(stage.database, "killed", 10, together=True)
    agent = add_agent(stage.database)
    queue.claim(stage.database, conversation, agent)
    with stage.database.read() as session:
        assert session.get_one(Turn, work.turn_id).state == "done"
    queue.resolve(stage.database, conversation, agent)
    change(stage.database, conversation, leased_until=now() - timedelta(seconds=1))
    assert begin(stage.database, "next", 10, together=True) == [], "it was said to the agent"
