"""Who may do what on the agents surface's routes of auth (agents contract, sections 7 and 9)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.agents_support import (
    ACCOUNTS,
    API,
    BINDINGS,
    EVERYTHING,
    ROLES,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


async def test_a_binding_gives_nothing_elsewhere(agents: Agents) -> None:
    """The example of section 7, on the routes that auth serves."""
    robot = await agents.robot("viewer", namespace="acme")
    name = new_name()
    await agents.bind("viewer", name, "acme")
    await agents.bind("viewer", name, "other")
    await agents.bind("viewer", name)
    assert (await agents.get(ACCOUNTS, robot)).status_code == 403
    assert (await agents.get(f"{BINDINGS}?namespace=acme", robot)).status_code == 200
    assert (await agents.get(f"{BINDINGS}?namespace=other", robot)).status_code == 403
    own = (await agents.get(f"{BINDINGS}?principal_name={name}", robot)).json()
    assert [item["namespace"] for item in own] == ["acme"]


async def test_nobody_binds_what_they_do_not_hold(agents: Agents) -> None:
    """Section 9, item 5."""
    binder = await agents.holding(rule("role-bindings", "create"))
    name = (await agents.get(f"{ACCOUNTS}/current-user", binder)).json()["user"]
    before = await agents.count("role_binding")
    for principal in (name, new_name()):
        for role in ("admin", "cluster-admin", "viewer", "developer", "org-admin"):
            for namespace in (None, "acme"):
                body = {
                    "role_name": role,
                    "principal_name": principal,
                    "namespace": namespace,
                }
                answer = await agents.post(BINDINGS, body, binder)
                assert answer.status_code == 403
                assert answer.json()["message"] == "Insufficient permissions"
    assert await agents.count("role_binding") == before


async def test_what_is_held_in_a_namespace_is_bound_there_alone(agents: Agents) -> None:
    local = await agents.robot("org-admin", namespace="acme")
    body = {"principal_name": new_name(), "role_name": "developer"}
    codes = [
        (await agents.post(BINDINGS, body | {"namespace": place}, local)).status_code
        for place in ("acme", "other", None)
    ]
    assert codes == [201, 403, 403]
    for role in ("admin", "viewer"):
        wider = body | {"role_name": role, "namespace": "acme"}
        assert (await agents.post(BINDINGS, wider, local)).status_code == 403


async def test_a_change_holds_at_once(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    for _ in range(3):
        assert (await agents.get(ACCOUNTS, robot)).status_code == 403
        binding = await agents.bind("viewer", made["user"])
        assert (await agents.get(ACCOUNTS, robot)).status_code == 200
        await agents.delete(f"{BINDINGS}/{binding['id']}")
    role = await agents.role(rule("service-accounts", "list"))
    await agents.bind(role["name"], made["user"])
    assert (await agents.get(ACCOUNTS, robot)).status_code == 200
    await agents.delete(f"{ROLES}/{role['id']}")
    assert (await agents.get(ACCOUNTS, robot)).status_code == 403


async def test_organizations_are_namespaces_of_their_people(agents: Agents) -> None:
    ada, grace = await agents.auth.person("Ada"), await agents.auth.person("Grace")
    own, others = [await slug_of(agents, person.claims.org) for person in (ada, grace)]
    body = {"role_name": "developer", "principal_name": new_name(), "namespace": own}
    made = await agents.post(BINDINGS, body, ada.principal)
    assert made.status_code == 201
    assert (await agents.get(f"{BINDINGS}/{made.json()['id']}", ada.principal)).status_code == 200
    listed = (await agents.get(BINDINGS, ada.principal)).json()
    assert [item["namespace"] for item in listed] == [own]
    stranger = await agents.get(f"{BINDINGS}/{made.json()['id']}", grace.principal)
    assert stranger.status_code == 404
    for place in (others, None):
        refused = await agents.post(BINDINGS, body | {"namespace": place}, ada.principal)
        assert refused.status_code == 403
    for path in (ACCOUNTS, ROLES, f"{ROLES}/admin"):
        assert (await agents.get(path, ada.principal)).status_code == 403
    member = Principal(
        Kind.USER, ada.claims.sub, ada.claims.org, "member", ("*",), "ses_x", ada.claims.sub
    )
    assert (await agents.get(f"{BINDINGS}?namespace={own}", member)).status_code == 403
    me = (await agents.get(f"{API}/auth/me", member)).json()
    assert me["roles"] == ["developer"]
    elsewhere = Principal(Kind.USER, ada.claims.sub, "org_gone", "owner", ("*",), "s", "usr_x")
    assert (await agents.get(BINDINGS, elsewhere)).status_code == 403


async def slug_of(agents: Agents, org_id: str) -> str:
    slug: str = await agents.auth.sql.fetchval(
        "SELECT slug FROM auth.organization WHERE id = $1", org_id
    )
    return slug


async def test_a_platform_administrator_holds_everything(agents: Agents) -> None:
    root = (await agents.auth.make_platform_admin(await agents.auth.person())).principal
    assert (await agents.get(ACCOUNTS, root)).status_code == 200
    body = {"user": new_name(), "pass": "x"}
    assert (await agents.post(ACCOUNTS, body, root)).status_code == 201
    role = {"name": new_name(), "rules": [EVERYTHING]}
    assert (await agents.post(ROLES, role, root)).status_code == 201
    binding = {"role_name": role["name"], "principal_name": body["user"]}
    assert (await agents.post(BINDINGS, binding, root)).status_code == 201
    assert (await agents.delete(f"{ROLES}/{role['name']}", root)).status_code == 204
    assert (await agents.delete(f"{ACCOUNTS}/{body['user']}", root)).status_code == 204


async def test_keys_read_as_their_account_and_change_nothing(agents: Agents) -> None:
    ada = await agents.auth.person()
    await agents.bind("admin", ada.email, kind="User")
    assert (await agents.get(ACCOUNTS, ada.principal)).status_code == 200

    def key(*scopes: str) -> Principal:
        org, account = ada.claims.org, ada.claims.sub
        return Principal(Kind.API_KEY, "key_x", org, "owner", scopes, "key_x", account)

    account, role = await agents.account(), await agents.role()
    bound = await agents.bind(role["name"], account["user"])
    for path in (ACCOUNTS, ROLES, BINDINGS):
        assert (await agents.get(path, key("*"))).status_code == 200
        assert (await agents.get(path, key("learnings:read"))).status_code == 403
    send, counts = agents.auth.send, []
    for _ in range(2):
        tables = ("service_account", "role", "role_binding")
        counts.append([await agents.count(table) for table in tables])
        for method, path, body in (
            ("POST", ACCOUNTS, {"user": new_name(), "pass": "x"}),
            ("PUT", f"{ACCOUNTS}/{account['id']}", {"active": False}),
            ("PUT", f"{ACCOUNTS}/{account['id']}/password", {"new_password": "x"}),
            ("DELETE", f"{ACCOUNTS}/{account['id']}", None),
            ("POST", ROLES, {"name": new_name(), "rules": []}),
            ("DELETE", f"{ROLES}/{role['id']}", None),
            ("POST", BINDINGS, {"role_name": role["name"], "principal_name": "x"}),
            ("DELETE", f"{BINDINGS}/{bound['id']}", None),
        ):
            options = {} if body is None else {"json": body}
            assert (await send(method, path, key("*"), **options)).status_code == 403
    assert counts[0] == counts[1]


async def test_refusals_and_changes_are_written_down(agents: Agents) -> None:
    robot = await agents.robot()
    headers = {"x-guildhall-client": "203.0.113.10", "user-agent": "cli/1"}
    await agents.auth.send("GET", ACCOUNTS, robot, headers=dict(headers))
    name = new_name()
    made = (
        await agents.post(ACCOUNTS, {"user": name, "pass": "s3cret-one"}, headers=headers)
    ).json()
    await agents.auth.send(
        "PUT", f"{ACCOUNTS}/{name}", agents.admin, json={"active": False}, headers=dict(headers)
    )
    await agents.auth.send(
        "PUT",
        f"{ACCOUNTS}/{name}/password",
        agents.admin,
        json={"new_password": "s3cret-two"},
        headers=dict(headers),
    )
    role = (await agents.post(ROLES, {"name": name, "rules": []}, headers=headers)).json()
    body = {"role_name": name, "principal_name": "ada@nowhere.example", "principal_type": "User"}
    bound = (await agents.post(BINDINGS, body, headers=headers)).json()
    for path in (f"{BINDINGS}/{bound['id']}", f"{ROLES}/{name}", f"{ACCOUNTS}/{name}"):
        await agents.auth.send("DELETE", path, agents.admin, headers=dict(headers))
    rows = await agents.auth.sql.fetch(
        "SELECT * FROM auth.audit_event WHERE client = '203.0.113.10' ORDER BY id"
    )
    assert [(row["action"], row["outcome"], row["target"]) for row in rows] == [
        ("operation.refused", "refused", ""),
        ("service_account.created", "done", made["id"]),
        ("service_account.updated", "done", made["id"]),
        ("service_account.password_changed", "done", made["id"]),
        ("role.created", "done", role["id"]),
        ("role_binding.created", "done", bound["id"]),
        ("role_binding.deleted", "done", bound["id"]),
        ("role.deleted", "done", role["id"]),
        ("service_account.deleted", "done", made["id"]),
    ]
    assert {row["actor_id"] for row in rows[1:]} == {agents.admin.subject}
    assert {row["actor_kind"] for row in rows} == {"service_account"}
    text = str([tuple(row.values()) for row in rows])
    for secret in ("s3cret", "ada@nowhere.example"):
        assert secret not in text


async def test_nothing_secret_is_logged(agents: Agents, capsys: pytest.CaptureFixture[str]) -> None:
    made = await agents.account(password="s3cret-pass")
    await agents.log_in(made["user"], "s3cret-pass")
    answer = await agents.post(f"{API}/auth/internal", {"user": made["user"], "pass": "s3cret-no"})
    assert answer.status_code == 401
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
