"""The page of a report: whole, readable, and harmless whatever a tested page wrote into it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.runs.engine.evidence import drawing as pages
from services.runs.engine.evidence.drawing import page
from services.runs.engine.evidence.models import (
    AssertionReport,
    CandidateReport,
    CaseReport,
    Report,
    Shot,
    StepReport,
    Summary,
)
from services.runs.engine.evidence.thumbnails import WIDTH, thumbnail
from tests.services.runs.engine.evidence_support import EMPTY, REPORT, RUNNING, hostile
from tests.support import chromium

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "footer", "main", "nav", "section",
    "div", "p", "h1", "h2", "h3", "span", "strong", "code", "bdi", "dl", "dt", "dd", "ul", "ol",
    "li", "a", "svg", "rect", "details", "summary", "figure", "figcaption", "img", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "br",
}  # fmt: skip


class Read(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def picture(width: int = 1280, height: int = 720, kind: str = "PNG", mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.new(mode, (width, height)).save(written, kind)
    return written.getvalue()


def test_everything_a_reader_looks_for_is_there() -> None:
    read = Read(page(REPORT, {"shots/checkout/3.png": picture()}))
    assert read.open == []
    for words in (
        "Shop", "shop.tripwire.yaml", "broken", "3 Feb 2026, 09:13:55 UTC", "25.6 s",
        "chromium 142", "9f2c1ab7e4d0", "What went wrong", "A visitor signs up and is welcomed",
        "1 flaky",
        'Click "Place order"', "visible text contains “Thank you for your order”",
        "Something went wrong. Your card was not charged.", "POST", "500",
        "4bf92f3577b34da6a3ce929d0e0e4736", "ERR_NAME_NOT_RESOLVED", "TypeError: Cannot read",
        "row “ORD-1002 Kettle”", "not reached", "check: {kind: url, path_is: /dashboard}",
        "It held before the first step already", "judged by a model, 93 % sure", "C-10442",
        "KeyError: 'vat' in orders/pricing.py:88", "Attempt 1", "invoice.pdf", "47.1 KB", "TW-12",
        "“orders” did not pass", "alice@example.com and ••••",
    ):  # fmt: skip
        assert words in read.text, words
    links = {attributes["href"] for tag, attributes in read.elements if tag == "a"}
    assert links == {
        "http://shop.example", "https://ci.example/jobs/118", "#case-2", "#case-3",
        "shots/sign-up/1.png", "shots/sign-up/3.png", "shots/checkout/3.png", "traces/sign-up.zip",
        "traces/checkout.zip", "downloads/checkout/invoice.pdf",
        "https://github.example/shop/issues/77",
    }  # fmt: skip


def test_cases_that_went_wrong_are_open_and_the_others_closed() -> None:
    cases = [a for tag, a in Read(page(REPORT)).elements if tag == "details" and "id" in a]
    assert ["open" in case for case in cases] == [False, True, True, False, False]


def test_the_page_loads_nothing() -> None:
    whole = page(REPORT, {"shots/checkout/3.png": picture()})
    read = Read(whole)
    images = [attributes["src"] or "" for tag, attributes in read.elements if tag == "img"]
    assert [src[:23] for src in images] == ["data:image/webp;base64,"]
    assert not {tag for tag, _ in read.elements} & {"script", "link", "iframe", "form", "base"}
    assert not re.search(r"url\(|@import", whole)
    assert not [attributes for _, attributes in read.elements if "style" in attributes]


def test_a_stored_report_gives_the_same() -> None:
    assert page(json.loads(json.dumps(REPORT.as_json()))) == page(REPORT)


def test_partial_reports_say_so() -> None:
    assert (
        "This run goes on. The page shows what has happened so far; 4 of 5"
        in Read(page(RUNNING)).text
    )
    for status in ("cancelled", "interrupted"):
        read = Read(page(replace(EMPTY, status=status)))
        assert f"The run was {status}. 5 of 5 cases have no verdict" in read.text
        assert "No case had begun." in read.text


def test_what_a_page_wrote_is_text() -> None:
    read = Read(page(hostile(), {}))
    assert read.open == []
    assert {tag for tag, _ in read.elements} <= ELEMENTS
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src"):
            value = attributes.get(name) or ""
            assert re.fullmatch(
                r"|#case-\d+|https?://.*|[A-Za-z0-9][A-Za-z0-9._/-]*|data:.*", value
            )
    assert "<script>document.title='owned'</script>" in read.text
    assert "{{7*7}}" in read.text
    assert not set("".join(read.words)) & set("\x00\x08\x1b\ud800\ufffe\u202e\u2066")


@pytest.mark.parametrize(
    "path",
    ["javascript:alert(1)", "//evil.example/x", "/etc/passwd", "../x", "a/../b", "https://evil.example",
     "a b", "", "\\\\evil", "a?x", "a#x", "data:text/html,x", ".a", "x" * 700],
)  # fmt: skip
def test_links_lead_beside_the_page_or_nowhere(path: str) -> None:
    case = CaseReport("a", "A", verdict="failed", shots=(Shot("l", "n", path),), trace=path)
    report = Report("r", "S", "s", "f", "failed", summary=Summary(total=1, failed=1), cases=(case,))
    read = Read(page(report))
    assert not [attributes for tag, attributes in read.elements if tag == "a"]


def test_large_reports_stay_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_STEPS", 30)
    steps = tuple(StepReport(f"s{number}", "x") for number in range(20))
    shots = (Shot("The end", "", "a.png", "s1"),)
    cases = tuple(CaseReport(f"c{n}", f"C{n}", steps=steps, shots=shots) for n in range(3))
    whole = page(Report("r", "S", "s", "f", "passed", cases=cases))
    assert whole.count('class="step ') == 20
    assert whole.count("left out here, for their number") == 2
    assert whole.count("<figure>") == 3


def test_pictures_stand_inside_only_as_long_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = thumbnail(picture())
    assert one is not None
    monkeypatch.setattr(pages, "MOST_INLINE", len(one.uri) + 1)
    shots = tuple(Shot("l", "", f"{number}.png") for number in range(4))
    report = Report("r", "S", "s", "f", cases=(CaseReport("a", "A", shots=shots),))
    read = Read(page(report, {shot.path: picture() for shot in shots}))
    assert len([tag for tag, _ in read.elements if tag == "img"]) == 2
    assert len([tag for tag, _ in read.elements if tag == "a"]) == 4


def test_long_texts_are_cut() -> None:
    case = CaseReport("a", "A", verdict="failed", assertions=(
        AssertionReport("x", "c", verdict="failed", observed="y" * 1_000_000),))  # fmt: skip
    assert len(page(Report("r", "S", "s", "f", cases=(case,)))) < 60_000


@pytest.mark.parametrize("check", [{"kind": "x", "at": object()}, {"a": {1, 2}}])
def test_a_check_that_is_no_json_is_left_out(check: dict[str, Any]) -> None:
    case = CaseReport("a", "A", assertions=(AssertionReport("x", "c", suggested_check=check),))
    assert "To pin it" not in page(Report("r", "S", "s", "f", cases=(case,)))


def test_odd_scores_and_sizes_are_shown() -> None:
    step = StepReport(
        "s1", "x", "broken", candidates=(CandidateReport("button", "A", 71.456, "w"),)
    )
    case = CaseReport("a", "A", verdict="broken", steps=(step,), duration_ms=3_725_000)
    text = Read(page(Report("r", "S", "s", "f", "broken", "no date", cases=(case,)))).text
    for words in ("71.5", "1 h 2 min", "no date"):
        assert words in text


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("JPEG", "RGB"), ("WEBP", "RGB")],
)
def test_thumbnails_of_all_kinds(kind: str, mode: str) -> None:
    made = thumbnail(picture(2000, 1000, kind, mode))
    assert made is not None
    assert (made.width, made.height) == (WIDTH, WIDTH // 2)


def test_thumbnails_of_odd_shapes() -> None:
    tall, tiny = thumbnail(picture(440, 6_000)), thumbnail(picture(1, 1))
    assert tall is not None
    assert tall.height == 2_400
    assert tiny is not None
    assert (tiny.width, tiny.height) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", picture()[:200], b"GIF89a" + b"\0" * 50, picture(20_000, 2_001, mode="1"),
     b"\x89PNG\r\n\x1a\n" + b"\0" * 100],
)  # fmt: skip
def test_what_is_no_picture_has_no_thumbnail(content: bytes) -> None:
    assert thumbnail(content) is None


@pytest.mark.slow
@pytest.mark.skipif(chromium.program() is None, reason="needs Chromium")
async def test_in_a_real_browser_nothing_runs_and_the_style_holds(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(hostile(), {}), "utf-8", "replace")
    seen = await chromium.loaded(path.as_uri(), tmp_path / "profile")
    assert seen.said == []
    assert "<title>owned" not in seen.dom
    assert "document.title='owned'" in seen.dom
