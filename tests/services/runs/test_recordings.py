"""Recordings over the wire."""

from __future__ import annotations

import pytest

from services.runs.errands import operations as errands
from tests.services.runs.conftest import Runs

HOME = "http://127.0.0.1:9"
SECRET = "Hunter22-horse"
ACTIONS = [
    {"type": "goto", "url": "/login"},
    {"type": "fill", "selector": "#password", "value": SECRET},
    {"type": "click", "text": "Log in"},
]


async def test_a_recording_becomes_a_suite_that_is_kept_where_it_is_wanted(runs: Runs) -> None:
    member = runs.member()
    body = {"actions": ACTIONS, "base_url": HOME, "title": "Log in"}
    answer = await runs.post("record/convert", member, body)
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    assert answer.json()["yaml"].count("Enter") == 1
    assert "saved_as" not in answer.json()
    files = []
    for _ in range(2):
        kept = await runs.post("record/convert", member, {**body, "save_as": "log-in"})
        files.append(kept.json()["saved_as"])
    assert files == ["log-in.tripwire.yaml", "log-in-2.tripwire.yaml"]
    shown = (await runs.get(f"suites/{files[0]}", member)).json()
    assert shown["yaml"] == answer.json()["yaml"]


async def test_what_is_no_recording_is_refused_by_name(runs: Runs) -> None:
    member = runs.member()
    for body, status in (
        ({"base_url": HOME}, 422),
        ({"actions": 5, "base_url": HOME}, 422),
        ({"actions": [], "base_url": HOME}, 400),
        ({"actions": ACTIONS}, 400),
        ({"actions": ACTIONS, "base_url": "ftp://x"}, 422),
    ):
        answer = await runs.post("record/convert", member, body)
        assert answer.status_code == status, answer.text
        assert SECRET not in answer.text
    assert (await runs.get("suites", member)).json()["total"] == 0


async def test_recordings_begin_where_they_may_and_belong_to_an_organization(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    member, other = runs.member(), runs.member()
    refused = await runs.post("record/start", member, {"base_url": HOME})
    assert refused.status_code == 400
    assert 'mode:"remote"' in refused.json()["detail"]
    begun = await runs.post("record/start", member, {"base_url": HOME, "mode": "remote"})
    assert begun.status_code == 200, begun.text
    record_id = begun.json()["record_id"]
    shown = await runs.get(f"record/sessions/{record_id}", member)
    assert shown.json() == {
        "status": "starting",
        "action_count": 0,
        "base_url": HOME,
        "error": None,
    }
    for wrong in (record_id, "rec_x", "err_1"):
        assert (await runs.get(f"record/sessions/{wrong}", other)).status_code == 404
        stopped = await runs.post("record/stop", other, {"record_id": wrong})
        assert stopped.status_code == 404


async def test_a_dead_worker_fails_a_recording_and_one_that_waits_is_stopped_at_once(
    runs: Runs,
) -> None:
    member = runs.member()
    ids = []
    for _ in range(2):
        begun = await runs.post("record/start", member, {"base_url": HOME, "mode": "remote"})
        ids.append(begun.json()["record_id"])
    await runs.sql.execute(
        "UPDATE runs.errand SET status = 'running', worker = 'dead', fence = 1, "
        "lease_until = clock_timestamp() - interval '1 s' WHERE id = "
        "(SELECT id FROM runs.errand WHERE org_id = $1 ORDER BY created_at LIMIT 1)",
        member.org,
    )
    await errands.reconcile(runs.database)
    shown = (await runs.get(f"record/sessions/{ids[0]}", member)).json()
    assert shown["status"] == "error"
    assert "worker" in shown["error"]
    stopped = await runs.post("record/stop", member, {"record_id": ids[1]})
    assert stopped.status_code == 400
    shown = (await runs.get(f"record/sessions/{ids[1]}", member)).json()
    assert shown["status"] == "stopped"
