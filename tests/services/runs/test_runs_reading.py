"""Looking at runs, cancelling, deleting and running again (runs contract, section 3.4)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runs.artifacts.operations import Store
from services.runs.runs import rules
from services.runs.runs.models import Filters
from services.runs.runs.store import reading as selecting
from shared.principal import Principal
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.runs_support import ROW, queue, read, report_of, said, someone
from tests.support.service import asserting

FILE = "sign-up.tripwire.yaml"
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


async def ended(runs: Runs, org: str, status: str = "passed", **columns: Any) -> str:
    values = {"status": status, "started_at": AT, "finished_at": AT + timedelta(seconds=9)}
    return await runs.add_run(org, **values | columns)


async def with_report(runs: Runs, org: str, status: str, **verdicts: str) -> str:
    """Add a run that has ended with a report."""
    run_id = await ended(runs, org, status)
    named = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    await runs.sql.execute(
        "INSERT INTO runs.run_report (org_id, run_id, report) VALUES ($1, $2, $3)",
        org,
        run_id,
        json.dumps(report_of(run_id, named)),
    )
    return run_id


async def ids(runs: Runs, member: Principal, **query: Any) -> list[str]:
    answer = await runs.get("runs", member, params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_runs_are_listed_newest_first(runs: Runs) -> None:
    member = runs.member()
    made = [
        await runs.add_run(member.org, queued_at=AT + timedelta(minutes=minute))
        for minute in range(5)
    ]
    body = (await runs.get("runs?limit=2&offset=1", member)).json()
    assert [item["id"] for item in body["items"]] == [made[3], made[2]]
    assert (body["total"], body["limit"], body["offset"]) == (5, 2, 1)
    assert all(set(item) == ROW for item in body["items"])
    assert body["items"][0]["queued_at"] == "2026-03-02T10:03:00.000Z"
    assert (await runs.get("runs?limit=0", member)).json()["total"] == 5
    assert (await runs.get("runs?offset=9", member)).json()["total"] == 5


async def test_lists_are_filtered(runs: Runs) -> None:
    member = runs.member()
    late = AT + timedelta(hours=1)
    one = await ended(runs, member.org, "failed", tags=["p0", "smoke"], plan_id="plan_1")
    two = await runs.add_run(member.org, file="b.tripwire.yaml", queued_at=late)
    await runs.sql.execute("UPDATE runs.run SET queued_at = $2 WHERE id = $1", one, AT)
    assert await ids(runs, member, status="failed") == [one]
    assert await ids(runs, member, status="queued") == [two]
    assert await ids(runs, member, suite="b.tripwire.yaml") == [two]
    assert await ids(runs, member, suite="b") == [two]
    assert await ids(runs, member, plan_id="plan_1") == [one]
    assert await ids(runs, member, tag="smoke") == [one]
    assert await ids(runs, member, since="2026-03-02T10:30:00Z") == [two]
    assert await ids(runs, member, tag="smoke", status="queued") == []


async def test_lists_are_filtered_by_what_asked_for_the_run(runs: Runs) -> None:
    member = runs.member()
    made = {
        word: await runs.add_run(
            member.org, trigger=word, plan_id="plan_1" if word in ("plan", "rerun") else None
        )
        for word in ("api", "plan", "ci", "mcp", "rerun")
    }
    await runs.add_run(new_org(), trigger="ci")
    for word, run_id in made.items():
        assert await ids(runs, member, trigger=word) == [run_id]
    assert await ids(runs, member, plan_id="plan_1") == [made["rerun"], made["plan"]]
    assert await ids(runs, member, plan_id="plan_1", trigger="plan") == [made["plan"]]
    assert await ids(runs, member, plan_id="plan_1", trigger="ci") == []
    page = (await runs.get("runs?trigger=ci&limit=0", member)).json()
    assert (page["items"], page["total"]) == ([], 1)
    document = (await runs.get("/internal/openapi.json", member)).json()
    shown = {one["name"]: one for one in document["paths"]["/api/v1/runs"]["get"]["parameters"]}
    assert {"status", "suite", "plan_id", "trigger", "tag", "since"} <= set(shown)
    (words, _) = shown["trigger"]["schema"]["anyOf"]
    assert words["enum"] == list(made)


async def test_a_filtered_page_is_read_from_its_index(runs: Runs) -> None:
    """Newest first without a sort, however many other runs the organization has."""
    org = new_org()
    await runs.sql.execute(
        """
        INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, trigger, plan_id,
                              created_by, queued_at, status, finished_at)
        SELECT $1, $1 || n, 'f' || n % 50, 's', 's', 1,
               CASE WHEN n % 50 = 7 THEN 'ci' ELSE 'api' END,
               CASE WHEN n % 50 = 9 THEN 'plan_1' END, 'usr_one',
               now() - n * interval '1 s', CASE WHEN n % 50 = 3 THEN 'failed' ELSE 'passed' END,
               now()
          FROM generate_series(1, 4000) AS n
        """,
        org,
    )
    await runs.sql.execute("ANALYZE runs.run")

    class Explaining:
        plan = ""

        async def fetch(self, sql: str, *values: Any) -> list[Any]:
            self.plan = "\n".join(row[0] for row in await runs.sql.fetch(f"EXPLAIN {sql}", *values))
            return []

    for filters, index in (
        (Filters(trigger="ci"), "run_trigger"),
        (Filters(plan_id="plan_1"), "run_plan"),
        (Filters(status="failed"), "run_status"),
        (Filters(file="f3"), "run_file"),
    ):
        explaining: Any = Explaining()
        await selecting.list_page(explaining, org, filters, 50, 0)
        assert f" {index} " in explaining.plan, explaining.plan
        assert "Sort" not in explaining.plan, explaining.plan


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "offset=-1",
        "status=done",
        "trigger=cron",
        "since=yesterday",
        "suite=%00",
        "tag=",
    ],
)
async def test_bad_filters_are_named(runs: Runs, query: str) -> None:
    answer = await runs.get(f"runs?{query}", runs.member())
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    [fault] = answer.json()["error"]["details"]
    assert query.partition("=")[0] in fault["path"]


async def test_the_queue_is_shown_in_its_order(runs: Runs) -> None:
    member = runs.member()
    assert (await runs.get("runs/queue", member)).json() == {
        "active": None,
        "active_suite": None,
        "running": [],
        "running_suites": [],
        "pending": [],
        "busy": False,
    }
    until = datetime.now(UTC) + timedelta(hours=1)
    running = [
        await runs.add_run(
            member.org, status="running", worker="w", lease_until=until, file=f"{name}.yaml"
        )
        for name in "ab"
    ]
    waiting = [await runs.add_run(member.org, cases=cases) for cases in (None, ["x"])]
    await runs.add_run(new_org())
    shown = (await runs.get("runs/queue", member)).json()
    assert (shown["active"], shown["active_suite"]) == (running[0], "a.yaml")
    assert shown["running"] == [
        {"id": run_id, "suite": f"{name}.yaml"} for run_id, name in zip(running, "ab", strict=True)
    ]
    assert shown["running_suites"] == ["a.yaml", "b.yaml"]
    assert [(run["id"], run["cases"]) for run in shown["pending"]] == [
        (waiting[0], None),
        (waiting[1], ["x"]),
    ]
    assert shown["busy"] is True


async def test_another_organization_sees_nothing(runs: Runs) -> None:
    run_id = await with_report(runs, new_org(), "passed", a="passed")
    stranger = runs.member()
    mine = await with_report(runs, stranger.org, "passed", a="passed")
    for method, path in (
        ("GET", f"runs/{run_id}"),
        ("GET", f"runs/{run_id}/events"),
        ("POST", f"runs/{run_id}/cancel"),
        ("POST", f"runs/{run_id}/rerun"),
        ("DELETE", f"runs/{run_id}"),
        ("GET", f"runs/{run_id}/compare?with={mine}"),
        ("GET", f"runs/{mine}/compare?with={run_id}"),
        ("GET", "runs/run_none"),
        ("GET", "runs/%ff"),
    ):
        options: dict[str, Any] = {"json": {}} if method == "POST" else {}
        answer = await runs.send(method, path, stranger, **options)
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found"), path


async def test_since_gives_later_events_only(runs: Runs) -> None:
    member = runs.member()
    run_id = await runs.add_run(member.org, seq=3)
    for seq in (1, 2, 3):
        await runs.sql.execute(
            "INSERT INTO runs.run_event VALUES ($1, $2, $3, 'log', $4)",
            member.org,
            run_id,
            seq,
            json.dumps({"seq": seq, "kind": "log"}),
        )
    for since, expected in ((0, [1, 2, 3]), (2, [3]), (3, []), (99, [])):
        run = await read(runs, member, run_id, since=since)
        assert [event["seq"] for event in run["events"]] == expected
    assert (await runs.get(f"runs/{run_id}?since=-1", member)).status_code == 422


async def test_a_run_that_waits_is_cancelled_at_once(runs: Runs) -> None:
    member = await someone(runs)
    run_id = await queue(runs, member)
    for _ in range(2):
        answer = await runs.post(f"runs/{run_id}/cancel", member)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert set(answer.json()) == ROW
    run = await read(runs, member, run_id)
    [done] = run["events"]
    assert (done["seq"], done["kind"], done["status"]) == (1, "done", "cancelled")
    kinds = [kind for kind, _ in await said(runs, member.org)]
    assert kinds == ["run.queued.v1", "run.finished.v1", "run.progressed.v1"]


@pytest.mark.parametrize("status", sorted(rules.FINAL))
async def test_a_run_that_has_ended_stays_as_it_is(runs: Runs, status: str) -> None:
    member = runs.member()
    run_id = await ended(runs, member.org, status)
    answer = await runs.post(f"runs/{run_id}/cancel", member)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert (await read(runs, member, run_id))["events"] == []


async def test_a_run_is_run_again(runs: Runs) -> None:
    member = await someone(runs)
    first = await queue(
        runs, member, cases=["log-in"], env={"A": "b"}, headed=True, file_issues="none"
    )
    answer = await runs.post(f"runs/{first}/rerun", member)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["run_ids"], body["queued"]) == ([body["run_id"]], 1)
    names = "cases, headed, file_issues, variables, trigger, rerun_of"
    [one, two] = [
        (await runs.sql.fetch(f"SELECT {names} FROM runs.run WHERE id = $1", run_id))[0]  # noqa: S608
        for run_id in (first, body["run_id"])
    ]
    assert [row["trigger"] for row in (one, two)] == ["api", "rerun"]
    assert two["rerun_of"] == first
    assert tuple(one)[:4] == tuple(two)[:4]


async def test_only_what_failed_is_run_again(runs: Runs) -> None:
    member = await someone(runs)
    run_id = await with_report(runs, member.org, "failed", sign_up="passed", log_in="failed")
    answer = await runs.post(f"runs/{run_id}/rerun", member, {"failed_only": True})
    run = await read(runs, member, answer.json()["run_id"])
    assert run["cases"] == ["sign-up", "log-in"], "with what it depends on"
    only = await with_report(runs, member.org, "broken", sign_up="broken", log_in="skipped")
    answer = await runs.post(f"runs/{only}/rerun", member, {"failed_only": True})
    assert (await read(runs, member, answer.json()["run_id"]))["cases"] == ["sign-up"]


async def test_nothing_failed_is_nothing_to_run_again(runs: Runs) -> None:
    member = await someone(runs)
    passed = await with_report(runs, member.org, "passed", sign_up="passed")
    waiting = await queue(runs, member)
    for run_id in (passed, waiting):
        answer = await runs.post(f"runs/{run_id}/rerun", member, {"failed_only": True})
        assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")
    answer = await runs.post(f"runs/{passed}/rerun", member, {"failed_only": "yes"})
    assert answer.status_code == 422


async def test_a_run_of_a_deleted_suite_stays_and_is_not_run_again(runs: Runs) -> None:
    member = await someone(runs)
    run_id = await ended(runs, member.org)
    assert (await runs.delete(f"suites/{FILE}", member)).status_code == 200
    assert (await read(runs, member, run_id))["suite"] == FILE
    answer = await runs.post(f"runs/{run_id}/rerun", member)
    assert answer.status_code == 404


async def test_a_run_is_deleted_with_all_that_it_left(runs: Runs) -> None:
    member = runs.member()
    run_id = await with_report(runs, member.org, "passed", a="passed")
    store: Store = runs.resources[Store]
    await store.put(member.org, run_id, "shots/1.png", b"picture")
    answer = await runs.delete(f"runs/{run_id}", member)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert (await runs.get(f"runs/{run_id}", member)).status_code == 404
    assert (await runs.get(f"artifacts/{run_id}/shots/1.png", member)).status_code == 404
    assert (await runs.delete(f"runs/{run_id}", member)).status_code == 404


async def test_a_run_under_way_is_not_deleted(runs: Runs) -> None:
    member = runs.member()
    until = datetime.now(UTC) + timedelta(hours=1)
    run_id = await runs.add_run(member.org, status="running", worker="w", lease_until=until)
    answer = await runs.delete(f"runs/{run_id}", member)
    assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")


async def test_runs_are_compared(runs: Runs) -> None:
    member = runs.member()
    before = await with_report(runs, member.org, "passed", a="passed", b="passed", c="passed")
    after = await with_report(runs, member.org, "failed", a="passed", b="failed", d="passed")
    body = (await runs.get(f"runs/{after}/compare?with={before}", member)).json()
    assert (body["run_id"], body["with"], body["same"]) == (after, before, 1)
    changes = {case["id"]: case["changes"] for case in body["cases"]}
    assert changes == {"b": ["verdict"], "d": ["added"], "c": ["removed"]}
    [changed] = [case for case in body["cases"] if case["id"] == "b"]
    assert (changed["before"]["verdict"], changed["after"]["verdict"]) == ("passed", "failed")
    assert (await runs.get(f"runs/{after}/compare", member)).status_code == 422


def test_durations_and_resolutions_are_compared() -> None:
    def case(ms: int, name: str) -> dict[str, Any]:
        action = {"tool": "click_element", "target": {"role": "button", "name": name, "ref": "e1"}}
        steps = [{"id": "s1", "actions": [action]}]
        return {"id": "a", "title": "A", "verdict": "passed", "duration_ms": ms, "steps": steps}

    def changes(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
        found, _ = rules.compare({"cases": [two]}, {"cases": [one]})
        return found[0].changes if found else []

    assert changes(case(1000, "Go"), case(1100, "Go")) == []
    assert changes(case(1000, "Go"), case(1400, "Go")) == ["duration"]
    assert changes(case(10_000, "Go"), case(10_400, "Go")) == []
    assert changes(case(1000, "Go"), case(1000, "Start")) == ["resolution"]


async def test_health_is_open_to_everybody(runs: Runs) -> None:
    checks = {"database": True, "broker": True, "artifacts": True}
    bodies = {"health": {"status": "ok"}, "health/ready": {"status": "ready", "checks": checks}}
    for path, body in bodies.items():
        answer = await runs.client.get(f"/api/v1/{path}", headers=asserting("runs"))
        assert (answer.status_code, answer.json()) == (200, body)


async def test_unknown_paths_are_told_in_this_surfaces_words(runs: Runs) -> None:
    for path in ("/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/runs/a/b/c"):
        answer = await runs.get(path, runs.member())
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
        assert answer.json()["error"]["message"] == answer.json()["detail"]
    answer = await runs.send("PATCH", "runs", runs.member())
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_the_service_is_alive_measured_and_documented(runs: Runs) -> None:
    assert (await runs.client.get("/health")).json() == {"status": "ok"}
    ready = await runs.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert "guildhall_request_seconds" in (await runs.client.get("/metrics")).text
    document = (await runs.get("/internal/openapi.json", runs.member())).json()
    assert {"get", "post"} <= set(document["paths"]["/api/v1/runs"])
