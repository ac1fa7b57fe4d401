"""The body of an article as plain text: its first paragraph, its passages, its sentences."""

import re
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.knowledge.articles.passages import (
    MAX_PASSAGE_LENGTH,
    Passage,
    first_paragraph,
    sentences,
    split_passages,
)

MAX_TEXT_LENGTH = 400
HOSTILE = {
    "no space": "x" * 100_000,
    "Thai without space": "เก็บ" * 25_000,
    "marks on a letter": "ก" + "\u0e48" * 100_000,
    "dots": "." * 100_000,
    "dots apart": ". " * 50_000,
    "numbers of steps": "1. " * 33_000,
    "numbers of steps and a word": "1. " * 33_000 + "end",
    "lines of numbers": "1.\n" * 33_000,
    "lines of a letter": "a\n" * 50_000,
    "quotes": '."' * 50_000,
    "cells": "|a" * 50_000,
    "bars": "|" * 100_000,
    "quoted quotes": "> " * 50_000,
    "a rule": "- " * 50_000,
    "spaces": "a" + " " * 100_000 + "b",
    "fences": "```\n" * 25_000,
    "headings": "# a\nb\n" * 15_000,
}


def texts(body: str) -> list[str]:
    return [each.text for each in split_passages("T", body)]


def joined(passages: list[Passage]) -> list[str]:
    """The lines of all sections."""
    lines: list[str] = []
    for _, some in groupby(passages, key=lambda each: each.section):
        whole = "".join(each.joint + each.text for each in some)
        assert whole[0] == "\n"
        lines += whole[1:].split("\n")
    return lines


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def said(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentences(text)]


# Plain text.


@pytest.mark.parametrize(
    ("body", "short_answer"),
    [
        ("One\ntwo.\n\nThree", "One two."),
        ("# Heading\n\nText\n## Next", "Text"),
        ("---\n\n![](a.png)\n\nText", "Text"),
        ("A **bold** _word_, 2 \\* 3 &amp; `code`", "A bold word, 2 * 3 & code"),
        ("Marks that go **over\na line** end", "Marks that go over a line end"),
        ("See [the page](https://x.org/a_b).", "See the page (https://x.org/a_b)."),
        ("<https://x.org> or [a@x.org](mailto:a@x.org)", "https://x.org or a@x.org"),
        ("2 * 3 * 4 snake_case_name < b", "2 * 3 * 4 snake_case_name < b"),
        ("A <b>bold</b> word<br>and a line", "A bold word and a line"),
        ("See [the page][1] and [all][].\n\n[1]: https://x.org\n", "See the page and all."),
        ("[Press](javascript:alert(1)) or [look](/help)", "Press or look (/help)"),
        ("[1]: https://x.org\n\nText", "Text"),
        ("```usher index``` reads it.\n\n## More\n", "usher index reads it."),
        ("> Quoted\n> twice", "Quoted twice"),
    ],
)
def test_the_short_answer_is_plain_text(body: str, short_answer: str) -> None:
    assert first_paragraph(body) == short_answer


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("**Brio:** empty the _tank_", ["Brio: empty the tank"]),
        ("**One\ntwo**\n\n_three_", ["One", "two", "three"]),
        ("* one\n* **two**\n+ three\n- four", ["- one", "- two", "- three", "- four"]),
        ("1. Open `Orders`.\n2) Press *Return*.", ["1. Open Orders.", "2) Press Return."]),
        ("> quoted\n> > deeper", ["quoted", "deeper"]),
        ("Heading\n===\nText\n\n***\n\n- - -\nEnd", ["Heading", "Text", "End"]),
        ("[page](https://x.org) ![alt](a.png)", ["page (https://x.org) alt"]),
        ("a  \nb\\\nc", ["a", "b", "c"]),
        ("| What | Price |\n|:--|--:|\n| **Brio** | 5 \\| 6 |", ["What – Price", "Brio – 5 | 6"]),
        (
            "Days:\n| | City: | Else |\n|-|-|-|\n| Brio | 1 | 3 |\n| Volta | – | ✓ |\n|| 5 || x |",
            ["Days:", "Brio – City: 1 – Else: 3", "Volta – City: – – Else: ✓", "City: 5 – x"],
        ),
        ("| Id | a | b |\n|-|-|-|\n| 14 | 0 | 1 |", ["Id: 14 – a: 0 – b: 1"]),
        ("| Fees | | |\n|-|-|-|\n| 14 | 0 | 1 |", ["Fees", "14 – 0 – 1"]),
        ("| a | b | c |\n|-|-|-|", ["a – b – c"]),
        ("| a | b | c |\n|-|-|-|\n| 1 | 2<br>3 | 4 |", ["a: 1 – b: 2 3 – c: 4"]),
        ("[Note]: unplug it.\n\n[1]: https://x.example/fees 'Fees'", ["[Note]: unplug it."]),
        ("| Key | Does |\n|-|-|\n| + | up |\n| - | down |", ["Key – Does", "+ – up", "- – down"]),
        (
            f"| Id | {'long ' * 17}| b |\n|-|-|-|\n| 14 | 0 | 1 |",
            [f"Id – {'long ' * 17}– b", "14 – 0 – 1"],
        ),
        (
            "| Id | [Large cities](https://shop.example/large) | b |\n|-|-|-|\n| 14 | 0 | 1 |",
            ["Id: 14 – Large cities: 0 – b: 1"],
        ),
        ("| a | b | c |\n| d | e | f |", ["a – b – c", "d – e – f"]),
        ("Prices:\n| a | |\n| - | - |\n| | b |\nEnd", ["Prices:", "a", "b", "End"]),
        ("```\n# a\n\n  *b* | c\n```", ["# a", "*b* | c"]),
        ("2 * 3 * 4 and snake_case", ["2 * 3 * 4 and snake_case"]),
    ],
)  # fmt: skip
def test_passages_are_lines_of_plain_text(body: str, lines: list[str]) -> None:
    assert joined(split_passages("T", body)) == lines


