"""Take the README's picture of the demo shop, with the chat open, from a running Usher.

.venv/bin/python docs/pictures/take.py [--url http://127.0.0.1:8000] [--language en]
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

QUESTIONS = {
    "en": "How long does delivery take?",
    "vi": "Bao lâu thì nhận được hàng?",
    "th": "ส่งกี่วันถึงคะ",
    "fa": "ارسال چند روز طول می‌کشد؟",
}
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
TIP_SECONDS = 30


def show(page: Page, language: str) -> None:
    """Buy, get the tip, ask and be answered."""
    answers = page.get_by_test_id("log").locator('[data-author="assistant"]')
    page.locator("[data-buy]").first.click()
    expect(answers).to_have_count(1, timeout=TIP_SECONDS * 1000)
    page.get_by_test_id("input").fill(QUESTIONS[language])
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("source")).to_be_visible()
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # the end of what moves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where Usher runs")
    parser.add_argument("--language", default="en", choices=QUESTIONS)
    parser.add_argument("--size", default="desktop", choices=SIZES)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("chat.png"))
    wanted = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install -y chromium fonts-noto-core")
    width, height = SIZES[wanted.size]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{wanted.url}/?language={wanted.language}")
        show(page, wanted.language)
        page.screenshot(path=wanted.output)
        browser.close()
    print(f"{wanted.output} ({wanted.output.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
