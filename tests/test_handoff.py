"""The way of a handoff: request, claim, replies, release, resolve."""

import pytest

from bot.conversations.database import Database
from bot.conversations.intake import accept, incoming
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Message
from bot.conversations.timeline import lock_customer
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound
from bot.handoff import queue
from bot.languages import LANGUAGES
from bot.messages import HandoffRequest, Source
from bot.texts import texts
from tests.scenes import SILENCE, add_agent, at_once, conversation_of, say, timeline, waiting


def test_a_request_puts_the_conversation_into_the_queue_and_tells_the_customer(
    database: Database,
) -> None:
    for language in LANGUAGES:
        conversation = conversation_of(database, waiting(database, language).conversation_id)
        assert conversation.owner == Owner.WAITING
        assert conversation.turn_due_at is None
        said = timeline(database, conversation.customer_id)
        assert said[-1].author == "system"
        assert said[-1].text == texts(language)["system_waiting"]
    entries = queue.entries(database)
    assert len(entries) == len(LANGUAGES)
    assert {each.handoff.reason for each in entries} == {"asked_for_human"}
    assert {each.agent_name for each in entries} == {None}


def test_what_is_urgent_goes_ahead_of_who_has_waited_longer(database: Database) -> None:
    first, second = waiting(database), waiting(database)
    with database.write("test") as session:
        conversation = session.get_one(Conversation, second.conversation_id)
        customer = lock_customer(session, conversation.customer_id)
        queue.request(session, customer, conversation, HandoffRequest("danger"), ())
    assert [(each.conversation.id, each.handoff.reason) for each in queue.entries(database)] == [
        (second.conversation_id, "danger"),
        (first.conversation_id, "asked_for_human"),
    ]


def test_the_longest_waiting_comes_first_and_shows_what_was_said_last(database: Database) -> None:
    first, second = waiting(database), waiting(database)
    customer = conversation_of(database, first.conversation_id).customer_id
    say(database, customer, "hello?")
    found = queue.entries(database)
    assert [each.conversation.id for each in found] == [
        first.conversation_id,
        second.conversation_id,
    ]
    assert found[0].last_message.text == "hello?"


def test_of_agents_who_claim_at_the_same_time_exactly_one_succeeds(database: Database) -> None:
    conversation = waiting(database).conversation_id
    agents = [add_agent(database) for _ in range(8)]
    results = at_once(lambda agent: queue.claim(database, conversation, agent), agents)
    winners = [
        agent
        for agent, result in zip(agents, results, strict=True)
        if not isinstance(result, Exception)
    ]
    assert len(winners) == 1
    assert all(isinstance(each, Conflict) for each in results if isinstance(each, Exception))
    [entry] = queue.entries(database)
    assert entry.handoff.agent_id == winners[0]
    customer = conversation_of(database, conversation).customer_id
    claimed = texts("en")["system_claimed"]
    assert [each.text for each in timeline(database, customer)].count(claimed) == 1


