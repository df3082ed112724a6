"""What causes are told by: frames of stack traces, lines of logs, and the order of symptoms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.causes import rules
from services.runs.causes.models import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_EVIDENCE,
    Category,
    LogLine,
    SeenCase,
)
from services.runs.causes.rules.frames import deepest, headline_of, is_thrown
from services.runs.causes.rules.lines import server_error_of
from services.runs.causes.rules.wording import FIXES
from services.runs.engine.evidence import Masker
from tests.services.runs.logs_support import failed_report, failing_case

BASE = "http://shop.test/"

PYTHON = """Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/starlette/routing.py", line 74, in app
    response = await func(request)
  File "/srv/shop/orders/views.py", line 40, in create
    total = price(order)
  File "/srv/shop/orders/pricing.py", line 88, in price
    return net * order["vat"]
  File "/usr/lib/python3.11/site-packages/pydantic/main.py", line 9, in get
    raise KeyError(name)
KeyError: 'vat'"""
JAVA = """java.lang.RuntimeException: order failed
\tat org.springframework.web.Filter.doFilter(Filter.java:12)
\tat com.shop.orders.OrderController.create(OrderController.java:40)
Caused by: java.lang.NullPointerException: vat
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat com.shop.orders.Pricing.price(Pricing.java:88)
\t... 12 more"""
NODE = """TypeError: Cannot read properties of undefined (reading 'vat')
    at price (/srv/shop/orders/pricing.js:88:21)
    at async create (/srv/shop/orders/views.js:40:9)
    at Layer.handle (/srv/shop/node_modules/express/lib/router/layer.js:95:5)
    at node:internal/process/task_queues:95:5"""
GO = """panic: runtime error: index out of range [3] with length 3

