"""What is said of an article: the sentences that answer, in plain text, as a chat bubble bears."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.articles.passages import first_paragraph, one_line, sentences, split_passages
from bot.knowledge.embedding.cache import Codes
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.language.normalising import normalise
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.knowledge.search.saying import MAX_LENGTH, Extract, extract
from bot.knowledge.search.texts import tokens_of
from tests.scenes import KNOWLEDGE_BASE

MAX_BOTH_LENGTH = 450


def article(body: str, title: str = "Title", language: str = "en") -> Article:
    return Article(
        id="article",
        language=language,
        title=title,
        questions=(),
        tags=(),
        products=(),
        updated="",
        body=body,
        short_answer=first_paragraph(body),
        passages=tuple(split_passages(title, body)),
    )


@pytest.fixture(scope="module")
def shop() -> dict[tuple[str, str], Article]:
    return {(each.language, each.id): each for each in read_articles(KNOWLEDGE_BASE)[0]}


def said(embedder: Embedder, told: Article, question: str) -> Extract:
    """What is said of an article, with the real model."""
    asked: Codes = embedder.encode([normalise(question, keep_case=True)], "query")[0].codes
    found = embedder.encode_cached(
        [("passage", normalise(each.searched, keep_case=True)) for each in told.passages]
    )
    words = tokens_of(normalise(question), told.language)
    return extract(told, [each.codes for each in found], asked, words)


def anyhow(told: Article, chance: int) -> Extract:
    """What is said of an article when vectors are what chance makes of them."""
    random = np.random.default_rng(chance)

    def codes(count: int) -> Codes:
        return random.integers(-127, 128, (count, 8)).astype(np.int8)

    passages = [codes(1 + len(each.searched) // 4) for each in told.passages]
    words = tokens_of(random.choice([told.title, told.short_answer]), told.language)
    return extract(told, passages, codes(int(random.integers(0, 9))), words)


# Our own articles.


@pytest.mark.parametrize(
    ("language", "name", "question", "heading", "detail"),
    [
        ("en", "clara-filter-change", "which bin does the used filter go in",
         "Good to know", "household waste"),
        ("en", "brio-descaling", "can I use vinegar", "Prepare", "attacks the seals"),
        ("en", "warranty-claim", "I ordered as a guest, what proves my purchase?",
         "Proof of purchase", "Guests give the order number"),
        ("en", "contact-hours", "can I phone you", "Ways to reach us", "support by telephone"),
        ("vi", "clara-filter-change", "bộ lọc cũ vứt ở đâu", "Đèn vẫn sáng", "rác sinh hoạt"),
        ("vi", "payment-cash-on-delivery", "COD có trả góp được không",
         "Lưu ý", "COD không dùng cùng trả góp"),
        ("vi", "return-start", "trả máy Brio có cần đổ nước trong bình không",
         "Chuẩn bị sản phẩm", "đổ hết nước"),
        ("th", "clara-filter-change", "เลี้ยงแมว ต้องเปลี่ยนแผ่นกรองเร็วขึ้นไหม",
         "ควรเปลี่ยนก่อน 12 เดือนเมื่อ", "เลี้ยงสัตว์"),
        ("th", "return-start", "คืน Volta ต้องใส่กุญแจไปด้วยไหม", "เตรียมสินค้า", "กุญแจทั้ง 2 ดอก"),
        ("fa", "clara-filter-change", "فیلتر کهنه را کجا دور بریزم",
         "خوب است بدانید", "زبالهٔ خانگی"),
        ("fa", "volta-charging", "باتری را در چه دمایی شارژ کنم", "ایمنی", "بین ۰ تا ۴۰ درجه"),
    ],
)  # fmt: skip
def test_a_detail_of_a_later_section_is_said_with_its_heading(
    shop: dict[tuple[str, str], Article],
    embedder: Embedder,
    language: str,
    name: str,
    question: str,
    heading: str,
    detail: str,
) -> None:
    told = shop[language, name]
    assert detail not in told.short_answer
    found = said(embedder, told, question)
    assert found.heading == heading
    assert detail in found.text
    assert str(found).endswith(f"{heading}\n{found.text}")


@pytest.mark.parametrize("language", ["en", "vi", "th", "fa"])
def test_the_first_paragraph_is_said_where_it_is_what_is_asked(
    shop: dict[tuple[str, str], Article], embedder: Embedder, language: str
) -> None:
    for name in ("brio-descaling", "return-exceptions"):
        told = shop[language, name]
        found = said(embedder, told, told.title)
        assert str(found).startswith(told.short_answer)


def test_what_is_said_of_our_own_articles_is_theirs_and_plain_and_short(
    shop: dict[tuple[str, str], Article], embedder: Embedder
) -> None:
    for told in list(shop.values())[::9]:
        for question in (told.title, *told.questions[:2]):
            check(told, said(embedder, told, question))


def test_a_match_says_the_extract_of_its_first_article(
    shop: dict[tuple[str, str], Article], embedder: Embedder
) -> None:
    served = [each for each in shop.values() if each.language == "en" and "clara" in each.products]
    match = Matcher(embedder, Index(served, embedder), 0.9, 0.2).match(
        "which bin does the used filter go in", "en"
    )
    assert match.candidates[0].article == "clara-filter-change"
    assert match.heading == "Good to know"
    assert match.text.startswith("Good to know\n- The used filter belongs in the household waste.")


# Any article.


def check(told: Article, found: Extract) -> None:
    """Of the article, plain and short."""
    told_of = [one_line(each.heading) for each in told.passages]
    assert found.heading in told_of or not found.heading
    assert found.before in {"", told.short_answer}
    assert len(found.text) <= MAX_LENGTH
    if found.before:
        assert len(str(found)) <= MAX_BOTH_LENGTH
    assert found.text == found.text.strip()
    assert "\n\n" not in found.text
    whole = one_line("".join(each.joint + each.text for each in told.passages))
    assert one_line(found.text) in whole
    assert not re.search(r"\*\*|`|\]\(|^#|^[|>]", str(found), re.MULTILINE)


MARKED = st.sampled_from(["{}", "**{}**", "*{}*", "`{}`", "[{}](https://x.org)"])
WORDS = st.sampled_from(
    ["The pump starts.", "Open Orders", "E10", "ปั๊มน้ำ", "فیلتر را عوض کنید.", "bình chứa", "5 s"]
)
PIECES = st.lists(st.builds(str.format, MARKED, WORDS), min_size=1, max_size=40).map(" ".join)
STARTS = st.sampled_from(["", "", "- ", "* ", "1. ", "12) ", "> ", "| ", "## ", "\n"])
BODIES = st.lists(st.builds(str.__add__, STARTS, PIECES), min_size=1, max_size=14).map("\n".join)


@given(BODIES, st.integers(0, 2**32))
def test_every_sentence_said_is_one_of_the_article_in_plain_text(body: str, chance: int) -> None:
    told = article(f"Begin here.\n\n{body}")
    found = anyhow(told, chance)
    check(told, found)
    own = {
        each.text[start:end].strip()
        for each in told.passages
        for start, end in sentences(each.text)
    }
    if found.text != told.short_answer:
        openings = [each for each in own if found.text.startswith(each)]
        endings = [each for each in own if found.text.endswith(each)]
        assert openings
        assert endings


@given(BODIES, st.integers(0, 2**32))
def test_nothing_is_said_twice_behind_the_first_paragraph(body: str, chance: int) -> None:
    told = article(f"Begin here. Then go on.\n\n{body}")
    found = anyhow(told, chance)
    if found.before:
        assert not found.text.startswith(("Begin here.", "Then go on."))


@pytest.mark.parametrize("question", ["", " ", "?", "🙂", "..."])
def test_an_empty_question_gets_text_of_the_article(embedder: Embedder, question: str) -> None:
    told = article("Send it back within 30 days.\n\n## How\n1. Pack it.")
    check(told, said(embedder, told, question))
    assert extract(told, [np.zeros((0, 8), np.int8)] * 2, np.zeros((0, 8), np.int8), []) == Extract(
        "", "Send it back within 30 days."
    )


def test_an_article_without_words_that_the_model_knows_says_its_first_paragraph() -> None:
    told = article("Text.\n\nMore text.")
    nothing, asked = np.zeros((0, 8), np.int8), np.ones((3, 8), np.int8)
    assert extract(told, [nothing], asked, ["text"]) == Extract("", "Text.")


def test_an_article_of_only_a_first_paragraph_says_it(embedder: Embedder) -> None:
    told = article("Send it back within 30 days. We pay for the parcel.")
    assert str(said(embedder, told, "who pays for the parcel")) == told.short_answer


def test_an_article_without_headings_says_what_answers_without_a_heading(
    embedder: Embedder,
) -> None:
    lines = ["Send it back within 30 days."]
    lines += [f"Shelf number {n} holds tea and coffee from many countries." for n in range(40)]
    lines += ["Batteries are returned at the recycling yard."]
    found = said(embedder, article("\n\n".join(lines)), "where do I return batteries")
    assert found.heading == ""
    assert "recycling yard" in found.text


FILLER = "The shop sells tea and coffee from many countries to everyone who likes them. "


def test_of_a_very_long_first_paragraph_what_answers_is_said(embedder: Embedder) -> None:
    told = article(f"{FILLER * 30}Batteries go to the recycling yard. {FILLER * 30}")
    found = said(embedder, told, "where do batteries go, to the recycling yard?")
    assert "Batteries go to the recycling yard." in found.text
    check(told, found)
    nothing = np.zeros((0, 8), np.int8)
    beginning = extract(told, [nothing] * len(told.passages), nothing, []).text
    assert beginning == (FILLER * 5).strip()


def test_of_a_first_paragraph_without_any_space_only_so_much_is_said() -> None:
    nothing = np.zeros((0, 8), np.int8)
    for body in ("x" * 5_000, "☎1" * 3_000, "ก" + "\u0e48" * 3_000):
        told = article(body)
        text = extract(told, [nothing] * len(told.passages), nothing, []).text
        assert 0 < len(text) <= MAX_LENGTH
        assert body.startswith(text)


def test_tables_come_as_lines_without_bars(embedder: Embedder) -> None:
    told = article(
        "We deliver everywhere.\n\n## Delivery times\n"
        "| Product | Time |\n|:--|--:|\n| **Coffee machine** | 3 days |\n| Bicycle | 8 days |\n"
    )
    found = said(embedder, told, "how many days for the bicycle, and for the coffee machine")
    assert found.heading == "Delivery times"
    assert found.text == "Product – Time\nCoffee machine – 3 days\nBicycle – 8 days"


def test_steps_keep_their_numbers_and_lines(embedder: Embedder) -> None:
    steps = "1. Empty the **tank** of water.\n2. Pour in the descaler.\n10. Press both buttons."
    told = article(f"Descale it every 2 months.\n\n## Steps to descale\n{steps}")
    found = said(embedder, told, "step by step: empty the tank, descaler, press buttons")
    assert found.text == steps.replace("*", "")


def test_a_number_on_a_line_of_its_own_is_said_with_what_stands_before_it(
    embedder: Embedder,
) -> None:
    told = article(
        "Write to us at any time.\n\n## By telephone\nCall us at this number:\n1900 1234"
    )
    found = said(embedder, told, "what telephone number can I call")
    assert found.text == "Call us at this number:\n1900 1234"


def test_an_extract_does_not_go_on_in_the_next_section(embedder: Embedder) -> None:
    told = article("First.\n\n## Batteries\nTake them to the yard.\n\n## Paper\nThe blue bin.")
    found = said(embedder, told, "Batteries: take them where?")
    assert (found.heading, found.text) == ("Batteries", "Take them to the yard.")


def test_the_same_question_gets_the_same_words_in_whatever_order_its_words_come() -> None:
    told = article("Begin here.\n\n## A\nOne two. Three four.\n\n## B\nFive six.\n\nSeven eight.")
    random = np.random.default_rng(1)
    passages = [random.integers(-127, 128, (9, 8)).astype(np.int8) for _ in told.passages]
    asked = random.integers(-127, 128, (4, 8)).astype(np.int8)
    words = ["one", "two", "five", "eight", "nothing"]
    orders: Sequence[Sequence[str]] = (words, words[::-1], sorted(words), words * 3)
    assert len({str(extract(told, passages, asked, each)) for each in orders}) == 1


# Long articles.


def test_in_an_article_of_hundreds_of_passages_what_answers_is_found(embedder: Embedder) -> None:
    long = [f"## Shelf {n}\n{FILLER}Shelf {n} is open.\n" for n in range(150)]
    long[97] = "## Batteries\nOld batteries go to the recycling yard, never into the bin.\n"
    told = article("We sell tea.\n\n" + "\n".join(long))
    found = said(embedder, told, "where do old batteries go")
    assert (found.heading, "recycling yard" in found.text) == ("Batteries", True)


@pytest.mark.parametrize(
    "body",
    [
        "First.\n\n" + "a\n" * 60_000,
        "First.\n\n" + "1. " * 60_000,
        "First.\n\n" + "x" * 200_000,
        "First.\n\n" + "\n\n".join(f"## H\nSentence {n}." for n in range(3_000)),
        " ".join(f"Sentence number {n}." for n in range(10_000)),
    ],
)
def test_an_article_that_was_made_to_take_long_is_read_only_in_part(body: str) -> None:
    """Hours would pass if each of its sentences were compared with all that follow."""
    told = article(body)
    for chance in range(3):
        check(told, anyhow(told, chance))


def test_an_article_that_says_the_same_again_and_again_says_it_once() -> None:
    told = article("\n\n".join(["Send it back."] * 5_000))
    for chance in range(5):
        found = anyhow(replace(told), chance)
        assert not found.before
