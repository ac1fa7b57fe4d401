"""What customers say in the tests, and what the project's own files answer to it."""

from dataclasses import dataclass
from functools import cache

import yaml

from bot.journeys.definitions import read_journeys
from bot.knowledge.articles.articles import Article, read_articles
from bot.settings import ROOT
from bot.texts import texts

ARTICLE = "delivery-time-cost"
"""What `Phrases.question` is answered with."""
PRODUCT = "brio"
TROUBLESHOOTING = "brio-troubleshooting"


@dataclass(frozen=True)
class Phrases:
    """A customer's words in one language."""

    greeting: str
    thanks: str
    question: str
    human: str
    broken: str
    complaint: str
    yes: str
    no: str
    unanswerable: tuple[str, str]
    """Two questions that no article answers."""


PHRASES = {
    "en": Phrases(
        greeting="hello",
        thanks="thanks",
        question="How much is shipping and how long does it take?",
        human="I want to talk to a real person please",
        broken="it does not work",
        complaint="this is terrible service",
        yes="yes",
        no="no",
        unanswerable=("who won the election in France?", "whats a good recipe for banana bread"),
    ),
    "vi": Phrases(
        greeting="chào shop",
        thanks="cảm ơn bạn",
        question="Phí ship bao nhiêu và bao lâu thì nhận được hàng?",
        human="cho mình gặp nhân viên",
        broken="nó không hoạt động",
        complaint="dịch vụ quá tệ",
        yes="vâng",
        no="không",
        unanswerable=("cách nấu phở bò ngon", "công thức làm bánh chuối"),
    ),
    "th": Phrases(
        greeting="สวัสดีค่ะ",
        thanks="ขอบคุณค่ะ",
        question="ค่าส่งเท่าไร และกี่วันถึง",
        human="ขอคุยกับคนจริงๆ",
        broken="มันใช้ไม่ได้ค่ะ",
        complaint="บริการแย่มาก",
        yes="ใช่ค่ะ",
        no="ไม่ค่ะ",
        unanswerable=("เมื่อคืนใครชนะฟุตบอล", "เมืองหลวงของเปรูคืออะไร"),
    ),
    "fa": Phrases(
        greeting="سلام",
        thanks="ممنون",
        question="هزینه ارسال چقدره و چند روز طول می‌کشد؟",
        human="می‌خوام با یه آدم حرف بزنم",
        broken="کار نمی‌کنه",
        complaint="خدماتتون افتضاحه",
        yes="بله",
        no="نه",
        unanswerable=("بهترین رستوران پاریس کجاست", "دستور پخت کیک موز چیه"),
    ),
}


@cache
def _articles() -> dict[tuple[str, str], Article]:
    found, _ = read_articles(ROOT / "knowledge_base")
    return {(each.language, each.id): each for each in found}


def article(article_id: str, language: str) -> Article:
    return _articles()[language, article_id]


@cache
def responses(name: str, language: str) -> set[str]:
    """The texts of one of the domain's responses, in one language."""
    domain = yaml.safe_load((ROOT / "domain.yml").read_text("utf-8"))
    return {
        each["text"]
        for each in domain["responses"][name]
        if each.get("condition", [{"value": "en"}])[0]["value"] == language
    }


@cache
def first_tip(product: str, language: str) -> str:
    (journey,) = [each for each in read_journeys(ROOT / "journeys") if each.product == product]
    return journey.steps[0].texts[language]


def notice(key: str, language: str) -> tuple[str, str]:
    """A notice of the record, as it stands in a transcript."""
    return "system", texts(language)[f"system_{key}"]
