"""What customers call the products: the file, and what a name in a message does."""

from pathlib import Path

import pytest

from bot.knowledge.articles.articles import Article, Problem, read_articles
from bot.knowledge.articles.folder import ArticleFolder
from bot.knowledge.articles.products import FILE, read_products
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.search.index import Index
from bot.knowledge.search.matching import Matcher
from bot.settings import ROOT

KNOWLEDGE = ROOT / "knowledge_base"
ARTICLE = "---\nid: a\nlanguage: en\ntitle: A\nupdated: 2026-01-01\n---\nSaid.\n"


def written(folder: Path, text: str | bytes) -> Path:
    (folder / FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_names_of_all_languages_lead_to_the_product(tmp_path: Path) -> None:
    text = "clara:\n  en: [Air  Purifier, purifier]\n  th: [เครื่องฟอก]\nbrio:\n  fa: [قهوه ساز]\n"
    assert read_products(written(tmp_path, text)) == {
        "air purifier": "clara", "purifier": "clara", "เครื่องฟอก": "clara", "قهوه ساز": "brio",
    }  # fmt: skip


def test_without_a_file_or_with_an_empty_one_there_are_no_names(tmp_path: Path) -> None:
    assert read_products(tmp_path) == {}
    assert read_products(written(tmp_path, "# nothing yet\n")) == {}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("clara\n", 1, "write 'id:'"),
        ("clara:\n  en: purifier\n", 2, "no list"),
        ("clara:\n  - purifier\n", 2, "write 'id:'"),
        ("Clara X:\n  en: [purifier]\n", 1, "is no id"),
        ("clara:\n  en: [purifier, x]\n", 2, "no name"),
        ("clara:\n  en: [purifier, [a, b]]\n", 2, "no name"),
        ("clara:\n  en:\n    - " + "x" * 61 + "\n", 3, "2 to 60"),
        ("clara:\n  en: [machine]\nbrio:\n  en: [Machine]\n", 4, "also a name of 'clara'"),
        ("clara:\n  en: [purifier\n", 3, "not YAML"),
        ("? [a, b]\n: c\n", 1, "write 'id:'"),
        (b"clara:\n  en: [\xff]\n", 2, "not UTF-8"),
        (b"clara:\n  en: [\x00]\n", 2, "control character"),
        ("[" * 20_000, 1, "lists within lists"),
        ("{a: " * 3000, 1, "lists within lists"),
        ("clara:\n  en: &l [aa]\n  vi: *l\n", 3, "aliases"),
        ("clara:\n  en: [aa]\nclara:\n  vi: [bb]\n", 3, "twice"),
        ("clara:\n  en: [aa]\n  en: [bb]\n", 3, "twice"),
        ("clara:\n  english: [aa]\n", 2, "no language"),
        ("clara:\n  en: [brio]\nbrio:\n  en: [bb]\n", 2, "id of another product"),
        ("clara:\n  en: [ab]\nbrio:\n  en: [ＡＢ]\n", 4, "also a name of 'clara'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, text: str | bytes, line: int, says: str
) -> None:
    found = read_products(written(tmp_path, text))
    assert isinstance(found, Problem)
    assert found.line == line
    assert says in found.message


def test_a_broken_file_leaves_its_last_good_names_also_after_a_restart(tmp_path: Path) -> None:
    shop, data = tmp_path / "shop", tmp_path / "data"
    shop.mkdir()
    (shop / "a.md").write_text(ARTICLE, "utf-8")
    folder = ArticleFolder(written(shop, "clara:\n  en: [purifier]\n"), data)
    folder.refresh()
    assert folder.products == {"purifier": "clara"}
    assert not folder.problems
    written(shop, "clara: purifier\n")
    for each in (folder, ArticleFolder(shop, data)):
        each.refresh()
        assert each.products == {"purifier": "clara"}
        [problem] = each.problems
        assert problem.file.name == FILE
        assert "last good version" in problem.message
    written(shop, "clara:\n  en: [cleaner]\n")
    folder.refresh()
    assert folder.products == {"cleaner": "clara"}
    assert not folder.problems
    (shop / FILE).unlink()
    folder.refresh()
    assert folder.products == {}


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return [each for each in read_articles(KNOWLEDGE)[0] if each.tags and "account" not in each.id]


@pytest.fixture(scope="module")
def matcher(articles: list[Article], embedder: Embedder) -> Matcher:
    products = read_products(KNOWLEDGE)
    assert not isinstance(products, Problem)
    return Matcher(embedder, Index(articles, embedder, products=products), 0.9, 0.2)


@pytest.mark.parametrize(
    ("language", "message", "product"),
    [
        ("en", "how do I clean the purifier", "clara"),
        ("en", "how do I clean the coffee machine", "brio"),
        ("en", "spare parts for my electric bike", "volta"),
        ("vi", "vệ sinh máy lọc sao shop", "clara"),
        ("vi", "ve sinh may pha ca phe", "brio"),
        ("th", "ล้างเครื่องชงกาแฟยังไง", "brio"),
        ("th", "อะไหล่จักรยานไฟฟ้า", "volta"),
        ("fa", "دستگاه تصفیه رو چطور تمیز کنم", "clara"),
        ("fa", "قهوه‌سازم رو چطور تمیز کنم", "brio"),
    ],
)
def test_no_article_about_another_product_than_the_one_that_is_named_is_offered(
    matcher: Matcher, language: str, message: str, product: str
) -> None:
    match = matcher.match(message, language)
    assert match.products == (product,)
    for each in match.candidates:
        article = matcher.index.article(match.article_language, each.article)
        assert article is not None
        assert not article.products or product in article.products


def test_a_shop_of_one_product_has_nothing_to_offer_about_another(
    articles: list[Article], embedder: Embedder
) -> None:
    about_clara = [each for each in articles if each.products == ("clara",)]
    index = Index(about_clara, embedder, products={"nova": "nova"})
    match = Matcher(embedder, index, 0.9, 0.2).match("why is my nova so slow today?", "en")
    assert match.outcome == "handoff"
    assert match.candidates == ()
