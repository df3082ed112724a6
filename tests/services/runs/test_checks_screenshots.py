"""``/checks/screenshot``: baselines are seeded once, compared with, approved, reset."""

from __future__ import annotations

import asyncio
import io
from base64 import b64encode
from typing import Any

import httpx
import pytest
from PIL import Image

from services.runs.artifacts.operations import Store
from services.runs.checks import operations
from services.runs.engine.probes.pictures import LARGEST
from shared.errors import NotFound
from shared.principal import Principal
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.engine.pictures_support import claiming, dotted, png

HOME = "checks/screenshot"


def body(name: str, content: bytes, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image_b64": b64encode(content).decode(), **fields}


async def compared(
    runs: Runs, who: Principal, name: str, content: bytes, **fields: Any
) -> dict[str, Any]:
    answer = await runs.post(HOME, who, body(name, content, **fields))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def picture(runs: Runs, who: Principal, path: str) -> httpx.Response:
    answer = await runs.get(path, who)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer


async def test_the_first_picture_is_the_baseline(runs: Runs) -> None:
    who = runs.member()
    first = await compared(runs, who, "home", png())
    assert (first["kind"], first["status"], first["seeded"]) == (
        "screenshot_region",
        "passed",
        True,
    )
    again = await compared(runs, who, "home", png())
    assert (again["status"], again["seeded"], again["diff_path"]) == ("passed", False, None)


async def test_tolerance_is_a_share_of_the_pixels(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "home", png())
    assert (await compared(runs, who, "home", dotted(2)))["status"] == "passed"
    found = await compared(runs, who, "home", dotted(3))
    assert found["status"] == "failed"
    assert "3 of 200 pixels differ" in found["observed"]
    assert (await compared(runs, who, "home", dotted(3), tol=0.1))["status"] == "passed"
    assert (await compared(runs, who, "home", dotted(1), tol=0))["status"] == "failed"


async def test_a_failure_has_a_picture_of_the_difference(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "my page", png())
    found = await compared(runs, who, "my page", dotted(5))
    assert found["diff_path"] == "/api/v1/checks/screenshot/my%20page/diff"
    answer = await picture(runs, who, found["diff_path"])
    assert Image.open(io.BytesIO(answer.content)).getpixel((0, 0)) == (230, 0, 38)
    shown = (await runs.get(f"{HOME}/my%20page", who)).json()
    assert (await picture(runs, who, shown["picture_path"])).content == png()
    assert (await picture(runs, who, shown["latest_path"])).content == dotted(5)
    # It goes with the failure.
    await compared(runs, who, "my page", png())
    assert (await runs.get(found["diff_path"], who)).status_code == 404


async def test_other_dimensions_fail(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "home", png(20, 10))
    found = await compared(runs, who, "home", png(10, 20), tol=1)
    assert found["status"] == "failed"
    assert found["observed"] == "The picture is 10x20, its baseline 20x10."
    assert found["diff_path"]


async def test_what_was_compared_last_can_be_approved(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "home", png())
    await compared(runs, who, "home", png(10, 20, "blue"))
    answer = await runs.post(f"{HOME}/home/approve", who)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["width"], shown["height"], shown["diff_path"]) == (10, 20, None)
    assert shown["approved_by"] == who.subject
    assert (await compared(runs, who, "home", png(10, 20, "blue")))["status"] == "passed"
    assert (await compared(runs, who, "home", png()))["status"] == "failed"


async def test_a_reset_baseline_is_seeded_anew(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "home", png())
    answer = await runs.delete(f"{HOME}/home", who)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    for send in (runs.get, runs.delete):
        assert (await send(f"{HOME}/home", who)).status_code == 404
    assert (await runs.post(f"{HOME}/home/approve", who)).status_code == 404
    assert (await compared(runs, who, "home", dotted(50)))["seeded"]


async def test_baselines_are_listed_by_name(runs: Runs) -> None:
    who = runs.member()
    for name in ("cart", "Home", "home-2"):
        await compared(runs, who, name, png())
    page = (await runs.get(f"{HOME}?limit=2", who)).json()
    assert (len(page["items"]), page["total"], page["limit"], page["offset"]) == (2, 3, 2, 0)
    page = (await runs.get(f"{HOME}?q=HOME", who)).json()
    assert sorted(each["name"] for each in page["items"]) == ["Home", "home-2"]
    assert (await runs.get(f"{HOME}?offset=-1", who)).status_code == 422


async def test_of_many_first_ones_exactly_one_seeds(runs: Runs) -> None:
    who = runs.member()
    found = await asyncio.gather(
        *(compared(runs, who, "home", dotted(number * 20)) for number in range(6))
    )
    assert sum(each["seeded"] for each in found) == 1
    assert sum(each["status"] == "passed" for each in found) == 1


