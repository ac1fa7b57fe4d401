"""End-to-end tests: a whole Usher for all of them, and a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.running import EMAIL, PASSWORD, Usher

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes many seconds, for example an outage")


@pytest.fixture(scope="session")
def usher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    """Everything that `usher up` starts, with one agent; ends as with Ctrl-C."""
    running = Usher(tmp_path_factory.mktemp("usher"))
    try:
        running.start()
        running.cli("agents", "add", EMAIL, "--name", "Agent", "--password", PASSWORD)
        yield running
    finally:
        status, left = running.stop()
    assert status == 0, running.log.read_text()
    assert left == []


@pytest.fixture(scope="module")  # while it is open, no other test of the session could use asyncio
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(chromium).exists():
        pytest.skip("NO BROWSER TESTS: chromium is missing (apt-get install -y chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
