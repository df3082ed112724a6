"""Recordings over the wire."""

from __future__ import annotations

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
