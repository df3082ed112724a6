"""Events and reports have the contract's fields, and no others but where there is more to say."""

from __future__ import annotations

import json
import re

from services.runs.engine.evidence import events
from services.runs.engine.evidence.events import LONGEST_TEXT, Events
from services.runs.engine.evidence.masking import MASK, Masker
from services.runs.engine.evidence.models import (
    ActionReport,
    AssertionReport,
    CandidateReport,
    CaseReport,
    Environment,
    NetworkError,
    Report,
    Shot,
    StepReport,
    Summary,
    Touched,
)
from services.runs.engine.evidence.reading import read
from tests.services.runs.engine.evidence_support import EMPTY, REPORT, RUNNING


def test_a_report_has_the_contracts_keys() -> None:
    case = CaseReport(
        "a", "A", steps=(StepReport("s1", "x", actions=(ActionReport("goto"),)),),
        assertions=(AssertionReport("a1"),), shots=(Shot("l", "n", "p"),),
        network_errors=(NetworkError("GET", "u", 500),),
    )  # fmt: skip
    plain = Report("r", "S", "s", "f", cases=(case,)).as_json()
    assert list(plain) == [
        "run_id", "suite", "suite_id", "file", "status", "started_at", "finished_at", "duration_ms",
        "summary", "env", "cases", "issues_filed",
    ]  # fmt: skip
    assert list(plain["summary"]) == [
        "total",
        "passed",
        "failed",
        "broken",
        "skipped",
        "flaky",
        "healed",
    ]
    assert list(plain["env"]) == ["base_url", "browser", "headed", "git_sha", "ci_url"]
    case_json = plain["cases"][0]
    assert set(case_json) == {
        "id", "title", "tags", "verdict", "flaky", "attempt", "reason", "duration_ms", "steps",
        "assertions", "captures", "shots", "network_errors", "console_errors", "heals",
    }  # fmt: skip
    step = case_json["steps"][0]
    assert set(step) == {"id", "do", "status", "actions", "duration_ms", "error"}
    assert set(step["actions"][0]) == {
        "tool",
        "target",
        "value",
        "text",
        "url",
        "ok",
        "ms",
        "source",
    }
    assert set(case_json["assertions"][0]) == {
        "id", "assert", "verdict", "expected", "observed", "source"
    }  # fmt: skip
    assert case_json["shots"] == [{"label": "l", "note": "n", "path": "p"}]
    assert set(case_json["network_errors"][0]) == {"method", "url", "status", "trace_id", "ts"}


def test_a_whole_report_has_the_optional_keys() -> None:
    case = REPORT.as_json()["cases"][1]
    assert {"root_cause", "issue", "attempts", "trace", "downloads"} <= set(case)
    assert case["issue"] == {
        "id": "TW-12", "fingerprint": "tw:shop:checkout:1f3a9c0b77de", "created": True
    }  # fmt: skip
    signed_up = REPORT.as_json()["cases"][0]
    assert signed_up["assertions"][1]["suggested_check"] == {"kind": "url", "path_is": "/dashboard"}
    assert REPORT.as_json()["cases"][4]["assertions"][0]["confidence"] == 0.93


def test_reports_are_read_back() -> None:
    for report in (REPORT, RUNNING, EMPTY):
        assert read(json.loads(json.dumps(report.as_json()))) == report
    assert read(REPORT.as_json() | {"unknown": {"x": [1]}}) == REPORT


def test_each_event_has_its_fields() -> None:
    env, summary = Environment("http://a", "chromium"), Summary(total=1, passed=1)
    made = [
        events.run_start("S", ["a"], env),
        events.case_start("A"),
        events.step_start("Open /"),
        events.action(ActionReport("goto", Touched("link", "x", "e1"), url="http://a")),
        events.shot(Shot("l", "n", "p", "s1")),
        events.step_end("broken", 5, "why", (CandidateReport("button", "x", 90, "w"),)),
        events.assertion(AssertionReport("a1", "x", {"kind": "url", "path_is": "/"})),
        events.healed({"name": "a"}, {"name": "b"}, 88.0, 0.8),
        events.case_end("passed", 9, flaky=True),
        events.log("hm", "warning"),
        events.error("the browser died", "browser_gone"),
        events.done("passed", summary),
    ]
    assert [event["kind"] for event in made] == [
        "run_start", "case_start", "step_start", "action", "shot", "step_end", "assertion",
        "healed", "case_end", "log", "error", "done",
    ]  # fmt: skip
    by_kind = {event["kind"]: event for event in made}
    assert set(by_kind["action"]) == {
        "kind", "tool", "target", "value", "text", "url", "ok", "ms", "source"
    }  # fmt: skip
    assert by_kind["shot"] == {"kind": "shot", "label": "l", "note": "n", "path": "p"}
    assert set(by_kind["case_end"]) == {"kind", "verdict", "duration_ms", "reason", "flaky"}
    assert by_kind["done"] == {"kind": "done", "status": "passed", "summary": summary.as_json()}
    json.dumps(made)


def test_events_are_numbered_dated_placed_and_masked() -> None:
    told = Events(Masker(["secret-1"]), is_counting=True)
    first = told.complete(events.log("it is secret-1"))
    second = told.complete(
        events.action(ActionReport("set_field", value="abc", text="typed secret-1")),
        case_id="secret-1",
        step_id="s1",
        shard=0,
        also=["abc"],
    )
    assert [first["seq"], second["seq"]] == [1, 2]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["ts"])
    assert first["message"] == f"it is {MASK}"
    assert (second["case_id"], second["step_id"], second["shard"]) == ("secret-1", "s1", 0)
    assert (second["value"], second["text"], second["tool"]) == (MASK, f"typed {MASK}", "set_field")
    assert "shard" not in first
    assert "case_id" not in first


def test_an_events_keeper_may_number_it() -> None:
    assert "seq" not in Events(Masker()).complete(events.log("x"))


def test_long_texts_are_cut_after_masking() -> None:
    told = Events(Masker(["secret-1"])).complete(events.log("x" * (LONGEST_TEXT - 4) + "secret-1"))
    assert len(told["message"]) == LONGEST_TEXT
    assert "secr" not in told["message"]
