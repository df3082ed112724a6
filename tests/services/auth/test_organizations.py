from __future__ import annotations

import pytest

from services.auth.organizations.rules import slug_of
from tests.services.auth.conftest import Auth, Person


async def test_an_admin_sees_their_own_organization(auth: Auth, ada: Person, grace: Person) -> None:
    answer = await auth.send("GET", "/v1/admin/organizations", ada.principal)
    assert answer.status_code == 200
    body = answer.json()
    (item,) = body.pop("items")
    assert body == {"total": 1, "page": 1, "page_size": 50}
    assert item.pop("created_at").endswith("Z")
    assert item.pop("slug").startswith("ada-lovelace")
    assert item == {
        "id": ada.claims.org,
        "name": "Ada Lovelace",
        "member_count": 1,
        "plan": "free",
    }
    beyond = await auth.send("GET", "/v1/admin/organizations?page=2", ada.principal)
    assert beyond.json() == {"items": [], "total": 1, "page": 2, "page_size": 50}


async def test_an_admin_sees_the_people_of_their_organization(auth: Auth, grace: Person) -> None:
    owner = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        owner.claims.org,
        grace.claims.sub,
    )
    body = (await auth.send("GET", "/v1/admin/users", owner.principal)).json()
    assert body["total"] == 2
    assert {(item["id"], item["email"], item["role"]) for item in body["items"]} == {
        (owner.claims.sub, owner.email, "admin"),
        (grace.claims.sub, grace.email, "member"),
    }
    assert {item["org_id"] for item in body["items"]} == {owner.claims.org}
    assert all(item["verified"] and not item["platform_admin"] for item in body["items"])
    assert "password" not in str(body)


async def test_a_platform_administrator_sees_all(
    auth: Auth, root: Person, ada: Person, grace: Person
) -> None:
    organizations = (
        await auth.send("GET", "/v1/admin/organizations?page_size=200", root.principal)
    ).json()
    assert {ada.claims.org, grace.claims.org} <= {item["id"] for item in organizations["items"]}
    users = (await auth.send("GET", "/v1/admin/users?page_size=200", root.principal)).json()
    by_id = {item["id"]: item for item in users["items"]}
    assert by_id[ada.claims.sub]["org_id"] == ada.claims.org
    assert by_id[root.claims.sub]["platform_admin"]
    times = [item["created_at"] for item in users["items"]]
    assert times == sorted(times, reverse=True)
    assert users["total"] == len(users["items"])
    second = await auth.send("GET", "/v1/admin/users?page=2&page_size=1", root.principal)
    assert [item["id"] for item in second.json()["items"]] == [users["items"][1]["id"]]


@pytest.mark.parametrize("path", ["/v1/admin/users", "/v1/admin/organizations"])
@pytest.mark.parametrize("query", ["page=0", "page_size=201", "page=x", "page_size=-1"])
async def test_bad_paging_is_named(auth: Auth, ada: Person, path: str, query: str) -> None:
    answer = await auth.send("GET", f"{path}?{query}", ada.principal)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_two_of_one_name_get_two_slugs(auth: Auth) -> None:
    people = [await auth.person("Same Name") for _ in range(2)]
    slugs = await auth.sql.fetch(
        "SELECT slug FROM auth.organization WHERE id = ANY($1)",
        [person.claims.org for person in people],
    )
    assert len({row["slug"] for row in slugs}) == 2
    assert all(row["slug"].startswith("same-name") for row in slugs)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("  Zoë & Co. ", "zoe-co"),
        ("李小龍", "team"),
        ("---", "team"),
        ("x" * 200, "x" * 60),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_slug_is_plain(name: str, slug: str) -> None:
    assert slug_of(name) == slug
