"""Artifacts are sent to their run's organization, and by tokens for one path; nothing else is."""

from __future__ import annotations

import asyncio
import base64
import json
import os

import pytest

from services.runs.artifacts.models import TOKEN_LIFE
from services.runs.artifacts.operations import Links
from shared.principal import ANONYMOUS
from shared.secret import decode_base64url, encode_base64url
from tests.services.runs.artifacts_support import PNG, ask, folder_of, run_with, store_of
from tests.services.runs.conftest import Runs, new_org


async def token_for(runs: Runs, org: str, path: str) -> str:
    answer = await runs.post("artifacts/token", runs.member(org), {"path": path})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made["expires_in"] == 300
    return str(made["token"])


async def test_a_shot_is_sent_with_its_type_and_trusted_in_nothing(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1-open.png")
    answer = await ask(runs, f"{run_id}/shots/1-open.png", runs.member(org))
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(PNG))
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in answer.headers
    head = await ask(runs, f"{run_id}/shots/1-open.png", runs.member(org), "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PNG))


async def test_parts_and_conditions(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "trace.zip")
    path, member = f"{run_id}/trace.zip", runs.member(org)
    whole = await ask(runs, path, member)
    part = await ask(runs, path, member, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PNG[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PNG)}"
    same = await ask(runs, path, member, headers={"if-none-match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    behind = await ask(runs, path, member, headers={"range": "bytes=999999-"})
    assert (behind.status_code, behind.json()["type"]) == (416, "range_not_satisfiable")
    await store_of(runs).put(org, run_id, "trace.zip", b"anew")
    anew = await ask(runs, path, member, headers={"if-none-match": whole.headers["etag"]})
    assert (anew.status_code, anew.content) == (200, b"anew")


async def test_an_empty_artifact_is_sent(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "empty.txt", content=b"")
    answer = await ask(runs, f"{run_id}/empty.txt", runs.member(org))
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("name", "kind", "is_saved"),
    [
        ("report.html", "text/html; charset=utf-8", False),
        ("page.HTML", "text/html; charset=utf-8", False),
        ("logo.svg", "image/svg+xml", False),
        ("report.json", "application/json", False),
        ("junit.xml", "application/xml", False),
        ("console.log", "text/plain; charset=utf-8", False),
        ("trace.zip", "application/zip", True),
        ("a.exe", "application/octet-stream", True),
        ("a.js", "application/octet-stream", True),
        ("no-ending", "application/octet-stream", True),
        ("downloads/page.html", "text/html; charset=utf-8", True),
        ("downloads/x.svg", "image/svg+xml", True),
    ],
)
async def test_types_by_ending(runs: Runs, org: str, name: str, kind: str, is_saved: bool) -> None:
    run_id = await run_with(runs, org, name)
    answer = await ask(runs, f"{run_id}/{name}", runs.member(org))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers.get("content-disposition", "").startswith("attachment") is is_saved
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    for word in ("script", "allow-same-origin", "allow-popups", "allow-forms"):
        assert word not in policy
    assert ("allow-downloads" in policy) is (name == "report.html")


async def test_another_organizations_run_is_not_there(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    for principal in (runs.member(new_org()), runs.key_of(runs.member(new_org()))):
        answer = await ask(runs, f"{run_id}/shots/1.png", principal)
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
    answer = await runs.post("artifacts/token", runs.member(new_org()), {"path": run_id})
    assert answer.status_code == 404


async def test_a_key_needs_the_scope(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    path, person = f"{run_id}/shots/1.png", runs.member(org)
    assert (await ask(runs, path, runs.key_of(person, "runs:read"))).status_code == 200
    for answer in (
        await ask(runs, path, runs.key_of(person, "learnings:read")),
        await runs.post("artifacts/token", runs.key_of(person, "runs:write"), {"path": path}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")


async def test_without_a_name_or_token_it_is_a_401(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    answer = await ask(runs, f"{run_id}/shots/1.png")
    assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


ESCAPES = [
    "..", "../", "%2e%2e/%2e%2e/etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e/etc/passwd", "..%5c..%5cx", "RUN/..%2fRUN/shots/1.png",
    "RUN%2f..%2fOTHER%2fshots%2f1.png", "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd",
    "C:%5cWindows", "RUN//shots/1.png",
    "RUN/shots%00/1.png", "RUN/shots/1.png%00", "%00", "RUN%00/shots/1.png", "RUN/shots/1.png%0a",
    "RUN/shots%5c1.png", "RUN\\shots\\1.png", "RUN/~/x", "RUN/.hidden",
    "RUN/%ff%fe", "RUN/%ed%a0%80", "RUN/shots/1.png;x", "RUN/shots/1.png%20", "RUN/%E2%80%A5/x",
    "RUN", "RUN/", "RUN/shots", "RUN/shots/", "RUN/nothing.png", "RUN/" + "a/" * 400 + "x",
    "RUN/shots/1.png/x", "checks/ORG/one.png", "backups/x/y", "OTHER/shots/1.png", "shots/1.png",
    "RUN/linked.txt", "RUN/linked/passwd", "RUN/shots/1.png%2f..%2f1.png", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
async def test_nothing_leads_elsewhere(runs: Runs, org: str, escape: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    other = await run_with(runs, new_org(), "shots/1.png")
    await store_of(runs).put_object(f"checks/{org}/one.png", b"a baseline")
    folder = folder_of(runs) / run_id
    (folder / "linked.txt").symlink_to("/etc/hostname")
    (folder / "linked").symlink_to("/etc")
    target = escape.replace("RUN", run_id).replace("OTHER", other).replace("ORG", org)
    answer = await ask(runs, target, runs.member(org))
    assert (answer.status_code, answer.json()["type"]) == (404, "not_found"), answer.text


@pytest.mark.parametrize("path", ["", "..", "/", "a b", "RUN/../x", "RUN//x", "run_none", "checks"])
async def test_no_token_is_made_for_what_cannot_be_there(runs: Runs, org: str, path: str) -> None:
    run_id = await run_with(runs, org)
    path = path.replace("RUN", run_id)
    answer = await runs.post("artifacts/token", runs.member(org), {"path": path})
    assert (answer.status_code, answer.json()["type"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body", [{}, {"path": 1}, {"path": None}, {"path": "a\0"}, {"path": "x" * 999}]
)
async def test_a_wrong_body_names_its_field(runs: Runs, org: str, body: dict[str, object]) -> None:
    answer = await runs.post("artifacts/token", runs.member(org), body)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert answer.json()["error"]["details"][0]["path"] == "body.path"


async def test_a_token_shows_its_path_alone(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png", "shots/1.png.txt", "shots/2.png")
    token = await token_for(runs, org, f"{run_id}/shots/1.png")
    assert (await ask(runs, f"{run_id}/shots/1.png?token={token}")).content == PNG
    for other in ("shots/2.png", "shots/1.png.txt", "shots", "nothing"):
        answer = await ask(runs, f"{run_id}/{other}?token={token}")
        assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_token_of_a_folder_shows_its_run_alone(runs: Runs, org: str, slash: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png", "report.html")
    other = await run_with(runs, org, "report.html")
    token = await token_for(runs, org, run_id + slash)
    for name in ("shots/1.png", "report.html"):
        assert (await ask(runs, f"{run_id}/{name}?token={token}")).status_code == 200
    for path in (f"{other}/report.html", f"{run_id}x/report.html", f"{run_id}/../{other}/x"):
        assert (await ask(runs, f"{path}?token={token}")).status_code in (403, 404)


async def test_a_folder_within_a_run_is_no_folder_to_a_token(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    token = await token_for(runs, org, f"{run_id}/shots")
    assert (await ask(runs, f"{run_id}/shots/1.png?token={token}")).status_code == 403


async def test_a_token_ends_after_five_minutes(
    runs: Runs, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    tickets = runs.resources[Links]._tickets
    now = tickets._clock()
    monkeypatch.setattr(tickets, "_clock", lambda: now)
    path = f"{run_id}/shots/1.png"
    token = await token_for(runs, org, path)
    monkeypatch.setattr(tickets, "_clock", lambda: now + TOKEN_LIFE - 2)
    assert (await ask(runs, f"{path}?token={token}")).status_code == 200
    monkeypatch.setattr(tickets, "_clock", lambda: now + TOKEN_LIFE)
    answer = await ask(runs, f"{path}?token={token}")
    assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized")


async def test_nobody_else_can_write_a_token(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    path = f"{run_id}/shots/1.png"
    token = await token_for(runs, org, path)
    payload, _, mac = token.removeprefix("art_").partition(".")
    stranger = Links(bytes(31) + b"x")._tickets.write("artifact", org=org, path=path)
    other_use = runs.resources[Links]._tickets.write("something", org=org, path=path)
    forged = base64.urlsafe_b64encode(b'{"for":"artifact"}').decode().rstrip("=")
    for wrong in (
        f"art_{payload}.", f"art_{payload}", f"art_.{mac}", f"art_{forged}.{mac}", "art_", "x",
        f"art_{payload}.{mac}x", f"art_{payload}.{mac[:-2]}AA", payload + "." + mac,
        "art_%C3%A4.%C3%B6", "art_" + stranger, "art_" + other_use, "art_" + "a" * 1900,
    ):  # fmt: skip
        answer = await ask(runs, f"{path}?token={wrong}")
        assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized"), wrong


async def test_a_token_holds_to_its_last_byte(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    path = f"{run_id}/shots/1.png"
    token = await token_for(runs, org, path)
    payload, _, mac = token.removeprefix("art_").partition(".")
    said = json.loads(decode_base64url(payload))
    edited = [
        {**said, "exp": said["exp"] + 1},
        {**said, "exp": "never"},
        {**said, "path": run_id},
        {**said, "org": new_org()},
        {},
    ]
    written = [encode_base64url(json.dumps(one).encode()) for one in edited]
    wrong = [f"art_{one}.{mac}" for one in written]
    for place, letter in enumerate(token):
        # Mostly its neighbour, so that of the last letter only bits differ that say nothing.
        neighbour = chr(ord(letter) ^ 1)
        other = neighbour if neighbour.isalnum() else "B"
        wrong.append(token[:place] + other + token[place + 1 :])
    assert token not in wrong
    for one in wrong:
        answer = await ask(runs, f"{path}?token={one}")
        assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized"), one
    for place, letter in enumerate(path):
        other = path[:place] + ("b" if letter == "a" else "a") + path[place + 1 :]
        if other != path:
            answer = await ask(runs, f"{other}?token={token}")
            assert (answer.status_code, answer.json()["type"]) == (403, "forbidden"), other
    assert (await ask(runs, f"{path}?token={token}")).status_code == 200


async def test_a_token_of_a_deleted_run_shows_nothing(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    token = await token_for(runs, org, run_id)
    await runs.sql.execute("DELETE FROM runs.run WHERE org_id = $1 AND id = $2", org, run_id)
    assert (await ask(runs, f"{run_id}/shots/1.png?token={token}")).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
async def test_artifacts_are_read_only(runs: Runs, org: str, method: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    answer = await ask(runs, f"{run_id}/shots/1.png", runs.member(org), method)
    assert (answer.status_code, answer.json()["type"]) == (405, "method_not_allowed")


async def test_a_large_artifact_is_streamed_to_many(runs: Runs, org: str) -> None:
    large = os.urandom(6_000_000)
    run_id = await run_with(runs, org, "downloads/large.bin", content=large)
    path = f"{run_id}/downloads/large.bin"
    answers = await asyncio.gather(*(ask(runs, path, runs.member(org)) for _ in range(4)))
    assert all(answer.content == large for answer in answers)


async def test_a_name_counts_before_a_token(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    token = await token_for(runs, org, run_id)
    target = f"{run_id}/shots/1.png?token={token}"
    assert (await ask(runs, target, ANONYMOUS)).status_code == 200
    assert (await ask(runs, target, runs.member(new_org()))).status_code == 404
