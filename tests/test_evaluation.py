"""`usher evaluate`: the figures are what they are called, and wrong input is told by line."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.evaluation import measures, reliability
from bot.knowledge.evaluation.figures import Figures, Judged, by_language, figures, worst_misses
from bot.knowledge.evaluation.question_sets import Question, read_questions
from bot.messages import Outcome
from bot.operations.evaluating import Evaluation, evaluate
from bot.settings import ROOT

IDS = ("returns", "delivery", "battery")
KEYS = {
    "questions", "unanswerable", "top1", "top3", "share_answered", "precision", "helped", "says",
    "held_back", "offered_in_vain", "auroc", "calibration_error", "coverage_at_precision",
    "ms_per_question",
}  # fmt: skip
ARTICLES = {
    "returns": ("Return a product", "How do I send something back?", "Send it back in 30 days."),
    "delivery": ("Delivery times", "When will my parcel arrive?", "We deliver in 3 days."),
    "battery": ("Charge the battery", "How long does charging take?", "A charge takes 4 hours."),
}
QUESTIONS = """text,article,language
how can i send a product back,returns,en
when does my parcel arrive,delivery,en
how long must the battery charge,battery,en
who won the football match,,en
"""


def judged(
    *articles: str,
    wanted: str,
    confidence: float,
    answer: bool = False,
    offer: bool = False,
    language: str = "en",
    says: Sequence[str] = (),
    text: str = "",
) -> Judged:
    held_back = Outcome.CLARIFY if offer else Outcome.HANDOFF
    outcome = Outcome.ANSWER if answer else held_back
    question = Question("?", wanted, language, Path("q.csv"), 2, tuple(says))
    return Judged(question, articles, confidence, outcome, language, 0.01, text)


def write_articles(folder: Path, languages: Sequence[str] = ("en",), flat: bool = False) -> Path:
    for language, (name, (title, question, body)) in product(languages, ARTICLES.items()):
        file = folder / (f"{name}.{language}.md" if flat else f"{language}/{name}.md")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'---\nid: {name}\nlanguage: {language}\ntitle: "{title}"\n'
            f'questions: ["{question}"]\n---\n{body}\n'
        )
    return folder


def write(file: Path, content: str | bytes) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file: Path) -> list[Question]:
    return read_questions([file], IDS, {"en"})


def command(*arguments: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "evaluate", *map(str, arguments)],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "USHER_DATA_DIR": str(data),
            "USHER_ACTS": str(data / "no-acts"),  # thousands of texts to embed
            "COLUMNS": "60",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


# The figures.


def test_each_figure_is_the_share_that_its_name_says() -> None:
    found = figures(
        [
            judged("a", "b", wanted="a", confidence=0.9, answer=True),
            judged("a", "b", wanted="b", confidence=0.8, answer=True),
            judged("c", "b", "a", wanted="a", confidence=0.3, offer=True),
            judged("c", wanted="c", confidence=0.4),
            judged("a", wanted="", confidence=0.7, answer=True),
            judged("a", wanted="", confidence=0.1, offer=True),
        ]
    )
    assert (found.questions, found.unanswerable) == (6, 2)
    assert (found.top1, found.top3) == (0.5, 1.0)
    assert found.share_answered == 0.5
    assert found.precision == pytest.approx(1 / 3, abs=1e-4)
    assert found.helped == 0.5  # the first one, and the third by its title
    assert found.held_back == 0.5
    assert found.offered_in_vain == 0.5
    assert found.auroc == pytest.approx(6 / 8)  # 0.9 is above four wrong ones, 0.4 above two
    assert found.coverage_at_precision == {
        "0.8": pytest.approx(1 / 6, abs=1e-4),
        "0.9": pytest.approx(1 / 6, abs=1e-4),
        "0.95": pytest.approx(1 / 6, abs=1e-4),
    }
    assert found.calibration_error == pytest.approx(abs(3.2 - 2) / 6, abs=1e-4)
    assert found.ms_per_question == 10.0


def test_a_share_of_nothing_is_null_and_never_nan() -> None:
    for group in ([], [judged(wanted="", confidence=0.0)], [judged("a", wanted="a", confidence=1)]):
        text = json.dumps(figures(group).as_json(), allow_nan=False)
        assert set(json.loads(text)) == KEYS
    assert figures([judged("a", wanted="a", confidence=1)]).held_back is None
    assert figures([judged("a", wanted="", confidence=0.2)]).precision is None
    assert figures([judged("a", wanted="", confidence=0.2)]).top1 is None


def test_questions_without_any_candidate_count_as_wrong() -> None:
    found = figures([judged(wanted="a", confidence=0.0)])
    assert (found.top1, found.top3, found.share_answered) == (0.0, 0.0, 0.0)


def test_a_reply_says_what_it_must_if_one_of_the_texts_is_in_it_answered_or_not() -> None:
    reply = "Send it back within 30 days."
    found = figures(
        [
            judged("a", wanted="a", confidence=0.9, answer=True, says=["30 days"], text=reply),
            judged("b", wanted="a", confidence=0.1, says=["a month", "30 days"], text=reply),
            judged("a", wanted="a", confidence=0.9, answer=True, says=["60 days"], text=reply),
            judged("a", wanted="a", confidence=0.9, answer=True, text=reply),
        ]
    )
    assert found.says == pytest.approx(2 / 3, abs=1e-4)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("household WASTE", "It belongs in the Household\nwaste."),
        ("within  30 days", "Send it back within\n30\u00a0days"),
        ("۵ ثانیه", "Filter را ٥ ثانيه نگه دارید"),
        ("một  tháng", "Mo\u0302\u0323t tha\u0301ng"),
    ],
)
def test_spacing_and_spelling_do_not_matter_for_what_a_reply_says(wanted: str, text: str) -> None:
    assert judged("a", wanted="a", confidence=0.9, says=[wanted], text=text).says
    assert not judged("a", wanted="a", confidence=0.9, says=[wanted], text="Another").says


def test_without_texts_that_a_reply_must_contain_there_is_no_share_of_them() -> None:
    assert figures([judged("a", wanted="a", confidence=1, text="Text")]).says is None
    assert figures([judged(wanted="a", confidence=0, says=["x"])]).says == 0.0


outcomes = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.5001, 0.9, 1.0]), st.booleans()), max_size=60
)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[measures.Confidences, measures.Truths]:
    return np.array([c for c, _ in pairs], float), np.array([r for _, r in pairs], bool)


@given(outcomes)
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[float, bool]]) -> None:
    compared = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for (high, right), (low, other) in product(pairs, pairs)
        if right and not other
    ]
    expected = sum(compared) / len(compared) if compared else None
    assert measures.auroc(*arrays(pairs)) == pytest.approx(expected)


@given(outcomes, st.sampled_from([0.8, 0.9, 0.95]))
def test_coverage_is_the_most_that_any_threshold_answers(
    pairs: list[tuple[float, bool]], wanted: float
) -> None:
    best = 0.0
    for threshold, _ in pairs:
        answered = [right for confidence, right in pairs if confidence >= threshold]
        if sum(answered) / len(answered) >= wanted:
            best = max(best, len(answered) / len(pairs))
    assert measures.coverage_at(wanted, *arrays(pairs)) == (pytest.approx(best) if pairs else None)


@given(outcomes, st.randoms())
def test_no_figure_depends_on_the_order_of_the_questions(
    pairs: list[tuple[float, bool]], random: Any
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    for measure in (measures.auroc, measures.calibration_error):
        assert measure(*arrays(pairs)) == pytest.approx(measure(*arrays(shuffled)))


def test_an_honest_confidence_has_the_calibration_error_of_chance_and_a_boast_more() -> None:
    random = np.random.default_rng(7)
    chances = random.uniform(0.5, 1, 2000)
    right = random.random(2000) < chances
    honest = measures.calibration_error(chances, right)
    boast = measures.calibration_error(np.full(2000, 0.99), right)
    by_chance = measures.calibration_error_by_chance(chances)
    assert honest is not None
    assert by_chance is not None
    assert honest < 2 * by_chance
    assert boast == pytest.approx(0.99 - right.mean())


def test_bins_hold_at_least_twenty_five_questions_and_are_at_most_ten() -> None:
    for count, bins in ((1, 1), (49, 1), (50, 2), (250, 10), (5000, 10)):
        found = measures.bins(np.linspace(0, 1, count), np.ones(count, bool))
        assert len(found) == bins
        assert sum(each.count for each in found) == count


def test_groups_are_all_questions_and_then_each_language() -> None:
    found = by_language(
        [judged("a", wanted="a", confidence=1, language=name) for name in ("vi", "en", "vi")]
    )
    assert {name: len(group) for name, group in found.items()} == {"all": 3, "en": 1, "vi": 2}


def test_misses_begin_with_the_surest_wrong_answer() -> None:
    wrong = judged("a", wanted="b", confidence=0.93, answer=True)
    surer = judged("a", wanted="", confidence=0.99, answer=True)
    doubted = judged("a", wanted="a", confidence=0.2)
    missed = judged("b", wanted="a", confidence=0.5)
    fine = judged("a", wanted="a", confidence=0.99, answer=True)
    held_back = judged("a", wanted="", confidence=0.1)
    found = worst_misses([fine, missed, doubted, held_back, wrong, surer], 9)
    assert found == [surer, wrong, doubted, missed]
    assert worst_misses([wrong, surer], 1) == [surer]


# The file.


def test_a_question_has_text_article_language_and_its_line(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.csv",
        "\ufefftext,article,language\r\n"
        '"two\r\nlines, and a ""quote""",returns,VI\r\n'
        "\r\n"
        " who won ,,\r\n",
    )
    assert read(file) == [
        Question('two\r\nlines, and a "quote"', "returns", "vi", file, 2),
        Question("who won", "", "", file, 5),
    ]


