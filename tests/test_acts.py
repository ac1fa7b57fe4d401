"""Examples of dialogue acts as files, and what a message is taken for."""

from pathlib import Path

import pytest

from bot.knowledge.acts.acts import ActFolder, Acts
from bot.knowledge.articles.articles import Problem, read_articles
from bot.knowledge.articles.products import read_products
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.language.choosing import chosen
from bot.knowledge.language.unwanted import unwanted
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.messages import Context, Outcome
from bot.settings import ROOT

GREETINGS = "nlu:\n- intent: greet\n  examples: |\n    - hello\n    - hi there\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_saved_example_is_read_and_a_broken_file_keeps_its_last_good_version(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "en/smalltalk.yml", GREETINGS)
    folder = ActFolder(tmp_path)
    assert folder.acts.examples == {"en": {"greet": ("hello", "hi there")}}
    assert not folder.refresh()
    write(tmp_path, "en/smalltalk.yml", GREETINGS + "    - good day\n")
    assert folder.refresh()
    assert folder.acts.examples["en"]["greet"][-1] == "good day"
    for broken in ("nlu: [", "nlu: 3", "- a list", "nlu:\n- intent: x\n  metadata: {sure: 7}\n"):
        path.write_text(broken, "utf-8")
        assert not folder.refresh()
        [problem] = folder.problems
        assert problem.file == path
    path.unlink()
    assert folder.refresh()
    assert (folder.acts, folder.problems) == (Acts(), ())


def test_what_stands_beside_examples_and_signs_of_all_languages_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        "th/urgent.yml",
        "nlu:\n- intent: danger\n  metadata: {found: 0.9, sure: 0.2, first: true}\n"
        "  examples: |\n    - ไฟไหม้\n- regex: ignored\n  examples: |\n    - x\n",
    )
    write(tmp_path, "signs.yml", "nlu:\n- intent: thank\n  examples: |\n    - 🙏\n")
    acts = ActFolder(tmp_path).acts
    assert acts.found == {"danger": 0.9}
    assert acts.bar("danger") == 0.2
    assert acts.first == {"danger"}
    assert acts.signs == {"🙏": "thank"}


@pytest.fixture(scope="module")
def matcher(embedder: Embedder) -> Matcher:
    articles, _ = read_articles(ROOT / "knowledge_base")
    products = read_products(ROOT / "knowledge_base")
    assert not isinstance(products, Problem)
    acts = ActFolder(ROOT / "data" / "nlu").acts
    examples = {"en": acts.examples["en"]}
    english = Acts(examples, acts.signs, acts.sure, acts.found, acts.first)
    some = [each for each in articles if each.language == "en"]
    return Matcher(embedder, Index(some, embedder, acts=english, products=products), 0.9, 0.25)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("hello", "greet"),
        ("thanks for nothing", "complain"),
        ("call me back", "ask_human"),
        ("it does not work", "report_problem"),
        ("smoke is coming out of it", "danger"),
        ("My parcel came yesterday. Now it is on fire!", "danger"),
        ("❤️", "thank"),
        ("😡😡", "complain"),
        ("M-12345678", "inform_order_number"),
    ],
)
def test_what_customers_do_by_speaking_is_an_act(matcher: Matcher, text: str, act: str) -> None:
    match = matcher.match(text, "en")
    assert (match.outcome, match.act) == (Outcome.ACT, act)


@pytest.mark.parametrize(
    "text", ["How do I return a product?", "it is leaking", "The Volta does not work"]
)
def test_a_question_is_no_act(matcher: Matcher, text: str) -> None:
    assert matcher.match(text, "en").outcome in {Outcome.ANSWER, Outcome.CLARIFY}


@pytest.mark.parametrize("text", ["?", "...", "asdfghjkl", "qwerty", "ضصثق", "🧿"])
def test_what_has_no_known_word_is_not_understood(matcher: Matcher, text: str) -> None:
    assert matcher.match(text, "en").outcome is Outcome.NOT_UNDERSTOOD


def test_a_language_that_is_only_named_changes_nothing(matcher: Matcher) -> None:
    match = matcher.match("Can I get the manual in Thai?", "en")
    assert match.outcome not in {Outcome.ACT, Outcome.CONFIRM}


def test_acts_articles_and_none_share_one_probability(matcher: Matcher) -> None:
    for text in ("hello", "thanks, how do I return it?", "what is the weather like"):
        match = matcher.match(text, "en")
        assert sum(each.probability for each in match.candidates) + match.act_probability < 1.01


