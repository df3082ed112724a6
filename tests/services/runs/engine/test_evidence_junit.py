"""JUnit XML that CI readers take, whatever a page wrote into it."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from services.runs.engine.evidence.junit_xml import junit
from services.runs.engine.evidence.models import CaseReport, Report, Summary
from tests.services.runs.engine.evidence_support import EMPTY, REPORT, RUNNING, hostile

# Jenkins' junit-10.xsd: which children and attributes an element may have, and which it must.
_TROUBLE = ({"#text"}, {"type", "message"}, set[str]())
_RERUN = ({"stackTrace", "system-out", "system-err"}, {"type", "message"}, {"type"})
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (
        {"testsuite"},
        {"name", "time", "tests", "failures", "disabled", "errors"},
        set(),
    ),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {
            "name",
            "tests",
            "failures",
            "errors",
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        },
        {"name", "tests", "failures", "errors"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, {"name", "value"}),
    "testcase": (
        {
            "skipped",
            "error",
            "failure",
            "rerunFailure",
            "rerunError",
            "flakyFailure",
            "flakyError",
            "system-out",
            "system-err",
        },
        {"name", "time", "classname", "group"},
        {"name"},
    ),
    "failure": _TROUBLE,
    "error": _TROUBLE,
    "skipped": _TROUBLE,
    "flakyFailure": _RERUN,
    "system-out": ({"#text"}, set(), set()),
    "system-err": ({"#text"}, set(), set()),
}


def check(element: Element) -> None:
    """Hold an element, and what is in it, against the schema."""
    children, attributes, required = SCHEMA[element.tag]
    assert {child.tag for child in element} <= children, element.tag
    assert required <= set(element.attrib) <= attributes, element.tag
    if "#text" not in children:
        assert not (element.text or "").strip(), element.tag
    for number in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
        assert int(element.attrib[number]) >= 0
    if "time" in element.attrib:
        assert float(element.attrib["time"]) >= 0
    for child in element:
        check(child)


def parsed(*reports: Any) -> Element:
    root = ElementTree.fromstring(junit(*reports).encode())  # noqa: S314 - we wrote it
    check(root)
    return root


def case_of(root: Element, name: str) -> Element:
    found = [case for case in root.iter("testcase") if case.get("name") == name]
    assert len(found) == 1
    return found[0]


def test_each_verdict_has_its_element() -> None:
    root = parsed(REPORT)
    suite = root[0]
    totals = ("name", "tests", "failures", "errors", "skipped")
    assert {name: suite.get(name) for name in totals} == {
        "name": "Shop",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "1", "1")
    assert suite.get("timestamp") == "2026-02-03T09:13:55"
    assert suite.get("time") == root.get("time") == "25.606"
    passed = case_of(root, "A visitor signs up and is welcomed")
    assert {child.tag for child in passed} == {"system-out"}
    assert passed.get("classname") == "shop.sign-up"
    failed = case_of(root, "Paying by card shows a receipt").find("failure")
    assert failed is not None
    assert "expected: visible text contains “Thank you for your order”" in (failed.text or "")
    assert "observed: Something went wrong" in (failed.text or "")
    broken = case_of(root, "An order can be cancelled").find("error")
    assert broken is not None
    assert broken.get("type") == "ambiguous"
    assert (broken.text or "").count("candidate: button “Cancel”") == 3
    skipped = case_of(root, "A cancelled order is refunded").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "depends_on: “orders” did not pass"
    flaky = case_of(root, "Search finds the teapot")
    assert {child.tag for child in flaky} == {"flakyFailure", "system-out"}


def test_steps_and_errors_stand_beside() -> None:
    case = case_of(parsed(REPORT), "Paying by card shows a receipt")
    assert '✓ Click "Place order" (2300 ms)' in (case.findtext("system-out") or "")
    assert "Screenshot: shots/checkout/3.png" in (case.findtext("system-out") or "")
    assert "POST http://shop.example/api/orders?page=1: 500" in (case.findtext("system-err") or "")


def test_a_stored_report_gives_the_same() -> None:
    assert junit(json.loads(json.dumps(REPORT.as_json()))) == junit(REPORT)


def test_several_suites_stand_in_one_document() -> None:
    root = parsed(REPORT, RUNNING)
    assert [suite.get("tests") for suite in root] == ["5", "2"]
    assert root.get("tests") == "7"


@pytest.mark.parametrize("status", ["cancelled", "interrupted"])
def test_what_was_cut_short_is_an_error(status: str) -> None:
    begun = CaseReport("b", "Begun")
    report = Report("r", "S", "s", "f", status, summary=Summary(total=3), cases=(begun,))
    root = parsed(report)
    assert root.get("errors") == "2"
    assert case_of(root, "Begun").find("error") is not None
    error = case_of(root, "The whole run").find("error")
    assert error is not None
    assert error.get("message") == f"The run was {status}; 3 cases have no verdict"
    assert parsed(EMPTY).get("errors") == "1"


def test_what_goes_on_has_not_passed() -> None:
    skipped = case_of(parsed(RUNNING), "Paying by card shows a receipt").find("skipped")
    assert skipped is not None


def test_what_a_page_wrote_is_text() -> None:
    root = parsed(hostile())
    texts = [text for element in root.iter() for text in (element.text, *element.attrib.values())]
    assert any("<script>document.title='owned'</script>" in (text or "") for text in texts)
    for text in texts:
        assert not set(text or "") & set("\x00\x08\x1b\ufffe\ud800")


def test_long_texts_are_cut() -> None:
    case = CaseReport("a", "A", verdict="failed", reason="x" * 1_000_000)
    assert len(junit(Report("r", "S", "s", "f", cases=(case,)))) < 100_000


@pytest.mark.parametrize("wrong", [{}, {"run_id": 1}, [], None, {"cases": "x"}])
def test_what_is_no_report_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="not a report"):
        junit(wrong)