def test_columns_may_stand_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    (found,) = read(write(tmp_path / "q.csv", "note,Article,Text\nmine,returns,send back\n"))
    assert (found.text, found.article) == ("send back", "returns")


def test_what_a_reply_must_contain_is_one_of_the_texts_between_bars(tmp_path: Path) -> None:
    rows = "a,returns,30 days\nb,returns, 30 days | a month ||\nc,returns,\nd,returns, | \n"
    found = read(write(tmp_path / "q.csv", f"text,article,says\n{rows}"))
    assert [each.says for each in found] == [("30 days",), ("30 days", "a month"), (), ()]
    (without,) = read(write(tmp_path / "q.csv", "text,article\na,returns\n"))
    assert without.says == ()


def test_a_file_named_after_a_language_is_in_it_unless_a_row_says_another(tmp_path: Path) -> None:
    (named,) = read(write(tmp_path / "vi.csv", "text,article\ngui lai,returns\n"))
    (column,) = read(write(tmp_path / "th.csv", "text,article,language\nsend,returns,en\n"))
    (empty,) = read(write(tmp_path / "fa.csv", "text,article,language\nsend,returns,\n"))
    (other,) = read(write(tmp_path / "mine.csv", "text,article\nsend,returns\n"))
    assert [each.language for each in (named, column, empty, other)] == ["vi", "en", "fa", ""]


