"""Logs and a model being asked why cases did not pass: what is found, and what never matters."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from services.runs.causes.models import Backend, Datadog, Failed
from services.runs.causes.operations import Explainer, asking, explaining
from services.runs.causes.rules import asking as places
from services.runs.engine.evidence.tracing import trace_id_of
from services.runs.engine.model import ModelFailed
from shared.errors import Unavailable
from shared.fetch import Fetcher
from shared.targets import TargetPolicy
from tests.services.runs.logs_support import (
    DD_API_KEY,
    TOKEN,
    Entry,
    LogServices,
    failed_report,
    failing_case,
    log_services,
)
from tests.services.runs.test_causes_rules import PYTHON

TRACE = trace_id_of("run_1", 3, "pay", 2)
SECRET = "correct-horse-battery"
REMOTE = ("loki", "datadog", "elasticsearch", "http")
BACKEND_ERROR = "KeyError: 'vat' at price (/srv/shop/orders/pricing.py:88)"


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[LogServices]:
    async with log_services() as services:
        yield services


@pytest.fixture
def logs(served: LogServices) -> LogServices:
    served.forget()
    return served


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.opened(TargetPolicy(allow_private=True)) as fetcher:
        yield fetcher


def explainer(
    fetcher: Fetcher,
    held: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    late_s: float = 0.0,
) -> Explainer:
    async def values(_: str) -> Mapping[str, str]:
        return held

    return Explainer(fetcher, values, environment or {}, late_s=late_s)


def failed(*cases: dict[str, Any], secrets: tuple[str, ...] | None = (SECRET,)) -> Failed:
    return Failed("org_1", "run_1", 3, failed_report(*(cases or (failing_case(),))), secrets)


def fill(logs: LogServices, *, trace: str = TRACE, joined: bool = True) -> None:
    """Let the tested application have logged what happened to a request."""
    now = time.time()
    tail = "" if joined else f" trace={trace}"
    logs.entries += [
        Entry(now - 900, f"order failed long ago {trace}\n{PYTHON}", "error", trace),
        Entry(now - 2, f"order begun {trace}", "info", trace),
        Entry(now - 1, f"order of {SECRET} failed {trace}\n{PYTHON}{tail}", "error", trace),
        Entry(now - 1, "somebody else's order failed", "error", "f" * 32),
    ]


async def root_causes(
    found: Explainer, run: Failed, ask: Any = None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    async with asyncio.timeout(30):
        explained = await found.explain(run, ask)
    return [case["root_cause"] for case in explained.report["cases"]], explained.remarks


@pytest.fixture(autouse=True)
def _datadog_is_here(logs: LogServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datadog's address follows from its site's name; here it is a server of ours."""

    def here(values: Mapping[str, str]) -> Backend:
        return Datadog(logs.url, values["DD_API_KEY"], values["DD_APP_KEY"])

    monkeypatch.setitem(places._BACKENDS, "datadog", here)


@pytest.mark.parametrize("backend", REMOTE)
async def test_a_log_service_says_what_went_wrong(
    logs: LogServices, fetcher: Fetcher, backend: str
) -> None:
    fill(logs)
    (cause,), remarks = await root_causes(explainer(fetcher, logs.settings(backend)), failed())
    assert remarks == ()
    assert cause["category"] == "backend_error"
    assert cause["server_error"] == BACKEND_ERROR
    assert cause["confidence"] == 0.95
    assert set(logs.asked) == {TRACE}
    assert SECRET not in str(cause)
    assert len(cause["evidence"]) <= 5
    assert any("••••" in line for line in cause["evidence"])


@pytest.mark.parametrize("shape", ["lines", "text"])
async def test_a_service_of_ones_own_answers_as_it_likes(
    logs: LogServices, fetcher: Fetcher, shape: str
) -> None:
    fill(logs)
    logs.shape = shape
    (cause,), _ = await root_causes(explainer(fetcher, logs.settings("http")), failed())
    assert cause["server_error"] == BACKEND_ERROR


async def test_loki_finds_ids_beside_the_line_and_by_a_selector(
    logs: LogServices, fetcher: Fetcher
) -> None:
    logs.entries.append(Entry(time.time(), "disk full", "error", TRACE, app="orders"))
    held = {**logs.settings("loki"), "LOKI_SELECTOR": '{app="orders"}'}
    (cause,), _ = await root_causes(explainer(fetcher, held), failed())
    assert cause["server_error"] == "disk full"
    assert logs.asked == [TRACE, TRACE]
    held = {**held, "LOKI_SELECTOR": '{app="shop"}'}
    (cause,), _ = await root_causes(explainer(fetcher, held), failed())
    assert cause["server_error"] is None


