"""A whole Usher forgets one customer: in its record, its trackers, its logs and its files."""

import json
from pathlib import Path
from uuid import uuid4

import httpx

from tests.e2e.phrases import PHRASES
from tests.e2e.running import Usher, within_ten_seconds


def files_with(folder: Path, word: str) -> list[str]:
    """Files of the data folder that have a word in them, sockets and the like aside."""
    found = []
    for file in folder.rglob("*"):
        try:
            if file.is_file() and word.encode() in file.read_bytes():
                found.append(str(file.relative_to(folder)))
        except FileNotFoundError:  # Valkey has replaced it this moment
            continue
    return found


def test_an_erased_customer_is_nowhere_in_the_data_folder(usher: Usher) -> None:
    customer, word = usher.customer(), f"zebrafish{uuid4().hex[:8]}"
    customer.say(PHRASES["en"].greeting)
    customer.say(f"Where is my {word}?")
    assert word in usher.tracker(customer.conversation_id)
    assert files_with(usher.data_dir, word)

    export = json.loads(usher.cli("customers", "export", customer.id))
    assert word in json.dumps(export["messages"])
    assert word in json.dumps(export["trackers"][customer.conversation_id])

    said = usher.cli("customers", "erase", customer.id, "--yes")

    assert "is erased from the record" in said
    assert "forgotten the questions that were judged" in said
    assert usher.tracker(customer.conversation_id) == ""
    assert customer.post("Do you know me?").status_code == httpx.codes.UNAUTHORIZED
    within_ten_seconds(lambda: not files_with(usher.data_dir, word), otherwise="still in a file")