def test_marks_around_several_sentences_are_in_none_of_their_passages() -> None:
    sentence = "Do not open the housing while it is plugged in."
    body = f"**{' '.join([sentence] * 20)}**"
    assert len(texts(body)) > 1
    assert "*" not in "".join(texts(body))


def test_headings_are_plain_text_too() -> None:
    (passage,) = split_passages("T", "## The **bold** `one`\nText")
    assert passage.heading == "The bold one"
    assert passage.name == "T – The bold one"


def test_a_heading_is_short_and_has_no_address() -> None:
    (passage,) = split_passages("T", f"## See [the map](https://x.org) {'x' * 100}\nText")
    assert passage.heading.startswith("See the map xxx")
    assert len(passage.heading) == 80


MARKED = st.sampled_from(
    ["{}", "**{}**", "*{}*", "_{}_", "`{}`", "**_{}_**", "[{}](https://x.org)"]
)
STARTS = st.sampled_from(["", "- ", "* ", "+ ", "1. ", "2) ", "> ", "| "])
WORDS = st.sampled_from(["Brio", "pump", "ปั๊มน้ำ", "فیلتر", "bình chứa", "E10", "sends it. Back"])
PIECES = st.lists(st.builds(str.format, MARKED, WORDS), min_size=1, max_size=60).map(" ".join)
BODIES = st.lists(st.builds(str.__add__, STARTS, PIECES) | st.just(""), max_size=12).map("\n".join)


@given(BODIES)
def test_no_mark_is_left_in_a_passage(body: str) -> None:
    for passage in split_passages("T", body):
        assert not re.search(r"[*_`|\[\]>]", passage.text)


# Passages.


HEADINGS = st.sampled_from(["# H", "## a #", "```", "~~~~", ""])
PLAIN_LINES = st.text(alphabet="ab 1\t.؟!กี่کی", max_size=1500)


@given(st.lists(HEADINGS | PLAIN_LINES, max_size=12).map("\n".join))
def test_every_word_is_in_exactly_one_passage(body: str) -> None:
    passages = split_passages("T", body)
    plain = [line for line in body.split("\n") if not line.startswith(("#", "`", "~"))]
    # A heading that code hides is told as a line; none of the others is.
    told = [line for line in joined(passages) if not line.startswith(("#", "`", "~"))]
    assert "".join("".join(told).split()) == "".join("".join(plain).split())


@given(st.lists(HEADINGS | PLAIN_LINES, max_size=12).map("\n".join))
def test_passages_are_short_and_begin_with_title_and_heading(body: str) -> None:
    for passage in split_passages("T", body):
        assert 0 < len(passage.text) <= MAX_TEXT_LENGTH
        assert passage.text == passage.text.strip()
        assert passage.name == (f"T – {passage.heading}" if passage.heading else "T")
        assert passage.searched == f"{passage.name}\n{passage.text}"


@given(st.lists(PLAIN_LINES, max_size=6))
def test_joined_the_passages_of_a_section_are_its_lines(lines: list[str]) -> None:
    expected = [" ".join(line.split()) for line in lines if line.strip()]
    found = joined(split_passages("T", "\n".join(lines)))
    assert [" ".join(line.split()) for line in found] == expected


def test_passages_know_their_section_and_are_as_long_as_fits() -> None:
    body = "\n".join(
        ["line of a few words"] * 30 + ["## One", "text", "## Two", "", "## Three", "x"]
    )
    passages = split_passages("T", body)
    assert [(each.section, each.heading) for each in passages] == [
        (0, ""), (0, ""), (1, "One"), (3, "Three"),
    ]  # fmt: skip
    assert [len(each.text.split("\n")) for each in passages] == [20, 10, 1, 1]
    assert [each.joint for each in passages] == ["\n"] * 4


