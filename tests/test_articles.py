"""The article reader: problems with file and line, never an exception; and our own articles."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.knowledge.articles import (
    MAX_FILE_BYTES,
    MAX_PASSAGE_LENGTH,
    Article,
    Problem,
    read_article,
    read_articles,
    split_passages,
)
from bot.messages import LANGUAGES
from tests.scenes import KNOWLEDGE_BASE

HEAD = "---\nid: returns\nlanguage: en\ntitle: Return a product\n"
GOOD = f"{HEAD}---\nSend it back\nwithin 30 days.\n\n## How\n- Pack it.\n"


def write(folder: Path, content: str | bytes, name: str = "article.md") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path) -> Article:
    found = read_article(path)
    assert isinstance(found, Article), found
    return found


def test_an_article_has_a_short_answer_and_passages_with_their_headings(tmp_path: Path) -> None:
    article = read(write(tmp_path, GOOD))
    assert (article.id, article.language, article.title) == ("returns", "en", "Return a product")
    assert article.short_answer == "Send it back within 30 days."
    assert article.passages == (
        "Return a product\nSend it back\nwithin 30 days.",
        "Return a product – How\n- Pack it.",
    )


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_windows_line_breaks_change_nothing(tmp_path: Path, change) -> None:
    assert read(write(tmp_path, change(GOOD))) == read(write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "front matter"),
        ("Just text", 1, "front matter"),
        ("---\nid: a\n", 1, "front matter"),
        (b"\xff\xfe", 1, "UTF-8"),
        (b"---\nid: \xc3\x28\n---\nx", 1, "UTF-8"),
        ("---\nid: a\ntitle: Pay: now\n---\nx", 3, "YAML"),
        ("---\nid: [a\n---\nx", 2, "YAML"),
        ("---\n- a\n- b\n---\nx", 2, "front matter"),
        ("---\ntext\n---\nx", 2, "front matter"),
        (HEAD.replace("title: Return a product\n", "") + "---\nx", 2, "title"),
        (HEAD.replace("id: returns", "id: Bad Id") + "---\nx", 2, "id"),
        (HEAD.replace("language: en", "language: english") + "---\nx", 3, "language"),
        (HEAD.replace("title: Return a product", "title: ''") + "---\nx", 4, "title"),
        (HEAD + "questions: one\n---\nx", 5, "questions"),
        (HEAD + "colour: red\n---\nx", 5, "colour"),
        (HEAD + "---\n   \n", 7, "body is empty"),
        (HEAD + "updated: 2026-02-30\n---\nx", 2, "cannot be read"),
        (HEAD + "updated: !!timestamp x\n---\nx", 2, "cannot be read"),
        (HEAD + "updated: !!bool maybe\n---\nx", 2, "cannot be read"),
        (HEAD + f"tags: {'[' * 1500}\n---\nx", 2, "cannot be read"),
    ],
)
def test_every_problem_is_told_with_file_and_line(
    tmp_path: Path, content: str | bytes, line: int, words: str
) -> None:
    path = write(tmp_path, content)
    problem = read_article(path)
    assert isinstance(problem, Problem)
    assert words in problem.message
    assert (problem.file, problem.line) == (path, line)
    assert str(problem).startswith(f"{path}:{line}: ")


def test_a_huge_file_a_folder_and_a_dead_link_are_problems(tmp_path: Path) -> None:
    huge = write(tmp_path, GOOD + "x" * MAX_FILE_BYTES, "huge.md")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "link.md").symlink_to(tmp_path / "nowhere")
    articles, problems = read_articles(tmp_path)
    assert articles == []
    assert {each.file.name for each in problems} == {huge.name, "folder.md", "link.md"}


def test_a_broken_article_does_not_keep_the_others_from_being_served(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "en/returns.md")
    write(tmp_path, "broken", "en/broken.md")
    write(tmp_path, GOOD, "en/zzz.md")
    articles, problems = read_articles(tmp_path)
    assert [each.id for each in articles] == ["returns"]
    assert [each.file.name for each in problems] == ["broken.md", "zzz.md"]
    assert "taken" in problems[1].message


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_articles(tmp_path / "nowhere")


FRONT = st.binary(max_size=120).map(lambda middle: b"---\n" + middle + b"\n---\nbody")
YAML_FRONT = st.dictionaries(
    st.sampled_from(["id", "language", "title", "questions", "tags", "updated", "x", "1", "~"]),
    st.sampled_from(["a", "1", "[a, 1]", "{b: c}", "~", "!!binary x", "&a [*a]", "2026-02-30"]),
).map(lambda keys: "---\n" + "\n".join(f"{k}: {v}" for k, v in keys.items()) + "\n---\nbody")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=300), FRONT, YAML_FRONT.map(str.encode)))
def test_arbitrary_bytes_are_an_article_or_a_problem_and_never_an_exception(
    tmp_path: Path, content: bytes
) -> None:
    found = read_article(write(tmp_path, content))
    if isinstance(found, Problem):
        assert found.line >= 1
        assert found.message
    else:
        assert found.body


@given(st.text(alphabet="ab #\n\t-กی", max_size=1500))
def test_passages_are_short_and_hold_every_word(body: str) -> None:
    passages = split_passages("T", body)
    for each in passages:
        heading, _, text = each.partition("\n")
        assert heading.startswith("T")
        assert len(text) <= MAX_PASSAGE_LENGTH + 1
    whole = "".join("".join(passages).split())
    plain = [line for line in body.splitlines() if not line.startswith("#")]
    assert all("".join(line.split()) in whole for line in plain)


def test_our_own_knowledge_base_has_no_problems() -> None:
    _, problems = read_articles(KNOWLEDGE_BASE)
    assert [str(each) for each in problems] == []


def test_our_own_articles_exist_in_all_languages() -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    ids = {
        language: {each.id for each in articles if each.language == language}
        for language in LANGUAGES
    }
    assert ids["en"]
    for language in LANGUAGES:
        assert ids[language] == ids["en"], language


def test_our_own_short_answers_fit_into_a_chat_bubble() -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    long = {
        f"{each.language}/{each.id}": len(each.short_answer)
        for each in articles
        if not 0 < len(each.short_answer) <= 300
    }
    assert long == {}


def test_our_own_files_are_named_after_their_article_and_lie_in_its_language() -> None:
    for path in KNOWLEDGE_BASE.rglob("*.md"):
        article = read(path)
        assert (article.language, article.id) == (path.parent.name, path.stem)