async def test_a_file_is_read_from_its_end(tmp_path: Path, fetcher: Fetcher) -> None:
    path = tmp_path / "shop.log"
    lines = [f"2026-03-02T10:00:00Z ERROR order of {SECRET} failed trace={TRACE}", PYTHON]
    filler = "2026-03-02T09:00:00Z INFO nothing\n" * 20
    path.write_text(filler + "\n".join(lines) + "\n" + filler)
    held = {"LOG_BACKEND": "file", "LOG_FILE": str(path)}
    (cause,), remarks = await root_causes(explainer(fetcher, held, held), failed())
    assert (cause["server_error"], remarks) == (BACKEND_ERROR, ())
    assert SECRET not in str(cause)
    # An organization opens no file that the installation does not.
    (cause,), remarks = await root_causes(
        explainer(fetcher, held, {"LOG_FILE": str(path)}), failed()
    )
    assert cause["server_error"] is None
    assert remarks == ("LOG_BACKEND file is open only where the installation sets it.",)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
async def test_what_is_no_file_is_said_and_holds_nothing_up(
    tmp_path: Path, fetcher: Fetcher, kind: str
) -> None:
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    held = {"LOG_BACKEND": "file", "LOG_FILE": str(path)}
    (cause,), (remark,) = await root_causes(explainer(fetcher, held, held), failed())
    assert cause["category"] == "backend_error"
    assert remark.startswith("LOG_FILE cannot be read: ")
    assert str(tmp_path) not in remark


STRANGE = "a stranger's own words"


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (PlainTextResponse(STRANGE, 403), "refuses the credentials (403)."),
        (PlainTextResponse(STRANGE, 500), "answered 500."),
        (RedirectResponse("http://169.254.169.254/latest"), "answered 307."),
        (PlainTextResponse("7"), "gave an answer that is none."),
        (Response(b"x" * 70_000), "answered with too much."),
        (PlainTextResponse("[]", headers={"content-encoding": "gzip"}), "could not be asked"),
    ],
)
@pytest.mark.parametrize("backend", REMOTE)
async def test_a_service_that_fails_leaves_what_the_browser_saw(
    logs: LogServices,
    fetcher: Fetcher,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    answer: Response,
    remark: str,
) -> None:
    monkeypatch.setattr(asking, "LARGEST", 65_536)
    logs.failing = answer
    cases = [failing_case(id=f"c{number}") for number in range(9)]
    causes, remarks = await root_causes(explainer(fetcher, logs.settings(backend)), failed(*cases))
    assert {cause["category"] for cause in causes} == {"backend_error"}
    assert all(cause["server_error"] is None for cause in causes)
    assert STRANGE not in str(remarks)
    assert DD_API_KEY not in str(remarks)
    assert len(remarks) == 1
    assert remarks[0].endswith(remark) or remark in remarks[0]


async def test_addresses_that_may_not_be_reached_are_not(logs: LogServices) -> None:
    async with Fetcher.opened(TargetPolicy(allow_private=False)) as fetcher:
        held = {**logs.settings("loki"), "LOKI_URL": "http://169.254.169.254/"}
        (cause,), (remark,) = await root_causes(explainer(fetcher, held), failed())
    assert cause["category"] == "backend_error"
    assert "may not be reached" in remark
    assert "GUILDHALL_URL_ALLOW" in remark


