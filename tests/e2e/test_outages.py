"""Parts of a running Usher are killed or frozen: nothing is lost, nothing comes twice."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database
from bot.conversations.tables import Conversation, Message, Turn
from bot.languages import LANGUAGES
from tests.e2e.clients import Customer
from tests.e2e.phrases import ARTICLE, PHRASES, article, notice, responses
from tests.e2e.running import Usher, within_ten_seconds

pytestmark = pytest.mark.slow

APOLOGY_SECONDS = 10
RECOVERY_SECONDS = 90


Customers = dict[str, Customer]


@pytest.fixture
def customers(usher: Usher) -> Customers:
    usher.wait_until_ready()
    return in_conversation(usher)


def in_conversation(usher: Usher) -> Customers:
    """A customer in each language who has been greeted."""
    met = {language: usher.customer(language) for language in LANGUAGES}
    for language, customer in met.items():
        customer.say(PHRASES[language].greeting)
    return met


@contextmanager
def record(usher: Usher) -> Iterator[Session]:
    """What the database knows."""
    address = usher.settings.effective_database_url
    with closing(Database(address)) as database, database.read() as session:
        yield session


def is_answered(usher: Usher, customer: Customer) -> bool:
    """Whether nothing of the customer's waits for its turn."""
    waiting = select(Message.id).where(
        Message.conversation_id == customer.conversation_id, Message.pending
    )
    with record(usher) as session:
        return session.scalars(waiting).first() is None


def turns(usher: Usher, customer: Customer) -> Sequence[str]:
    """The states of the conversation's turns."""
    taken = select(Turn.state).where(Turn.conversation_id == customer.conversation_id)
    with record(usher) as session:
        return session.scalars(taken).all()


def is_leased(usher: Usher, customer: Customer) -> bool:
    """Whether a worker is in the middle of the customer's turn."""
    with record(usher) as session:
        return session.get_one(Conversation, customer.conversation_id).leased_until is not None


def check_answered_once(usher: Usher, customer: Customer, *, apologies: int) -> None:
    """After greeting and question: the apologies, the answer, and nothing else."""
    words, language = PHRASES[customer.language], customer.language
    (first, second, third, *rest) = customer.transcript()
    assert (first, third) == (("customer", words.greeting), ("customer", words.question))
    assert second[1] in responses("utter_greet", language)
    assert rest[:-1] == [notice("unavailable", language)] * apologies
    author, answer = rest[-1]
    assert author == "assistant"
    assert answer.startswith(article(ARTICLE, language).short_answer)
    tracker = json.loads(usher.tracker(customer.conversation_id))
    heard = [each["text"] for each in tracker["events"] if each["event"] == "user"]
    assert heard == [words.greeting, words.question]


def ask(customers: Customers) -> dict[str, int]:
    """Everybody's question, and its `seq` by language."""
    return {
        each.language: each.send(PHRASES[each.language].question) for each in customers.values()
    }


def check_apologies(customers: Customers, seqs: dict[str, int], until: float) -> None:
    """Everybody hears, in their language, that something is wrong."""
    for language, customer in customers.items():
        (apology,) = customer.wait_for(after=seqs[language], seconds=until - time.monotonic())
        assert (apology["author"], apology["text"]) == notice("unavailable", language)


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
    ],
)
def test_customers_hear_of_an_outage_and_are_answered_after_it(
    usher: Usher, customers: Customers, name: str, how: str
) -> None:
    process = usher.process(name)
    with process.down() if how == "down" else process.frozen():
        started = time.monotonic()
        seqs = ask(customers)
        check_apologies(customers, seqs, started + APOLOGY_SECONDS)
    for language, customer in customers.items():
        customer.wait_for("assistant", after=seqs[language], seconds=RECOVERY_SECONDS)
        check_answered_once(usher, customer, apologies=1)


def test_rasa_and_a_worker_killed_in_the_middle_lose_and_double_nothing(
    usher: Usher, customers: Customers
) -> None:
    rasa = usher.process("rasa")
    later = in_conversation(usher)
    with rasa.frozen():
        seqs = ask(customers)
        within_ten_seconds(
            lambda: all(is_leased(usher, customer) for customer in customers.values()),
            otherwise="no turn has begun",
        )
        usher.process("worker").kill()
        rasa.kill()
    started = time.monotonic()
    later_seqs = ask(later)
    check_apologies(later, later_seqs, started + APOLOGY_SECONDS)
    for language, customer in later.items():
        customer.wait_for("assistant", after=later_seqs[language], seconds=RECOVERY_SECONDS)
        check_answered_once(usher, customer, apologies=1)
        assert turns(usher, customer) == ["done", "done"], "an outage makes no dead letters"
    for language, customer in customers.items():
        customer.wait_for("assistant", after=seqs[language], seconds=RECOVERY_SECONDS)
        apologies = [text for _, text in customer.transcript()].count(
            notice("unavailable", language)[1]
        )
        assert apologies <= 1
        check_answered_once(usher, customer, apologies=apologies)


def test_the_turns_of_a_killed_worker_are_resumed_by_the_next_one(
    usher: Usher, customers: Customers
) -> None:
    with usher.process("rasa").frozen():
        seqs = ask(customers)
        within_ten_seconds(
            lambda: all(is_leased(usher, customer) for customer in customers.values()),
            otherwise="no turn has begun",
        )
        usher.process("worker").kill()
    for language, customer in customers.items():
        customer.wait_for("assistant", after=seqs[language], seconds=APOLOGY_SECONDS)
        check_answered_once(usher, customer, apologies=0)


def thanks(language: str, number: int) -> str:
    """One of several texts that are all understood as thanks, alone and together."""
    return PHRASES[language].thanks + "!" * number


def test_a_killed_gateway_loses_and_doubles_nothing(usher: Usher, customers: Customers) -> None:
    """Clients repeat what was not acknowledged, with the same id."""

    def write(customer: Customer) -> None:
        for number in range(10):
            customer.send(thanks(customer.language, number))

    with ThreadPoolExecutor(len(customers)) as pool:
        writing = [pool.submit(write, customer) for customer in customers.values()]
        usher.process("gateway").kill()
        for each in writing:
            each.result(RECOVERY_SECONDS)
    within_ten_seconds(
        lambda: all(is_answered(usher, customer) for customer in customers.values()),
        otherwise="not all is answered",
    )
    for language, customer in customers.items():
        said = customer.transcript()
        heard = [text for author, text in said if author == "customer"]
        assert heard == [PHRASES[language].greeting, *(thanks(language, n) for n in range(10))]
        answers = [text for author, text in said if author == "assistant"]
        assert len(answers) >= len(turns(usher, customer))


def test_a_lost_tracker_is_rebuilt_from_the_record(usher: Usher) -> None:
    usher.wait_until_ready()
    customer = usher.customer()
    customer.say(PHRASES["en"].complaint)
    with Redis.from_url(usher.settings.effective_redis_url) as redis:
        redis.flushall()
    assert usher.tracker(customer.conversation_id) == ""
    (waiting,) = customer.say(PHRASES["en"].yes)
    assert (waiting["author"], waiting["text"]) == notice("waiting", "en")
