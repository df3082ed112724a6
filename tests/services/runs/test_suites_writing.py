"""Creating, saving and deleting suites."""

from __future__ import annotations

import asyncio

import pytest

from tests.services.runs.conftest import SUITE, Runs, suite_text
from tests.services.runs.suites_support import etag_of, files, put, saved

NAME = "sign-up.tripwire.yaml"


async def test_a_new_suite_gets_a_file_named_after_it(runs: Runs) -> None:
    who = runs.member()
    answer = await runs.post("suites", who, {"yaml": SUITE})
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "file": NAME})


async def test_a_second_one_gets_a_number_and_overwrites_nothing(runs: Runs) -> None:
    who = runs.member()
    made = [(await runs.post("suites", who, {"yaml": SUITE})).json()["file"] for _ in range(3)]
    assert made == [NAME, "sign-up-2.tripwire.yaml", "sign-up-3.tripwire.yaml"]
    assert await files(runs, who) == sorted(made)


async def test_twenty_at_once_get_twenty_files(runs: Runs) -> None:
    who = runs.member()
    texts = [suite_text(f"id-{number}", "All alike") for number in range(20)]
    answers = await asyncio.gather(*(runs.post("suites", who, {"yaml": text}) for text in texts))
    assert {answer.status_code for answer in answers} == {200}
    made = [answer.json()["file"] for answer in answers]
    assert len(set(made)) == 20
    assert {f"all-alike-{n}.tripwire.yaml" for n in range(2, 21)} < set(made)
    shown = await asyncio.gather(*(runs.get(f"suites/{file}", who) for file in made))
    assert [answer.json()["yaml"] for answer in shown] == texts


async def test_creating_and_saving_the_same_name_at_once_loses_nothing(runs: Runs) -> None:
    who = runs.member()
    answers = await asyncio.gather(
        *(runs.post("suites", who, {"yaml": SUITE}) for _ in range(4)),
        *(put(runs, who, NAME, suite_text(f"own-{n}")) for n in range(4)),
    )
    assert {answer.status_code for answer in answers} == {200}
    listed = (await runs.get("suites?limit=500", who)).json()["items"]
    texts = 0
    for item in listed:
        texts += (await runs.get(f"suites/{item['file']}/versions", who)).json()["total"]
    assert texts == 8


async def test_a_file_that_was_deleted_is_no_free_name(runs: Runs) -> None:
    who = runs.member()
    await runs.post("suites", who, {"yaml": SUITE})
    await runs.delete(f"suites/{NAME}", who)
    answer = await runs.post("suites", who, {"yaml": SUITE})
    assert answer.json()["file"] == "sign-up-2.tripwire.yaml"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Größe & Maß", "grosse-mass"),
        ("  --Checkout: v2.0!  ", "checkout-v2-0"),
        ("日本語", "suite"),
        ("x" * 300, "x" * 80),
        ("../../etc/passwd", "etc-passwd"),
        ("null", "null"),
    ],
)
async def test_file_names_are_made_of_any_name(runs: Runs, name: str, file: str) -> None:
    text = SUITE.replace("suite: Sign-up\n", f'suite: "{name}"\n')
    answer = await runs.post("suites", runs.member(), {"yaml": text})
    assert answer.json()["file"] == f"{file}.tripwire.yaml"


async def test_saving_creates_where_there_is_none(runs: Runs) -> None:
    who = runs.member()
    answer = await put(runs, who, NAME, SUITE)
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True,
        "file": NAME,
        "warnings": [],
        "etag": etag_of(SUITE),
        "version": 1,
    }
    assert answer.headers["etag"] == etag_of(SUITE)


@pytest.mark.parametrize("ending", [".tripwire.yaml", ".tripwire.yml", ".upliftr.yaml", ""])
async def test_names_of_every_ending_are_taken(runs: Runs, ending: str) -> None:
    who = runs.member()
    file = f"a.b{ending or '.tripwire.yaml'}"
    assert (await saved(runs, who, f"a.b{ending}", SUITE))["file"] == file
    assert (await runs.get(f"suites/a.b{ending}", who)).json()["file"] == file


