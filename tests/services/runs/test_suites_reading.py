"""Listing and showing suites, their versions, validation; and who may."""

from __future__ import annotations

import asyncio

import pytest

from services.runs.suites import operations
from tests.services.runs.conftest import SUITE, Runs, suite_text
from tests.services.runs.suites_support import etag_of, files, put, saved

NAME = "sign-up.tripwire.yaml"


async def test_a_suite_is_shown_with_its_text_and_cases(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    answer = await runs.get(f"suites/{NAME}", who)
    assert answer.headers["etag"] == etag_of(SUITE)
    body = answer.json()
    assert body.pop("updated_at").endswith("Z")
    assert body == {
        "file": NAME,
        "yaml": SUITE,
        "cases": [
            {
                "id": "sign-up",
                "title": "A visitor signs up",
                "tags": ["p0", "smoke"],
                "depends_on": [],
                "steps": 3,
                "expect": 1,
            },
            {
                "id": "log-in",
                "title": "They log in again",
                "tags": ["smoke"],
                "depends_on": ["sign-up"],
                "steps": 1,
                "expect": 1,
            },
        ],
        "etag": etag_of(SUITE),
        "warnings": [],
        "version": 1,
    }


async def test_who_has_the_text_is_not_sent_it_again(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    answer = await runs.get(f"suites/{NAME}", who, headers={"if-none-match": etag_of(SUITE)})
    assert (answer.status_code, answer.content) == (304, b"")
    answer = await runs.get(f"suites/{NAME}", who, headers={"if-none-match": '"other"'})
    assert answer.status_code == 200


async def test_items_of_the_list_name_the_newest_run(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    await saved(runs, who, "never-run", suite_text("never-run"))
    await runs.add_run(who.org, file=NAME, status="queued")
    run = await runs.add_run(who.org, file=NAME)
    await runs.sql.execute(
        "UPDATE runs.run SET status = 'failed', finished_at = '2026-01-02T03:04:05Z' WHERE id = $1",
        run,
    )
    body = (await runs.get("suites", who)).json()
    assert (body["total"], body["limit"], body["offset"]) == (2, 50, 0)
    never, item = body["items"]
    assert never["last_run"] is None
    assert item.pop("updated_at").endswith("Z")
    assert item == {
        "file": NAME,
        "name": "Sign-up",
        "suite": "Sign-up",
        "id": "sign-up",
        "base_url": "http://127.0.0.1:8400",
        "case_count": 2,
        "tags": ["p0", "smoke"],
        "last_run": {
            "id": run,
            "status": "failed",
            "finished_at": "2026-01-02T03:04:05.000Z",
        },
    }


async def test_the_list_is_paged_searched_and_filtered(runs: Runs) -> None:
    who = runs.member()
    for name, suite_id in (("a", "Alpha"), ("b", "50%_off"), ("c", "gamma")):
        text = suite_text(suite_id, f"Suite {name}")
        await saved(runs, who, name, text if name != "c" else text.replace("p0", "p1"))
    a, b, c = (f"{name}.tripwire.yaml" for name in "abc")
    assert await files(runs, who) == [a, b, c]
    assert await files(runs, who, "?limit=1&offset=1") == [b]
    assert await files(runs, who, "?limit=0") == []
    assert await files(runs, who, "?q=ALPHA") == [a]
    assert await files(runs, who, "?q=suite%20B") == [b]
    assert await files(runs, who, "?q=b.trip") == [b]
    assert await files(runs, who, "?q=%25") == [b]
    assert await files(runs, who, "?q=_") == [b]
    assert await files(runs, who, "?tag=smoke") == [a, b, c]
    assert await files(runs, who, "?tag=smoke&tag=p1") == [c]
    assert await files(runs, who, "?tag=p0&tag=p1") == []
    assert (await runs.get("suites?q=alpha&limit=0", who)).json()["total"] == 1


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=x", "offset=-1", "offset=1.5", "limit=", "offset=99999999999999999999"],
)
async def test_bad_paging_is_refused(runs: Runs, query: str) -> None:
    for path in ("suites", "suites/x/versions"):
        assert (await runs.get(f"{path}?{query}", runs.member())).status_code == 422


async def test_a_limit_over_the_most_means_the_most(runs: Runs) -> None:
    assert (await runs.get("suites?limit=501", runs.member())).json()["limit"] == 500


async def test_earlier_texts_are_listed_and_shown(runs: Runs) -> None:
    who, colleague = runs.member(org := "org_versions"), runs.member(org)
    second = SUITE + "# more\n"
    await saved(runs, who, NAME, SUITE)
    await saved(runs, colleague, NAME, second)
    body = (await runs.get(f"suites/{NAME}/versions", who)).json()
    assert [one.pop("created_at")[-1] for one in body["items"]] == ["Z", "Z"]
    assert body == {
        "items": [
            {"n": 2, "etag": etag_of(second), "author": colleague.account},
            {"n": 1, "etag": etag_of(SUITE), "author": who.account},
        ],
        "total": 2,
        "limit": 50,
        "offset": 0,
    }
    assert (await runs.get("suites/sign-up/versions/1", who)).json()["yaml"] == SUITE
    assert (await runs.get("suites/sign-up/versions/2", who)).json()["yaml"] == second
    listed = (await runs.get("suites/sign-up/versions?limit=1&offset=1", who)).json()
    assert [one["n"] for one in listed["items"]] == [1]


@pytest.mark.parametrize("n", ["0", "2", "-1", "x", "1.0", "9" * 30, "٣", "%00"])
async def test_versions_that_are_not_there(runs: Runs, n: str) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    assert (await runs.get(f"suites/{NAME}/versions/{n}", who)).status_code in (404, 422)


async def test_another_organization_sees_and_changes_nothing(runs: Runs) -> None:
    who, stranger = runs.member(), runs.member()
    await saved(runs, who, NAME, SUITE)
    assert await files(runs, stranger) == []
    for path in ("", "/export", "/versions", "/versions/1"):
        answer = await runs.get(f"suites/{NAME}{path}", stranger)
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
    assert (await runs.delete(f"suites/{NAME}", stranger)).status_code == 404
    assert (await put(runs, stranger, NAME, SUITE, if_match="*")).status_code == 412
    await saved(runs, stranger, NAME, SUITE + "# theirs\n")
    assert (await runs.get(f"suites/{NAME}", who)).json()["yaml"] == SUITE


async def test_keys_need_the_scope(runs: Runs) -> None:
    who = runs.member()
    reader, writer = runs.key_of(who, "runs:read"), runs.key_of(who, "runs:write")
    assert (await put(runs, reader, NAME, SUITE)).status_code == 403
    assert (await runs.post("suites", reader, {"yaml": SUITE})).status_code == 403
    assert (await runs.delete(f"suites/{NAME}", reader)).status_code == 403
    await saved(runs, writer, NAME, SUITE)
    assert (await runs.get("suites", writer)).status_code == 403
    assert (await runs.get(f"suites/{NAME}", reader)).status_code == 200
    assert (await runs.post("suites/validate", reader, {"yaml": SUITE})).status_code == 200
    versions = (await runs.get(f"suites/{NAME}/versions", reader)).json()
    assert versions["items"][0]["author"] == who.account


async def test_validation_says_all_and_keeps_nothing(runs: Runs) -> None:
    who = runs.member()
    body = (await runs.post("suites/validate", who, {"yaml": SUITE})).json()
    assert (body["ok"], body["errors"], body["warnings"]) == (True, [], [])
    assert [case["id"] for case in body["cases"]] == ["sign-up", "log-in"]
    assert body["compiled"] == [
        {
            "case": "sign-up",
            "assertion": "a1",
            "check": {"kind": "visible_text", "contains": "Welcome"},
        },
        {"case": "log-in", "assertion": "a1", "check": {"kind": "url", "path_is": "/login"}},
    ]
    bad = SUITE.replace("id: log-in", "id: sign-up") + "ours: 1\n"
    answer = await runs.post("suites/validate", who, {"yaml": bad})
    assert answer.status_code == 200
    body = answer.json()
    assert body["ok"] is False
    assert [one["path"] for one in body["errors"]] == ["cases[1].id"]
    assert [one["path"] for one in body["warnings"]] == ["ours"]
    assert (body["cases"], body["compiled"]) == ([], [])
    assert await files(runs, who) == []
    await saved(runs, who, NAME, SUITE)
    body = (await runs.post("suites/validate", who, {"yaml": SUITE})).json()
    assert [one["path"] for one in body["warnings"]] == ["id"]


async def test_a_claim_is_compiled_or_said_to_need_a_model(runs: Runs) -> None:
    text = SUITE.replace(
        "      - check: {kind: url, path_is: /login}\n",
        "      - assert: '\"Log in\" is shown'\n      - assert: The layout feels balanced\n",
    )
    body = (await runs.post("suites/validate", runs.member(), {"yaml": text})).json()
    compiled = {(one["case"], one["assertion"]): one["check"] for one in body["compiled"]}
    assert compiled["log-in", "a1"]["kind"] == "visible_text"
    assert compiled["log-in", "a2"] is None


async def test_english_that_no_rule_reads_is_warned_of(runs: Runs) -> None:
    who = runs.member()
    text = SUITE.replace("do: Open /login", "do: Place the order").replace(
        "      - check: {kind: url, path_is: /login}\n",
        "      - assert: The layout feels balanced\n    capture: [{name: v, from: a nice one}]\n",
    )
    lines = text.splitlines()
    body = (await runs.post("suites/validate", who, {"yaml": text})).json()
    assert body["ok"] is True
    told = [(one["path"], one["message"].partition(":")[0]) for one in body["warnings"]]
    assert told == [
        ("cases[1].steps[0].do", "unread_step"),
        ("cases[1].expect[0].assert", "unread_claim"),
        ("cases[1].capture[0].from", "unread_capture"),
    ]
    assert "Place the order" in lines[body["warnings"][0]["line"] - 1]
    assert (await saved(runs, who, NAME, text))["warnings"] == body["warnings"]
    assert (await runs.get(f"suites/{NAME}", who)).json()["warnings"] == body["warnings"]


async def test_rows_and_claims_are_compiled_once_and_within_bounds(runs: Runs) -> None:
    who = runs.member()
    text = SUITE.replace("    tags: [smoke]\n    depends", "    data: [{}, {}]\n    depends")
    body = (await runs.post("suites/validate", who, {"yaml": text})).json()
    assert [case["id"] for case in body["cases"]] == ["sign-up", "log-in[0]", "log-in[1]"]
    assert [one["case"] for one in body["compiled"]] == ["sign-up", "log-in[0]"]
    expect = [", ".join(f"{{assert: x{n}y{m}}}" for m in range(150)) for n in range(20)]
    cases = "".join(
        f"  - {{id: c{n}, title: C, expect: [{each}]}}\n" for n, each in enumerate(expect)
    )
    text = f"suite: S\nid: s\nbase_url: http://x\ncases:\n{cases}"
    body = (await runs.post("suites/validate", who, {"yaml": text})).json()
    assert body["ok"] is True
    assert len(body["compiled"]) == 2000
    assert "only the first 2000" in body["warnings"][-1]["message"]


async def test_a_suite_is_exported_as_text(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    answer = await runs.get("suites/sign-up/export", who)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Sign-up" in answer.text
    assert (await runs.get("suites/other/export", who)).status_code == 404


async def test_siblings_find_texts_also_of_deleted_suites(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    async with runs.database.connection() as connection:
        found = await operations.find_text(connection, who.org, "sign-up")
        assert found is not None
        assert (found.file, found.suite_id, found.name) == (NAME, "sign-up", "Sign-up")
        assert (found.version, found.text) == (1, SUITE)
        assert await operations.find_text(connection, who.org, "a b") is None
        assert await operations.find_text(connection, "org_other", NAME) is None
    await runs.delete(f"suites/{NAME}", who)
    async with runs.database.connection() as connection:
        assert await operations.find_text(connection, who.org, NAME) is None
        assert await operations.text_of(connection, who.org, NAME, 1) == SUITE
        assert await operations.text_of(connection, "org_other", NAME, 1) is None


async def test_what_is_forgotten_is_gone(runs: Runs) -> None:
    who, other = runs.member(), runs.member()
    await asyncio.gather(*(saved(runs, one, NAME, SUITE) for one in (who, other)))
    async with runs.database.transaction() as connection:
        await operations.forget_account(connection, who.account)
        await operations.forget_organization(connection, other.org)
    listed = (await runs.get(f"suites/{NAME}/versions", who)).json()["items"]
    assert [one["author"] for one in listed] == [""]
    assert (await runs.get(f"suites/{NAME}/versions", other)).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("PATCH", "suites"), ("POST", "suites/a")])
async def test_other_methods_are_told_which_there_are(runs: Runs, method: str, path: str) -> None:
    answer = await runs.send(method, path, runs.member(), json={})
    assert (answer.status_code, answer.json()["type"]) == (405, "method_not_allowed")
    assert answer.headers["allow"]
