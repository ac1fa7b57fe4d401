"""What customers and agents see: a real Chromium, on a phone and on a desk."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    expect,
)

from bot.texts import texts
from tests.e2e.phrases import ARTICLE, PHRASES, PRODUCT, article, first_tip, notice, responses
from tests.e2e.running import EMAIL, PASSWORD, Usher

expect.set_options(timeout=15_000)

SIZES: dict[str, ViewportSize] = {
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1280, "height": 800},
}
DIRECTIONS = {"en": "ltr", "fa": "rtl"}
NOT_SIGNED_IN = "/console/api/me"

XSS = (
    "<img src=x onerror=\"window.hacked='img'\">",
    "<script>window.hacked='script'</script>",
    "<svg onload=\"window.hacked='svg'\">",
    "[link](javascript:window.hacked='link')",
    '"><iframe srcdoc="<script>parent.hacked=\'iframe\'</script>">',
    "{{constructor.constructor(\"window.hacked='template'\")()}}",
)

OpenPage = Callable[..., Page]

in_each_direction = pytest.mark.parametrize("language", DIRECTIONS)
in_each_size = pytest.mark.parametrize("size", SIZES)


@pytest.fixture
def open_page(usher: Usher, browser: Browser) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own; at the end none of them may have complained.

    What the Content Security Policy forbids is such a complaint too.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        # The console asks who is signed in, and Chromium reports every 401.
        if message.type == "error" and NOT_SIGNED_IN not in message.location.get("url", ""):
            complaints.append(f"{message.text} {message.location}")

    def watch(page: Page) -> None:
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))

    def open_(path: str, size: str = "desktop") -> Page:
        on_phone = size == "phone"
        context = browser.new_context(
            base_url=usher.url, viewport=SIZES[size], is_mobile=on_phone, has_touch=on_phone
        )
        contexts.append(context)
        context.on("page", watch)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def bubbles(page: Page, author: str) -> Locator:
    return page.get_by_test_id("log").locator(f'[data-author="{author}"] > p')


def ask(page: Page, text: str) -> None:
    page.get_by_test_id("input").fill(text)
    page.get_by_test_id("send").click()


def sign_in(console: Page) -> None:
    console.get_by_test_id("email").fill(EMAIL)
    console.get_by_test_id("password").fill(PASSWORD)
    console.get_by_test_id("sign-in").click()


def has_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@in_each_direction
@in_each_size
def test_a_customer_is_answered_and_reads_on_in_the_help_center(
    open_page: OpenPage, language: str, size: str
) -> None:
    page = open_page(f"/?language={language}", size)
    direction = DIRECTIONS[language]
    expect(page.locator("html")).to_have_attribute("dir", direction)
    expect(page.locator("usher-chat")).to_have_attribute("dir", direction)
    launcher = page.get_by_test_id("launcher").bounding_box()
    assert launcher is not None
    is_left = launcher["x"] < SIZES[size]["width"] / 2
    assert is_left == (direction == "rtl")
    assert not has_sideways_scrolling(page)

    page.get_by_test_id("launcher").click()
    ask(page, PHRASES[language].question)
    expect(bubbles(page, "customer")).to_have_text([PHRASES[language].question])
    expected = article(ARTICLE, language)
    expect(bubbles(page, "assistant")).to_contain_text([expected.short_answer])
    assert bubbles(page, "assistant").evaluate("p => getComputedStyle(p).direction") == direction
    panel = page.get_by_test_id("panel").bounding_box()
    assert panel is not None
    assert (panel["width"] == SIZES[size]["width"]) == (size == "phone")
    assert panel["height"] <= SIZES[size]["height"]

    with page.context.expect_page() as opened:
        page.get_by_test_id("source").click()
    help_page = opened.value
    expect(help_page.locator("h1")).to_have_text(expected.title)
    expect(help_page.locator("html")).to_have_attribute("dir", direction)
    assert urlsplit(help_page.url).path == f"/help/{language}/{ARTICLE}"
    assert not has_sideways_scrolling(help_page)

    page.reload()
    page.get_by_test_id("launcher").click()
    expect(bubbles(page, "assistant")).to_contain_text([expected.short_answer])


@in_each_direction
@in_each_size
def test_a_customer_and_an_agent_talk(open_page: OpenPage, language: str, size: str) -> None:
    words = PHRASES[language]
    page = open_page(f"/?language={language}", size)
    page.get_by_test_id("launcher").click()
    ask(page, words.complaint)
    replies = page.get_by_test_id("quick-reply")
    human, no_thanks = (texts(language)[f"button_{name}"] for name in ("human", "no_thanks"))
    expect(replies).to_have_text([human, no_thanks])
    replies.first.click()
    expect(bubbles(page, "system")).to_have_text([notice("waiting", language)[1]])
    expect(replies).to_have_count(0)
    token = uuid4().hex
    ask(page, token)

    console = open_page("/console")
    sign_in(console)
    console.get_by_test_id("conversation").filter(has_text=token).click()
    transcript = console.get_by_test_id("transcript")
    for text in (words.complaint, human, token):
        expect(transcript).to_contain_text(text)
    console.get_by_test_id("claim").click()
    console.get_by_test_id("reply-text").fill(f"Agent {token}")
    console.get_by_test_id("reply").click()
    expect(bubbles(page, "agent")).to_have_text([f"Agent {token}"])
    ask(page, f"{words.thanks} {token}")
    expect(transcript).to_contain_text(f"{words.thanks} {token}")
    console.get_by_test_id("resolve").click()
    expect(bubbles(page, "system")).to_have_text(
        [notice(key, language)[1] for key in ("waiting", "claimed", "resolved")]
    )
    expect(console.get_by_test_id("conversation").filter(has_text=token)).to_have_count(0)

    ask(page, words.thanks)
    expect(bubbles(page, "assistant")).to_have_count(2)
    assert bubbles(page, "assistant").last.inner_text() in responses("utter_welcome", language)


@in_each_direction
def test_a_customer_judges_an_answer_and_may_change_their_mind(
    open_page: OpenPage, language: str
) -> None:
    page = open_page(f"/?language={language}")
    page.get_by_test_id("launcher").click()
    ask(page, PHRASES[language].greeting)
    ask(page, PHRASES[language].question)
    helpful, not_helpful = page.get_by_test_id("helpful"), page.get_by_test_id("not_helpful")
    expect(helpful).to_have_count(1)  # nothing is asked about the greeting
    words = texts(language)
    expect(helpful).to_have_accessible_name(words["web_helpful"])
    expect(not_helpful).to_have_accessible_name(words["web_not_helpful"])
    assert helpful.evaluate("button => getComputedStyle(button).direction") == DIRECTIONS[language]
    helpful.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("feedback")).to_have_text(words["web_thanks"])
    expect(helpful).to_have_attribute("aria-pressed", "true")
    with page.expect_response(lambda answer: answer.request.post_data == '{"helpful":false}'):
        not_helpful.click()
    expect(helpful).to_have_attribute("aria-pressed", "false")
    page.reload()
    page.get_by_test_id("launcher").click()
    expect(not_helpful).to_have_attribute("aria-pressed", "true")
    expect(helpful).to_have_attribute("aria-pressed", "false")


def test_an_agent_judges_articles_and_sends_one(open_page: OpenPage) -> None:
    page = open_page("/?language=en")
    page.get_by_test_id("launcher").click()
    expected = article(ARTICLE, "en")
    ask(page, PHRASES["en"].question)
    expect(bubbles(page, "assistant")).to_contain_text([expected.short_answer])
    ask(page, PHRASES["en"].human)
    expect(bubbles(page, "system")).to_have_count(1)
    token = uuid4().hex
    ask(page, token)

    console = open_page("/console")
    sign_in(console)
    console.get_by_test_id("conversation").filter(has_text=token).click()
    expect(console.get_by_test_id("question")).to_have_text(PHRASES["en"].question)
    candidate = console.get_by_test_id("candidate").filter(has_text=expected.title)
    expect(candidate.get_by_test_id("insert")).to_be_hidden()
    console.get_by_test_id("claim").click()
    none = console.get_by_test_id("no-article")
    none.click()
    expect(none).to_have_attribute("aria-pressed", "true")
    expect(none).to_be_focused()
    candidate.get_by_test_id("insert").click()
    expect(console.get_by_test_id("reply-text")).to_have_value(expected.short_answer)
    console.get_by_test_id("reply").click()
    expect(bubbles(page, "agent")).to_have_text([expected.short_answer])
    expect(page.locator('[data-author="agent"]').get_by_test_id("source")).to_contain_text(
        expected.title
    )
    expect(console.get_by_test_id("attached")).to_be_hidden()
    expect(candidate.get_by_test_id("right")).to_have_attribute("aria-pressed", "true")
    expect(none).to_have_attribute("aria-pressed", "false")
    console.get_by_test_id("resolve").click()


def test_an_agent_reads_why_the_assistant_answered(open_page: OpenPage) -> None:
    page = open_page("/?language=en")
    page.get_by_test_id("launcher").click()
    expected = article(ARTICLE, "en")
    ask(page, PHRASES["en"].question)
    expect(bubbles(page, "assistant")).to_contain_text([expected.short_answer])
    token = uuid4().hex
    ask(page, PHRASES["en"].human)
    expect(bubbles(page, "system")).to_have_count(1)
    ask(page, token)

    console = open_page("/console")
    sign_in(console)
    console.get_by_test_id("conversation").filter(has_text=token).click()
    # One below the answer, one below the request for a person, and one below what the human got.
    why = console.get_by_test_id("why")
    expect(why.locator("summary")).to_have_text(["Why this answer?", *["Why no answer?"] * 2])
    why.first.locator("summary").focus()
    console.keyboard.press("Enter")
    for part in ("question → answer", "sure enough to answer", expected.title, "dialogue"):
        expect(why.first).to_contain_text(part)
    link = why.first.get_by_role("link", name=expected.title)
    expect(link).to_have_attribute("href", f"{link.evaluate('a => a.origin')}/help/en/{ARTICLE}")
    why.nth(1).locator("summary").click()
    expect(why.nth(1)).to_contain_text("ask human → hand off")


@in_each_direction
@in_each_size
def test_a_purchase_is_followed_by_a_tip(open_page: OpenPage, language: str, size: str) -> None:
    page = open_page(f"/?language={language}", size)
    page.locator(f'[data-buy="{PRODUCT}"]').click()
    panel = page.get_by_test_id("panel")
    expect(panel).to_contain_text(texts(language)["web_bought"])
    expect(bubbles(page, "assistant")).to_have_text([first_tip(PRODUCT, language)])


def test_news_show_on_the_closed_chat(usher: Usher, open_page: OpenPage) -> None:
    page = open_page("/?language=en")
    page.get_by_test_id("launcher").click()
    ask(page, PHRASES["en"].greeting)
    expect(bubbles(page, "assistant")).to_have_count(1)
    stored = page.evaluate("JSON.parse(localStorage.getItem('usher.visitor') ?? 'null')")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("panel")).to_be_hidden()
    assert usher.buy(PRODUCT, visitor_id=stored["visitor_id"]).is_success
    expect(page.get_by_test_id("launcher")).to_contain_text("1")
    page.get_by_test_id("launcher").click()
    expect(bubbles(page, "assistant").last).to_have_text(first_tip(PRODUCT, "en"))


def test_markup_is_only_text_for_customers_and_agents(open_page: OpenPage) -> None:
    page = open_page("/?language=en")
    page.get_by_test_id("launcher").click()
    ask(page, PHRASES["en"].human)
    expect(bubbles(page, "system")).to_have_count(1)
    for text in XSS:
        ask(page, text)
    expect(bubbles(page, "customer")).to_have_text([PHRASES["en"].human, *XSS])

    console = open_page("/console")
    sign_in(console)
    console.get_by_test_id("conversation").filter(has_text=XSS[-1]).first.click()
    expect(console.get_by_test_id("transcript").locator(".text")).to_have_count(len(XSS) + 2)
    for text in XSS:
        expect(console.get_by_test_id("transcript")).to_contain_text(text)
    console.get_by_test_id("claim").click()
    for text in XSS:
        console.get_by_test_id("reply-text").fill(text)
        console.get_by_test_id("reply").click()
        expect(console.get_by_test_id("reply-text")).to_have_value("")
    expect(bubbles(page, "agent")).to_have_text(list(XSS))
    console.get_by_test_id("resolve").click()

    for place in (page, console):
        assert place.evaluate("window.hacked") is None
        assert place.locator("img, iframe, [onload], [onerror], a[href^='javascript']").count() == 0
