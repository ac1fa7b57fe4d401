"""Poison: what always fails is put aside, its customer has a human, the others notice nothing."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from bot import bootstrap
from bot.cli import app
from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Message
from bot.errors import Conflict, Disconnected, NotFound, NotReached, TimedOut, Unavailable
from bot.handoff import queue
from bot.messages import TurnResult
from bot.texts import texts
from bot.turns import dead_letters
from bot.turns.dead_letters import DeadLetter
from bot.turns.ending import MAX_TRIES
from tests.players import Asked, Stage, echo
from tests.scenes import add_agent, change, conversation_of, new_customer, say, timeline

POISON = "poison"


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database, well=True)


def failing(problem: Exception) -> Callable[[Asked], object]:
    async def act(asked: Asked) -> TurnResult:
        if POISON in asked.message.text:
            raise problem
        return await echo(asked)

    return act


def try_often(stage: Stage, conversation_id: str, times: int = MAX_TRIES) -> None:
    for _ in range(times):
        stage.make_due(conversation_id)
        assert stage.next_turn()


def poisoned(stage: Stage) -> tuple[str, str, DeadLetter]:
    """Customer, conversation and dead letter of a message that was given up."""
    stage.assistant.act = failing(ValueError("secret words of a customer"))
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer, POISON).conversation_id
    try_often(stage, conversation)
    [letter] = dead_letters.waiting(stage.database)
    return customer, conversation, letter


def test_after_five_tries_a_message_is_a_dead_letter_and_a_human_is_asked(stage: Stage) -> None:
    customer, conversation, letter = poisoned(stage)
    assert (letter.tries, letter.problem) == (MAX_TRIES, "ValueError")
    assert (letter.customer_id, letter.conversation_id) == (customer, conversation)
    words = texts("en")
    said = timeline(stage.database, customer)
    assert [each.text for each in said] == [
        POISON,
        words["system_unavailable"],
        words["system_recovered_handoff"],
        words["system_waiting"],
    ]
    assert not any(each.pending for each in said)
    [entry] = queue.entries(stage.database)
    assert entry.conversation.id == conversation
    assert not stage.next_turn()


def test_neighbours_are_answered_while_a_message_fails_again_and_again(stage: Stage) -> None:
    stage.assistant.act = failing(ValueError())
    sick = say(stage.database, new_customer(stage.database), POISON).conversation_id
    for number in range(MAX_TRIES):
        neighbour = new_customer(stage.database)
        say(stage.database, neighbour, f"question {number}")
        stage.make_due(sick)
        assert stage.take_all() == 2
        said = [each.text for each in timeline(stage.database, neighbour)]
        assert said == [f"question {number}", f"re: question {number}"]
    assert len(dead_letters.waiting(stage.database)) == 1


@pytest.mark.parametrize(
    ("problem", "well", "is_poison"),
    [
        (Unavailable("status 503"), True, True),
        (Unavailable("status 503"), False, False),
        (NotReached("refused"), True, False),
        (Disconnected("it died of it"), False, True),
        (TimedOut("busy"), True, False),
    ],
)
def test_an_outage_makes_no_dead_letters(
    stage: Stage, problem: Exception, well: bool, is_poison: bool
) -> None:
    stage.well = well
    stage.assistant.act = failing(problem)
    conversation = say(stage.database, new_customer(stage.database), POISON).conversation_id
    try_often(stage, conversation)
    assert len(dead_letters.waiting(stage.database)) == is_poison
    owner = conversation_of(stage.database, conversation).owner
    assert owner == (Owner.WAITING if is_poison else Owner.ASSISTANT)


def test_what_a_part_is_stuck_on_for_minutes_is_poison(stage: Stage) -> None:
    stage.assistant.act = failing(TimedOut("it hangs"))
    accepted = say(stage.database, new_customer(stage.database), POISON)
    try_often(stage, accepted.conversation_id)
    assert dead_letters.waiting(stage.database) == []
    with stage.database.write("test") as session:
        message = session.get_one(Message, accepted.message_id)
        message.created_at = now() - timedelta(minutes=2)
    try_often(stage, accepted.conversation_id)
    assert len(dead_letters.waiting(stage.database)) == 1


def test_a_retried_dead_letter_is_answered_and_the_assistant_goes_on(stage: Stage) -> None:
    customer, conversation, letter = poisoned(stage)
    stage.assistant.act = echo
    assert dead_letters.retry(stage.database, letter.id) == conversation
    assert queue.entries(stage.database) == []
    assert stage.take_all() == 1
    assert dead_letters.waiting(stage.database) == []
    words = texts("en")
    assert [each.text for each in timeline(stage.database, customer)][-2:] == [
        words["system_resolved"],
        f"re: {POISON}",
    ]
    say(stage.database, customer, "thank you")
    assert stage.take_all() == 1
    assert stage.assistant.asked[-1].message.text == "thank you"


def test_a_retried_dead_letter_that_fails_again_is_one_again(stage: Stage) -> None:
    _, conversation, letter = poisoned(stage)
    dead_letters.retry(stage.database, letter.id)
    assert dead_letters.waiting(stage.database) == []
    try_often(stage, conversation)
    assert [each.id for each in dead_letters.waiting(stage.database)] == [letter.id]


def test_a_dead_letter_is_not_retried_behind_an_agents_back(stage: Stage) -> None:
    _, conversation, letter = poisoned(stage)
    queue.claim(stage.database, conversation, add_agent(stage.database))
    with pytest.raises(Conflict, match="agent"):
        dead_letters.retry(stage.database, letter.id)
    change(stage.database, conversation, owner=Owner.CLOSED)
    with pytest.raises(Conflict, match="ended"):
        dead_letters.retry(stage.database, letter.id)
    assert len(dead_letters.waiting(stage.database)) == 1


def test_a_dead_letter_is_not_retried_while_another_turn_is_taken(stage: Stage) -> None:
    customer, conversation, letter = poisoned(stage)
    agent = add_agent(stage.database)
    queue.claim(stage.database, conversation, agent)
    queue.resolve(stage.database, conversation, agent)
    stage.assistant.act = echo
    say(stage.database, customer, "something else")
    work = stage.lease()
    assert work is not None
    with pytest.raises(Conflict, match="Another turn"):
        dead_letters.retry(stage.database, letter.id)


def test_a_dropped_dead_letter_is_off_the_list_and_stays_in_the_record(stage: Stage) -> None:
    customer, _, letter = poisoned(stage)
    dead_letters.drop(stage.database, letter.id)
    assert dead_letters.waiting(stage.database) == []
    assert timeline(stage.database, customer)[0].text == POISON
    for act in (dead_letters.drop, dead_letters.retry):
        with pytest.raises(NotFound, match="usher dead-letters list"):
            act(stage.database, letter.id)


def test_the_command_lists_retries_and_drops(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "database", lambda: stage.database)
    run = CliRunner().invoke
    assert "no dead letters" in run(app, ["dead-letters", "list"]).output
    _, conversation, letter = poisoned(stage)
    [listed] = json.loads(run(app, ["dead-letters", "list", "--json"]).output)
    assert (listed["id"], listed["problem"]) == (letter.id, "ValueError")
    assert "secret" not in run(app, ["dead-letters", "list"]).output
    assert conversation in run(app, ["dead-letters", "retry", letter.id]).output
    try_often(stage, conversation)
    assert run(app, ["dead-letters", "drop", letter.id]).exit_code == 0
    assert isinstance(run(app, ["dead-letters", "drop", letter.id]).exception, NotFound)