@pytest.mark.parametrize(
    "name",
    [
        "x.yaml",
        "x.YML",
        ".tripwire.yaml",
        "-a",
        "a..b",
        "a b",
        "ä",
        "a" * 200,
        "a%2Fb",
        "..%2f..%2fetc",
        "a%00",
        "%F0%9F%98%80",
    ],
)
async def test_other_names_are_refused_and_never_found(runs: Runs, name: str) -> None:
    who = runs.member()
    answer = await put(runs, who, name, SUITE)
    assert answer.status_code in (400, 404, 422), answer.text
    assert (await runs.get(f"suites/{name}", who)).status_code in (404, 422)
    assert await files(runs, who) == []


async def test_a_bad_text_changes_nothing_and_all_problems_are_named(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, NAME, SUITE)
    bad = SUITE.replace("      - do: Open /login", "      - go: Open /login").replace(
        "depends_on: sign-up", "depends_on: nobody"
    )
    answer = await put(runs, who, NAME, bad)
    assert answer.status_code == 400
    body = answer.json()
    assert body["type"] == body["error"]["type"] == "invalid_yaml"
    assert body["detail"] == body["error"]["message"]
    assert [
        (one["path"], bad.splitlines()[one["line"] - 1].strip()) for one in body["error"]["details"]
    ] == [
        ("cases[1].depends_on", "depends_on: nobody"),
        ("cases[1].steps[0].do", "- go: Open /login"),
    ]
    assert (await runs.get(f"suites/{NAME}", who)).json()["yaml"] == SUITE
    answer = await runs.post("suites", who, {"yaml": "cases: ["})
    assert (answer.status_code, answer.json()["type"]) == (400, "invalid_yaml")


async def test_the_text_is_kept_byte_for_byte(runs: Runs) -> None:
    who = runs.member()
    text = "\ufeff# first\r\n" + SUITE.replace("\n", "\r\n") + "\r\nour: {own: key} # 𝄞\u2028  \r\n"
    answer = await saved(runs, who, "bytes", text)
    assert [one["path"] for one in answer["warnings"]] == ["our"]
    shown = (await runs.get("suites/bytes", who)).json()
    assert shown["yaml"] == text
    assert shown["etag"] == etag_of(text)


async def test_the_second_of_two_editors_is_told(runs: Runs) -> None:
    who = runs.member()
    first, second = SUITE + "# first\n", SUITE + "# second\n"
    seen = (await saved(runs, who, NAME, SUITE))["etag"]
    assert (await saved(runs, who, NAME, first, if_match=seen))["version"] == 2
    answer = await put(runs, who, NAME, second, if_match=seen)
    assert (answer.status_code, answer.json()["type"]) == (412, "precondition_failed")
    assert answer.json()["error"]["details"] == [{"current_etag": etag_of(first)}]
    assert (await runs.get(f"suites/{NAME}", who)).json()["yaml"] == first
    listed = (await runs.get(f"suites/{NAME}/versions", who)).json()["items"]
    assert [one["etag"] for one in listed] == [etag_of(first), etag_of(SUITE)]


