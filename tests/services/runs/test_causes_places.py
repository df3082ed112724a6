"""Which ids logs are asked for, when, and where they are: what each setting comes to."""

from __future__ import annotations

import pytest

from services.runs.causes import rules
from services.runs.causes.models import (
    Datadog,
    Elasticsearch,
    HttpLogs,
    LogFile,
    Loki,
    NoLines,
    SeenCase,
)
from tests.services.runs.logs_support import failing_case
from tests.services.runs.test_causes_rules import BASE, request

OWN = "a" * 24 + "12345678"


def test_the_worst_requests_ids_and_the_cases_own_are_asked_for() -> None:
    ts = "2026-03-02T10:00:00Z"
    requests = [
        request(404, f"{BASE}a", ts, trace_id="id-of-4xx-0001"),
        request(500, f"{BASE}b", ts, trace_id=OWN, request_id="req-5xx-0002"),
        request(500, f"{BASE}c", ts, trace_id="id-of-5xx-0003"),
        request(None, f"{BASE}d", ts, trace_id="short"),
    ]
    case = SeenCase.model_validate(failing_case(network_errors=requests))
    asked = rules.questions_of(case, OWN, BASE, 5.0, only_own=False)
    assert [each.trace_id for each in asked] == ["id-of-5xx-0003", OWN, "req-5xx-0002"]
    assert {(each.since, each.until) for each in asked} == {(1772445600 - 180, 1772445600 + 60)}
    (only,) = rules.questions_of(case, OWN, BASE, 5.0, only_own=True)
    assert only.trace_id == OWN
    quiet = SeenCase.model_validate(failing_case(network_errors=[]))
    (own,) = rules.questions_of(quiet, OWN, BASE, 500.0, only_own=False)
    assert (own.trace_id, own.since, own.until) == (OWN, 320.0, 560.0)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (OWN, True),
        ("req-shop-500", True),
        ("1-5759e988-bd862e3fe1be46a994272793", True),
        ("connection", False),
        ("7", False),
        ("a1234567*", False),
        ('a1234567" or "', False),
        ("a1234567\n", False),
        ("a" * 127 + "12", False),
        (None, False),
    ],
)
def test_only_ids_are_asked_for(text: str | None, is_one: bool) -> None:
    assert rules.is_id(text) is is_one


VALUES = {
    "LOKI_URL": "http://loki:3100/",
    "DD_API_KEY": "api",
    "DD_APP_KEY": "app",
    "ES_URL": "https://es:9200",
    "LOG_HTTP_URL": "https://logs/find",
    "LOG_FILE": "/var/log/shop.log",
}


def test_each_backend_is_read_from_settings() -> None:
    file = {"LOG_BACKEND": "file"}
    found = {
        word: rules.backend_of({**VALUES, "LOG_BACKEND": word}, file)
        for word in ("loki", "datadog", "elasticsearch", "http", "file")
    }
    assert found == {
        "loki": Loki("http://loki:3100/", '{job=~".+"}'),
        "datadog": Datadog("https://api.datadoghq.com", "api", "app"),
        "elasticsearch": Elasticsearch("https://es:9200", "*", ""),
        "http": HttpLogs("https://logs/find", ""),
        "file": LogFile("/var/log/shop.log"),
    }
    assert rules.backend_of(VALUES, {}) is None
    assert "api" not in repr(found["datadog"])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"LOG_BACKEND": "splunk"}, "LOG_BACKEND"),
        ({"LOG_BACKEND": "file"}, "LOG_BACKEND"),
        ({"LOG_BACKEND": "loki", "LOKI_URL": ""}, "LOKI_URL"),
        ({"LOG_BACKEND": "loki", "LOKI_URL": "loki:3100"}, "LOKI_URL"),
        ({"LOG_BACKEND": "loki", "LOKI_SELECTOR": "app=shop"}, "LOKI_SELECTOR"),
        ({"LOG_BACKEND": "datadog", "DD_APP_KEY": ""}, "DD_APP_KEY"),
        ({"LOG_BACKEND": "datadog", "DD_SITE": "evil.test/x?"}, "DD_SITE"),
        ({"LOG_BACKEND": "elasticsearch", "ES_URL": "file:///etc/passwd"}, "ES_URL"),
        ({"LOG_BACKEND": "elasticsearch", "ES_INDEX": "_all"}, "ES_INDEX"),
        ({"LOG_BACKEND": "elasticsearch", "ES_INDEX": ".."}, "ES_INDEX"),
        ({"LOG_BACKEND": "http", "LOG_HTTP_URL": "http://[x"}, "LOG_HTTP_URL"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, str], word: str) -> None:
    with pytest.raises(NoLines, match=f"^{word} "):
        rules.backend_of({**VALUES, **change}, {})


def test_logs_of_the_installation_are_known_as_such() -> None:
    for word in ("loki", "elasticsearch", "http", "file", "datadog"):
        held = {**VALUES, "LOG_BACKEND": word}
        assert rules.is_installations(held, VALUES)
    for key, word in (("LOKI_URL", "loki"), ("ES_URL", "elasticsearch"), ("DD_APP_KEY", "datadog")):
        held = {**VALUES, "LOG_BACKEND": word, key: "another"}
        assert not rules.is_installations(held, VALUES)