async def test_a_slow_service_costs_a_fixed_time_and_what_came_counts(
    logs: LogServices, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(logs)
    begun = asyncio.Event()
    quick, slow = trace_id_of("run_1", 3, "pay", 2), trace_id_of("run_1", 3, "slow", 2)
    asked = asking.lines_of

    async def lines_of(*arguments: Any) -> Any:
        if arguments[2].trace_id == slow:
            begun.set()
            await asyncio.Event().wait()
        assert arguments[2].trace_id == quick
        return await asked(*arguments)

    monkeypatch.setattr(asking, "lines_of", lines_of)
    monkeypatch.setattr(explaining, "ASKING", 0.7)
    causes, remarks = await root_causes(
        explainer(fetcher, logs.settings("http")), failed(failing_case(), failing_case(id="slow"))
    )
    assert begun.is_set()
    assert remarks == (explaining.TOO_LATE,)
    assert [cause["server_error"] for cause in causes] == [BACKEND_ERROR, None]


async def test_lines_that_travel_are_asked_for_once_more(
    logs: LogServices, fetcher: Fetcher
) -> None:
    class Late(list[str]):
        def append(self, trace: str) -> None:
            super().append(trace)
            if len(self) == 1:
                asyncio.get_running_loop().call_soon(fill, logs)

    logs.asked = Late()
    (cause,), _ = await root_causes(
        explainer(fetcher, logs.settings("http"), late_s=0.01), failed()
    )
    assert (cause["server_error"], len(logs.asked)) == (BACKEND_ERROR, 2)


async def test_without_the_runs_secrets_no_line_is_taken_over(
    logs: LogServices, fetcher: Fetcher
) -> None:
    fill(logs)
    run = failed(secrets=None)
    (cause,), remarks = await root_causes(explainer(fetcher, logs.settings("http")), run)
    assert (cause["server_error"], logs.asked, remarks) == (None, [], ())


async def test_what_a_service_repeats_of_its_credentials_is_masked(
    logs: LogServices, fetcher: Fetcher
) -> None:
    logs.entries.append(Entry(time.time(), f"bad token {TOKEN} {TRACE}", "error"))
    (cause,), _ = await root_causes(explainer(fetcher, logs.settings("http")), failed())
    assert "bad token ••••" in cause["server_error"]
    assert TOKEN not in str(cause)


async def test_the_installations_logs_are_asked_for_the_runs_own_ids_alone(
    logs: LogServices, fetcher: Fetcher
) -> None:
    request = {**failing_case()["network_errors"][0], "trace_id": "id-of-somebody-else-1"}
    run = failed(failing_case(network_errors=[request]))
    held = logs.settings("http")
    await root_causes(explainer(fetcher, held, held), run)
    assert set(logs.asked) == {TRACE}
    logs.asked.clear()
    await root_causes(explainer(fetcher, held), run)
    assert set(logs.asked) == {TRACE, "id-of-somebody-else-1"}


async def test_a_run_asks_no_more_than_it_may(
    logs: LogServices, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "MOST_QUESTIONS", 5)
    cases = [failing_case(id=f"c{number}") for number in range(12)]
    causes, _ = await root_causes(explainer(fetcher, logs.settings("http")), failed(*cases))
    assert len(causes) == 12
    assert len(set(logs.asked)) == 5
    passed = failed_report(failing_case(verdict="passed"))
    explained = await explainer(fetcher, logs.settings("http")).explain(
        Failed("org_1", "run_1", 1, passed, ())
    )
    assert explained.report is passed


async def test_a_database_that_is_away_costs_only_the_logs(fetcher: Fetcher) -> None:
    async def values(_: str) -> Mapping[str, str]:
        raise Unavailable("the database is away")

    (cause,), remarks = await root_causes(Explainer(fetcher, values, {}), failed())
    assert (cause["category"], remarks) == ("backend_error", ())


# With a model.


async def test_a_model_words_what_the_rules_found(logs: LogServices, fetcher: Fetcher) -> None:
    fill(logs)
    asked: list[tuple[str, Mapping[str, Any]]] = []

    async def ask(kind: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append((kind, question))
        said = f"The order has no VAT ({SECRET})."
        return {"suspected_cause": said, "suggested_fix": "Give it one."}

    cases = [failing_case(), failing_case(id="again")]
    causes, _ = await root_causes(explainer(fetcher, logs.settings("http")), failed(*cases), ask)
    assert [kind for kind, _ in asked] == ["cause", "cause"], "once for each cause"
    question = asked[0][1]
    assert question["category"] == "backend_error"
    assert question["failed"] == "The order is confirmed"
    assert question["request"] == "POST http://shop.test/api/orders answered 500"
    assert question["server_error"] == BACKEND_ERROR
    assert any("order begun" in line for line in question["lines"])
    assert SECRET not in str(asked)
    assert causes[0]["suspected_cause"] == "The order has no VAT (••••)."
    assert causes[0]["suggested_fix"] == "Give it one."
    assert (causes[0]["category"], causes[0]["server_error"]) == ("backend_error", BACKEND_ERROR)
    asked.clear()
    alike = [failing_case(id=f"c{number}") for number in range(4)]
    causes, _ = await root_causes(explainer(fetcher, {}), failed(*alike), ask)
    assert len(asked) == 1
    assert {cause["suspected_cause"] for cause in causes} == {"The order has no VAT (••••)."}


async def test_a_model_without_an_answer_changes_nothing(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ruled,), _ = await root_causes(explainer(fetcher, {}), failed())

    async def refusing(*_: Any) -> Mapping[str, Any]:
        raise ModelFailed("there is none")

    async def odd(*_: Any) -> Mapping[str, Any]:
        return {"suspected_cause": 7}

    async def slow(*_: Any) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(explaining, "WHOLE", 0.3)
    for ask in (refusing, odd, slow):
        (cause,), _ = await root_causes(explainer(fetcher, {}), failed(), ask)
        assert cause == ruled
