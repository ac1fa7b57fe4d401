"""Questions that were answered or handed over, for somebody to judge."""

from bot.conversations.database import Database
from bot.conversations.feedback import collected
from bot.messages import HandoffRequest, Reply, Source, TurnResult
from tests.players import CANDIDATE, Stage
from tests.scenes import new_customer, say

ARTICLE = CANDIDATE.article
SOURCE = Source(ARTICLE, "en", CANDIDATE.title)
ANSWER = TurnResult((Reply("Open the link in our e-mail.", sources=(SOURCE,)),))
HANDOFF = TurnResult((), HandoffRequest("not_sure"))


def talk(database: Database, customer: str, words: str, result: TurnResult = ANSWER) -> str:
    """A customer's message and the assistant's turn; the conversation's id."""
    conversation = say(database, customer, words).conversation_id
    stage = Stage(database)

    async def act(_: object) -> TurnResult:
        return result

    stage.assistant.act = act
    assert stage.next_turn()
    return conversation


def handed_over(database: Database, language: str = "en") -> str:
    """A conversation that the assistant gave up on."""
    return talk(database, new_customer(database, language), "Where is my parcel?", HANDOFF)


def facts(database: Database, limit: int = 100) -> list[tuple[str, str | None, bool, str]]:
    """What the knowledge base would be given."""
    return [
        (each.text, each.article, each.right, each.source) for each in collected(database, limit)
    ]
