"""The short crash test, and the test of the test; the long one is `make crash-test`."""

import pytest

from tests.crash.faulty import SHOWN_AT
from tests.crash.killer import WEIGHTS
from tests.crash.run import Plan, crash

pytestmark = pytest.mark.slow

KILLS = 60


def _ignore(what: str, killed: int) -> None:
    pass


def test_sixty_kills_lose_nothing_double_nothing_and_reorder_nothing() -> None:
    report = crash(Plan(KILLS, seed=60, pause=0.2, rest_seconds=60), _ignore)
    assert report.verdict.is_clean, report.as_text()
    assert sum(report.killed.values()) >= KILLS
    assert report.killed.keys() <= WEIGHTS.keys()
    assert report.verdict.counts["messages"] >= KILLS, "customers wrote meanwhile"
    assert report.verdict.counts["answered"] > 0
    assert sum(times > 0 for times in report.points.values()) >= 10, report.points


def test_an_acknowledgement_before_the_commit_is_found() -> None:
    """A gateway that is killed in between has promised what is lost."""
    plan = Plan(
        kills=6,
        visitors=8,
        app_customers=0,
        pause=0.2,
        weights={"gateway": 1},
        points=SHOWN_AT["acknowledge_early"],
        broken_by="acknowledge_early",
        rest_seconds=20,
    )
    report = crash(plan, _ignore)
    assert report.points["intake.before_commit"] > 0, report.as_text()
    assert any("is not in the record" in each for each in report.verdict.lost), report.as_text()
