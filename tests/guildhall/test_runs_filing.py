"""Filing failures with trackers where no server keeps account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guildhall.runs.ci import CiJob
from guildhall.runs.filing import Filing, accounts_of
from guildhall.runs.models import Keeper, Outcome, SuiteFile, Tell
from guildhall.runs.settings import AloneSettings
from services.runs.engine import evidence
from services.runs.trackers.models import Account
from shared.fetch import Fetcher
from shared.targets import TargetPolicy
from tests.guildhall.runs_support import Kept, suite_file
from tests.support.serving import serving

TOKEN = "ghp_never-to-be-seen"
JOB = CiJob(True, "ada/shop", "abc1234", "https://github.com/ada/shop/actions/runs/7")


@dataclass
class Hub:
    """As much of GitHub as issues need.

    Attributes:
        faults: statuses that the next requests get.
        lost: whether the answer to the next creation is lost, though it is done.
    """

    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    lost: bool = False

    def app(self) -> Starlette:
        async def answer(request: Request) -> Response:
            if self.faults:
                return JSONResponse({"message": "not now"}, self.faults.pop(0))
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"message": "Bad credentials"}, 401)
            body = await request.json() if await request.body() else None
            return self.answer(request.method, request.url.path, body)

        methods = ["GET", "POST", "PATCH"]
        return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])

    def answer(self, method: str, path: str, body: Any) -> Response:
        match (method, path.removeprefix("/repos/ada/shop").split("/")[1:]):
            case ("GET", ["issues"]):
                return JSONResponse(self.issues[::-1])
            case ("GET", ["search", "issues"]):
                return JSONResponse({"items": []})
            case ("GET", ["issues", number]):
                count = len(self.comments[int(number)])
                return JSONResponse(self.issues[int(number) - 1] | {"comments": count})
            case ("POST", ["issues"]):
                new = len(self.issues) + 1
                url = f"https://github.com/ada/shop/issues/{new}"
                self.issues.append({"number": new, "html_url": url, "state": "open", **body})
                self.comments[new] = []
                if self.lost:
                    self.lost = False
                    return JSONResponse({}, 502)
                return JSONResponse(self.issues[-1], 201)
            case ("POST", ["issues", number, "comments"]):
                self.comments[int(number)].append(body["body"])
                return JSONResponse({}, 201)
            case ("GET", ["issues", number, "comments"]):
                return JSONResponse([{"body": text} for text in self.comments[int(number)]])
            case ("PATCH", ["issues", number]):
                self.issues[int(number) - 1].update(body)
                return JSONResponse(self.issues[int(number) - 1])
        return JSONResponse({"message": "Not Found"}, 404)


@dataclass
class Ended:
    """A runner whose runs have ended so."""

    status: str = "broken"
    count: int = 0

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        self.count += 1
        steps = [{"id": "s1", "do": "Click Pay", "status": "broken", "error": "was not found"}]
        shots = [{"label": "failure", "note": "", "path": "shots/pay.png"}]
        case = {"id": "pay", "title": "Pays", "tags": ["p0"], "verdict": "broken"}
        report = {
            "run_id": f"run_{self.count}",
            "suite": "Shop",
            "suite_id": "shop",
            "file": "shop.tripwire.yaml",
            "status": self.status,
            "summary": {"total": 1, "broken": 1},
            "env": {"base_url": "http://shop.example"},
            "cases": [{**case, "reason": "not_found: x", "steps": steps, "shots": shots}],
        }
        return Outcome(suite, self.status, report)


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def filing(hub: Hub) -> AsyncIterator[Filing]:
    async with (
        serving(hub.app()) as url,
        Fetcher.opened(TargetPolicy(allow_private=True)) as fetcher,
    ):
        account = Account("github", url, "ada/shop", TOKEN)
        yield Filing(Ended(), fetcher, {"github": account}, JOB, pause=0.01)


async def run(filing: Filing) -> tuple[evidence.models.Report, list[str]]:
    """Run a suite; give its report, and what was told."""
    told: list[Mapping[str, Any]] = []
    outcome = await filing.run(suite_file(), told.append, Kept())
    return evidence.read(outcome.report), [str(event["message"]) for event in told]


async def test_a_failure_becomes_one_issue_however_often_it_is_seen(
    hub: Hub, filing: Filing
) -> None:
    report, told = await run(filing)
    assert told == ["pay was filed as https://github.com/ada/shop/issues/1"]
    [issue] = hub.issues
    assert issue["labels"] == ["tripwire", "severity-critical"]
    assert "tripwire-fingerprint: tw:shop:pay:" in issue["body"]
    assert "commit `abc1234`, [CI job](https://github.com/ada/shop/actions/runs/7)" in issue["body"]
    assert "/api/v1/" not in issue["body"]  # there is no server
    assert report.cases[0].issue is not None
    assert (report.cases[0].issue.id, report.cases[0].issue.created) == ("ada/shop#1", True)
    assert report.issues_filed[0]["url"] == "https://github.com/ada/shop/issues/1"

    issue["state"] = "closed"
    report, told = await run(filing)
    assert told == ["pay was seen again in https://github.com/ada/shop/issues/1"]
    assert (len(hub.issues), issue["state"], len(hub.comments[1])) == (1, "open", 1)
    assert "run_2" in hub.comments[1][0]
    assert report.cases[0].issue is not None
    assert not report.cases[0].issue.created


async def test_what_may_work_later_is_tried_again(hub: Hub, filing: Filing) -> None:
    hub.faults, hub.lost = [503], True
    _, told = await run(filing)
    # The one whose answer was lost is found, and no second one made.
    assert (len(hub.issues), told) == (1, ["pay was filed as https://github.com/ada/shop/issues/1"])


@pytest.mark.parametrize(("faults", "said"), [([401], "401"), ([500] * 9, "500"), ([429], "429")])
async def test_what_cannot_be_filed_changes_no_verdict(
    hub: Hub, filing: Filing, faults: list[int], said: str
) -> None:
    hub.faults = faults
    report, told = await run(filing)
    assert (report.status, report.cases[0].issue) == ("broken", None)
    assert report.issues_filed[0]["error"].startswith(f"GitHub answered {said}")
    assert told[0].startswith("pay was not filed: GitHub answered")
    assert TOKEN not in str((report, told))


async def test_what_was_cut_short_is_not_filed(hub: Hub, filing: Filing) -> None:
    cut = Filing(Ended("cancelled"), filing.fetcher, filing.accounts, JOB)
    assert (await run(cut))[1] == []
    assert hub.issues == []


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", "https://github.example/api/v3")
    monkeypatch.setenv("FILE_ISSUES", "jira")
    found, missing = accounts_of(AloneSettings(), JOB, "tripwire,github,gitlab")
    account = found["github"]
    assert (account.base, account.project) == ("https://github.example/api/v3", "ada/shop")
    assert missing == ["Nothing is filed with GitLab: it is not configured."]
    assert accounts_of(AloneSettings(), CiJob(), None)[1] == [
        "Nothing is filed with Jira: it is not configured."
    ]
    assert accounts_of(AloneSettings(), JOB, "none") == ({}, [])
    monkeypatch.setenv("GITHUB_REPO", "ada/other")
    assert accounts_of(AloneSettings(), JOB, "github")[0]["github"].project == "ada/other"
