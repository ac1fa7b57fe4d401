"""Pages for browsers: the shop, the help center, the console."""

import re
from pathlib import Path

import httpx
import pytest

from bot.help_links import heading_anchor
from bot.knowledge.articles.articles import read_articles
from bot.languages import LANGUAGES
from bot.texts import texts
from tests.chatting import assert_error
from tests.conftest import Serve
from tests.scenes import KNOWLEDGE_BASE

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def direction(language: str) -> str:
    return f'<html lang="{language}" dir="{"rtl" if language == "fa" else "ltr"}">'


def test_the_shop_speaks_every_language_in_its_direction(gateway: httpx.Client) -> None:
    for language in LANGUAGES:
        page = gateway.get("/", params={"language": language})
        assert page.status_code == 200
        assert direction(language) in page.text
        assert texts(language)["shop_tagline"] in page.text
        for product in ("brio", "clara", "volta"):
            assert f'data-buy="{product}"' in page.text
        assert "<script>" not in page.text  # only files of ours, as the policy says


def test_the_shop_follows_the_browsers_language_unless_told(gateway: httpx.Client) -> None:
    for header, language in (
        ("th-TH,th;q=0.9,en;q=0.8", "th"),
        ("fr, fa;q=0.5", "fa"),
        ("fr", "en"),
        (";;,,=", "en"),
    ):
        page = gateway.get("/", headers={"Accept-Language": header})
        assert direction(language) in page.text
    page = gateway.get("/?language=<script>", headers={"Accept-Language": "vi"})
    assert direction("vi") in page.text


def test_a_shop_that_does_not_sell_has_no_buttons(serve: Serve) -> None:
    assert "data-buy" not in serve(demo_shop=False).get("/").text


def test_the_help_center_lists_and_shows_every_article(serve: Serve) -> None:
    gateway = serve(knowledge_base=KNOWLEDGE_BASE)
    articles, _ = read_articles(KNOWLEDGE_BASE)
    for language in LANGUAGES:
        index = gateway.get(f"/help/{language}")
        assert direction(language) in index.text
        mine = [each for each in articles if each.language == language]
        for article in mine:
            assert f'href="/help/{language}/{article.id}"' in index.text
        page = gateway.get(f"/help/{language}/{mine[0].id}")
        assert page.status_code == 200
        assert direction(language) in page.text
        assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_an_unknown_page_is_not_found(gateway: httpx.Client) -> None:
    for path in (
        "/help/fr",
        "/help/en/unknown",
        "/help/fr/returns",
        "/help/en/..%2f..%2fpyproject",
        "/help/en/%00",
        "/unknown",
        "/widget.js.map",
        "/..%2fapp.py",
    ):
        assert_error(gateway.get(path), 404, "not_found")


def test_an_article_that_is_missing_is_told_in_the_pages_language(gateway: httpx.Client) -> None:
    for language in LANGUAGES:
        message = gateway.get(f"/help/{language}/unknown").json()["error"]["message"]
        assert message == texts(language)["help_not_found"]


def test_scripts_in_an_article_do_not_survive(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text(
        "---\nid: bad\nlanguage: en\ntitle: <script>title()</script>\n"
        "tags: ['<script>tag()</script>']\nupdated: '\"><script>date()</script>'\n---\n"
        "A <script>body()</script> <img src=x onerror=image()>\n\n"
        "[link](javascript:link()) <javascript:auto()> ![x](data:text/html;base64,PHM=)\n\n"
        "<svg onload=svg()></svg>\n\n- **bold**\n"
    )
    gateway = serve(knowledge_base=tmp_path)
    for path in ("/help/en", "/help/en/bad"):
        page = gateway.get(path).text
        assert "<script>" not in page
        assert "<img" not in page
        assert "<svg on" not in page
        assert 'href="javascript' not in page
    assert "<strong>bold</strong>" in page


def test_every_heading_of_an_article_has_an_id_that_links_go_to(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "long.md").write_text(
        "---\nid: long\nlanguage: fa\ntitle: Long\n---\nShort.\n\n"
        "## می‌خواهم **پس** بدهم\n\nOne.\n\n### Bar ###\n\nTwo.\n\nBar\n---\n\nThree.\n\n"
        '## <b id="bar">chat</b>\n\nFour. <p id="bar">\n\n## R&amp;D: *re*turn\n\nFive.\n'
    )
    page = serve(knowledge_base=tmp_path).get("/help/fa/long").text
    assert f'<h2 id="{heading_anchor("می‌خواهم پس بدهم")}">می‌خواهم <strong>پس' in page
    assert '<h2 id="section-r-d-return">R&amp;D: <em>re' in page
    assert '<h3 id="section-bar">Bar</h3>' in page
    assert '<h2 id="section-bar--2">Bar</h2>' in page
    assert re.findall(r'<(\w+)[^<>]* id="bar"', page) == ["header"], "the page's own"


def test_the_headings_of_what_is_said_are_those_of_the_page(serve: Serve) -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    gateway = serve(knowledge_base=KNOWLEDGE_BASE)
    for language in LANGUAGES:
        article = max(
            (each for each in articles if each.language == language),
            key=lambda each: len({passage.heading for passage in each.passages}),
        )
        page = gateway.get(f"/help/{language}/{article.id}").text
        headings = {each.heading for each in article.passages if each.heading}
        assert headings
        for heading in headings:
            assert f' id="{heading_anchor(heading)}">' in page


def test_the_built_files_are_served_with_their_types(gateway: httpx.Client) -> None:
    for name, kind in (
        ("widget.js", "text/javascript"),
        ("console.js", "text/javascript"),
        ("site.css", "text/css"),
    ):
        answer = gateway.get(f"/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        again = gateway.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code in {200, 304}


def test_the_console_page_shows_nothing_before_signing_in(gateway: httpx.Client) -> None:
    page = gateway.get("/console")
    assert page.status_code == 200
    assert '<script type="module" src="/console.js"></script>' in page.text
    assert "/widget.js" not in page.text


def test_without_any_article_the_help_center_is_not_found(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert serve(knowledge_base=tmp_path / "empty").get("/help/en").status_code == 404
