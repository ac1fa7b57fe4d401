"""Who owns a conversation: the graph of `bot.conversations.ownership`, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversations.ownership import Act, Owner, after
from bot.errors import Conflict

GRAPH = {
    (Owner.ASSISTANT, Act.REQUEST): Owner.WAITING,
    (Owner.ASSISTANT, Act.CLOSE): Owner.CLOSED,
    (Owner.WAITING, Act.CLAIM): Owner.AGENT,
    (Owner.WAITING, Act.RESOLVE): Owner.ASSISTANT,
    (Owner.WAITING, Act.CLOSE): Owner.CLOSED,
    (Owner.AGENT, Act.RELEASE): Owner.WAITING,
    (Owner.AGENT, Act.RESOLVE): Owner.ASSISTANT,
    (Owner.AGENT, Act.CLOSE): Owner.CLOSED,
}


@pytest.mark.parametrize("owner", Owner)
@pytest.mark.parametrize("act", Act)
def test_an_act_leads_where_the_graph_says_or_is_refused(owner: Owner, act: Act) -> None:
    if (owner, act) in GRAPH:
        assert after(owner, act) is GRAPH[owner, act]
    else:
        with pytest.raises(Conflict, match=owner.value):
            after(owner, act)


@given(st.lists(st.sampled_from(Act), max_size=40))
def test_no_sequence_of_acts_leads_out_of_the_graph(acts: list[Act]) -> None:
    owner = Owner.ASSISTANT
    for act in acts:
        before = owner
        try:
            owner = after(owner, act)
        except Conflict:
            assert (before, act) not in GRAPH
        assert before is not Owner.CLOSED or owner is Owner.CLOSED
        if owner is Owner.AGENT:  # only somebody who waited is ever with an agent
            assert before in {Owner.AGENT, Owner.WAITING}


@given(st.lists(st.sampled_from(Act), min_size=1, max_size=10))
def test_closed_is_final(acts: list[Act]) -> None:
    for act in acts:
        with pytest.raises(Conflict):
            after(Owner.CLOSED, act)


@given(st.sampled_from([Owner.ASSISTANT, Owner.WAITING, Owner.AGENT]))
def test_every_open_conversation_can_be_closed(owner: Owner) -> None:
    assert after(owner, Act.CLOSE) is Owner.CLOSED