def test_of_a_folder_all_files_are_read(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        write(tmp_path / name, f"text,article\nof {name},returns\n")
    write(tmp_path / "notes.txt", "not a question")
    assert [each.text for each in read(tmp_path)] == ["of a.csv", "of b.csv"]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("text,article\n", 1, "no question"),
        ("text,article\nok,returns\nsend,retruns\n", 3, "no article has the id 'retruns'"),
        ("text,article,language\nx,returns,klingon\n", 2, "'klingon' is no language"),
        ("text,article\n,returns\n", 2, "no text"),
        ("text,article\nwho won\n", 2, "fewer cells"),
        ("text,article\nyes, please,returns\n", 2, "3 cells below 2 columns"),
    ],
)
def test_every_mistake_is_told_with_file_and_line(
    tmp_path: Path, content: str | bytes, line: int, words: str
) -> None:
    file = write(tmp_path / "q.csv", content)
    with pytest.raises(InvalidInput) as told:
        read(file)
    assert f"{file}:{line}: " in str(told.value)
    assert words in str(told.value)


def test_many_mistakes_are_told_at_once_but_not_all(tmp_path: Path) -> None:
    file = write(tmp_path / "q.csv", "text,article\n" + "x,wrong\n" * 30)
    with pytest.raises(InvalidInput, match="and 20 more") as told:
        read(file)
    assert str(told.value).count(str(file)) == 10


@pytest.mark.parametrize("name", ["absent.csv", "folder"])
def test_a_file_that_is_not_there_and_an_empty_folder_are_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match=name):
        read(tmp_path / name)


@given(
    st.binary(max_size=400)
    | st.text(max_size=400).map(lambda t: b"text,article\n" + t.encode("utf-8", "replace"))
)
def test_no_bytes_do_more_than_be_refused(tmp_path_factory: Any, content: bytes) -> None:
    file = write(tmp_path_factory.getbasetemp() / "fuzz.csv", content)
    with suppress(InvalidInput):
        assert read(file)


# The whole.


@pytest.mark.parametrize("flat", [True, False])
def test_questions_are_asked_of_the_articles_of_a_folder(
    tmp_path: Path, embedder: Embedder, flat: bool
) -> None:
    knowledge = write_articles(tmp_path / "articles", ("en", "vi"), flat)
    found = ask(embedder, knowledge, write(tmp_path / "q.csv", QUESTIONS))
    assert found.articles == 6
    assert set(found.groups) == {"all", "en"}
    said = figures(found.groups["all"])
    assert (said.questions, said.unanswerable, said.top1) == (4, 1, 1.0)


def ask(embedder: Embedder, knowledge: Path, questions: Path) -> Evaluation:
    return evaluate(embedder, knowledge, [questions], 0.9, 0.2, "en", quiet=True)


