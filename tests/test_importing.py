"""Articles from somebody's CSV file or HTML pages: nothing is lost without a word."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import InvalidInput
from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.articles.front_matter import ID_PATTERN
from bot.knowledge.imports.drafts import id_of
from bot.knowledge.imports.html_files import MAX_PAGE_BYTES, UnreadablePageError, read_page
from bot.knowledge.imports.importing import Imported, import_articles
from bot.knowledge.imports.pages import read_pages
from bot.settings import ROOT


def import_csv(folder: Path, content: str | bytes, **options: bool) -> Imported:
    source = folder / "faq.csv"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_articles(source, "en", folder / "kb", **options)


def import_pages(folder: Path, pages: dict[str, str | bytes]) -> Imported:
    for name, content in pages.items():
        path = folder / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_articles(folder / "pages", "en", folder / "kb")


def articles(folder: Path) -> dict[str, Article]:
    """What the reader makes of the written files, by id; none of them is a problem."""
    (folder / "kb").mkdir(exist_ok=True)
    found, problems = read_articles(folder / "kb")
    assert problems == []
    return {each.id: each for each in found}


def told(imported: Imported) -> list[tuple[int, str]]:
    return [(each.line, each.message) for each in imported.problems]


# --- ids ---


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Return a product", "return-a-product"),
        ("  RETURN, a  product?! ", "return-a-product"),
        ("Đổi trả hàng", "doi-tra-hang"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "full-width"),
        ("360001234-How-to-pay", "360001234-how-to-pay"),
    ],
)
def test_an_id_is_what_latin_letters_say(title: str, expected: str) -> None:
    assert id_of(title) == expected


def test_titles_in_other_letters_have_different_and_stable_ids() -> None:
    titles = ["คืนสินค้า", "คืนเงิน", "بازگرداندن کالا", "بازگرداندن پول", "Brio คืนสินค้า", "?"]
    ids = [id_of(title) for title in titles]
    assert len(set(ids)) == len(titles)
    assert ids == [id_of(f" {title} ") for title in titles]
    assert id_of("คืนสินค้า") == "article-f2dbd0ad"  # as of the first release
    assert ids[4].startswith("brio-")


@given(st.text(max_size=300))
@example("x" * 5_000)
def test_every_text_gives_an_id_that_articles_may_have(text: str) -> None:
    assert re.match(ID_PATTERN, id_of(text))


# --- CSV ---


def test_rows_with_the_same_answer_become_one_article(tmp_path: Path) -> None:
    imported = import_csv(
        tmp_path,
        "question,answer,tags,products\n"
        'How do I return it?,"Send it back, within 30 days.",returns;delivery,\n'
        "Can I give it back?,Send it  back‚ never,,\n"
        'May I return it?,"Send it back, within 30 days.",returns,brio|clara\n',
    )
    assert imported.problems == ()
    found = articles(tmp_path)
    assert found.keys() == {"how-do-i-return-it", "can-i-give-it-back"}
    article = found["how-do-i-return-it"]
    assert article.title == "How do I return it?"
    assert article.questions == ("May I return it?",)
    assert (article.tags, article.products) == (("returns", "delivery"), ("brio", "clara"))
    assert article.short_answer == "Send it back, within 30 days."


def test_id_title_and_language_are_taken_when_they_are_given(tmp_path: Path) -> None:
    imported = import_csv(
        tmp_path,
        "ID,Title,Question,Answer,Language\n"
        "returns,Return a product,How?,Send it.,\n"
        "returns,,Where to?,Send it.,EN\n"
        "returns,Đổi trả,Thế nào?,Gửi lại.,vi-VN\n",
    )
    assert imported.problems == ()
    english = articles(tmp_path)["returns"]
    found, _ = read_articles(tmp_path / "kb")
    assert {(each.language, each.title) for each in found} == {
        ("en", "Return a product"),
        ("vi", "Đổi trả"),
    }
    assert (tmp_path / "kb" / "vi" / "returns.md").exists()
    assert english.id == "returns"


def test_every_wrong_row_is_told_with_its_line_and_the_others_are_imported(tmp_path: Path) -> None:
    imported = import_csv(
        tmp_path,
        b"question,answer,id,language\n"
        b'First?,"One\nof two lines",,\n'  # lines 2 and 3
        b"No answer?,,,\n"
        b",No question,,\n"
        b"Too,many,cells,en,here\n"
        b"Broken caf\xe9?,text,,\n"
        b"Bad id?,text,Not An Id,\n"
        b"Bad language?,text,,klingon\n"
        b"Control?,a\x01b,,\n"
        b'Unpaired?,"text"x,,\n'
        b"First?,Another answer,,\n"
        b"Same?,a,one,\n"
        b"Same id?,b,one,\n"
        b"\n"
        b"Last?,Good,,\n",
    )
    assert sorted(each.title for each in articles(tmp_path).values()) == [
        "First?",
        "Last?",
        "Same?",
    ]
    words = {
        4: "the answer is empty",
        5: "the question is empty",
        6: "5 cells below 4 columns",
        7: "not UTF-8",
        8: "the id 'Not An Id'",
        9: "the language is 'klingon'",
        10: "control character",
        11: "quotation marks do not pair",
        12: "has another answer in line 2",
        14: "has another answer in line 13",
    }
    problems = dict(told(imported))
    assert problems.keys() == words.keys()
    for line, part in words.items():
        assert part in problems[line]
        assert ";" in problems[line]  # what is wrong; what to do


def test_ten_thousand_rows_with_the_same_title_are_one_article_and_clear_problems(
    tmp_path: Path,
) -> None:
    rows = "".join(f"How?,Answer {number}\n" for number in range(10_000))
    imported = import_csv(tmp_path, "question,answer\n" + rows)
    assert (len(imported.written), len(imported.problems)) == (1, 9_999)
    assert "the title 'How?' has another answer in line 2" in imported.problems[-1].message


def test_ten_thousand_questions_with_one_answer_are_too_many_for_an_article(
    tmp_path: Path,
) -> None:
    rows = "".join(f"How to do number {number}?,Answer\n" for number in range(10_000))
    ((line, message),) = told(import_csv(tmp_path, "question,answer\n" + rows))
    assert line == 2
    assert "write fewer questions" in message


@pytest.mark.parametrize(
    "content",
    [
        "question,answer\n" + 'a,"b\n' * 50_000,
        "question,answer\n" + 'a,b"\n' * 50_000,
        'question,answer\na,"' + "b\n" * 500_000,
        "question,answer\na," + '"' * 999_999,
        "question,answer\n" + "," * 1_000_000,
        "question,answer\n" + "\n" * 1_000_000,
        "question,answer\na," + "b" * 2_000_000,
        "q" * 2_000_000,
    ],
)
def test_a_file_that_was_made_to_blow_up_ends(tmp_path: Path, content: str) -> None:
    imported = import_csv(tmp_path, content)
    assert len(imported.written) <= 1
    assert len(articles(tmp_path)) == len(imported.written)


CELLS = st.text(alphabet="aขم,;\"'\n\r\t\0 ?", max_size=8)


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.lists(CELLS, max_size=4).map(",".join)).map("\n".join).map(str.encode),
    )
)
def test_arbitrary_csv_is_articles_or_problems_and_never_an_exception(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    imported = import_csv(folder, b"question,answer\n" + content)
    assert len(articles(folder)) == len(imported.written)
    assert all(each.line >= 1 and each.message for each in imported.problems)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=5))
def test_whatever_is_imported_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: Sequence[tuple[str, str]]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("question", "answer"), *rows])
    folder = tmp_path_factory.mktemp("csv")
    import_csv(folder, out.getvalue().encode("utf-8", "surrogatepass"))
    answers = {" ".join(answer.split()) for _, answer in rows}
    for article in articles(folder).values():
        assert " ".join(article.body.split()) in answers


# --- files ---


def test_a_file_that_is_there_is_never_overwritten_unless_told(tmp_path: Path) -> None:
    import_csv(tmp_path, "question,answer\nHow?,Like this.\nWhy?,So.\n")
    path = tmp_path / "kb" / "en" / "how.md"
    edited = path.read_text().replace("Like this.", "By hand.")
    path.write_text(edited)
    imported = import_csv(tmp_path, "question,answer\nHow?,Like that.\nWhy?,So.\n")
    assert imported.written == ()
    assert [each.name for each in imported.unchanged] == ["why.md"]
    ((line, message),) = told(imported)
    assert line == 2
    assert "--replace" in message
    assert path.read_text() == edited
    imported = import_csv(tmp_path, "question,answer\nHow?,Like that.\n", replace=True)
    assert imported.written == (path,)
    assert articles(tmp_path)["how"].body == "Like that."


def test_an_id_of_another_file_is_not_taken(tmp_path: Path) -> None:
    other = tmp_path / "kb" / "old" / "x.md"
    other.parent.mkdir(parents=True)
    other.write_text("---\nid: how\nlanguage: en\ntitle: T\n---\nText\n")
    ((_, message),) = told(import_csv(tmp_path, "question,answer\nHow?,Like this.\n"))
    assert f"'how' is taken by {other}" in message
    assert articles(tmp_path)["how"].body == "Text"


def test_titles_that_give_the_same_id_are_both_imported(tmp_path: Path) -> None:
    imported = import_csv(tmp_path, "question,answer\nHow?,a\nHow!,b\n")
    assert imported.problems == ()
    assert {each.body for each in articles(tmp_path).values()} == {"a", "b"}


def test_no_unfinished_file_is_left_and_articles_lie_where_they_were_wanted(tmp_path: Path) -> None:
    source = tmp_path / "faq.csv"
    source.write_text("question,answer,language\nHow?,a,\nThế nào?,b,vi\n")
    import_articles(source, "en", tmp_path / "kb", into=tmp_path / "kb" / "new")
    written = sorted(each.name for each in (tmp_path / "kb" / "new").iterdir())
    assert written == ["how.md", "the-nao.vi.md"]


def test_a_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.csv"):
        import_articles(tmp_path / "nowhere.csv", "en", tmp_path / "kb")


# --- HTML ---

CHROME = """<!doctype html><html lang="en"><head><title>{title} – Morrow Help</title>
<style>.a {{ color: red }}</style><script>var tracking = 1;</script></head><body>
<header><a href="/">Morrow</a> <button aria-expanded="false">Menu</button></header>
<nav><ul><li><a href="/a">Home</a></li><li><a href="/b">Orders</a></li></ul></nav>
<main><h1>{title}</h1>{content}</main>
<footer><p>© 2024 Morrow. All rights reserved.</p></footer>
<script type="application/json">{{"secret": true}}</script></body></html>"""
NOISE = ("tracking", "color", "Home", "Orders", "rights", "Menu", "secret", "<", "Morrow")


def page(content: str, title: str = "Return a lamp") -> str:
    return CHROME.format(title=title, content=content)


def test_a_short_page_is_imported_whole_and_without_its_frame(tmp_path: Path) -> None:
    imported = import_pages(tmp_path, {"return-lamp.html": page("<p>Within 30 days.</p>")})
    assert imported.problems == ()
    article = articles(tmp_path)["return-lamp"]
    assert (article.title, article.body, article.updated) == (
        "Return a lamp",
        "Within 30 days.",
        "",
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "<tr><th>Weight</th><td>5 kg</td><td>6 kg</td></tr>"
            "<tr><th>Power</th><td>1 W</td><td>2 W</td></tr>",
            "Weight – 5 kg – 6 kg\nPower – 1 W – 2 W",
        ),
        (
            "<tr><td></td><th>Clara</th><th>Lumo</th></tr>"
            "<tr><th>Weight</th><td>5 kg</td><td>6 kg</td></tr>",
            "Weight – Clara: 5 kg – Lumo: 6 kg",
        ),
        (
            "<tr><th></th><td>Clara</td><td>Lumo</td></tr>"
            "<tr><th>Weight</th><td>5 kg</td><td>6 kg</td></tr>",
            "Weight – Clara: 5 kg – Lumo: 6 kg",
        ),
    ],
)
def test_rows_and_columns_of_a_table_keep_their_names(tmp_path: Path, rows: str, said: str) -> None:
    content = f"<p>Both lamps are small.</p><h2>Data</h2><table>{rows}</table>"
    import_pages(tmp_path, {"lamps.html": page(content)})
    article = articles(tmp_path)["lamps"]
    assert article.passages[-1].text == said
    assert "|---|---|---|" in article.body


def test_structure_links_and_date_are_kept(tmp_path: Path) -> None:
    content = (
        '<p>You can <strong>cancel</strong> for 30 minutes. See <a href="https://m.org/a">this</a>'
        ' or <a href="/b">that</a> or <a href="javascript:x()">it</a>.</p>'
        "<h2>How</h2><ol><li>Open it.</li><li>Press <em>Cancel</em>.</li></ol>"
        "<figure><table><tr><th>Land</th><th>Fee</th></tr><tr><td>VN</td><td>0</td></tr></table>"
        "<figcaption>Fees of all lands</figcaption></figure>"
        "<pre><code># no heading\nx = 1</code></pre><p># neither</p>"
        '<aside class="x"><a href="/1">Track it</a> <a href="/2">Change it</a></aside>'
    )
    html = page(content).replace(
        "<head>", '<head><meta property="article:modified_time" content="2024-03-05T10:00:00Z">'
    )
    import_pages(tmp_path, {"cancel.html": html})
    article = articles(tmp_path)["cancel"]
    assert article.updated == "2024-03-05"
    assert article.short_answer == (
        "You can cancel for 30 minutes. See this (https://m.org/a) or that or it."
    )
    for part in (
        "## How",
        "1. Open it.",
        "2. Press *Cancel*.",
        "| VN | 0 |",
        "Fees of all",
        "```\n# no heading",
    ):
        assert part in article.body
    assert not any(each in article.body for each in ("javascript", "Track it", "/b", *NOISE[:3]))
    assert list(dict.fromkeys(each.name for each in article.passages)) == [
        "Return a lamp",
        "Return a lamp – How",
    ]


ANSWERS = {
    "How long is delivery?": "Two to four days.",
    "Can I pay by card?": "Yes, with Visa.",
    "Is it free?": "From 50 euros on.",
}
SHAPES = {
    "headings": "<h3>{0}</h3><p>{1}</p>",
    "details": "<details><summary>{0}</summary><div>{1}</div></details>",
    "bare details": "<details><summary><h3>{0}</h3></summary>{1}</details>",
    "definitions": "<dl><dt>{0}</dt><dd>{1}</dd></dl>",
    "bootstrap": '<div class="accordion-item"><h2><button class="accordion-button" aria-expanded='
    '"false">{0}</button></h2><div class="accordion-collapse collapse"><div>{1}</div></div></div>',
    "plain buttons": '<div class="faq-item"><button>{0}</button><div hidden>{1}</div></div>',
    "roles": '<div><div role="button" aria-expanded="false">{0}</div><section>{1}</section></div>',
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("frame", ["<html><body><div>{}</div></body></html>", None])
def test_a_page_of_questions_becomes_an_article_for_each(
    tmp_path: Path, shape: str, frame: str | None
) -> None:
    content = "".join(SHAPES[shape].format(*pair) for pair in ANSWERS.items())
    html = frame.format(content) if frame else page(content, "FAQ")
    imported = import_pages(tmp_path, {"faq.html": html})
    assert imported.problems == ()
    assert {each.title: each.short_answer for each in articles(tmp_path).values()} == ANSWERS


def test_what_a_page_of_questions_says_besides_is_an_article_too(tmp_path: Path) -> None:
    questions = "".join(f"<h2>{q}</h2><p>{a} {a} {a}</p>" for q, a in ANSWERS.items())
    import_pages(tmp_path, {"faq.html": page(f"<p>Call 123.</p>{questions}", "Questions")})
    found = articles(tmp_path)
    assert len(found) == 4
    assert found["faq"].body == "Call 123."


def test_a_page_with_a_question_among_its_headings_stays_one_article(tmp_path: Path) -> None:
    content = "<p>Send it back within 30 days, with the receipt.</p><h2>Why?</h2><p>So.</p>"
    import_pages(tmp_path, {"return.html": page(content)})
    assert articles(tmp_path)["return"].body.endswith("## Why?\n\nSo.")


def test_persian_keeps_its_joiners_and_thai_its_letters(tmp_path: Path) -> None:
    persian, thai = "می‌توانم کالا را برگردانم؟", "คืนสินค้าได้ภายใน ๓๐ วัน"
    html = f"<html dir=rtl><body><h1>{persian}</h1><p>{persian} &zwnj;{thai}</p></body></html>"
    import_pages(tmp_path, {"صفحه.html": html})
    (article,) = articles(tmp_path).values()
    assert article.title == persian
    assert persian in article.body
    assert thai in article.body


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>Only a fragment.</p>", "Only a fragment."),
        ("Only text.", "Only text."),
        ("<div>Some <b>loose</b> text<p>A paragraph</p>and more</div>", "Some **loose** text"),
        ("<form><table><tr><td><p>In a form.</p></td></tr></table></form>", "In a form."),
        (b"\xff\xfe" + "<p>Sixteen bits.</p>".encode("utf-16-le"), "Sixteen bits."),
        ('<meta charset="tis-620"><p>คืนสินค้า</p>'.encode("tis-620"), "คืนสินค้า"),
        ('<meta content="text/html; charset=windows-1258"><p>€5</p>'.encode("cp1258"), "€5"),
    ],
)
def test_what_browsers_can_show_is_read(content: str | bytes, expected: str) -> None:
    found = read_page(content if isinstance(content, bytes) else content.encode())
    assert expected in found.body


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("page.html", "a" * 10_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no text was found"),
        ("<html><body><div id=root></div><script>render('text')</script></body></html>", "script"),
        ("<html><body><nav><a href=/>Home</a></nav></body></html>", "no text was found"),
        (gzip.compress(b"<p>" + b"a" * 10_000_000, mtime=0), "gzip"),
        (zipped(), "zip"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x00\x01\x02\x03" * 100, "no text"),
        (b"<html><body><p>caf\xe9</p></body></html>", "save it as UTF-8"),
        (b'<meta charset="punycode"><p>\xff</p>', "save it as UTF-8"),
        (b'<meta charset="zip"><p>\xff</p>', "save it as UTF-8"),
        (b'<meta charset="unknown"><p>\xff</p>', "save it as UTF-8"),
        ("<div>" * 100_000 + "text", "nested more than 200 levels"),
        ("<ul><li>" * 150 + "text", "nested more than 200 levels"),
        ("<p>x</p>" * 100_000, "more than 50,000 elements"),
        ("<p>" + "a" * MAX_PAGE_BYTES, "larger than 5,000,000 bytes"),
    ],
)
def test_a_page_that_yields_nothing_is_told_and_the_others_are_imported(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    imported = import_pages(tmp_path, {"a.html": content, "b.html": "<p>Good.</p>"})
    assert articles(tmp_path).keys() == {"b"}
    ((line, message),) = told(imported)
    assert imported.problems[0].file.name == "a.html"
    assert line == 1
    assert words in message


def test_entities_do_not_multiply(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><html><body><p>x &b;</p></body>'
    import_pages(tmp_path, {"a.html": bomb, "b.html": '<td colspan="999999999">wide</td>'})
    assert sum(len(each.body) for each in articles(tmp_path).values()) < 100


def test_a_page_that_takes_too_long_is_given_up_and_the_next_is_read(tmp_path: Path) -> None:
    slow = "<article><p>" + "<a href=x>a b</a> " * 24_000 + "</p></article>"
    (tmp_path / "a.html").write_text(slow)
    (tmp_path / "b.html").write_text("<p>Good.</p>")
    drafts, (problem,) = read_pages(tmp_path, "en", lambda _done, _total: None, seconds=3)
    assert [each.body for each in drafts] == ["Good."]
    assert "takes longer than 3 s" in problem.message


def test_pages_have_ids_by_their_place_and_folders_that_lead_elsewhere_are_left_out(
    tmp_path: Path,
) -> None:
    pages = {name: f"<p>Page {name}</p>" for name in ("orders/index.html", "orders/cancel.htm")}
    pages["payments/cancel.html"] = "<p>Another</p>"
    pages["notes.txt"] = "no page"
    (tmp_path / "pages" / "orders").mkdir(parents=True)
    (tmp_path / "pages" / "orders" / "loop").symlink_to(tmp_path)
    import_pages(tmp_path, pages)
    assert articles(tmp_path).keys() == {"orders", "orders-cancel", "payments-cancel"}


def test_a_folder_without_pages_is_told(tmp_path: Path) -> None:
    ((_, message),) = told(import_pages(tmp_path, {"notes.txt": "text"}))
    assert ".html" in message


TAGS = st.sampled_from([
    "p", "div", "h1", "h3", "ul", "li", "dl", "dt", "dd", "details", "summary", "button", "table",
    "tr", "td", "a", "b", "br", "main", "article", "aside", "header", "nav", "form", "pre", "code",
    "script", "style", "svg", "template",
])  # fmt: skip
NODES = st.recursive(
    st.sampled_from(["text", "two words?", "<!-- c -->", "&lt;b&gt;", "‌", "\x0b", "]]>", "<", ""]),
    lambda inner: st.tuples(
        TAGS,
        st.sampled_from(["", " class=faq", " href='//['", " hidden"]),
        st.lists(inner, max_size=4),
    ).map(lambda node: f"<{node[0]}{node[1]}>{''.join(node[2])}</{node[0]}>"),
    max_leaves=25,
)


@settings(max_examples=200)
@given(st.one_of(NODES.map(str.encode), st.binary(max_size=300)))
def test_arbitrary_html_is_a_page_or_a_reason_and_scripts_never_get_in(content: bytes) -> None:
    with suppress(UnreadablePageError):
        found = read_page(content + b"<script>evil()</script><style>evil{}</style>")
        assert "evil" not in found.body


# --- the command ---


def usher(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "USHER_DATA_DIR": str(folder / "data"),
            "USHER_KNOWLEDGE_BASE": str(folder / "kb"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_reports_to_programs_and_ends_with_one_if_something_is_to_mend(
    tmp_path: Path,
) -> None:
    source = tmp_path / "faq.csv"
    source.write_text("question,answer\nHow?,Like this.\nWhy?,\n")
    arguments = ["import", str(source), "--language", "en", "--into", str(tmp_path / "en")]
    done = usher(tmp_path, *arguments, "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["written"] == [str(tmp_path / "en" / "how.md")]
    assert report["problems"][0] | {"message": ""} == {
        "file": str(source),
        "line": 3,
        "message": "",
    }
    source.write_text("question,answer\nHow?,Like this.\n")
    done = usher(tmp_path, *arguments)
    assert done.returncode == 0
    assert "0 articles written, 1 were there already, 0 to mend" in done.stdout
