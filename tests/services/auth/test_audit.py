from __future__ import annotations

from urllib.parse import quote

import asyncpg
import pytest

from services.auth.consumers import SUBSCRIPTIONS
from shared.contracts.runs import SettingsChanged
from shared.principal import Kind, Principal
from tests.services.auth.conftest import Auth, Person
from tests.services.auth.people_support import BASE, change, colleague, remove

AUDIT, ADMIN = f"{BASE}/audit", "/v1/admin/audit-events"


async def test_an_admin_reads_what_happened_in_their_organization(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    await change(auth, owner, member, role="admin")
    await remove(auth, owner, member)
    answer = await auth.send(
        "GET", AUDIT, owner.principal, headers={"x-request-id": "mine", "user-agent": "browser"}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert (body["limit"], body["offset"]) == (50, 0)
    assert body["total"] == len(body["items"])
    actions = [item["action"] for item in body["items"]]
    done = ["user.removed", "user.changed", "session.opened", "user.added"]
    positions = [actions.index(action) for action in done]
    assert positions == sorted(positions), "newest first"
    assert {item["org_id"] for item in body["items"]} == {owner.claims.org}
    item = body["items"][actions.index("user.changed")]
    assert item.pop("occurred_at").endswith("Z")
    assert item.pop("request_id")
    assert isinstance(item.pop("id"), int)
    assert item == {
        "org_id": owner.claims.org,
        "actor_kind": "user",
        "actor_id": owner.claims.sub,
        "action": "user.changed",
        "outcome": "done",
        "target": member.claims.sub,
        "detail": {"role": "admin"},
        "client": "",
        "user_agent": "python-httpx/" + item["user_agent"].partition("/")[2],
    }


async def test_a_refusal_is_there_with_who_was_refused(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    assert (await change(auth, member, owner, role="member")).status_code == 403
    body = (await auth.send("GET", f"{AUDIT}?action=operation.refused", owner.principal)).json()
    (item,) = body["items"]
    assert (item["outcome"], item["actor_id"]) == ("refused", member.claims.sub)
    assert item["detail"] == {"method": "PATCH", "path": "/api/v1/auth/users/{id}"}


async def test_what_runs_says_of_its_settings_is_there(auth: Auth) -> None:
    owner = await auth.person()
    event = SettingsChanged(
        org_id=owner.claims.org,
        account_id=owner.claims.sub,
        written=("GITHUB_TOKEN",),
        cleared=("NOTIFY_ON",),
    )
    (handler,) = [one.handler for one in SUBSCRIPTIONS if one.event is SettingsChanged]
    async with auth.sql.transaction():
        await handler(auth.sql, event)
    body = (await auth.send("GET", f"{AUDIT}?action=settings.changed", owner.principal)).json()
    (item,) = body["items"]
    assert (item["org_id"], item["actor_id"]) == (owner.claims.org, owner.claims.sub)
    assert item["detail"] == {"written": ["GITHUB_TOKEN"], "cleared": ["NOTIFY_ON"]}


async def test_the_list_can_be_narrowed_and_paged(auth: Auth) -> None:
    owner = await auth.person()
    members = [await colleague(auth, owner) for _ in range(3)]

    async def find(query: str) -> list[dict[str, object]]:
        answer = await auth.send("GET", f"{AUDIT}?{query}", owner.principal)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, object]] = answer.json()["items"]
        return items

    added = await find("action=user.added")
    assert [item["target"] for item in added] == [m.claims.sub for m in reversed(members)]
    assert [item["id"] for item in await find("action=user.added&limit=1&offset=1")] == [
        added[1]["id"]
    ]
    by_member = await find(f"actor={members[0].claims.sub}")
    assert [item["action"] for item in by_member] == ["session.opened"]
    since = quote(str(added[0]["occurred_at"]))
    later = await find(f"since={since}&action=user.added")
    assert [item["id"] for item in later] == [added[0]["id"]]
    assert await find("since=2999-01-01T00:00:00Z") == []
    assert await find("actor=nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "since=0001-01-01T00:00:00%2B14:00",
        "limit=-1",
        "offset=x",
        "action=" + "x" * 101,
    ],
)
async def test_a_bad_query_is_named(auth: Auth, ada: Person, query: str) -> None:
    answer = await auth.send("GET", f"{AUDIT}?{query}", ada.principal)
    assert answer.status_code == 422
    path = answer.json()["error"]["details"][0]["path"]
    assert path == "query." + query.partition("=")[0]