goroutine 19 [running]:
panic({0x5a1f20, 0xc0000b2000})
\t/usr/local/go/src/runtime/panic.go:884 +0x212
shop/orders.price(...)
\t/srv/shop/orders/pricing.go:88 +0x1d
net/http.HandlerFunc.ServeHTTP(0x0)
\t/usr/local/go/src/net/http/server.go:2109 +0x2f"""
RUBY = """/usr/lib/ruby/gems/3.2/gems/rack/lib/rack.rb:9:in `fetch': key not found: "vat" (KeyError)
\tfrom /srv/shop/orders/pricing.rb:88:in `price'
\tfrom /srv/shop/orders/views.rb:40:in `create'"""


@pytest.mark.parametrize(
    ("trace", "frame", "headline"),
    [
        (PYTHON, "price (/srv/shop/orders/pricing.py:88)", "KeyError: 'vat'"),
        (JAVA, "Pricing.price (Pricing.java:88)", "java.lang.NullPointerException: vat"),
        (
            NODE,
            "price (/srv/shop/orders/pricing.js:88)",
            "TypeError: Cannot read properties of undefined (reading 'vat')",
        ),
        (
            GO,
            "shop/orders.price (/srv/shop/orders/pricing.go:88)",
            "panic: runtime error: index out of range [3] with length 3",
        ),
        (RUBY, "price (/srv/shop/orders/pricing.rb:88)", 'key not found: "vat" (KeyError)'),
    ],
    ids=["python", "java", "node", "go", "ruby"],
)
def test_the_deepest_frame_is_the_applications_own(trace: str, frame: str, headline: str) -> None:
    assert is_thrown(trace)
    assert str(deepest(trace)) == frame
    assert headline_of(trace) == headline


def test_words_that_are_no_trace_have_no_frame() -> None:
    for text in ("", "all is well", "see pricing.rb:88 for more", "12:30:15 GET /x 200"):
        assert not is_thrown(text)
    assert deepest("all is well") is None
    assert deepest(PYTHON.replace("/srv/shop/", "/x/site-packages/")) is None


def test_a_trace_is_joined_to_the_line_before_it() -> None:
    lines = [
        "2026-03-02 10:00:00 INFO begins",
        "2026-03-02 10:00:01 ERROR order failed",
        *PYTHON.splitlines(),
        "2026-03-02 10:00:02 INFO ends",
        "",
    ]
    first, error, last = rules.joined(lines)
    assert (first, last) == (lines[0], lines[-2])
    assert error == f"{lines[1]}\n{PYTHON}"
    assert rules.joined(JAVA.splitlines()) == [JAVA]
    assert rules.joined(NODE.splitlines()) == [NODE]


@pytest.mark.parametrize(
    ("text", "level", "at"),
    [
        ("2026-03-02T10:00:00.250Z ERROR order failed", "error", 1772445600.25),
        ("2026-03-02 11:00:00,250 +01:00 [WARN] slow", "warn", 1772445600.25),
        ('time="x" level=error msg="order failed"', "error", None),
        ('{"severity":"ERROR","message":"no","time":1772445600250}', "error", 1772445600.25),
        ('{"level":50,"msg":"order failed","time":1772445600}', "error", 1772445600),
        ('{"log":{"level":"fatal"},"message":"gone"}', "fatal", None),
        ("[error] upstream timed out", "error", None),
        ("the errors page was opened", "", None),
        ("", "", None),
        ('{"broken', "", None),
        ("[" * 5000, "", None),
    ],
)
def test_lines_of_any_logger_are_read(text: str, level: str, at: float | None) -> None:
    line = rules.read_line(text)
    assert line.level == level
    if at is None:
        assert line.at is None
    else:
        assert line.at == pytest.approx(at)


def test_a_document_keeps_its_words_and_its_trace_once() -> None:
    document = {
        "@timestamp": "2026-03-02T10:00:00Z",
        "log.level": "error",
        "message": "order failed",
        "error": {"type": "KeyError", "message": "'vat'", "stack_trace": PYTHON},
    }
    line = rules.read_line(json.dumps(document))
    assert (line.level, line.at) == ("error", 1772445600)
    assert line.text.startswith("order failed\n")
    assert line.text.count("KeyError: 'vat'") == 1


def test_the_line_that_tells_most_is_chosen() -> None:
    bare = LogLine("could not order", "error", 5)
    thrown = LogLine("ValueError: no", "error", 4)
    framed = LogLine(PYTHON, "error", 1)
    other = LogLine(PYTHON.replace("'vat'", "'net'"), "error", 9)
    chatter = [LogLine("KeyError was raised on purpose", "info", 5), LogLine("fine", "debug", 5)]
    assert server_error_of(chatter) is None
    for lines, wanted in (
        ([bare, *chatter], "could not order"),
        ([thrown, bare], "ValueError: no"),
        ([framed, thrown, bare], "KeyError: 'vat'"),
        ([framed, other], "KeyError: 'net'"),
    ):
        found = server_error_of(lines)
        assert getattr(found, "headline", None) == wanted
    assert getattr(server_error_of([framed, other], near=2), "headline", None) == "KeyError: 'vat'"
    assert str(server_error_of([LogLine(JAVA)])).endswith("Pricing.price (Pricing.java:88)")


def test_lines_are_masked_before_they_are_cut() -> None:
    secret = "hunter2-hunter2"
    text = "x" * (LONGEST_LINE - 5) + secret
    lines = [LogLine(text, at=2), LogLine(f"\x1b[31mred {secret}\x1b[0m", at=1), LogLine("  ")]
    first, second = rules.cleaned(lines, Masker([secret]).mask)
    assert first.text == "red ••••"
    assert len(second.text) <= LONGEST_LINE
    assert "hunter" not in second.text


def request(status: int | None, url: str = BASE, ts: str = "", **more: Any) -> dict[str, Any]:
    found = {"method": "GET", "url": url, "status": status, "trace_id": None, "ts": ts or None}
    return {**found, **more}


def cause(lines: list[LogLine] | None = None, **more: Any) -> Any:
    case = SeenCase.model_validate(failing_case(**more))
    return rules.cause_of(case, BASE, lines or [])


@pytest.mark.parametrize(
    ("status", "error", "category"),
    [
        (500, None, "backend_error"),
        (503, None, "backend_error"),
        (504, None, "timeout"),
        (404, None, "client_error"),
        (429, None, "client_error"),
        (400, None, "validation"),
        (422, None, "validation"),
        (401, None, "auth"),
        (403, None, "auth"),
        (408, None, "timeout"),
        (409, None, "data"),
        (None, "net::ERR_CONNECTION_REFUSED", "network"),
        (None, "net::ERR_TIMED_OUT", "timeout"),
    ],
)
def test_a_failed_request_has_a_category(
    status: int | None, error: str | None, category: Category
) -> None:
    found = cause(network_errors=[request(status, f"{BASE}api", error=error)])
    assert found.category == category
    assert found.suggested_fix == FIXES[category]
    assert str(status or "no answer") in found.suspected_cause
    assert found.server_error is None
    assert 0 < found.confidence < 1


def test_symptoms_are_ranked_as_the_contract_says() -> None:
    thrown = [{"text": "Uncaught TypeError: cart is undefined"}]
    requests = [
        request(None, f"{BASE}late", "2026-03-02T10:00:09Z", error="net::ERR_FAILED"),
        request(404, f"{BASE}gone", "2026-03-02T10:00:08Z"),
        request(502, f"{BASE}first", "2026-03-02T10:00:01Z"),
        request(500, f"{BASE}nearest", "2026-03-02T10:00:02Z"),
        request(500, "http://cdn.test/theirs", "2026-03-02T10:00:03Z"),
    ]
    for one in ("/nearest", "/first", "cdn.test/theirs", "/gone", "/late"):
        found = cause(network_errors=requests, console_errors=thrown)
        assert one in found.suspected_cause
        requests = [each for each in requests if one not in each["url"]]
    assert cause(network_errors=[], console_errors=thrown).category == "js_error"
    missing = cause(network_errors=[])
    assert (missing.category, missing.server_error) == ("ui_missing", None)
    assert "“Thank you”" in missing.suspected_cause


def test_what_means_nothing_is_passed_over() -> None:
    found = cause(
        network_errors=[
            request(404, f"{BASE}favicon.ico"),
            request(404, f"{BASE}app.js.map"),
            request(None, f"{BASE}poll", error="net::ERR_ABORTED"),
            request(None, "http://10.0.0.1/", error="url_not_allowed"),
        ],
        console_errors=[{"text": "Failed to load resource: the server responded with 404"}],
    )
    assert found.category == "ui_missing"


@pytest.mark.parametrize(
    ("more", "category"),
    [
        ({"reason": "timeout: the case had no time left", "assertions": []}, "timeout"),
        ({"reason": "page_stuck: The page crashed.", "assertions": []}, "timeout"),
        ({"reason": "unreachable: nothing answers", "assertions": []}, "network"),
        ({"reason": None, "assertions": []}, "ui_missing"),
        (
            {
                "assertions": [
                    {
                        "id": "a1",
                        "check": {"kind": "value", "equals": "3"},
                        "verdict": "failed",
                        "expected": "3",
                        "observed": "4",
                    }
                ]
            },
            "data",
        ),
    ],
)
def test_without_a_request_the_reason_counts(more: dict[str, Any], category: str) -> None:
    assert cause(network_errors=[], **more).category == category


def test_a_step_that_broke_is_what_was_missing() -> None:
    steps = [{"id": "s1", "do": "Click “Pay”", "status": "broken", "error": "not_found: no “Pay”"}]
    found = cause(verdict="broken", network_errors=[], steps=steps, assertions=[])
    assert (found.category, found.confidence) == ("ui_missing", 0.4)
    assert "no “Pay”" in found.suspected_cause


def test_the_log_makes_it_certain() -> None:
    found = cause([LogLine("order begun", "info", 1), LogLine(PYTHON, "error", 2)])
    assert found.category == "backend_error"
    assert found.server_error == "KeyError: 'vat' at price (/srv/shop/orders/pricing.py:88)"
    assert found.suspected_cause == (
        "POST http://shop.test/api/orders answered 500, because the server failed: "
        + found.server_error
    )
    assert found.suggested_fix.startswith("Begin at price (/srv/shop/orders/pricing.py:88)")
    assert found.confidence == 0.95
    assert found.evidence[0] == "POST http://shop.test/api/orders answered 500"
    behind = cause([LogLine("disk full", "error", 2)], network_errors=[])
    assert (behind.category, behind.server_error) == ("backend_error", "disk full")
    assert behind.confidence == 0.7


def test_cases_without_a_cause_are_left_alone() -> None:
    cases = [
        failing_case(id="a"),
        failing_case(id="b", verdict="passed"),
        failing_case(id="c", verdict="skipped"),
        failing_case(id="d", verdict="broken", reason="needs_model: “Be nice”"),
        failing_case(id="e", verdict="broken", reason="not_found: no “Pay”"),
        {"id": 7, "verdict": "failed"},
        "nothing",
    ]
    report = {**failed_report(), "cases": cases}
    assert [case.id for case in rules.cases_of(report)] == ["a", "e"]
    assert rules.cases_of({}) == []
    assert rules.base_url_of({}) == ""
    known = {case.id: rules.cause_of(case, BASE) for case in rules.cases_of(report)}
    after = rules.with_found(report, known)["cases"]
    assert [isinstance(case, dict) and "root_cause" in case for case in after] == [
        case in (cases[0], cases[4]) for case in cases
    ]


TEXTS = st.text(max_size=400) | st.sampled_from([PYTHON, JAVA, NODE, GO, RUBY, "[" * 300])
REQUESTS = st.fixed_dictionaries(
    {
        "method": st.text(max_size=5),
        "url": st.text(max_size=40) | st.sampled_from([BASE, "http://[", f"{BASE}x?y=1"]),
        "status": st.none() | st.integers(100, 599),
        "ts": st.none() | st.text(max_size=12) | st.just("2026-03-02T10:00:00Z"),
        "error": st.none() | st.text(max_size=12),
    }
)


@given(st.lists(REQUESTS, max_size=6), st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_whatever_strangers_write_there_is_a_cause_within_limits(
    requests: list[dict[str, Any]], console: list[str], logged: list[str]
) -> None:
    lines = rules.cleaned([rules.read_line(text) for text in rules.joined(logged)], str)
    found = cause(lines, network_errors=requests, console_errors=[{"text": t} for t in console])
    assert found.category in FIXES
    assert 0 <= found.confidence <= 1
    assert len(found.evidence) <= MOST_EVIDENCE
    assert all(len(each) <= 300 and "\n" not in each for each in found.evidence)
    assert len(found.suspected_cause) <= LONGEST_TEXT
    assert len(found.suggested_fix) <= LONGEST_TEXT
    assert json.dumps(found.as_json())
