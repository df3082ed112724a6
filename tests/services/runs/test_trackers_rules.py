"""What trackers are told, and what follows from what they answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.trackers import rules
from services.runs.trackers.models import Kind, TrackerFailed
from services.runs.trackers.rules.documents import document_of
from services.runs.trackers.rules.writing import LONGEST_BODY, fitted
from shared.fetch import NOT_ALLOWED
from tests.services.runs.trackers_support import SIMPLE, is_document, way

MARK = "tw:checkout:pay:0123456789ab"


def text(said: str, *marks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": said} | ({"marks": list(marks)} if marks else {})


def paragraph(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


CODE, STRONG = {"type": "code"}, {"type": "strong"}


def link(url: str) -> dict[str, Any]:
    return {"type": "link", "attrs": {"href": url}}


@pytest.mark.parametrize(
    ("markdown", "content"),
    [
        (
            "## What",
            [{"type": "heading", "attrs": {"level": 2}, "content": [text("What")]}],
        ),
        ("one\ntwo\n\nthree", [paragraph(text("one two")), paragraph(text("three"))]),
        (
            "a **bold `x`** end",
            [paragraph(text("a "), text("bold ", STRONG), text("x", CODE), text(" end"))],
        ),
        ("``a ` b``", [paragraph(text("a ` b", CODE))]),
        ("`` `x` ``", [paragraph(text("`x`", CODE))]),
        ("[a](https://x.example/b)", [paragraph(text("a", link("https://x.example/b")))]),
        (
            "![shot](https://x.example/b.png)",
            [paragraph(text("shot", link("https://x.example/b.png")))],
        ),
        ("[a](javascript:alert)", [paragraph(text("a"))]),
        ("<!-- x", [paragraph(text("<!-- x"))]),
        (r"\*no\* <b>", [paragraph(text("*no* <b>"))]),
        ("a <!-- hidden --> b", [paragraph(text("a  b"))]),
        ("> said\n> so", [{"type": "blockquote", "content": [paragraph(text("said so"))]}]),
        ("---", [{"type": "rule"}]),
        (
            "````text\n```\n# no heading\n````",
            [
                {
                    "type": "codeBlock",
                    "attrs": {"language": "text"},
                    "content": [text("```\n# no heading")],
                }
            ],
        ),
        (
            "before\n- a\n- `b`",
            [
                paragraph(text("before")),
                {
                    "type": "bulletList",
                    "content": [
                        {"type": "listItem", "content": [paragraph(text("a"))]},
                        {"type": "listItem", "content": [paragraph(text("b", CODE))]},
                    ],
                },
            ],
        ),
        (
            "3. x",
            [
                {
                    "type": "orderedList",
                    "attrs": {"order": 3},
                    "content": [{"type": "listItem", "content": [paragraph(text("x"))]}],
                }
            ],
        ),
    ],
)
def test_markdown_becomes_a_document(markdown: str, content: list[dict[str, Any]]) -> None:
    document = document_of(markdown)
    assert document == {"type": "doc", "version": 1, "content": content}
    assert is_document(document)


@given(st.text(alphabet="ab `*[]()!#>-1.\n\\<~:/", max_size=80))
def test_any_text_becomes_a_document_that_is_taken(markdown: str) -> None:
    assert is_document(document_of(markdown))


@given(st.text(max_size=60))
def test_a_failure_is_known_again_by_its_last_marker(said: str) -> None:
    body = rules.marked(f"{said}\n<!-- {rules.marker_of('tw:other:one:000000000000')} -->", MARK)
    assert rules.fingerprint_in(body, MARK)
    assert not rules.fingerprint_in(body, "tw:other:one:000000000000")
    assert not rules.fingerprint_in(said, MARK)
    odd = f"tw:a --> b\n{MARK}"
    assert rules.fingerprint_in(rules.marked(said, odd), odd)
    document = document_of(said)
    document["content"].append(paragraph(text(rules.marker_of(MARK))))
    assert rules.fingerprint_in(rules.text_of(document), MARK)


def test_a_long_body_is_cut_and_its_code_block_closed() -> None:
    long = "before\n\n````text\n" + "```\nword\n" * LONGEST_BODY
    kept = fitted(long)
    assert len(kept) < LONGEST_BODY + 100
    assert kept.endswith("\n````\n\n(shortened)")
    assert fitted("short") == "short"


@pytest.mark.parametrize(
    ("asked", "installed", "providers"),
    [
        (None, "jira, GitHub", ("github", "jira")),
        ("none", "github", ()),
        ("tripwire", "github", ()),
        ("gitlab,github", "", ("github", "gitlab")),
        (None, "none", ()),
        (None, "", ()),
    ],
)
def test_words_name_trackers(asked: str | None, installed: str, providers: tuple[str, ...]) -> None:
    assert rules.wanted(asked, installed) == providers


@pytest.mark.parametrize(
    ("status", "retry_after", "body", "kind", "unheard", "later"),
    [
        (500, "", b"", Kind.LATER, True, 0),
        (429, "12", b"", Kind.LATER, False, 12),
        (429, "", b"", Kind.LATER, False, 60),
        (403, "", b"You have exceeded a secondary rate limit", Kind.LATER, False, 60),
        (403, "", b"Resource not accessible", Kind.SETUP, False, 0),
        (301, "", b"", Kind.SETUP, False, 0),
        (404, "", b"", Kind.SETUP, False, 0),
        (422, "", b"", Kind.FINAL, False, 0),
    ],
)
def test_answers_are_judged(
    status: int, retry_after: str, body: bytes, kind: Kind, unheard: bool, later: float
) -> None:
    failed = rules.failure_of_answer("github", status, retry_after, body, changes=True)
    assert failed is not None
    assert (failed.kind, failed.is_unheard, failed.later_s) == (kind, unheard, later)
    assert str(status) in failed.reason
    assert rules.failure_of_answer("github", 201, "", b"", changes=True) is None


def test_what_fails_is_tried_again_later_and_later_and_then_given_up() -> None:
    down = rules.failure_of_fetch("gitlab", "ConnectError", changes=True)
    assert down.is_unheard
    waits = [rules.outcome_of_failure(attempt, down).delay_s for attempt in range(1, 10)]
    assert waits[-1] is None
    kept = [wait for wait in waits if wait is not None]
    assert kept == sorted(kept)
    assert len(kept) == 8
    asked = TrackerFailed("slow down", Kind.LATER, 500)
    assert rules.outcome_of_failure(1, asked).delay_s == 500
    closed = rules.failure_of_fetch("jira", NOT_ALLOWED, changes=False)
    rare = rules.outcome_of_failure(1, closed).delay_s
    assert rare is not None
    assert rare >= 3600
    assert rules.outcome_of_failure(4, closed).delay_s is None
    assert rules.outcome_of_failure(1, TrackerFailed("no", Kind.FINAL)).delay_s is None


def test_waiting_is_asked_for_in_seconds_or_with_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < rules.seconds_to_wait(soon) <= 90
    assert rules.seconds_to_wait("7") == 7
    assert rules.seconds_to_wait("999999999") == 86_400
    assert rules.seconds_to_wait("soon") == 0


DOING, GO = (way("7", "Start", "Doing", "indeterminate"), way("6", "Go", "Go", "indeterminate"))
NEEDS = {"resolution": {"required": True, "hasDefaultValue": False}}
HAS = {"resolution": {"required": True, "hasDefaultValue": True}, "comment": {"required": False}}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (SIMPLE, "11"),
        (SIMPLE[:2], "21"),
        (SIMPLE[:1], None),
        ((), None),
        ((DOING, way("9", "Reopen", "R", "new")), "9"),
        ((DOING, way("9", "Reopen it", "Work", "indeterminate")), "9"),
        ((way("3", "Triage", "Triage", "new"), way("4", "Back", "Backlog", "new")), "4"),
        ((way("10", "A", "A", "new"), way("9", "B", "B", "new")), "9"),
        ((way("5", "Reopen", "Open", "new", fields=NEEDS), GO), "6"),
        ((way("5", "Reopen", "Open", "new", fields=HAS),), "5"),
        ((way("5", "Reopen", "Open", "new") | {"isAvailable": False},), None),
        ((way("5", "Look again", "Odd", "undefined"), GO), "6"),
    ],
)
def test_a_way_that_opens_an_issue_again_is_chosen(
    offered: tuple[dict[str, Any], ...], chosen: str | None
) -> None:
    for order in (offered, offered[::-1]):
        assert rules.reopening({"transitions": list(order)}) == chosen


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
ODD = st.recursive(
    PLAIN,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["transitions", "id", "name", "to", "statusCategory", "key", "fields"]),
            each,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(ODD)
def test_whatever_is_offered_nothing_breaks(offered: Any) -> None:
    for answer in (offered, {"transitions": offered}, {"transitions": [offered]}):
        chosen = rules.reopening(answer)
        assert chosen is None or chosen
