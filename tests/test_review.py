"""`usher review`: contradictions and repetitions are told, honest articles are left alone."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.articles.passages import split_passages
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.review.reviewing import Finding, Kind, review
from bot.knowledge.review.statements import statements
from bot.languages import LANGUAGES
from bot.settings import ROOT
from tests.scenes import KNOWLEDGE_BASE

ELSEWHERE = {
    "en": "You can pay by card. Our office is closed on Sundays.",
    "vi": "Bạn có thể thanh toán bằng thẻ. Văn phòng đóng cửa vào Chủ nhật.",
    "th": "ชำระด้วยบัตรเครดิตได้ สำนักงานปิดวันอาทิตย์",
    "fa": "می‌توانید با کارت پرداخت کنید. دفتر ما جمعه‌ها بسته است.",
}

TITLES = {
    "en": "Return a product",
    "vi": "Trả lại sản phẩm",
    "th": "คืนสินค้า",
    "fa": "برگرداندن کالا",
}
RETURNS = {
    "en": "You can return any product within 30 days. Write to us with the order number, and we "
    "send you a prepaid label. Opened filters cannot be returned.",
    "vi": "Bạn có thể trả lại mọi sản phẩm trong vòng 30 ngày. Hãy gửi cho chúng tôi mã đơn hàng, "
    "chúng tôi gửi nhãn vận chuyển trả trước. Bộ lọc đã mở không được trả lại.",
    "th": "คุณคืนสินค้าทุกชิ้นได้ภายใน 30 วัน ส่งหมายเลขคำสั่งซื้อมาให้เรา แล้วเราจะส่งใบปะหน้าพัสดุให้ "
    "ไส้กรองที่เปิดแล้วคืนไม่ได้",
    "fa": "هر کالایی را تا ۳۰ روز می‌توانید برگردانید. شمارهٔ سفارش را برای ما بنویسید تا برچسب "
    "ارسال رایگان بفرستیم. فیلتر باز شده را نمی‌توان برگرداند.",
}
BOOKISH = {
    "en": ["How can I return a product?", "Can opened filters be returned?", "prepaid label",
           "Do you send me the prepaid label?", "Where do I write the order number?"],
    "vi": ["Trả lại sản phẩm thế nào?", "Bộ lọc đã mở có được trả lại không?", "nhãn trả trước",
           "Shop có gửi nhãn vận chuyển không?", "Gửi mã đơn hàng ở đâu?"],
    "th": ["คืนสินค้า", "ไส้กรองที่เปิดแล้วคืนได้ไหม", "หมายเลขคำสั่งซื้อ",
           "คืนสินค้าภายใน 30 วัน", "ส่งใบปะหน้าพัสดุ"],
    "fa": ["چگونه کالا را برگردانم؟", "آیا فیلتر باز شده را می‌توان برگرداند؟", "برچسب ارسال رایگان",
           "شمارهٔ سفارش را برای شما بنویسم؟", "برگرداندن کالا تا ۳۰ روز"],
}  # fmt: skip
CUSTOMERS = {
    "en": ["i changed my mind about the kettle", "its too loud, dont want it any more",
           "money back if unhappy?", "how to give it back", "bought the wrong size, what now",
           "who pays the postage when it goes back", "gift, she has one already",
           "no box any more, still ok?"],
    "vi": ["mua nhầm rồi giờ sao", "ko thích nữa hoàn tiền dc k", "máy ồn quá muốn gửi về",
           "quà tặng bị trùng", "mất hộp rồi có sao ko"],
    "th": ["ซื้อผิดรุ่นทำไงดี", "ไม่ชอบ อยากได้เงินคืน", "เสียงดังมาก ไม่เอาแล้ว",
           "ของขวัญซ้ำกับที่มีอยู่", "กล่องหายไปแล้วเป็นไรมั้ย"],
    "fa": ["اشتباه خریدم چیکار کنم", "پشیمون شدم پولمو میدین", "خیلی صداش زیاده نمی‌خوامش",
           "mikham pasesh bedam", "جعبه‌شو انداختم دور مشکلی نیست؟"],
}  # fmt: skip


def article(
    name: str, body: str, language: str = "en", questions: Sequence[str] = (), title: str = ""
) -> Article:
    return Article(
        id=name,
        language=language,
        title=title or f"About {name}",
        questions=tuple(questions),
        tags=(),
        products=(),
        updated="",
        body=body,
        short_answer=body.split("\n")[0],
        passages=tuple(split_passages(title, body)),
    )


def of_kind(kind: Kind, found: Sequence[Finding]) -> list[Finding]:
    return [each for each in found if each.kind is kind]


def contradictions(
    embedder: Embedder, one: str, other: str, language: str = "en"
) -> list[tuple[str, ...]]:
    """What of two articles contradicts each other, beside a third that says other things."""
    articles = [
        article("one", one, language),
        article("other", other, language),
        article("elsewhere", ELSEWHERE[language], language),
    ]
    return [each.texts for each in of_kind(Kind.CONTRADICTION, review(articles, embedder))]


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "You can return any product within 30 days of delivery.",
         "Products can be returned within 14 days after delivery."),
        ("en", "Standard delivery costs $5.99 and takes 3 to 5 business days.",
         "Standard delivery takes 7 business days and costs $9.99."),
        ("en", "The warranty lasts two years from the date of purchase.",
         "The warranty lasts 3 years from the date of purchase."),
        ("en", "Our support team is there Monday to Friday from 9:00 to 17:00.",
         "Our support team is there Monday to Friday, 8:00 to 20:00."),
        ("en", "Opened filters can be returned.", "Opened filters cannot be returned."),
        ("en", "We deliver to Canada and Mexico.", "We do not deliver to Canada and Mexico."),
        ("vi", "Phí giao hàng là 30.000 ₫ cho mọi đơn hàng.",
         "Phí giao hàng là 45.000 ₫ cho mọi đơn."),
        ("vi", "Bảo hành 24 tháng cho tất cả sản phẩm.",
         "Thời hạn bảo hành là 12 tháng cho tất cả sản phẩm."),
        ("vi", "Bạn được đổi kích thước miễn phí.", "Bạn không được đổi kích thước miễn phí."),
        ("th", "คืนสินค้าได้ภายใน 30 วันหลังได้รับสินค้า",
         "สามารถคืนสินค้าได้ภายใน ๑๔ วัน หลังได้รับสินค้า"),
        ("th", "รับประกันสินค้า 2 ปีนับจากวันที่ได้รับ", "สินค้ารับประกัน 1 ปี นับจากวันที่ได้รับสินค้า"),
        ("th", "เปลี่ยนขนาดสินค้าได้ฟรี", "เปลี่ยนขนาดสินค้าไม่ได้ฟรี"),
        ("fa", "کالا را تا ۳۰ روز پس از دریافت می‌توانید برگردانید.",
         "تا 14 روز پس از دریافت کالا می‌توانید آن را برگردانید."),
        ("fa", "هزینهٔ ارسال ۹۰ هزار تومان است.", "هزینه ارسال ١٢٠ هزار تومان است."),
        ("fa", "فیلتر باز شده را می‌توان برگرداند.", "فیلتر باز شده را نمی‌توان برگرداند."),
    ],
)  # fmt: skip
def test_other_numbers_and_denials_contradict(
    embedder: Embedder, language: str, one: str, other: str
) -> None:
    assert contradictions(embedder, one, other, language) == [(one, other)]


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        # The same numbers, also in other digits and other words.
        ("en", "Return it within 30 days of delivery.", "It may be returned within 30 days."),
        ("en", "The warranty lasts 2 years.", "The warranty lasts two years."),
        ("fa", "ارسال ۹۰ هزار تومان است.", "ارسال 90.000 تومان است."),
        ("th", "ค่าส่ง 60 บาทต่อออเดอร์ทุกครั้ง", "ค่าส่ง ๖๐ บาทต่อออเดอร์ทุกครั้ง"),
        ("vi", "Giao hàng miễn phí cho đơn từ 1 triệu ₫.",
         "Giao hàng miễn phí cho đơn từ 1.000.000 ₫."),
        # One says more than the other.
        ("en", "Delivery is free from €50.", "Delivery is free from €50, otherwise €4.90."),
        # Other things are spoken of.
        ("en", "Frame L: riders of 176–195 cm height.", "Frame M: riders of 160–178 cm height."),
        ("en", "Wait 10 seconds.", "Wait 30 seconds."),
        ("en", "The refund takes 5 days.", "The battery charges in 5 hours, or 30 days at rest."),
    ],
)  # fmt: skip
def test_statements_that_can_both_be_right_are_left_alone(
    embedder: Embedder, language: str, one: str, other: str
) -> None:
    assert contradictions(embedder, one, other, language) == []


def test_articles_about_different_products_are_not_compared(embedder: Embedder) -> None:
    brio = replace(article("a", "A full tank lasts for 12 cups of coffee."), products=("brio",))
    clara = replace(article("b", "A full tank lasts for 30 cups of coffee."), products=("clara",))
    assert of_kind(Kind.CONTRADICTION, review([brio, clara], embedder)) == []
    same = replace(clara, products=("brio",))
    assert len(of_kind(Kind.CONTRADICTION, review([brio, same], embedder))) == 1


def test_a_number_that_differs_from_many_is_told_once(embedder: Embedder) -> None:
    right = [article(f"a{n}", "We dispatch all orders within 1 working day.") for n in range(5)]
    wrong = article("odd", "We dispatch all orders within 4 working days.")
    assert len(of_kind(Kind.CONTRADICTION, review([*right, wrong], embedder))) == 1


def test_a_statement_is_a_sentence_a_list_item_or_a_table_row() -> None:
    body = (
        "Pay **5 €** now. Or [later](https://shop.example/pay?a=1)!\n\n## Only 9 days\n"
        "1. Take 2 cups.\n\n| Size | Price |\n|---|---|\n| M | 7 € |\n\n```\n## 3 code\n```\n"
    )
    found = statements(article("a", body))
    assert [each.text for each in found] == [
        "Pay 5 € now.", "Or later!", "Take 2 cups.", "Size Price", "M 7 €", "## 3 code",
    ]  # fmt: skip
    assert [each.quantities for each in found if each.quantities] == [
        (("€", 5.0),), (("cup", 2.0),), (("€", 7.0),), (("code", 3.0),),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text", "quantities"),
    [
        ("en", "1–3 working days, or €1,690.50", {("working", 1), ("working", 3), ("€", 1690.5)}),
        ("en", "in 3, 6 or 12 months at 0%", {("month", 3), ("month", 6), ("month", 12), ("%", 0)}),
        ("en", "Filter H13 of W-1006 at 8:00", {("clock", "8:00")}),
        ("vi", "từ 1,5 triệu ₫ hoặc 450.000 ₫", {("₫", 1_500_000), ("₫", 450_000)}),
        ("th", "ใช้เวลา ๔–๘ วันทำการ", {("วัน", 4), ("วัน", 8)}),
        ("fa", "از ۲ میلیون تومان و ۲٫۵ ساعت", {("تومان", 2_000_000), ("ساعت", 2.5)}),
        ("de", "innerhalb von 14 Tagen", {("tagen", 14)}),
    ],
)
def test_numbers_are_read_with_their_units_in_every_script(
    language: str, text: str, quantities: set[tuple[str, float | str]]
) -> None:
    (found,) = statements(article("a", text, language))
    assert set(found.quantities) == quantities


@given(st.text(max_size=300), st.sampled_from([*LANGUAGES, "de"]))
def test_any_text_can_be_read(text: str, language: str) -> None:
    for each in statements(article("a", text, language)):
        assert each.text
        assert each.masked is not None


def test_rewritten_and_copied_articles_are_near_duplicates(embedder: Embedder) -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE / "en")
    cleaning = next(each for each in articles if each.id == "brio-cleaning")
    copy = replace(cleaning, id="copy", title="How to look after Brio")
    rewritten = article(
        "daily-care",
        "Rinse the portafilter and wipe the steam wand every day, and empty the tray. Weekly: "
        "back-flush using the blind filter and one cleaning tablet.",
        title="Daily care of the Brio coffee machine",
    )
    for other in (copy, rewritten):
        found = of_kind(Kind.NEAR_DUPLICATE, review([*articles, other], embedder))
        assert [{each.id for each in one.articles} for one in found] == [{cleaning.id, other.id}]


def test_copies_of_one_text_are_told_together(embedder: Embedder) -> None:
    copies = [article(f"a{n}", "Send it back.", title=f"Title {n}") for n in range(40)]
    (found,) = of_kind(Kind.NEAR_DUPLICATE, review(copies, embedder))
    assert len(found.articles) == 40


def test_a_question_or_title_in_two_articles_is_told_however_it_is_written(
    embedder: Embedder,
) -> None:
    articles = [
        article("a", "Send it back.", questions=["How do I return it?", "HOW do I return it"]),
        article("b", "Ask the shop.", questions=["how do i  return it ?!"]),
        article("c", "Call us.", title="How do I return it"),
        article("d", "بفرستید", language="fa", questions=["How do I return it?"]),
    ]
    (found,) = of_kind(Kind.SAME_QUESTION, review(articles, embedder))
    assert [each.id for each in found.articles] == ["a", "b", "c"]


def test_translations_with_other_numbers_are_told_and_converted_digits_are_not(
    embedder: Embedder,
) -> None:
    articles = [
        article("wifi", "Unplug it for 30 seconds."),
        article("wifi", "ถอดปลั๊ก ๑๐ วินาที", language="th"),
        article("wifi", "۳۰ ثانیه از برق بکشید.", language="fa"),
        article("price", "It costs €5.", language="en"),
        article("price", "Giá 150.000 ₫.", language="vi"),
    ]
    (found,) = of_kind(Kind.TRANSLATIONS_DIFFER, review(articles, embedder))
    assert {(each.id, each.language) for each in found.articles} == {
        ("wifi", "en"), ("wifi", "th"), ("wifi", "fa"),
    }  # fmt: skip


def test_a_missing_translation_is_told_only_where_there_are_several_languages(
    embedder: Embedder,
) -> None:
    english = [article("a", "Send it back."), article("b", "Call us.")]
    assert of_kind(Kind.MISSING_TRANSLATION, review(english, embedder)) == []
    found = review([*english, article("a", "Gửi lại.", language="vi")], embedder)
    (missing,) = of_kind(Kind.MISSING_TRANSLATION, found)
    assert ([each.id for each in missing.articles], missing.detail) == (["b"], "not in vi")


def test_no_articles_and_one_article_with_enough_examples_have_no_findings(
    embedder: Embedder,
) -> None:
    assert review([], embedder) == []
    alone = article("a", "Send it back within 30 days.", questions=CUSTOMERS["en"])
    assert review([alone], embedder) == []


def test_fewer_than_eight_example_questions_are_few_and_the_fewest_are_told_first(
    embedder: Embedder,
) -> None:
    articles = [
        article(f"with-{count}", RETURNS["en"], title=f"Title {count}",
                questions=[f"{text} {count}" for text in CUSTOMERS["en"][:count]])
        for count in (8, 7, 1, 0)
    ]  # fmt: skip
    found = of_kind(Kind.FEW_EXAMPLES, review(articles, embedder))
    assert [(each.articles[0].id, each.detail) for each in found] == [
        ("with-0", "no example questions"),
        ("with-1", "1 example question"),
        ("with-7", "7 example questions"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_in_the_article_s_own_words_are_bookish_and_customers_words_are_not(
    embedder: Embedder, language: str
) -> None:
    def found(*questions: str) -> list[Finding]:
        about = article("a", RETURNS[language], language, questions, title=TITLES[language])
        return of_kind(Kind.BOOKISH_EXAMPLES, review([about], embedder))

    (bookish,) = found(*BOOKISH[language], CUSTOMERS[language][0])
    assert bookish.detail == "5 of 6 example questions are in its own words"
    assert bookish.texts == (BOOKISH[language][0],)
    assert found(*CUSTOMERS[language]) == []
    assert found(*BOOKISH[language], *CUSTOMERS[language][:2]) == []


def test_two_examples_and_languages_without_stop_words_are_never_called_bookish(
    embedder: Embedder,
) -> None:
    two = article("a", RETURNS["en"], questions=BOOKISH["en"][:2])
    german = article("b", "Sie können alles zurückgeben.", "de", ["Sie können alles"] * 8)
    assert of_kind(Kind.BOOKISH_EXAMPLES, review([two, german], embedder)) == []


def test_the_shop_s_own_articles_lack_nothing_and_neither_contradict_nor_repeat_each_other(
    embedder: Embedder,
) -> None:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    judged_by_a_person = {Kind.TRANSLATIONS_DIFFER}
    found = review(articles, embedder)
    assert [each for each in found if each.kind not in judged_by_a_person] == []


def test_the_command_answers_in_json_and_as_tables(tmp_path: Path) -> None:
    for name, days in (("one", 30), ("other", 14)):
        (tmp_path / f"{name}.md").write_text(
            f"---\nid: {name}\nlanguage: en\ntitle: Title of {name}\n---\n"
            f"You can return [any] product within {days} days of delivery.\n"
        )
    (tmp_path / "broken.md").write_text("no front matter")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot.cli", "review", "--knowledge", str(tmp_path), *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "USHER_DATA_DIR": str(tmp_path / "data")}
            | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    answer = json.loads(run("--json").stdout)
    assert answer["articles"] == 2
    assert len(answer["problems"]) == 1
    (found,) = (each for each in answer["findings"] if each["kind"] == "contradiction")
    assert found["articles"] == [
        {"article": "one", "language": "en"},
        {"article": "other", "language": "en"},
    ]
    done = run()
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "[any] product within 14" in said
    assert "Articles with fewer than 8 example questions (2)" in said
    assert "15 or more are worth most" in said
    assert "broken.md:1" in done.stderr
