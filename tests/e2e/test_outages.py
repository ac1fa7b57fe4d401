"""Parts of a running Usher are killed or frozen: nothing is lost, nothing comes twice."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from redis import Redis
from sqlalchemy import select

from bot.conversations.database import Database
from bot.conversations.tables import Conversation, Message
from bot.messages import LANGUAGES
from tests.e2e.clients import Customer
from tests.e2e.phrases import ARTICLE, PHRASES, article, notice, responses
from tests.e2e.running import Usher, within_ten_seconds

pytestmark = pytest.mark.slow

APOLOGY_SECONDS = 10
RECOVERY_SECONDS = 90


@pytest.fixture
def customers(usher: Usher) -> dict[str, Customer]:
    """One in each language, all of them in a conversation."""
    usher.wait_until_ready()
    met = {language: usher.customer(language) for language in LANGUAGES}
    for language, customer in met.items():
        customer.say(PHRASES[language].greeting)
    return met


def attempts(usher: Usher, customer: Customer) -> int:
    """How often the turn of the customer's latest message has failed."""
    latest = (
        select(Message.attempts)
        .where(Message.customer_id == customer.id, Message.author == "customer")
        .order_by(Message.seq.desc())
        .limit(1)
    )
    with closing(Database(usher.settings.effective_database_url)) as database:
        with database.read() as session:
            return session.scalars(latest).one()


def is_leased(usher: Usher, customer: Customer) -> bool:
    """Whether a worker is in the middle of the customer's turn."""
    with closing(Database(usher.settings.effective_database_url)) as database:
        with database.read() as session:
            return session.get_one(Conversation, customer.conversation_id).leased_until is not None


def check_answered_once(usher: Usher, customer: Customer, *, apologies: int) -> None:
    """After greeting and question: the apologies, the answer, and nothing else."""
    words, language = PHRASES[customer.language], customer.language
    (first, second, third, *rest) = customer.transcript()
    assert (first, third) == (("customer", words.greeting), ("customer", words.question))
    assert second[1] in responses("utter_greet", language)
    answer = ("assistant", article(ARTICLE, language).short_answer)
    assert rest == [notice("unavailable", language)] * apologies + [answer]
    tracker = json.loads(usher.tracker(customer.conversation_id))
    heard = [each["text"] for each in tracker["events"] if each["event"] == "user"]
    assert heard == [words.greeting, words.question]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("knowledge", "down"),
        ("knowledge", "frozen"),
        ("actions", "down"),
        ("actions", "frozen"),
        ("valkey", "down"),
        ("valkey", "frozen"),
        ("rasa", "frozen"),
        ("rasa", "down"),
    ],
)
def test_customers_hear_of_an_outage_once_and_are_answered_after_it(
    usher: Usher, customers: dict[str, Customer], name: str, how: str
) -> None:
    process = usher.process(name)
    with process.down() if how == "down" else process.frozen():
        started = time.monotonic()
        seqs = {
            language: each.send(PHRASES[language].question) for language, each in customers.items()
        }
        for language, customer in customers.items():
            left = started + APOLOGY_SECONDS - time.monotonic()
            (apology,) = customer.wait_for(after=seqs[language], seconds=left)
            assert (apology["author"], apology["text"]) == notice("unavailable", language)
        if how == "down":  # it fails at once, so there is time for a second failure
            within_ten_seconds(
                lambda: attempts(usher, customers["en"]) >= 2, otherwise="there is no second try"
            )
    for language, customer in customers.items():
        customer.wait_for("assistant", after=seqs[language], seconds=RECOVERY_SECONDS)
    for customer in customers.values():
        check_answered_once(usher, customer, apologies=1)


def test_a_killed_worker_loses_and_doubles_nothing(
    usher: Usher, customers: dict[str, Customer]
) -> None:
    with usher.process("rasa").frozen():
        seqs = {
            language: each.send(PHRASES[language].question) for language, each in customers.items()
        }
        for customer in customers.values():
            within_ten_seconds(lambda: is_leased(usher, customer), otherwise="no turn has begun")
        usher.process("worker").kill()
    neighbour = usher.customer()
    neighbour.say(PHRASES["en"].greeting)
    for language, customer in customers.items():
        customer.wait_for(after=seqs[language], seconds=RECOVERY_SECONDS)
        check_answered_once(usher, customer, apologies=0)


def test_a_killed_gateway_loses_and_doubles_nothing(
    usher: Usher, customers: dict[str, Customer]
) -> None:
    """Clients repeat what was not acknowledged, with the same id."""

    def write(customer: Customer) -> None:
        for number in range(10):
            customer.send(f"{PHRASES[customer.language].thanks} {number}")

    with ThreadPoolExecutor(len(customers)) as pool:
        writing = [pool.submit(write, customer) for customer in customers.values()]
        usher.process("gateway").kill()
        for each in writing:
            each.result(RECOVERY_SECONDS)
    for language, customer in customers.items():
        # Greeting and ten messages, each with its answer.
        within_ten_seconds(lambda: len(customer.messages()) >= 22, otherwise="not all is answered")
        heard = [text for author, text in customer.transcript() if author == "customer"]
        thanks = PHRASES[language].thanks
        assert heard == [PHRASES[language].greeting, *(f"{thanks} {n}" for n in range(10))]
        assert len(customer.messages()) == 22


def test_a_lost_tracker_is_rebuilt_from_the_record(usher: Usher) -> None:
    usher.wait_until_ready()
    customer = usher.customer()
    customer.say(PHRASES["en"].complaint)
    with Redis.from_url(usher.settings.effective_redis_url) as redis:
        redis.flushall()
    assert usher.tracker(customer.conversation_id) == ""
    (waiting,) = customer.say(PHRASES["en"].yes)
    assert (waiting["author"], waiting["text"]) == notice("waiting", "en")