async def test_another_organizations_events_are_not_there(
    auth: Auth, ada: Person, grace: Person
) -> None:
    for query in ("", f"?actor={grace.claims.sub}", f"?org_id={grace.claims.org}"):
        items = (await auth.send("GET", AUDIT + query, ada.principal)).json()["items"]
        assert grace.claims.sub not in str(items)


async def test_members_and_keys_read_nothing(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    key = Principal(
        Kind.API_KEY, "key_x", owner.claims.org, "owner", ("*",), "key_x", owner.claims.sub
    )
    for path in (AUDIT, ADMIN):
        assert (await auth.send("GET", path, member.principal)).status_code == 403
        assert (await auth.send("GET", path, key)).status_code == 403
        assert (await auth.send("GET", path)).status_code == 401
    assert (await auth.send("GET", ADMIN, owner.principal)).status_code == 403


async def test_a_platform_administrator_reads_all(
    auth: Auth, root: Person, ada: Person, grace: Person
) -> None:
    body = (await auth.send("GET", f"{ADMIN}?page_size=200", root.principal)).json()
    assert set(body) == {"items", "total", "page", "page_size"}
    assert {ada.claims.org, grace.claims.org} <= {item["org_id"] for item in body["items"]}
    ids = [item["id"] for item in body["items"]]
    second = await auth.send("GET", f"{ADMIN}?page=2&page_size=1", root.principal)
    assert second.json()["items"][0]["id"] in ids[1:3]
    one = await auth.send("GET", f"{ADMIN}?org_id={ada.claims.org}", root.principal)
    assert {item["org_id"] for item in one.json()["items"]} == {ada.claims.org}
    own = (await auth.send("GET", f"{AUDIT}?limit=500", root.principal)).json()
    assert {ada.claims.org, grace.claims.org} <= {item["org_id"] for item in own["items"]}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.audit_event SET actor_id = 'nobody'",
        "UPDATE auth.audit_event SET actor_id = 'nobody' WHERE false",
        "DELETE FROM auth.audit_event",
        "TRUNCATE auth.audit_event",
    ],
)
async def test_what_was_written_stays_even_for_the_service_itself(
    auth: Auth, ada: Person, statement: str
) -> None:
    before = await auth.sql.fetchval("SELECT count(*) FROM auth.audit_event")
    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await auth.sql.execute(statement)
    assert await auth.sql.fetchval("SELECT count(*) FROM auth.audit_event") == before


NARROWED = [
    ("org_id = '7'", "audit_event_org"),
    ("org_id = '7' AND action = 'a.b'", "audit_event_org_action"),
    ("org_id = '7' AND actor_id = '8'", "audit_event_org_actor"),
    ("org_id = '7' AND occurred_at >= now() - interval '5 hours'", "audit_event_org"),
    ("action = 'a.b'", "audit_event_action"),
    ("actor_id = '8'", "audit_event_actor"),
    ("occurred_at >= now()", "audit_event_newest"),
    ("true", "audit_event_newest"),
]


async def test_every_narrowing_has_its_index(auth: Auth) -> None:
    undone = auth.sql.transaction()
    await undone.start()
    try:
        await auth.sql.execute(
            """
            INSERT INTO auth.audit_event (org_id, occurred_at, actor_kind, actor_id, action,
                                          outcome, target, detail, client, user_agent, request_id)
            SELECT (n % 97)::text, now() - n * interval '1 second', 'user', (n % 89)::text,
                   CASE WHEN n % 83 = 0 THEN 'a.b' ELSE 'c.d' END, 'done', '', '{}', '', '', ''
              FROM generate_series(1, 30000) AS n;
            ANALYZE auth.audit_event;
            """
        )
        for condition, index in NARROWED:
            query = f"SELECT id FROM auth.audit_event WHERE {condition}"  # noqa: S608 - our own
            order = " ORDER BY occurred_at DESC, id DESC LIMIT 50"
            plan = await auth.sql.fetch(f"EXPLAIN {query}{order}")
            text = "\n".join(row[0] for row in plan)
            assert f"using {index} " in text, text
            assert "Sort" not in text, text
    finally:
        await undone.rollback()
