"""The knowledge process forgets judged questions that the record has forgotten."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient

from bot.internal_http import authorization
from bot.knowledge.service import create_app
from bot.messages import Author, Feedback
from bot.settings import Settings


def judged(text: str) -> Feedback:
    return Feedback(text, "en", "returns", True, Author.AGENT, datetime(2026, 11, 1, tzinfo=UTC))


def vectors_of_questions(settings: Settings) -> int:
    (file,) = (settings.data_dir / "vectors").glob("embedded-*.db")
    with closing(sqlite3.connect(file)) as connection:
        found: int = connection.execute("SELECT count(*) FROM judged").fetchone()[0]
        return found


def test_vectors_of_questions_go_with_the_judgements(
    settings: Settings, small_knowledge_base: Path
) -> None:
    own = settings.model_copy(update={"knowledge_base": small_knowledge_base})
    feedback = [judged("Can my zebrafish go back?"), judged("Is a capybara returned?")]
    headers = authorization(own.secret("rasa"))
    with TestClient(create_app(own, lambda: feedback), headers=headers) as client:
        assert vectors_of_questions(own) == 2
        assert client.post("/reload").status_code == 200
        assert vectors_of_questions(own) == 2, "nothing has changed"
        del feedback[0]
        assert client.post("/reload").status_code == 200
        assert vectors_of_questions(own) == 1
    feedback.clear()  # while the process does not run
    with TestClient(create_app(own, lambda: feedback), headers=headers):
        assert vectors_of_questions(own) == 0
