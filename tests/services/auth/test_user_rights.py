"""Who may change whom, and who is always left to administer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from services.auth.users.models import Intent, Standing
from services.auth.users.rules import check
from shared.errors import Conflict, Forbidden
from tests.services.auth.conftest import Auth, Person, running
from tests.services.auth.people_support import BASE, change, colleague, people_of, remove
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def fresh(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Auth]:
    """An installation of a test's own, to count its platform administrators."""
    async with running(database_urls, tmp_path) as service:
        yield service


async def test_the_last_administrator_of_an_organization_stays(auth: Auth) -> None:
    owner = await auth.person()
    await colleague(auth, owner)
    for answer in (
        await change(auth, owner, owner, role="member"),
        await change(auth, owner, owner, disabled=True),
        await remove(auth, owner, owner),
    ):
        assert answer.status_code == 409
        assert answer.json()["type"] == "conflict"
    assert (await auth.check(owner))["role"] == "owner"
    second = await colleague(auth, owner, "admin")
    assert (await change(auth, owner, owner, role="member")).status_code == 200
    assert (await change(auth, second, second, role="member")).status_code == 409


async def test_a_disabled_administrator_does_not_count(auth: Auth) -> None:
    owner = await auth.person()
    second = await colleague(auth, owner, "admin")
    assert (await change(auth, owner, second, disabled=True)).status_code == 200
    assert (await remove(auth, owner, owner)).status_code == 409
    assert (await change(auth, owner, second, disabled=False)).status_code == 200
    assert (await remove(auth, owner, owner)).status_code == 200


@pytest.mark.parametrize("act", ["demote", "remove", "disable"])
async def test_administrators_who_turn_on_each_other_leave_one(auth: Auth, act: str) -> None:
    owner = await auth.person()
    admins = [await colleague(auth, owner, "admin") for _ in range(4)]
    assert (await remove(auth, owner, owner)).status_code == 200

    async def turn(one: Person, on: Person) -> int:
        if act == "remove":
            return (await remove(auth, one, on)).status_code
        fields = {"role": "member"} if act == "demote" else {"disabled": True}
        return (await change(auth, one, on, **fields)).status_code

    ring = [*pairwise(admins), (admins[-1], admins[0])]
    statuses = await asyncio.gather(*(turn(one, on) for one, on in ring))
    assert set(statuses) <= {200, 403, 404, 409}
    left = await auth.sql.fetchval(
        """
        SELECT count(*) FROM auth.membership m JOIN auth.account a ON a.id = m.account_id
         WHERE m.org_id = $1 AND m.role <> 'member' AND a.disabled_at IS NULL
        """,
        owner.claims.org,
    )
    assert left >= 1


async def test_a_token_of_an_administrator_that_was_is_not_enough(auth: Auth) -> None:
    owner = await auth.person()
    admin, member = await colleague(auth, owner, "admin"), await colleague(auth, owner)
    assert (await change(auth, owner, admin, role="member")).status_code == 200
    assert admin.principal.role == "admin", "as the gateway may say for a moment longer"
    assert (await change(auth, admin, member, role="admin")).status_code == 403
    assert (await remove(auth, admin, member)).status_code == 403
    body = {"email": "late@mail.example", "password": "eight is enough"}
    assert (await auth.post(f"{BASE}/users", admin.principal, **body)).status_code == 403
    assert (await auth.post(f"{BASE}/invites", admin.principal, **body)).status_code == 403


async def test_only_an_owner_changes_an_owner(auth: Auth) -> None:
    owner = await auth.person()
    admin = await colleague(auth, owner, "admin")
    for answer in (
        await change(auth, admin, owner, role="member"),
        await change(auth, admin, owner, disabled=True),
        await change(auth, admin, owner, name="Nobody"),
        await remove(auth, admin, owner),
    ):
        assert answer.status_code == 403
    assert (await people_of(auth, admin))[owner.claims.sub]["role"] == "owner"


async def test_only_a_platform_administrator_changes_one(auth: Auth, root: Person) -> None:
    owner = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        owner.claims.org,
        root.claims.sub,
    )
    for answer in (
        await change(auth, owner, root, role="member"),
        await change(auth, owner, root, disabled=True),
        await remove(auth, owner, root),
    ):
        assert answer.status_code == 403