def test_claiming_what_one_has_already_changes_nothing(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    before = len(timeline(database, customer))
    assert queue.claim(database, conversation, agent).owner == Owner.AGENT
    assert len(timeline(database, customer)) == before


def test_a_reply_reaches_the_customer_as_an_agents(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    queue.reply(database, conversation, agent, "1", " I am here\u202e ")
    last = timeline(database, customer)[-1]
    assert (last.author, last.text) == ("agent", "I am here")


def test_nobody_but_the_agent_who_has_the_conversation_may_act_on_it(database: Database) -> None:
    conversation = waiting(database).conversation_id
    agent, stranger = add_agent(database), add_agent(database)
    with pytest.raises(Forbidden):
        queue.reply(database, conversation, agent, "1", "before the claim")
    customer = queue.claim(database, conversation, agent).customer_id
    before = len(timeline(database, customer))
    with pytest.raises(Forbidden):
        queue.reply(database, conversation, stranger, "1", "let me")
    with pytest.raises(Forbidden):
        queue.resolve(database, conversation, stranger)
    with pytest.raises(Forbidden):
        queue.release(database, conversation, stranger)
    with pytest.raises(Conflict):
        queue.claim(database, conversation, stranger)
    assert len(timeline(database, customer)) == before
    assert conversation_of(database, conversation).owner == Owner.AGENT


def test_the_same_reply_id_writes_once(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    before = len(timeline(database, customer))
    sent = at_once(lambda text: queue.reply(database, conversation, agent, "1", text), ["Hi"] * 8)
    assert len({each.id for each in sent if not isinstance(each, Exception)}) == 1
    assert not any(isinstance(each, Exception) for each in sent)
    with pytest.raises(Conflict):
        queue.reply(database, conversation, agent, "1", "Something else")
    assert len(timeline(database, customer)) == before + 1


def test_a_reply_of_before_sources_had_headings_is_still_the_same(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    queue.claim(database, conversation, agent)
    source = Source("returns", "en", "Return a product")
    first = queue.reply(database, conversation, agent, "1", "Like this.", source)
    with database.write("test") as session:
        recorded = {"article": "returns", "language": "en", "title": "Return a product"}
        session.get_one(Message, first.id).sources = [recorded]
    assert queue.reply(database, conversation, agent, "1", "Like this.", source).id == first.id


@pytest.mark.parametrize("ids", [("1", "1"), ("agent:1", "1")])
def test_a_customers_message_id_never_stands_in_the_way_of_an_agents(
    database: Database, ids: tuple[str, str]
) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    accept(database, incoming(customer, ids[0], "from the customer"), SILENCE)
    queue.reply(database, conversation, agent, ids[1], "from the agent")
    assert timeline(database, customer)[-1].text == "from the agent"


def test_an_empty_reply_is_refused(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    queue.claim(database, conversation, agent)
    with pytest.raises(InvalidInput):
        queue.reply(database, conversation, agent, "1", " \u200b ")


def test_a_released_conversation_waits_again_and_another_may_claim_it(database: Database) -> None:
    conversation = waiting(database).conversation_id
    agent, other = add_agent(database), add_agent(database, "other")
    queue.claim(database, conversation, agent)
    assert queue.release(database, conversation, agent).owner == Owner.WAITING
    with pytest.raises(Forbidden):
        queue.reply(database, conversation, agent, "2", "still me?")
    queue.claim(database, conversation, other)
    [entry] = queue.entries(database)
    assert entry.agent_name == "other"


def test_a_resolved_conversation_is_the_assistants_again(database: Database) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    assert queue.resolve(database, conversation, agent).owner == Owner.ASSISTANT
    assert timeline(database, customer)[-1].text == texts("en")["system_resolved"]
    assert queue.entries(database) == []
    with pytest.raises(Conflict):
        queue.resolve(database, conversation, agent)
    with pytest.raises(Conflict):
        queue.claim(database, conversation, agent)
    say(database, customer, "another question")
    assert timeline(database, customer)[-1].pending


def test_what_was_written_to_the_human_is_not_answered_by_the_assistant_later(
    database: Database,
) -> None:
    conversation, agent = waiting(database).conversation_id, add_agent(database)
    customer = queue.claim(database, conversation, agent).customer_id
    say(database, customer, "only for you")
    queue.resolve(database, conversation, agent)
    assert not any(each.pending for each in timeline(database, customer))
    assert conversation_of(database, conversation).turn_due_at is None


def test_a_conversation_may_be_handed_over_again_after_it_was_resolved(database: Database) -> None:
    accepted, agent = waiting(database), add_agent(database)
    queue.claim(database, accepted.conversation_id, agent)
    queue.resolve(database, accepted.conversation_id, agent)
    with database.write("test") as session:
        conversation = session.get_one(Conversation, accepted.conversation_id)
        customer = lock_customer(session, conversation.customer_id)
        queue.request(session, customer, conversation, HandoffRequest("complaint"), ())
    _, handoff, name, messages = queue.transcript(database, accepted.conversation_id)
    assert handoff is not None
    assert (handoff.reason, name) == ("complaint", None)
    assert [each.seq for each in messages] == list(range(1, len(messages) + 1))


def test_an_unknown_conversation_is_not_found(database: Database) -> None:
    for act in (queue.claim, queue.release, queue.resolve):
        with pytest.raises(NotFound):
            act(database, "0" * 32, add_agent(database))
    with pytest.raises(NotFound):
        queue.transcript(database, "0" * 32)