def test_two_questions_are_two_matches_in_their_order(matcher: Matcher) -> None:
    asked = "How do I return a product?\nWhat does the warranty cover?"
    found = matcher.match_all(asked, "en")
    assert [each.candidates[0].article for each in found] == ["return-start", "warranty-cover"]


@pytest.mark.parametrize(
    ("said", "article"),
    [
        ("not the Brio, the Clara", "clara-cleaning"),
        ("sorry, I meant the Clara", "clara-cleaning"),
        ("and for the Volta?", "volta-cleaning"),
    ],
)
def test_a_correction_asks_the_same_about_another_product(
    matcher: Matcher, said: str, article: str
) -> None:
    before = Context("How do I clean my Brio?", "brio-cleaning")
    match = matcher.match(said, "en", (), before)
    assert (match.outcome, match.candidates[0].article) == (Outcome.ANSWER, article)


def test_the_product_that_was_asked_for_gets_its_article(matcher: Matcher) -> None:
    asked = Context("it does not work", asked="product")
    match = matcher.match("my bike", "en", (), asked)
    assert (match.outcome, match.candidates[0].article) == (Outcome.ANSWER, "volta-troubleshooting")


def test_danger_in_the_answer_to_what_was_asked_is_danger(matcher: Matcher) -> None:
    smoke = "my Brio, smoke is coming out of it"
    for asked in ("product", "feedback", "choice"):
        context = Context("it does not work", asked=asked, choices=("brio-setup",))
        match = matcher.match(smoke, "en", (), context)
        assert (match.outcome, match.act) == (Outcome.ACT, "danger"), asked


def test_a_number_chooses_from_what_was_offered(matcher: Matcher) -> None:
    offered = Context("my card", asked="choice", choices=("payment-methods", "payment-failed"))
    match = matcher.match("the second one", "en", (), offered)
    assert (match.outcome, match.candidates[0].article) == (Outcome.ANSWER, "payment-failed")
    gone = Context("my card", asked="choice", choices=("removed", "too"))
    assert matcher.match("2", "en", (), gone).outcome is not Outcome.ANSWER


def test_what_is_not_wanted_is_not_explained(matcher: Matcher) -> None:
    match = matcher.match("I do not want to delete my account", "en")
    assert (match.outcome, match.act) == (Outcome.ACT, "decline")
    wanted = matcher.match("how do I delete my account", "en")
    assert wanted.candidates[0].article == "account-delete"


def test_an_opinion_that_was_asked_for_is_one(matcher: Matcher) -> None:
    asked = Context(asked="feedback")
    words = "The letters in your app are too small and the checkout is confusing"
    match = matcher.match(words, "en", (), asked)
    assert (match.outcome, match.act) == (Outcome.ACT, "give_feedback")
    assert matcher.match("smoke is coming out of it", "en", (), asked).act == "danger"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("2", 1), ("the second one", 1), ("option 3", 2), ("the last one", 2), ("first", 0),
        ("cái đầu tiên", 0), ("số 2", 1), ("ข้อแรก", 0), ("ข้อ 2 ค่ะ", 1), ("เอาอันสุดท้าย", 2),
        ("اولی", 0), ("گزینه دوم", 1), ("۳", 2), ("4", None), ("1 or 2", None),
        ("none of these", None), ("no one", None), ("no. 2", 1), ("x" * 500, None),
    ],
)  # fmt: skip
def test_a_place_in_a_list_is_told_in_four_languages(text: str, place: int | None) -> None:
    assert chosen(text, 3) == place


@pytest.mark.parametrize(
    ("language", "text", "positive", "rest"),
    [
        (
            "en",
            "I do not want to delete my account, only log in",
            "I delete my account",
            "only log in",
        ),
        ("en", "Don't cancel my order!", "cancel my order", ""),
        ("vi", "Tôi không muốn xóa tài khoản", "Tôi xóa tài khoản", ""),
        ("th", "ไม่อยากลบบัญชี", "ลบบัญชี", ""),
        ("fa", "سفارشم را لغو نکنید", "سفارشم را لغو کنید", ""),
    ],
)
def test_what_is_not_wanted_is_told_in_four_languages(
    language: str, text: str, positive: str, rest: str
) -> None:
    found = unwanted(text, language)
    assert found is not None
    assert [" ".join(each.split()) for each in found] == [positive, rest]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Which products can I not return?"),
        ("en", "I don't know how to cancel"),
        ("vi", "Tôi không muốn nhận hàng nữa"),
        ("th", "ไม่อยากโอนก่อน มีเก็บเงินปลายทางไหม"),
    ],
)
def test_other_negations_are_left_alone(language: str, text: str) -> None:
    assert unwanted(text, language) is None