async def test_the_last_platform_administrator_stays(fresh: Auth) -> None:
    setup = await fresh.post(f"{BASE}/setup", email="a@mail.example", password="eight is enough")
    only = await fresh.sign_in("a@mail.example", "eight is enough")
    second = await colleague(fresh, only, "admin")
    for answer in (
        await change(fresh, only, only, role="member"),
        await change(fresh, only, only, disabled=True),
        await remove(fresh, only, only),
    ):
        assert answer.status_code == 409, answer.text
        assert "platform administrator" in answer.json()["detail"]
    assert (await fresh.check(only))["role"] == "platform_admin"
    assert setup.json()["user"]["role"] == "admin"
    assert (await change(fresh, only, only, role="admin")).status_code == 200, "as it was shown"
    await fresh.sql.execute(
        "UPDATE auth.account SET platform_admin = true WHERE id = $1", second.claims.sub
    )
    assert (await change(fresh, only, only, role="member")).status_code == 200
    assert (await fresh.check(only))["role"] == "member"
    left = await fresh.sql.fetch("SELECT id FROM auth.account WHERE platform_admin")
    assert [row["id"] for row in left] == [second.claims.sub]


@pytest.mark.parametrize("act", ["demote", "disable", "remove"])
async def test_platform_administrators_who_leave_at_once_leave_one(fresh: Auth, act: str) -> None:
    people = [await fresh.person(name) for name in ("One", "Two")]
    admins = []
    for person in people:
        # Each has somebody else to administer the organization, and nobody for the installation.
        await colleague(fresh, person, "admin")
        admins.append(await fresh.make_platform_admin(person))

    async def leave(admin: Person) -> int:
        if act == "remove":
            return (await remove(fresh, admin, admin)).status_code
        fields = {"role": "member"} if act == "demote" else {"disabled": True}
        return (await change(fresh, admin, admin, **fields)).status_code

    statuses = await asyncio.gather(*(leave(admin) for admin in admins))
    assert sorted(statuses) == [200, 409]
    left = await fresh.sql.fetchval(
        "SELECT count(*) FROM auth.account WHERE platform_admin AND disabled_at IS NULL"
    )
    assert left == 1


async def test_platform_rights_are_never_assigned(auth: Auth, root: Person) -> None:
    member = await colleague(auth, root)
    more = {"platform_admin": True, "roles": ["platform_admin"], "org_id": "org_x", "id": "usr_x"}
    answer = await change(auth, root, member, role="admin", **more)
    assert answer.status_code == 200
    assert answer.json()["id"] == member.claims.sub
    assert (await auth.check(member))["role"] == "admin"


def standing(account_id: str = "usr_b", role: str = "member", **fields: bool) -> Standing:
    facts = {"platform_admin": False, "disabled": False, "other_admins": True, "elsewhere": False}
    return Standing(account_id, role, **(facts | fields))


ADMIN, OWNER = standing("usr_a", "admin"), standing("usr_a", "owner")
PLATFORM = standing("usr_a", "", platform_admin=True)


@pytest.mark.parametrize(
    ("caller", "target", "intent", "refusal"),
    [
        (ADMIN, standing(), Intent(role="admin"), None),
        (ADMIN, standing(), Intent(disabled=True), None),
        (ADMIN, standing(), Intent(removed=True), None),
        (ADMIN, standing(elsewhere=True), Intent(removed=True), None),
        (ADMIN, standing(elsewhere=True), Intent(disabled=True), Conflict),
        (ADMIN, standing(elsewhere=True), Intent(disabled=False), Conflict),
        (ADMIN, standing(elsewhere=True), Intent(renamed=True), Conflict),
        (PLATFORM, standing(elsewhere=True), Intent(disabled=True), None),
        (ADMIN, standing(role="owner"), Intent(role="member"), Forbidden),
        (OWNER, standing(role="owner"), Intent(role="member"), None),
        (PLATFORM, standing(role="owner"), Intent(role="member"), None),
        (OWNER, standing(platform_admin=True), Intent(renamed=True), Forbidden),
        (ADMIN, standing(role="admin", other_admins=False), Intent(removed=True), Conflict),
        (ADMIN, standing(role="admin", other_admins=False), Intent(disabled=True), Conflict),
        (ADMIN, standing(role="admin", other_admins=False), Intent(role="member"), Conflict),
        (ADMIN, standing(role="admin", other_admins=False), Intent(renamed=True), None),
        (PLATFORM, standing(platform_admin=True), Intent(disabled=True), Conflict),
        (PLATFORM, standing(platform_admin=True), Intent(role="member"), Conflict),
        (PLATFORM, standing(platform_admin=True), Intent(removed=True), Conflict),
        (PLATFORM, standing(platform_admin=True, elsewhere=True), Intent(removed=True), None),
        (PLATFORM, standing(platform_admin=True), Intent(renamed=True), None),
    ],
)
def test_who_may_change_whom(
    caller: Standing, target: Standing, intent: Intent, refusal: type[Exception] | None
) -> None:
    if refusal is None:
        check(caller, target, intent, ["usr_b"])
    else:
        with pytest.raises(refusal):
            check(caller, target, intent, ["usr_b"])
