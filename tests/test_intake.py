"""Customers' messages come in exactly once, in order, into one open conversation."""

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversations.database import Database, now
from bot.conversations.intake import accept, clean_text, incoming
from bot.conversations.ownership import Owner
from bot.errors import Conflict, InvalidInput, NotFound
from bot.handoff import queue
from bot.messages import MAX_TEXT_LENGTH
from tests.scenes import (
    SILENCE,
    add_agent,
    at_once,
    change,
    conversation_of,
    conversations,
    new_customer,
    say,
    successes,
    timeline,
    waiting,
)

LONG_AGO = timedelta(days=2)


@given(st.text(max_size=200))
def test_cleaned_text_is_nfc_visible_and_stays_as_it_is_when_cleaned_again(text: str) -> None:
    try:
        cleaned = clean_text(text)
    except InvalidInput:
        return
    assert cleaned
    assert cleaned == cleaned.strip()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not set(cleaned) & set("\0\x08\x1b\x7f\r\u202a\u202e\u2066\u2069\u200b\ufeff")
    assert clean_text(cleaned) == cleaned


@given(st.text(alphabet="abcกขงانی ăđ\u200c\u200d", min_size=1).filter(lambda text: text.strip()))
def test_letters_and_joiners_of_the_four_scripts_survive(text: str) -> None:
    assert clean_text(text) == unicodedata.normalize("NFC", text).strip()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  hello  ", "hello"),
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("pay\u202edap.exe", "paydap.exe"),
        ("a\0b\x1b[31m", "ab[31m"),
        ("Đơn ha\u0300ng", "Đơn hàng"),
    ],
)
def test_text_is_stored_without_what_cannot_be_seen(typed: str, stored: str) -> None:
    assert clean_text(typed) == stored


@pytest.mark.parametrize("text", ["", "   \n\t", "\u200b\u202e\0", "\ufeff", "\ud800", "a\udfffb"])
def test_nothing_and_broken_unicode_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        clean_text(text)


def test_the_longest_text_is_accepted_and_one_more_letter_is_not() -> None:
    assert len(clean_text("ก" * MAX_TEXT_LENGTH)) == MAX_TEXT_LENGTH
    with pytest.raises(InvalidInput, match=str(MAX_TEXT_LENGTH)):
        clean_text("ก" * (MAX_TEXT_LENGTH + 1))


def test_the_same_id_again_gives_the_first_answer_and_writes_nothing(database: Database) -> None:
    customer = new_customer(database)
    first = accept(database, incoming(customer, "one", "hello", "en"), SILENCE)
    again = accept(database, incoming(customer, "one", "hello", "en"), SILENCE)
    assert (again.message_id, again.conversation_id, again.seq) == (
        first.message_id,
        first.conversation_id,
        first.seq,
    )
    assert again.repeated
    assert not first.repeated
    assert len(timeline(database, customer)) == 1


def test_the_same_id_with_another_text_is_a_conflict(database: Database) -> None:
    customer = new_customer(database)
    accept(database, incoming(customer, "one", "hello", "en"), SILENCE)
    with pytest.raises(Conflict):
        accept(database, incoming(customer, "one", "goodbye", "en"), SILENCE)
    assert [each.text for each in timeline(database, customer)] == ["hello"]


def test_two_customers_may_use_the_same_id(database: Database) -> None:
    one, other = new_customer(database), new_customer(database)
    assert not accept(database, incoming(one, "same", "a", None), SILENCE).repeated
    assert not accept(database, incoming(other, "same", "b", None), SILENCE).repeated


def test_fifty_concurrent_copies_of_forty_ids_make_forty_messages(database: Database) -> None:
    customer = new_customer(database)
    copies = [f"id-{number % 40}" for number in range(40 * 50)]

    def send(name: str) -> tuple[str, int]:
        accepted = accept(database, incoming(customer, name, f"text of {name}", "en"), SILENCE)
        return name, accepted.seq

    answers = successes(at_once(send, copies, threads=16))
    assert len(set(answers)) == 40  # every copy of an id got the same place
    assert [each.seq for each in timeline(database, customer)] == list(range(1, 41))
    assert len(conversations(database, customer)) == 1


def test_ten_simultaneous_first_messages_open_exactly_one_conversation(database: Database) -> None:
    customer = new_customer(database)
    sent = successes(at_once(lambda n: say(database, customer, f"hello {n}"), range(10)))
    assert len({each.conversation_id for each in sent}) == 1
    assert sorted(each.seq for each in sent) == list(range(1, 11))
    assert len(conversations(database, customer)) == 1


def test_a_message_after_a_long_silence_opens_a_new_conversation(database: Database) -> None:
    customer = new_customer(database)
    first = say(database, customer).conversation_id
    change(database, first, last_message_at=now() - LONG_AGO, turn_due_at=None)
    second = say(database, customer)
    assert second.conversation_id != first
    assert second.seq == 2
    assert conversation_of(database, first).owner == Owner.CLOSED
    assert conversation_of(database, second.conversation_id).owner == Owner.ASSISTANT


def test_silence_does_not_end_a_conversation_whose_turn_is_still_due(database: Database) -> None:
    customer = new_customer(database)
    first = say(database, customer).conversation_id
    change(database, first, last_message_at=now() - LONG_AGO)
    assert say(database, customer).conversation_id == first


def test_silence_never_ends_a_conversation_that_waits_for_a_human(database: Database) -> None:
    first = waiting(database).conversation_id
    change(database, first, last_message_at=now() - LONG_AGO)
    customer = conversation_of(database, first).customer_id
    assert say(database, customer).conversation_id == first


def test_silence_never_ends_a_conversation_that_an_agent_has(database: Database) -> None:
    first = waiting(database).conversation_id
    queue.claim(database, first, add_agent(database))
    change(database, first, last_message_at=now() - LONG_AGO)
    customer = conversation_of(database, first).customer_id
    assert say(database, customer).conversation_id == first
    assert conversation_of(database, first).owner == Owner.AGENT


def test_only_the_assistant_gets_messages_to_take_turns_on(database: Database) -> None:
    customer = new_customer(database)
    for_assistant = say(database, customer)
    assert timeline(database, customer)[0].pending
    assert conversation_of(database, for_assistant.conversation_id).turn_due_at is not None
    for_human = waiting(database)
    customer = conversation_of(database, for_human.conversation_id).customer_id
    change(database, for_human.conversation_id, owner=Owner.AGENT)
    say(database, customer, "Are you there?")
    assert not any(each.pending for each in timeline(database, customer))
    assert conversation_of(database, for_human.conversation_id).turn_due_at is None


def test_the_language_of_the_page_becomes_the_conversations(database: Database) -> None:
    customer = new_customer(database, "en")
    accepted = say(database, customer, "สวัสดี", language="th")
    assert conversation_of(database, accepted.conversation_id).language == "th"


def test_an_unknown_language_or_customer_is_refused_by_name(database: Database) -> None:
    with pytest.raises(InvalidInput, match="language"):
        say(database, new_customer(database), "bonjour", language="fr")
    with pytest.raises(NotFound):
        say(database, "nobody")
