"""Turns: in order, one writer, committed at once, and what a customer hears when they fail."""

import asyncio
from datetime import timedelta

import pytest

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Customer, Message
from bot.errors import Unavailable
from bot.handoff import queue
from bot.messages import Button, Context, HandoffRequest, Outcome, Reply, Source, TurnResult
from bot.texts import texts
from bot.turns import ending, leases
from bot.turns.ending import Finished
from bot.turns.leases import LeaseLost
from tests.players import CANDIDATE, RECOVERY, Asked, Stage, echo
from tests.scenes import change, conversation_of, new_customer, say, timeline

HANDOFF = TurnResult((), HandoffRequest("asked_for_human"))


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def test_messages_are_answered_one_after_the_other_in_their_order(stage: Stage) -> None:
    customer = new_customer(stage.database)
    for text in ("one", "two", "three"):
        conversation = say(stage.database, customer, text).conversation_id
    assert stage.take_all() == 3
    assert [each.message.text for each in stage.assistant.asked] == ["one", "two", "three"]
    said = [(each.author, each.text) for each in timeline(stage.database, customer)]
    assert said[3:] == [("assistant", f"re: {text}") for text in ("one", "two", "three")]
    after = conversation_of(stage.database, conversation)
    assert after.turn_due_at is None
    assert after.leased_until is None


def test_many_workers_keep_the_order_of_every_conversation_and_answer_once(stage: Stage) -> None:
    customers = [new_customer(stage.database) for _ in range(6)]
    for text in ("one", "two", "three"):
        for customer in customers:
            say(stage.database, customer, text)

    async def worker() -> None:
        while (work := await asyncio.to_thread(stage.lease)) is not None:
            await stage.take(work)

    async def work() -> None:
        await asyncio.gather(*(worker() for _ in range(4)))

    asyncio.run(work())
    stage.take_all()
    for customer in customers:
        said = timeline(stage.database, customer)
        assert [each.seq for each in said] == list(range(1, 7))
        assert [each.text for each in said[3:]] == ["re: one", "re: two", "re: three"]
    assert len(stage.assistant.asked) == 18


def test_a_leased_conversation_is_not_leased_again(stage: Stage) -> None:
    say(stage.database, new_customer(stage.database))
    assert stage.lease() is not None
    assert stage.lease() is None


def test_the_conversation_that_is_due_the_longest_comes_first(stage: Stage) -> None:
    younger, older = (
        say(stage.database, new_customer(stage.database)).conversation_id for _ in range(2)
    )
    change(stage.database, older, turn_due_at=now() - timedelta(minutes=1))
    first, second = stage.lease(), stage.lease()
    assert first is not None
    assert second is not None
    assert [first.lease.conversation_id, second.lease.conversation_id] == [older, younger]


def test_a_worker_that_starts_again_ends_the_leases_of_its_last_life_only(stage: Stage) -> None:
    for _ in range(2):
        say(stage.database, new_customer(stage.database))
    dead, other = stage.lease("one"), stage.lease("two")
    assert dead is not None
    assert other is not None
    assert leases.end_those_of(stage.database, "one") == 1
    resumed = stage.lease("one")
    assert resumed is not None
    assert resumed.turn_id == dead.turn_id
    assert resumed.lease.token > dead.lease.token
    assert stage.lease("one") is None


def test_a_taken_over_worker_writes_no_reply(stage: Stage) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    slow = stage.lease()
    assert slow is not None

    async def slower_than_the_lease(asked: Asked) -> TurnResult:
        stage.assistant.act = echo
        stage.expire_lease(conversation)
        other = await asyncio.to_thread(stage.lease)
        assert other is not None
        assert other.lease.token > slow.lease.token
        await stage.take(other)
        return TurnResult((Reply("too late"),))

    stage.assistant.act = slower_than_the_lease
    with pytest.raises(LeaseLost):
        asyncio.run(stage.take(slow))
    said = [each.text for each in timeline(stage.database, customer)]
    assert said == ["Where is my order?", "re: Where is my order?"]


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_turn_that_a_worker_took_over_from_itself_ends_once(stage: Stage, first: str) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    old = stage.lease()
    stage.expire_lease(conversation)  # it was frozen
    new = stage.lease()
    assert old is not None
    assert new is not None
    assert new.turn_id == old.turn_id

    match = asyncio.run(stage.knowledge.match("", "en"))
    order = (old, new) if first == "old" else (new, old)
    finished = [Finished(each, match, TurnResult((Reply("once"),)), {}) for each in order]
    results = ending.complete_all(stage.database, finished)

    assert [isinstance(each, LeaseLost) for each in results] == [each is old for each in order]
    said = [each.text for each in timeline(stage.database, customer)]
    assert said == ["Where is my order?", "once"]