async def test_another_organization_has_its_own(runs: Runs) -> None:
    one, other = runs.member(), runs.member(new_org())
    await compared(runs, one, "home", png())
    for path in (f"{HOME}/home", f"{HOME}/home/baseline"):
        assert (await runs.get(path, other)).status_code == 404
    assert (await runs.post(f"{HOME}/home/approve", other)).status_code == 404
    assert (await runs.delete(f"{HOME}/home", other)).status_code == 404
    assert (await runs.get(HOME, other)).json()["total"] == 0
    assert (await compared(runs, other, "home", dotted(50)))["seeded"]


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"name": "a"}, 422, "image_b64"),
        ({"image_b64": "eA=="}, 422, "name"),
        (body("a", b"GIF89a" + b"\x00" * 60), 422, "image_b64"),
        ({"name": "a", "image_b64": "no base64!"}, 422, "image_b64"),
        ({"name": "a", "image_b64": 3}, 422, "image_b64"),
        (body("a", claiming(50, 50, b"short")), 422, "image_b64"),
        (body("a/b", png()), 422, "name"),
        (body("..", png()), 422, "name"),
        (body("", png()), 422, "name"),
        (body("x" * 121, png()), 422, "name"),
        (body("a\x00", png()), 422, "name"),
        (body("a", png(), tol=2), 422, "tol"),
        (body("a", png(), tol=-1), 422, "tol"),
        (body("a", png(), tol="1"), 422, "tol"),
        (body("a", png(), tol=True), 422, "tol"),
        (body("a", claiming(100_000, 100_000)), 413, ""),
        (body("a", png() + b"\x00" * LARGEST), 413, ""),
    ],
)
async def test_what_cannot_be_compared_is_refused(
    runs: Runs, given: dict[str, Any], status: int, field: str
) -> None:
    who = runs.member()
    answer = await runs.post(HOME, who, given)
    assert answer.status_code == status
    assert answer.json()["type"] == ("validation_error" if status == 422 else "too_large")
    if field:
        assert any(field in each["path"] for each in answer.json()["error"]["details"])
    assert (await runs.get(HOME, who)).json()["total"] == 0


async def test_a_data_address_is_taken_too(runs: Runs) -> None:
    given = body("home", png())
    given["image_b64"] = f"data:image/png;base64,{given['image_b64']}"
    assert (await runs.post(HOME, runs.member(), given)).status_code == 200


async def test_reading_and_writing_are_rights_of_their_own(runs: Runs) -> None:
    person = runs.member()
    await compared(runs, person, "home", png())
    reader, writer = runs.key_of(person, "runs:read"), runs.key_of(person, "runs:write")
    assert (await runs.get(f"{HOME}/home", reader)).status_code == 200
    assert (await runs.get(HOME, writer)).status_code == 403
    assert (await runs.delete(f"{HOME}/home", reader)).status_code == 403
    assert (await runs.post(f"{HOME}/home/approve", reader)).status_code == 403
    assert (await runs.post(HOME, reader, body("home", png()))).status_code == 403


async def test_an_account_is_forgotten(runs: Runs) -> None:
    who = runs.member()
    await compared(runs, who, "home", png())
    key = runs.key_of(who)
    assert (await runs.post(f"{HOME}/home/approve", key)).json()["approved_by"] == who.account
    async with runs.database.transaction() as connection:
        await operations.forget_account(connection, who.account)
    row = await runs.sql.fetchrow(
        "SELECT created_by, approved_by FROM runs.baseline WHERE org_id = $1", who.org
    )
    assert row is not None
    assert tuple(row) == ("", "")


async def keys_of(runs: Runs, org: str) -> list[tuple[str, bool]]:
    rows = await runs.sql.fetch(
        "SELECT key, due_at IS NULL AS kept FROM runs.baseline_file WHERE org_id = $1", org
    )
    return [(row["key"], row["kept"]) for row in rows]


async def test_no_picture_is_left_behind(runs: Runs, org: str) -> None:
    who = runs.member(org)
    await compared(runs, who, "home", png())
    for dots in (30, 60, 90):
        await compared(runs, who, "home", dotted(dots))
    kept = [key for key, is_kept in await keys_of(runs, org) if is_kept]
    assert len(kept) == 3  # the baseline, the latest, the difference
    await runs.sql.execute(
        "UPDATE runs.baseline_file SET due_at = now() - interval '1 day' WHERE due_at IS NOT NULL"
    )
    files = runs.resources[Store]
    await operations.sweep(runs.database, files)
    assert sorted(await keys_of(runs, org)) == sorted((key, True) for key in kept)
    async with runs.database.transaction() as connection:
        await operations.forget_organization(connection, org)
    await operations.sweep(runs.database, files)
    assert await keys_of(runs, org) == []
    for key in kept:
        with pytest.raises(NotFound):
            await files.get_object(key)
