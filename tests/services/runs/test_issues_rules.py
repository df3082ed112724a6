"""What is filed of a report, by what it is known again, how it reads."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.runs.issues import rules
from services.runs.issues.models import SeenRequest
from services.runs.issues.rules import findings_of, number_of, writing
from services.runs.issues.rules.findings import severity_of
from services.runs.issues.rules.signatures import normalised, worst_request
from tests.services.runs.reports_support import BASE, assertion, case, report


def fingerprint_of(*parts: dict[str, Any], **fields: Any) -> str:
    (found,) = findings_of(report(case(assertions=list(parts), **fields)), "run_1")
    return found.fingerprint


def request(path: str = "/api/orders/17", status: int | None = 500, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "url": BASE + path, "status": status, **more}


def test_a_fingerprint_has_head_suite_case_and_twelve_digits() -> None:
    head, suite, case_id, signature = fingerprint_of(assertion()).split(":")
    assert (head, suite, case_id, len(signature)) == ("tw", "checkout", "pay", 12)
    assert set(signature) <= set("0123456789abcdef")


def test_the_wording_of_a_model_or_page_makes_no_other_issue() -> None:
    said = assertion(check=None, source="model", observed="I see an error", expected="thanks")
    other = assertion(check=None, source="model", observed="The page complains", expected="Thx")
    assert fingerprint_of(said) == fingerprint_of(other)
    assert fingerprint_of(assertion()) == fingerprint_of(assertion(observed="nothing at all"))


def test_a_value_of_this_run_makes_no_other_issue() -> None:
    one = assertion(check=None, **{"assert": "ann+1@example.org sees order 4711."})
    other = assertion(check=None, **{"assert": "bob+2@example.org  sees Order 4712"})
    assert fingerprint_of(one) == fingerprint_of(other)
    assert normalised("Shows •••• twice!") == normalised("shows ••••••  twice")


def test_another_expectation_kind_or_request_is_another_failure() -> None:
    different = {
        fingerprint_of(assertion()),
        fingerprint_of(assertion(id="a2")),
        fingerprint_of(assertion(check={"kind": "url", "path_is": "/done"})),
        fingerprint_of(assertion(), network_errors=[request()]),
        fingerprint_of(assertion(), network_errors=[request(status=404)]),
        fingerprint_of(assertion(), network_errors=[request("/api/carts/17")]),
        fingerprint_of(assertion(), network_errors=[request(method="GET")]),
        fingerprint_of(assertion(), network_errors=[request(status=None)]),
    }
    assert len(different) == 8


def test_ids_in_a_path_and_the_exact_status_make_no_difference() -> None:
    one = fingerprint_of(assertion(), network_errors=[request()])
    other = fingerprint_of(assertion(), network_errors=[request("/api/orders/99?x=1", 503)])
    assert one == other


def test_the_request_that_says_most_is_chosen_whatever_came_first() -> None:
    all_of_them = [
        SeenRequest(method="GET", url=f"{BASE}/b", status=404),
        SeenRequest(method="GET", url="https://elsewhere.example/x", status=500),
        SeenRequest(method="GET", url=f"{BASE}/c", status=None),
        SeenRequest(method="GET", url=f"{BASE}/a", status=502),
    ]
    for order in (all_of_them, all_of_them[::-1]):
        chosen = worst_request(order, BASE + "/start")
        assert chosen is not None
        assert chosen.url == f"{BASE}/a"
    assert worst_request(all_of_them[1:2], BASE) is None
    assert worst_request([SeenRequest(url="http://[bad", status=500)], BASE) is None


def test_only_confirmed_failures_of_the_application_are_filed() -> None:
    said = report(
        case("failed"),
        case("broken", "broken"),
        case("flaky", "passed", flaky=True),
        case("fine", "passed"),
        case("skipped", "skipped"),
        case("unread", "broken", reason="needs_model"),
        case("unsafe", "broken", reason="url_not_allowed: 169.254.169.254"),
        case("late", "broken", reason="timeout", steps=[]),
        case("failed", title="Again"),
        {"title": "no id"},
    )
    assert [one.case_id for one in findings_of(said, "run_1")] == ["failed", "broken"]


@pytest.mark.parametrize(
    ("tags", "severity"),
    [
        (["p0", "flaky"], "critical"),
        (["p1"], "high"),
        (["flaky", "smoke"], "low"),
        (["smoke"], "medium"),
        ([], "medium"),
    ],
)
def test_tags_ask_for_a_severity(tags: list[str], severity: str) -> None:
    assert severity_of(tags) == severity
    (found,) = findings_of(report(case(tags=[tag.upper() for tag in tags])), "run_1")
    assert found.severity == severity


def test_a_body_says_what_failed_expected_observed_where_and_shows_it() -> None:
    cause = {"server_error": "KeyError", "suspected_cause": "No price", "suggested_fix": "Add one"}
    said = report(case(network_errors=[request()], root_cause=cause))
    (found,) = findings_of(said, "run_1")
    assert "`a1`" in found.body
    assert "**Expected**\n\n```text\nThank you\n```" in found.body
    assert "**Observed**\n\n```text\nSomething went wrong\n```" in found.body
    assert "1. `Open the cart`" in found.body
    assert f"`POST {BASE}/api/orders/17 answered 500`" in found.body
    assert "(/api/v1/artifacts/run_1/pay/1-failure.png)" in found.body
    assert "KeyError" in found.body
    assert found.root_cause == "No price"
    assert found.evidence[0] == f"POST {BASE}/api/orders/17 answered 500"
    assert found.title == 'Case pay: does not hold: "Thank you" is shown'


def test_no_word_of_a_page_leaves_its_code_block() -> None:
    hostile = "```\n# Ha\n![x](https://evil.example/p.png) ````\n<script>"
    (found,) = findings_of(report(case(assertions=[assertion(observed=hostile)])), "run_1")
    assert f"`````text\n{hostile}\n`````" in found.body
    shot = [{"label": "", "note": "", "path": "a) [b](https://evil.example)"}]
    (found,) = findings_of(report(case(shots=shot)), "run_1")
    assert re.search(r"\n\[Screenshot\]\(/api/v1/artifacts/run_1/[^()\[\]\s]+\)$", found.body)
    assert writing.code("a`b``c") == "```a`b``c```"
    assert writing.code("`a") == "`` `a ``"
    assert writing.code("") == "` `"


def test_texts_that_no_table_takes_are_made_fit_and_long_ones_short() -> None:
    bad = assertion(observed="a\0b\ud800" + "c" * 9_000)
    (found,) = findings_of(report(case(title="T\0" * 2_000, assertions=[bad])), "run_1")
    assert "\0" not in found.body + found.title
    found.body.encode()
    assert len(found.title) <= 300
    assert len(found.body) < 10_000


def test_a_report_that_is_none_is_no_finding() -> None:
    for cases in (None, [], [None], [{"id": 3}], [case(steps="x")], [case(id="x" * 500)]):
        assert findings_of({"suite_id": "s", "cases": cases, "env": "none"}, "run_1") == []


@pytest.mark.parametrize(
    ("key", "number"),
    [("TW-1", 1), ("tw-20", 20), ("TW-0", None), ("TW-01", None), ("7", None), ("TW-٣", None)],
)
def test_a_key_is_read(key: str, number: int | None) -> None:
    assert number_of(key) == number


def test_a_search_looks_into_what_people_see() -> None:
    words = rules.words_of(12, "Straße", "checkout", "pay", "checkout.tripwire.yaml")
    assert all(part in words for part in ("tw-12", "strasse", "checkout", "pay"))
