"""Reports as JUnit XML, in the shape that Jenkins' schema allows and other CI readers take.

One ``testsuite`` for a suite, one ``testcase`` for a case: ``failure`` where an expectation did not
hold, ``error`` where the case could not be carried out, ``skipped``, ``flakyFailure`` for attempts
before the one that passed. A run that did not come to its end has an ``error`` more: cases that it
never reached are not taken for passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from services.runs.engine.evidence.models import CaseReport, Report, StepReport
from services.runs.engine.evidence.reading import read

LONGEST_TEXT: Final = 20_000
"""Characters of one text."""

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS: Final = {"passed": "✓", "broken": "✗", "failed": "✗", "skipped": "-"}
_CUT_SHORT: Final = frozenset({"cancelled", "interrupted"})


def junit(*reports: Report | Mapping[str, Any]) -> str:
    """Give one document of one or more reports, of whatever standing."""
    root = Element("testsuites", {"name": "Guildhall"})
    for report in reports:
        _suite(root, read(report))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: Element, report: Report) -> None:
    suite = SubElement(root, "testsuite", {"name": _legal(report.suite)})
    _properties(suite, report)
    for case in report.cases:
        _case(suite, report, case)
    if report.status in _CUT_SHORT:
        left = report.summary.total - sum(case.verdict is not None for case in report.cases)
        ended = SubElement(suite, "testcase", {"name": "The whole run", "time": "0"})
        ended.set("classname", _legal(report.suite_id))
        message = f"The run was {report.status}; {max(0, left)} cases have no verdict"
        SubElement(ended, "error", {"type": report.status, "message": message}).text = message
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for total, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(sum(case.find(name) is not None for case in cases)))
    suite.set("time", _seconds(report.duration_ms))
    if report.started_at:
        suite.set("timestamp", _legal(report.started_at)[:19])
    suite.set("id", _legal(report.suite_id))
    suite.set("file", _legal(report.file))


def _properties(suite: Element, report: Report) -> None:
    values = {"run_id": report.run_id, "status": report.status, **report.env.as_json()}
    properties = SubElement(suite, "properties")
    for name, value in values.items():
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            SubElement(properties, "property", {"name": name, "value": _legal(text)})


def _case(suite: Element, report: Report, case: CaseReport) -> None:
    found = SubElement(suite, "testcase", {"name": _legal(case.title or case.id)})
    found.set("classname", _legal(f"{report.suite_id}.{case.id}"))
    found.set("time", _seconds(case.duration_ms))
    reason = case.reason or ""
    if case.verdict == "failed":
        _trouble(found, "failure", reason or "An expectation did not hold", "failed", case)
    elif case.verdict == "broken":
        kind = reason.partition(":")[0] or "broken"
        _trouble(found, "error", reason or "It could not be carried out", kind, case)
    elif case.verdict == "skipped":
        SubElement(found, "skipped", {"message": _legal(reason or "skipped")})
    elif case.verdict is None and report.status in _CUT_SHORT:
        _trouble(found, "error", f"The run was {report.status}", report.status, case)
    elif case.verdict is None:
        SubElement(found, "skipped", {"message": "It has not ended yet"})
    for earlier in case.attempts if case.verdict == "passed" else ():
        again = SubElement(found, "flakyFailure", {"type": _legal(earlier.verdict)})
        again.set("message", _legal(earlier.reason or earlier.verdict))
    lines = [line for step in case.steps for line in _step_lines(step)]
    lines += [f"Screenshot: {shot.path} {shot.label}" for shot in case.shots]
    if lines:
        SubElement(found, "system-out").text = _legal("\n".join(lines))
    errors = [f"{one.method} {one.url}: {one.status or one.error}" for one in case.network_errors]
    errors += [one.text for one in case.console_errors]
    if errors:
        SubElement(found, "system-err").text = _legal("\n".join(errors))


def _trouble(found: Element, name: str, message: str, kind: str, case: CaseReport) -> None:
    lines: list[str] = []
    for step in case.steps:
        if step.error:
            lines += [f"Step {step.id}: {step.do}", f"  {step.error}"]
            lines += [
                f"  candidate: {one.role} “{one.name}” {one.where} (score {one.score:g})"
                for one in step.candidates
            ]
    for one in case.assertions:
        if one.verdict not in ("passed", "skipped"):
            lines.append(f"Expectation {one.id}: {one.claim or one.check}")
            lines += [f"  expected: {one.expected}", f"  observed: {one.observed}"]
    if (cause := case.root_cause) is not None:
        lines.append(f"Suspected cause ({cause.category}): {cause.suspected_cause}")
        lines.append(f"What to do: {cause.suggested_fix}")
        lines += [f"  {one}" for one in cause.evidence]
    element = SubElement(found, name, {"type": _legal(kind), "message": _legal(message)})
    element.text = _legal("\n".join(lines) or message)


def _step_lines(step: StepReport) -> list[str]:
    mark = _MARKS.get(step.status, "…")
    lines = [f"{mark} {step.do} ({step.duration_ms} ms)"]
    return [*lines, f"    {step.error}"] if step.error else lines


def _seconds(milliseconds: int) -> str:
    return f"{max(0, milliseconds) / 1000:.3f}"


def _legal(text: str) -> str:
    """Leave out what XML cannot hold, however it is escaped."""
    text = _ILLEGAL.sub("", text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