def test_a_taken_over_worker_neither_begins_a_turn_nor_apologises(stage: Stage) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    old = stage.lease()
    stage.expire_lease(conversation)
    new = stage.lease()
    assert old is not None
    assert new is not None
    stage.knowledge.down = True
    with pytest.raises(LeaseLost):
        asyncio.run(stage.take(old))
    assert len(timeline(stage.database, customer)) == 1
    asyncio.run(stage.take(new))
    assert len(timeline(stage.database, customer)) == 2


def test_every_unheard_message_is_apologised_for_once(stage: Stage) -> None:
    customer = new_customer(stage.database)
    stage.knowledge.down = True
    conversation = say(stage.database, customer, "one").conversation_id
    sorry = texts("en")["system_unavailable"]

    def apologies() -> int:
        return sum(each.text == sorry for each in timeline(stage.database, customer))

    assert stage.next_turn()
    assert apologies() == 1
    stage.make_due(conversation)
    assert stage.next_turn()
    assert apologies() == 1
    say(stage.database, customer, "two")
    say(stage.database, customer, "three")
    assert stage.next_turn()
    assert apologies() == 2  # one for both
    stage.make_due(conversation)
    assert stage.next_turn()
    assert apologies() == 2


def test_a_failed_message_is_kept_tried_later_and_answered_first(stage: Stage) -> None:
    customer = new_customer(stage.database)
    stage.knowledge.down = True
    conversation = say(stage.database, customer, "one").conversation_id
    assert stage.take_all() == 1  # the next try is not at once
    due = conversation_of(stage.database, conversation).turn_due_at
    assert due is not None
    assert now() < due <= now() + timedelta(seconds=30)
    say(stage.database, customer, "two")
    stage.knowledge.down = False
    stage.make_due(conversation)
    assert stage.take_all() == 2
    assert [each.message.text for each in stage.assistant.asked] == ["one", "two"]


def test_a_message_unanswered_for_too_long_goes_to_a_human(stage: Stage) -> None:
    customer = new_customer(stage.database, "fa")
    accepted = say(stage.database, customer)
    say(stage.database, customer, "hello?")
    with stage.database.write("test") as session:
        message = session.get_one(Message, accepted.message_id)
        message.created_at = now() - RECOVERY - timedelta(seconds=1)
    stage.knowledge.down = True
    assert stage.take_all() == 2
    said = timeline(stage.database, customer)
    words = texts("fa")
    assert [each.text for each in said[2:]] == [
        words["system_recovered_handoff"],
        words["system_waiting"],
    ]
    assert [each.pending for each in said[:2]] == [False, True], "the next one may be danger"
    assert conversation_of(stage.database, accepted.conversation_id).owner == Owner.WAITING
    [entry] = queue.entries(stage.database)
    assert entry.handoff.reason == "assistant_unavailable"


def test_a_handoff_silences_the_assistant_also_on_what_is_pending(stage: Stage) -> None:
    customer = new_customer(stage.database)

    async def hand_off(asked: Asked) -> TurnResult:
        return HANDOFF

    stage.assistant.act = hand_off
    conversation = say(stage.database, customer, "a person, please").conversation_id
    say(stage.database, customer, "please!")
    stage.knowledge.outcome = Outcome.HANDOFF
    assert stage.take_all() == 2
    assert conversation_of(stage.database, conversation).owner == Owner.WAITING
    say(stage.database, customer, "still there?")
    assert stage.take_all() == 1
    said = timeline(stage.database, customer)
    assert not any(each.pending for each in said)
    assert [each.author for each in said] == ["customer", "customer", "system", "customer"]
    [entry] = queue.entries(stage.database)
    assert entry.handoff.candidates == [], "asking for a person is no question"