def test_what_is_said_is_judged_with_the_column_and_null_without_it(
    tmp_path: Path, embedder: Embedder
) -> None:
    knowledge = write_articles(tmp_path / "articles")
    rows = (
        "text,article,language,says\n"
        "how can i send a product back,returns,en,a month|IN 30  days\n"
        "when does my parcel arrive,delivery,en,tomorrow\n"
        "how long must the battery charge,battery,en,\n"
    )
    asked = ask(embedder, knowledge, write(tmp_path / "q.csv", rows))
    assert figures(asked.groups["all"]).says == 0.5
    asked = ask(embedder, knowledge, write(tmp_path / "q.csv", QUESTIONS))
    assert figures(asked.groups["all"]).says is None


def test_broken_articles_are_left_out_and_their_questions_count_as_misses(
    tmp_path: Path, embedder: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    knowledge = write_articles(tmp_path / "articles")
    write(knowledge / "en" / "gone.md", "---\nid: refunds\nlanguage: en\n---\nNo title.\n")
    questions = write(tmp_path / "q.csv", QUESTIONS + "when do i get my money,refunds,en\n")
    found = ask(embedder, knowledge, questions)
    assert (found.articles, found.broken, found.lost) == (3, 1, 1)
    assert figures(found.groups["all"]).top1 == 0.75


def test_without_a_language_the_message_itself_tells(tmp_path: Path, embedder: Embedder) -> None:
    knowledge = write_articles(tmp_path / "articles", ("en", "th"))
    found = ask(embedder, knowledge, write(tmp_path / "q.csv", "text,article\nส่งคืนสินค้า,returns\n"))
    assert set(found.groups) == {"all", "th"}


def test_the_same_questions_give_the_same_figures(tmp_path: Path, embedder: Embedder) -> None:
    knowledge = write_articles(tmp_path / "articles")
    questions = write(tmp_path / "q.csv", QUESTIONS)

    def without_time(found: Figures) -> dict[str, Any]:
        return found.as_json() | {"ms_per_question": None}

    first, second = (
        without_time(figures(ask(embedder, knowledge, questions).groups["all"])) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_folder_without_articles_is_told(tmp_path: Path, embedder: Embedder, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=folder):
        ask(embedder, tmp_path / folder, write(tmp_path / "q.csv", QUESTIONS))


def test_strange_articles_need_questions(tmp_path: Path, embedder: Embedder) -> None:
    knowledge = write_articles(tmp_path / "articles")
    with pytest.raises(InvalidInput, match="--questions"):
        evaluate(embedder, knowledge, [], 0.9, 0.2, "en", quiet=True)


def test_the_command_answers_programs_in_json_and_nothing_else(tmp_path: Path) -> None:
    knowledge = write_articles(tmp_path / "articles")
    write(knowledge / "broken.md", "no front matter")
    questions = write(tmp_path / "q.csv", QUESTIONS)
    done = command(
        "--knowledge", knowledge, "--questions", questions, "--precision", "0.8", "--json",
        data=tmp_path / "data",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"all", "en"}
    assert all(set(group) == KEYS for group in answer.values())
    assert set(answer["all"]["coverage_at_precision"]) == {"0.8", "0.9", "0.95"}
    assert answer["all"]["questions"] == 4
    assert "broken.md:1" in done.stderr


def test_the_command_shows_tables_misses_and_a_picture(tmp_path: Path) -> None:
    knowledge = write_articles(tmp_path / "articles")
    questions = write(tmp_path / "q.csv", QUESTIONS + "[red]how[/] is the [weather,returns,en\n")
    picture = tmp_path / "picture.svg"
    done = command(
        "--knowledge", knowledge, "--questions", questions, "--questions", questions,
        "--misses", "9", "--diagram", picture, data=tmp_path / "data",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "right article first" in done.stdout
    assert "…" not in done.stdout.partition("Worst misses")[0], "figures are not cut"
    assert "[red]how[/]" in done.stdout
    assert picture.read_text("utf-8").count("</svg>") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--precision", "1.5"), "--precision"),
        (("--diagram", "picture.gif"), ".svg or .png"),
        (("--questions", "absent.csv"), "absent.csv"),
    ],
)
def test_wrong_arguments_are_told_without_a_trace(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = command(*arguments, data=tmp_path / "data")
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_picture_is_drawn_of_any_outcomes_and_is_the_same_each_time(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    many = [
        judged("a", wanted="a" if random.random() < c else "", confidence=float(c), answer=c > 0.8)
        for c in random.random(300)
    ]
    groups = {"all": many, "en": many[:1], "vi": [judged(wanted="", confidence=0.0)]}
    files = [tmp_path / name for name in ("one.svg", "two.svg", "three.png")]
    for file in files:
        reliability.draw(groups, 0.9, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[2].read_bytes().startswith(b"\x89PNG")
