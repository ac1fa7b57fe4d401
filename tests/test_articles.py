"""The article reader: problems with file and line, never an exception; and our own articles."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.knowledge.articles.articles import (
    MAX_FILE_BYTES,
    Article,
    Problem,
    parse_article,
    read_article,
    read_articles,
)
from bot.knowledge.articles.passages import MAX_PASSAGE_LENGTH
from bot.languages import LANGUAGES
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
    assert [each.searched for each in article.passages] == [
        "Return a product\nSend it back\nwithin 30 days.",
        "Return a product – How\n- Pack it.",
    ]
    assert [each.heading for each in article.passages] == ["", "How"]


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_windows_line_breaks_change_nothing(tmp_path: Path, change) -> None:
    assert read(write(tmp_path, change(GOOD))) == read(write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "no front matter"),
        ("Just text", 1, "no front matter"),
        ("---\nid: a\n", 1, "no end"),
        (b"\xff\xfe", 1, "UTF-8"),
        (b"---\nid: \xc3\x28\n---\nx", 2, "UTF-8"),
        (GOOD + "a\n\0b", 12, "control character"),
        ("---\nid: a\ntitle: Pay: now\n---\nx", 3, "YAML"),
        ("---\nid: [a\n---\nx", 3, "YAML"),
        ("---\n- a\n- b\n---\nx", 2, "no keys"),
        ("---\ntext\n---\nx", 2, "no keys"),
        ("---\n---\nx", 2, "'title' is missing"),
        (HEAD.replace("title: Return a product\n", "") + "---\nx", 2, "'title' is missing"),
        (HEAD.replace("id: returns", "id: Bad Id") + "---\nx", 2, "id: returns"),
        (HEAD.replace("language: en", "language: english") + "---\nx", 3, "language: en"),
        (HEAD.replace("title: Return a product", "title: ''") + "---\nx", 4, "title"),
        (HEAD.replace("title: Return a product", "title: '?!'") + "---\nx", 4, "with a word"),
        (HEAD.replace("title: Return a product", 'title: "a\\0b"') + "---\nx", 4, "title"),
        (HEAD + "questions: one\n---\nx", 5, "write a list"),
        (HEAD + "tags: [{a: b}]\n---\nx", 5, "write a list"),
        (HEAD + "colour: red\n---\nx", 5, "no key 'colour'"),
        (HEAD + "---\n   \n", 6, "body is empty"),
        (HEAD + "---\n# Only a heading\n", 6, "body is empty"),
        (HEAD + "updated: 2026-02-30\n---\nx", 5, "a date that exists"),
    ],
)
def test_every_problem_is_told_with_file_line_and_what_to_do(
    tmp_path: Path, content: str | bytes, line: int, words: str
) -> None:
    path = write(tmp_path, content)
    problem = read_article(path)
    assert isinstance(problem, Problem)
    assert words in problem.message
    assert (problem.file, problem.line) == (path, line)
    assert str(problem).startswith(f"{path}:{line}: ")
    assert any(
        word in problem.message
        for word in ("write", "save", "begin", "put", "quote", "use", "delete")
    )


def test_several_mistakes_in_the_keys_are_told_at_once(tmp_path: Path) -> None:
    problem = read_article(write(tmp_path, "---\nid: A B\nlanguage: en\ntags: x\n---\nText"))
    assert isinstance(problem, Problem)
    assert problem.line == 2
    for words in ("'id' has", "line 4: 'tags' has", "'title' is missing"):
        assert words in problem.message


def test_values_mean_what_was_typed(tmp_path: Path) -> None:
    keys = "questions: [yes, 1_000, 2026-01-01, ~]\ntags:\nupdated: 2026-11-20\n"
    article = read(write(tmp_path, f"{HEAD}{keys}---\nText"))
    assert article.questions == ("yes", "1_000", "2026-01-01", "~")
    assert article.tags == ()
    assert article.updated == "2026-11-20"


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\ntags: [*b, *b]",
        "a: &a {k: v}\nb: &b {<<: [*a, *a]}\nc: {<<: [*b, *b]}",
        "a: &a [*a]",
        "tags: " + "[" * 90_000,
        "tags:\n" + "- " * 45_000,
        "tags: " + "{a: " * 20_000,
        "x: '" + "y" * 200_000 + "'",
        "tags: " + "&a " * 30_000,
        "tags: " + "!a" * 40_000,
        "\n".join(f"k{n}: 1" for n in range(9_000)),
        "updated: " + "1:" * 40_000 + "1",
        "updated: !!binary " + "A" * 80_000,
        "tags: !!python/object/apply:os.system ['exit 1']\nid: ''",
    ],
)
def test_a_front_matter_that_was_made_to_blow_up_is_a_problem(tmp_path: Path, bomb: str) -> None:
    assert isinstance(read_article(write(tmp_path, f"{HEAD}{bomb}\n---\nText")), Problem)


@pytest.mark.parametrize(
    "body",
    [
        " " * 900_000 + "x",
        "Text\n# a" + " " * 900_000 + "b",
        "Text\n# " + "#" * 900_000 + "b",
        "x" * 900_000,
        "a. " * 300_000,
        'a."' + '"' * 900_000,
        "# a\n" * 200_000 + "b",
        "```\n" * 200_000 + "b",
        "[a](" * 200_000,
        "*a" * 4_000,
        "ก" + "\u0e48" * 290_000,
        "<script>alert(1)</script>",
    ],
)
def test_a_strange_body_is_served_as_text(tmp_path: Path, body: str) -> None:
    article = read(write(tmp_path, f"{HEAD}---\n{body}\n"))
    assert article.body == body.strip()
    assert all(len(each.searched) <= MAX_PASSAGE_LENGTH for each in article.passages)


def test_what_is_no_ordinary_file_is_a_problem(tmp_path: Path) -> None:
    """Read in a process that would be waiting for ever if a pipe were opened like a file."""
    write(tmp_path, GOOD + "x" * 4_000_000, "huge.md")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "dead-link.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    (tmp_path / "device.md").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.md")
    articles, problems = read_articles(tmp_path)
    assert articles == []
    told = {each.file.stem: each.message for each in problems}
    assert told.keys() == {"huge", "folder", "dead-link", "loop", "device", "pipe"}
    assert f"larger than {MAX_FILE_BYTES:,} bytes; split it" in told["huge"]
    assert "is not a file" in told["pipe"]


def test_a_file_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md"))
    path.write_text("broken")
    _, problems = read_articles(tmp_path)
    assert "\ufffd.md:1: " in str(problems[0])
    str(problems[0]).encode()


def test_links_between_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "en/returns.md")
    (tmp_path / "en" / "again").symlink_to(tmp_path)
    articles, problems = read_articles(tmp_path)
    assert [each.id for each in articles] == ["returns"]
    assert problems == []


def test_files_that_editors_hide_are_no_articles(tmp_path: Path) -> None:
    for name in (".#returns.md", ".git/x.md", "returns.md~", ".returns.md.swp"):
        write(tmp_path, "not an article", name)
    assert read_articles(tmp_path) == ([], [])


def test_ten_thousand_articles_with_one_title_are_all_served(tmp_path: Path) -> None:
    for number in range(10_000):
        write(tmp_path, GOOD.replace("id: returns", f"id: returns-{number}"), f"{number}.md")
    articles, problems = read_articles(tmp_path)
    assert (len(articles), problems) == (10_000, [])


def test_ten_thousand_articles_with_one_id_are_one_article(tmp_path: Path) -> None:
    for number in range(10_000):
        write(tmp_path, GOOD, f"{number:05}.md")
    articles, problems = read_articles(tmp_path)
    assert (len(articles), len(problems)) == (1, 9_999)
    assert f"taken by {tmp_path / '00000.md'}" in problems[-1].message


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
    st.sampled_from(
        ["id", "language", "title", "questions", "tags", "updated", "x", "1", "~", "<<"]
    ),
    st.sampled_from(
        ["a", "1", "[a, 1]", "{b: c}", "~", "!!binary x", "&a [*a]", "2026-02-30", '"\\0"', "[[]]"]
    ),
).map(lambda keys: "---\n" + "\n".join(f"{k}: {v}" for k, v in keys.items()) + "\n---\nbody")
BODY = st.text(max_size=400).map(lambda body: f"{HEAD}---\n{body}".encode("utf-8", "surrogatepass"))


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=300), FRONT, YAML_FRONT.map(str.encode), BODY))
@example(content=b"---\n\x85: \xe2\x80\xa8\n---\nx")
def test_arbitrary_bytes_are_an_article_or_a_problem_and_never_an_exception(
    tmp_path: Path, content: bytes
) -> None:
    found = read_article(write(tmp_path, content))
    if isinstance(found, Problem):
        assert 1 <= found.line <= len(content.split(b"\n")) + 1
        assert found.message
    else:
        assert found.short_answer
        assert "\0" not in f"{found}"


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


def test_what_writers_note_for_each_other_is_told_to_nobody(tmp_path: Path) -> None:
    head = "---\nid: points\nlanguage: en\ntitle: Points\n---\n"
    body = "<!-- costs us 4 % -->\n\nOne point per <!-- a\n\nb -->dollar."
    article = parse_article(tmp_path / "points.md", (head + body).encode())
    assert isinstance(article, Article)
    assert article.body == article.short_answer == "One point per dollar."
    problem = parse_article(tmp_path / "points.md", f"{head}Text\n<!-- never told\n".encode())
    assert isinstance(problem, Problem)
    assert (problem.line, "has no end" in problem.message) == (7, True)