@pytest.mark.parametrize("reason", ["asked_for_human", "not_sure"])
def test_an_agent_is_shown_the_articles_of_the_last_question(stage: Stage, reason: str) -> None:
    async def answer_then_hand_off(asked: Asked) -> TurnResult:
        if asked.message.text == "where is my order":
            return TurnResult((Reply("on its way"),))
        return TurnResult((), HandoffRequest(reason))

    stage.assistant.act = answer_then_hand_off
    customer = new_customer(stage.database)
    say(stage.database, customer, "where is my order")
    say(stage.database, customer, "that is no help")
    assert stage.take_all() == 2
    [entry] = queue.entries(stage.database)
    assert [each["article"] for each in entry.handoff.candidates] == [CANDIDATE.article]


def test_a_turn_that_is_due_while_an_agent_has_the_conversation_is_dropped(stage: Stage) -> None:
    customer = new_customer(stage.database)
    conversation = say(stage.database, customer).conversation_id
    change(stage.database, conversation, owner=Owner.AGENT)
    assert not stage.next_turn()
    assert stage.assistant.asked == []
    assert [each.pending for each in timeline(stage.database, customer)] == [False]
    assert conversation_of(stage.database, conversation).turn_due_at is None


def test_a_message_that_comes_during_a_turn_is_taken_next(stage: Stage) -> None:
    customer = new_customer(stage.database)
    say(stage.database, customer, "one")

    async def interrupted(asked: Asked) -> TurnResult:
        stage.assistant.act = echo
        await asyncio.to_thread(say, stage.database, customer, "two")
        return await echo(asked)

    stage.assistant.act = interrupted
    assert stage.take_all() == 2
    said = [each.text for each in timeline(stage.database, customer)]
    assert said == ["one", "two", "re: one", "re: two"]


def test_replies_keep_their_buttons_and_sources(stage: Stage) -> None:
    customer = new_customer(stage.database)
    reply = Reply(
        "Which?", (Button("Track", "track it"),), (Source("a", "en", "A", "B"),), "tip_check"
    )

    async def clarify(asked: Asked) -> TurnResult:
        return TurnResult((reply, Reply("Or this?")))

    stage.assistant.act = clarify
    say(stage.database, customer)
    stage.take_all()
    question, first, second = timeline(stage.database, customer)
    assert first.buttons == [{"title": "Track", "text": "track it"}]
    assert first.sources == [{"article": "a", "language": "en", "title": "A", "heading": "B"}]
    assert first.context == {"asks": "tip_check"}
    assert first.answers == second.answers == question.id
    assert question.match is not None
    assert question.match["confidence"] == pytest.approx(0.93)


def test_what_was_asked_stays_the_topic_while_nothing_else_is_asked(stage: Stage) -> None:
    customer = new_customer(stage.database)
    source = Source("delivery", "en", "Delivery")
    replies = iter(
        [Reply("Two days.", sources=(source,)), Reply("You are welcome."), Reply("Yes.")]
    )

    async def act(asked: Asked) -> TurnResult:
        return TurnResult((next(replies),))

    stage.assistant.act = act
    said = ("How long does delivery take?", "thanks", "and to Hanoi?")
    for text in said:
        stage.knowledge.outcome = Outcome.ACT if text == "thanks" else Outcome.ANSWER
        say(stage.database, customer, text)
        stage.take_all()
    asked = Context(said[0], CANDIDATE.article)
    assert stage.knowledge.contexts == [Context(), asked, asked]


def test_a_wished_language_is_kept_for_the_customer(stage: Stage) -> None:
    customer = new_customer(stage.database, "en")

    async def in_thai(asked: Asked) -> TurnResult:
        return TurnResult((Reply("ค่ะ"),), language="th")

    stage.assistant.act = in_thai
    conversation = say(stage.database, customer).conversation_id
    stage.take_all()
    assert conversation_of(stage.database, conversation).language == "th"
    with stage.database.read() as session:
        assert session.get_one(Customer, customer).language == "th"


def test_the_conversation_follows_the_language_of_the_message(stage: Stage) -> None:
    stage.knowledge.language = "vi"
    conversation = say(stage.database, new_customer(stage.database, "en")).conversation_id
    stage.take_all()
    assert conversation_of(stage.database, conversation).language == "vi"


def test_an_assistant_that_stays_unavailable_never_loses_the_message(stage: Stage) -> None:
    customer = new_customer(stage.database)

    async def silent(asked: Asked) -> TurnResult:
        raise Unavailable("The assistant said nothing.")

    stage.assistant.act = silent
    conversation = say(stage.database, customer).conversation_id
    for _ in range(6):
        stage.make_due(conversation)
        assert stage.next_turn()
    assert timeline(stage.database, customer)[0].pending