async def test_of_many_editors_at_once_exactly_one_wins(runs: Runs) -> None:
    who = runs.member()
    seen = (await saved(runs, who, NAME, SUITE))["etag"]
    answers = await asyncio.gather(
        *(put(runs, who, NAME, f"{SUITE}# {n}\n", if_match=seen) for n in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_of_many_creators_at_once_exactly_one_wins(runs: Runs) -> None:
    who = runs.member()
    answers = await asyncio.gather(
        *(put(runs, who, NAME, f"{SUITE}# {n}\n", if_none_match="*") for n in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_without_conditions_the_last_write_wins(runs: Runs) -> None:
    who = runs.member()
    for number in range(3):
        await saved(runs, who, NAME, f"{SUITE}# {number}\n")
    assert (await runs.get(f"suites/{NAME}", who)).json()["yaml"] == f"{SUITE}# 2\n"


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        ("{}", True),
        ('"other", {}', True),
        ("*", True),
        ("W/{}", False),
        ('"other"', False),
        ("", False),
        ('"', False),
        ("\\", False),
    ],
)
async def test_if_match_is_read_as_the_standard_says(runs: Runs, header: str, holds: bool) -> None:
    who = runs.member()
    etag = (await saved(runs, who, NAME, SUITE))["etag"]
    answer = await put(runs, who, NAME, SUITE + "#\n", if_match=header.format(etag))
    assert answer.status_code == (200 if holds else 412)


async def test_if_match_on_what_is_not_there_fails(runs: Runs) -> None:
    answer = await put(runs, runs.member(), NAME, SUITE, if_match="*")
    assert answer.status_code == 412
    assert answer.json()["error"]["details"] == [{"current_etag": None}]


async def test_the_same_text_again_makes_no_version(runs: Runs) -> None:
    who = runs.member()
    assert (await saved(runs, who, NAME, SUITE))["version"] == 1
    assert (await saved(runs, who, NAME, SUITE))["version"] == 1


async def test_another_suite_of_the_same_id_is_warned_about(runs: Runs) -> None:
    who = runs.member()
    await saved(runs, who, "one", SUITE)
    warnings = (await saved(runs, who, "two", SUITE))["warnings"]
    assert [one["path"] for one in warnings] == ["id"]
    assert "one.tripwire.yaml" in warnings[0]["message"]
    assert (await runs.get("suites/one", who)).json()["warnings"][0]["path"] == "id"
    stranger = runs.member()
    assert (await saved(runs, stranger, "three", SUITE))["warnings"] == []


async def test_deleting_keeps_the_texts(runs: Runs) -> None:
    who = runs.member()
    etag = (await saved(runs, who, NAME, SUITE))["etag"]
    answer = await runs.delete(f"suites/{NAME}", who, headers={"if-match": '"old"'})
    assert answer.status_code == 412
    answer = await runs.delete("suites/sign-up", who, headers={"if-match": etag})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert (await runs.get(f"suites/{NAME}", who)).status_code == 404
    assert (await runs.delete(f"suites/{NAME}", who)).status_code == 404
    assert await files(runs, who) == []
    assert (await runs.get(f"suites/{NAME}/versions/1", who)).json()["yaml"] == SUITE
    assert (await saved(runs, who, NAME, SUITE + "#\n"))["version"] == 2


@pytest.mark.parametrize("body", [{}, {"yaml": None}, {"yaml": 1}, {"yaml": ["a"]}, [], "x", None])
async def test_a_body_without_a_text_is_refused(runs: Runs, body: object) -> None:
    who = runs.member()
    for path in ("suites", "suites/validate"):
        answer = await runs.send("POST", path, who, json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert (await runs.put("suites/a", who, body)).status_code == 422


@pytest.mark.parametrize("path", ["suites", "suites/validate", "suites/x"])
async def test_what_is_too_long_is_refused(runs: Runs, path: str) -> None:
    who = runs.member()
    method = "PUT" if path == "suites/x" else "POST"
    text = SUITE + "#" + "ä" * (512 * 1024)
    answer = await runs.send(method, path, who, json={"yaml": text})
    assert (answer.status_code, answer.json()["type"]) == (413, "too_large")
    text = SUITE + "#" * (1024 * 1024 - len(SUITE))
    answer = await runs.send(method, path, who, json={"yaml": text})
    assert answer.status_code == 200, answer.text
    answer = await runs.send(method, path, who, json={"yaml": "x" * 3_000_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "raw",
    [
        b'{"yaml": "a\\u0000b"}',
        b'{"yaml": "a\\ud800b"}',
        b'{"yaml": "\xff"}',
        b'{"yaml": NaN}',
        b'{"yaml": 1e400}',
        b"[" * 100_000,
        b"",
    ],
)
async def test_hostile_bodies_are_refused(runs: Runs, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await runs.send("POST", "suites", runs.member(), content=raw, headers=headers)
    assert answer.status_code in (400, 422), answer.text


async def test_nul_in_an_escape_of_the_text_is_a_problem(runs: Runs) -> None:
    text = SUITE.replace("suite: Sign-up\n", 'suite: "Sign\\0up"\n')
    answer = await runs.post("suites", runs.member(), {"yaml": text})
    assert (answer.status_code, answer.json()["type"]) == (400, "invalid_yaml")