@given(st.lists(st.sampled_from(["Send it back.", "Really?", "آیا می‌شود؟", "บรรจุ"]), min_size=60))
def test_long_lines_are_broken_between_sentences(some: list[str]) -> None:
    for passage in split_passages("T", " ".join(some)):
        assert any(passage.text.startswith(each) for each in some)
        assert any(passage.text.endswith(each) for each in some)


def test_a_long_step_keeps_its_number() -> None:
    first, *_ = texts(f"12. {'word ' * 200}")
    assert first.startswith("12. word word")
    assert len(first) > MAX_TEXT_LENGTH // 2


def test_thai_is_broken_at_its_spaces() -> None:
    phrase = "กรุณาส่งสินค้าคืนภายในสามสิบวัน"
    passages = split_passages("T", " ".join([phrase] * 40))
    assert {each for passage in passages for each in passage.text.split(" ")} == {phrase}
    assert [each.joint for each in passages] == ["\n", *[" "] * (len(passages) - 1)]


def test_a_run_without_any_space_is_broken_but_not_inside_a_syllable() -> None:
    passages = split_passages("T", "เก็บ" * 300)
    assert all(each.text.startswith(("เก็บ", "บ")) for each in passages)
    assert [each.joint for each in passages] == ["\n", *[""] * (len(passages) - 1)]


def test_headings_in_code_are_no_headings() -> None:
    body = "Run this:\n\n```sh\n# a comment\n```\n\n~~~\n# one\n```\n# two\n~~~\n\n# Real #\nText"
    assert [each.searched for each in split_passages("T", body)] == [
        "T\nRun this:\n# a comment\n# one\n```\n# two",
        "T – Real\nText",
    ]


def test_a_code_block_that_never_ends_hides_no_text() -> None:
    assert texts("```\n# a\nb") == ["# a\nb"]


def test_a_very_long_title_leaves_room_for_the_text() -> None:
    passages = split_passages("T" * 200, "## " + "H" * 2_000 + "\n" + "word " * 300)
    assert all(len(each.searched) <= MAX_PASSAGE_LENGTH for each in passages)
    assert " ".join(each.text for each in passages).split() == ["word"] * 300


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_body_that_was_made_to_take_long_is_split_and_loses_no_letter(body: str) -> None:
    """Hours would pass if time grew with the square of a line's length."""
    passages = split_passages("T", body)
    lines = [line for line in body.split("\n") if not line.startswith("#")]
    assert letters("".join(joined(passages))) == letters("".join(lines))
    assert all(len(each.text) <= MAX_TEXT_LENGTH for each in passages)
    first_paragraph(body)


# Sentences.


ANY_LINES = st.text(alphabet="ab 1.)-!?؟\nกี่کی۔", max_size=600)


@given(ANY_LINES | st.sampled_from(list(HOSTILE.values())))
@example("1. 1. 1. " * 50 + "a")
@example("a" * 131 + " 5. " + "b" * 300)
def test_every_letter_is_in_exactly_one_sentence(text: str) -> None:
    last = 0
    for start, end in sentences(text):
        assert last <= start < end
        assert not letters(text[last:start])
        assert "\n" not in text[start:end]
        last = end
    assert not letters(text[last:])


@given(ANY_LINES)
def test_a_sentence_has_at_most_250_characters_and_195_where_it_is_no_step(text: str) -> None:
    for start, end in sentences(text):
        step = re.match(r"\s*(-|\d+[.)])\s", text[start:end])
        assert end - start <= (250 if step else 195)


@given(st.integers(0, 10**9 - 1), st.sampled_from(".)"), st.integers(1, 60))
def test_the_number_of_a_step_is_never_parted_from_it(number: int, mark: str, words: int) -> None:
    text = f"Before you begin.\n{number}{mark} {'pump. ' * words}"
    assert all(re.search("pump|Before", each) for each in said(text))
    assert said(text)[1].startswith(f"{number}{mark} pump.")


@pytest.mark.parametrize("start", ["1. ", "- ", "12) "])
def test_a_step_is_whole_up_to_250_characters_and_other_lines_up_to_130(start: str) -> None:
    line = "Open it. " * 40
    step, other = f"{start}{line}"[:250], line[:130]
    assert said(f"{step}\n{other}") == [step.strip(), other.strip()]
    assert len(said(f"{start}{line}"[:260])) > 2
    assert len(said(line[:140])) > 2


def test_numbers_are_said_and_not_only_letters() -> None:
    assert said("Call us:\n1900 1234\n1.\n☎") == ["Call us:", "1900 1234"]


def test_long_thai_is_broken_at_spaces_and_without_them_not_inside_a_syllable() -> None:
    phrase = "กรุณาส่งสินค้าคืนภายในสามสิบวัน"
    parts = said(" ".join([phrase] * 12))
    assert len(parts) > 2
    assert all(set(each.split(" ")) == {phrase} for each in parts)
    parts = said("เก็บ" * 90)
    assert len(parts) > 2
    assert all(each.startswith(("เก็บ", "บ")) for each in parts)
