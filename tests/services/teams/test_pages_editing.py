"""What people do to teams on pages (teams contract, sections 4.3, 5 and 8)."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.pages_support import HOME, Visitor, field_of, owned, person, text_of
from tests.services.teams.sharing_support import Sql, join, member_of, said
from tests.services.teams.test_pages_public import TEAM

FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/name", {"name": "Other"}),
    ("/sharing", {"visibility": "public", "show_souls": "1", "edit": "owner"}),
    ("/invites", {"hours": "1"}),
    ("/invites/revoke", {"invite_id": "6f1c1c52-5e0e-4a41-9c9b-4f4d4f3f8a10"}),
    ("/machines/remove", {"machine": "0" * 32}),
    ("/machines/readmit", {"machine": "0" * 32}),
    ("/versions", {"version": "1"}),
    ("/members", {"name": "second", "role": "qa"}),
    ("/members/reviewer", {"name": "reviewer", "role": "other"}),
    ("/members/reviewer/remove", {}),
    ("/skills", {"id": "test"}),
    ("/skills/lint", {"id": "lint"}),
    ("/skills/lint/remove", {}),
    ("/delete", {"name": "Payments"}),
)


class Home:
    """An owner, their machine, their team and their browser."""

    def __init__(self, machine: Machine, browser: Visitor, team_id: str) -> None:
        self.machine = machine
        self.browser = browser
        self.team_id = team_id
        self.base = f"/teams/{team_id}"

    async def send(self, path: str, **form: str) -> str:
        return await self.browser.send(self.base + path, **form)

    async def refuse(self, path: str, **form: str) -> str:
        """Send a form that is refused for what was typed; give what the page says."""
        answer = await self.browser.post(self.base + path, **form)
        assert answer.status_code in (400, 409), answer.text
        return text_of(answer.text)

    async def fields(self, path: str, *names: str) -> dict[str, str]:
        page = await self.browser.show(self.base + path)
        return {name: field_of(page, name) for name in names}


@pytest.fixture
async def home(machine: Machine, auth: FakeAuth, client: httpx.AsyncClient) -> Home:
    account, browser = person(client, auth)
    made = await owned(machine, auth, account, **TEAM)
    return Home(machine, browser, made["id"])


async def test_a_team_is_made_on_the_web_and_joined_by_its_invitation(
    auth: FakeAuth, client: httpx.AsyncClient, machine: Machine, sql: Sql
) -> None:
    account, browser = person(client, auth)
    location = await browser.send("/new", name=" Web team ", member="reviewer", role="Reviews")
    page = await browser.show(location)
    assert "The invitation is made" in page
    code = location.removeprefix("/invite/").removesuffix("?made=1")
    assert f"teamrc join {code} --relay {HOME}" in text_of(page)
    assert (await join(machine, code)).status_code == 200
    team = await machine.team()
    assert (team["name"], team["members"]) == (
        "Web team",
        [{"name": "reviewer", "role": "Reviews"}],
    )
    row = await sql.fetchrow("SELECT owner, org_id FROM teams.team WHERE id = $1", team["id"])
    assert row is not None
    assert tuple(row) == (account, "org_one")
    assert await said(sql, "team.created.v1", team_id=team["id"], owner=account)
    await browser.send(f"/teams/{team['id']}/name", name="Renamed")
    assert (await machine.team())["name"] == "Renamed", "edits on the web are seen"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"name": "", "member": "one", "role": "dev"}, "Team name must not be empty."),
        ({"name": "a@b", "member": "one", "role": "dev"}, "alphanumeric"),
        ({"name": "x" * 65, "member": "one", "role": "dev"}, "64 characters or fewer"),
        ({"name": "Team", "member": "<b>", "role": "dev"}, "The name of a member has"),
        ({"name": "Team", "member": "one", "role": " "}, "Member role must not be empty."),
        ({}, "The name of a member has"),
    ],
)
async def test_a_team_that_is_none_is_not_made(
    auth: FakeAuth, client: httpx.AsyncClient, form: dict[str, str], text: str
) -> None:
    _, browser = person(client, auth)
    answer = await browser.post("/new", **form)
    assert answer.status_code == 400
    assert text in text_of(answer.text)
    for name in form:
        assert field_of(answer.text, name) == form[name], "nothing has to be typed again"
    assert "You own no team" in await browser.show("/teams")


async def test_a_member_is_added_changed_and_removed(home: Home) -> None:
    await home.send(
        "/members", name="dev", role="Writes", description="", soul="a\r\nb\r\n", skills="lint, x"
    )
    members = (await home.machine.team())["members"]
    assert members[1] == {
        "name": "dev",
        "role": "Writes",
        "soul": "a\nb\n",
        "skills": ["lint", "x"],
    }
    shown = await home.fields("/members/dev", "base", "name", "role", "skills")
    await home.send("/members/dev", **{**shown, "role": "Writes well", "soul": "a\r\nb\r\n"})
    changed = (await home.machine.team())["members"]
    assert changed == [members[0], {**members[1], "role": "Writes well"}]
    base = (await home.fields("/members/dev", "base"))["base"]
    await home.send("/members/dev/remove", base=base)
    assert (await home.machine.team())["members"] == members[:1]


async def test_a_skill_is_added_changed_and_removed_with_its_members_lists(home: Home) -> None:
    await home.send(
        "/skills", id="test", title="Test", body="Do.", globs="*.py\r\n\r\n *.js", always_apply="1"
    )
    skills = (await home.machine.team())["skills"]
    assert skills[1] == {
        "id": "test",
        "title": "Test",
        "body": "Do.",
        "globs": ["*.py", "*.js"],
        "alwaysApply": True,
    }
    shown = await home.fields("/skills/lint", "base", "title", "description")
    await home.send("/skills/lint", **shown, id="style", body="Run ruff.")
    team = await home.machine.team()
    assert team["members"][0]["skills"] == ["style"]
    assert {skill["id"] for skill in team["skills"]} == {"style", "test"}
    base = (await home.fields("/skills/style", "base"))["base"]
    await home.send("/skills/style/remove", base=base)
    team = await home.machine.team()
    assert "skills" not in team["members"][0]
    assert [skill["id"] for skill in team["skills"]] == ["test"]
    base = (await home.fields("/skills/test", "base"))["base"]
    await home.send("/skills/test", base=base, id="test", title="Test", body="Do.")
    assert (await home.machine.team())["skills"] == [
        {"id": "test", "title": "Test", "body": "Do.", "alwaysApply": False}
    ]


@pytest.mark.parametrize(
    ("path", "form", "text"),
    [
        ("/members", {"name": "Reviewer", "role": "x"}, "is called 'reviewer' already"),
        ("/members", {"name": "a b", "role": "x"}, "The name of a member has"),
        ("/members", {"name": "x" * 65, "role": "x"}, "The name of a member has"),
        ("/members", {"name": "b", "role": ""}, "Member role must not be empty"),
        ("/members", {"name": "b", "role": "ä" * 129}, "exceeds field size limits"),
        ("/members", {"name": "b", "role": "x", "soul": "s" * 10_001}, "exceeds field size"),
        ("/skills", {"id": "../x"}, "The name of a skill has"),
        ("/skills", {"id": "LINT"}, "is called 'lint' already"),
        ("/skills", {"id": "b", "body": "s" * 10_001}, "body exceeds 10000 bytes"),
        ("/name", {"name": "a@b"}, "alphanumeric"),
        ("/sharing", {"visibility": "all", "edit": "owner"}, "Choose one of the answers"),
        ("/sharing", {"visibility": "public", "edit": "x"}, "Choose one of the answers"),
        ("/invites", {"hours": "1", "max_uses": "x"}, "must be 1 or more"),
        ("/invites", {"hours": "1", "max_uses": "٣"}, "must be 1 or more"),
        ("/invites", {"hours": "1", "max_uses": "0"}, "must be 1 or more"),
        ("/delete", {"name": "payments"}, "so it was not deleted"),
    ],
)
async def test_what_is_typed_wrong_is_said_and_changes_nothing(
    home: Home, path: str, form: dict[str, str], text: str
) -> None:
    before = await home.machine.team()
    assert text in await home.refuse(path, **form)
    assert await home.machine.team() == before


async def test_what_changed_meanwhile_is_not_overwritten(home: Home) -> None:
    member = await home.fields("/members/reviewer", "base", "name", "role")
    skill = await home.fields("/skills/lint", "base", "id")
    await home.send("/members", name="dev", role="Writes")
    await home.send("/skills", id="test")
    before = await home.machine.team()
    for path, form in (
        ("/members/reviewer", member),
        ("/members/reviewer/remove", {"base": member["base"]}),
        ("/skills/lint", skill),
        ("/skills/lint/remove", {"base": skill["base"]}),
        ("/skills/lint", {"id": "lint"}),
    ):
        assert "Somebody changed the team meanwhile" in await home.refuse(path, **form)
    assert await home.machine.team() == before
    both = await home.fields("/members/dev", "base", "name")
    answers = await asyncio.gather(
        *(
            home.browser.post(home.base + "/members/dev", **both, role=f"role {number}")
            for number in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409, 409]


async def test_texts_come_back_from_forms_as_they_were(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    account, browser = person(client, auth)
    soul = "\n\nleading\r\nmixed\n</textarea><script>x</script>\u202e&amp; \t end  \n"
    members = [{"name": "reviewer", "role": "dev", "soul": soul, "description": "a\r\nb"}]
    made = await owned(machine, auth, account, members=members)
    home = Home(machine, browser, made["id"])
    shown = await home.fields("/members/reviewer", "base", "name", "role")
    typed = {"soul": soul.replace("\r\n", "\n").replace("\n", "\r\n"), "description": "a\r\nb"}
    await home.send("/members/reviewer", **shown, **typed)
    assert (await machine.team()) == made | {"members": members}
    versions = await browser.show(home.base + "/versions")
    assert "Version 2" not in versions, "what changes nothing is no version"


async def test_a_change_is_a_version_of_the_web_and_told_to_every_socket(
    home: Home, sql: Sql
) -> None:
    await home.machine.post(
        "/api/teams/knowledge", {"token": home.machine.token, "content": "more"}
    )
    await home.send("/versions", version="1")
    team = await home.machine.team()
    assert team["knowledge"] == TEAM["knowledge"]
    row = await sql.fetchrow(
        "SELECT actor, summary FROM teams.version WHERE team_id = $1 AND number = 3", home.team_id
    )
    assert row is not None
    assert tuple(row) == ("web", "rolled back to version 1")
    source = await sql.fetchval(
        "SELECT source FROM teams.news WHERE team_id = $1 AND number = 2", home.team_id
    )
    assert source == ""
    assert len(await said(sql, "knowledge.changed.v1", team_id=home.team_id)) == 2
    page = text_of(await home.browser.show(home.base + "/versions"))
    assert "rolled back to version 1" in page
    assert "on this site" in page
    for version in ("0", "-1", "99", "x", "1 ", "9" * 40, ""):
        assert (
            await home.browser.post(home.base + "/versions", version=version)
        ).status_code == 404


async def test_sharing_is_what_clones_and_machines_meet(
    home: Home, client: httpx.AsyncClient
) -> None:
    other = await member_of(home.machine)
    await home.send("/sharing", visibility="public", show_souls="0", edit="owner")
    page = await home.browser.show(home.base + "/settings")
    token = page.split("/t/")[1][:31]
    clone = (await other.send("GET", f"/api/teams/clone/{token}")).json()["team"]
    assert "soul" not in clone["members"][0]
    body = {"token": other.token, "team": {"name": "Payments", "members": []}}
    refused = await other.post("/api/teams", body)
    assert refused.status_code == 403
    assert refused.json() == {"error": "only the team owner can change the team"}
    await home.send("/sharing", visibility="private", show_souls="1", edit="members")
    assert (await other.send("GET", f"/api/teams/clone/{token}")).status_code == 404
    assert (await other.post("/api/teams", body)).status_code == 201


async def test_invitations_are_made_listed_and_revoked(
    home: Home, stranger: Machine, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    location = await home.send("/invites", hours="168", max_uses="3")
    code = location.removeprefix("/invite/").removesuffix("?made=1")
    page = await home.browser.show(home.base + "/settings")
    assert code[:12] in page
    assert code not in page
    assert "0 of 3 machines came" in text_of(page)
    invite_id = field_of(page, "invite_id")
    _, others = person(client, auth)
    other_home = await others.send("/new", name="Theirs", member="one", role="dev")
    assert other_home
    theirs = (await others.show("/teams")).split('href="/teams/')[1][:36]
    for wrong in (invite_id, "x", ""):
        answer = await others.post(f"/teams/{theirs}/invites/revoke", invite_id=wrong)
        assert answer.status_code == 404
    assert (await others.get(f"/invite/{code}")).status_code == 200
    await home.send("/invites/revoke", invite_id=invite_id)
    assert (await others.get(f"/invite/{code}")).status_code == 404
    assert (await join(stranger, code)).status_code == 404
    assert "None holds now." in await home.browser.show(home.base + "/settings")


async def test_only_the_owner_changes_anything(
    home: Home, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    bob, bobs = person(client, auth)
    auth.link((await member_of(home.machine)).token, bob)
    _, others = person(client, auth)
    before, anybody = await home.machine.team(), Visitor(client)
    for path, form in FORMS:
        for one in (bobs, others):
            answer = await one.post(home.base + path, **form)
            assert (answer.status_code, "There is no such page" in answer.text) == (404, True)
        unknown = "/teams/6f1c1c52-5e0e-4a41-9c9b-4f4d4f3f8a10"
        assert (await home.browser.post(unknown + path, **form)).status_code == 404
        answer = await anybody.post(home.base + path, **form)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/users/log-in?redirect_to=/teams/")
    assert await home.machine.team() == before


async def test_a_machine_is_put_out_and_let_back(home: Home, client: httpx.AsyncClient) -> None:
    guest = Machine(client)
    code = (await home.machine.post("/api/teams/invite", {})).json()["invite_code"]
    await guest.post("/api/join", {"invite_code": code})
    page = await home.browser.show(home.base + "/settings")
    assert guest.token[:12] in page
    assert guest.token not in page
    marks = re.findall(r'name="machine" value="([0-9a-f]{32})"', page)
    assert len(marks) == 2
    form = {"machine": marks[1]}
    assert await home.send("/machines/remove", **form) == home.base + "/settings?done=removed"
    assert (await guest.send("GET", f"/api/teams/{guest.token}")).status_code == 404
    assert (await guest.post("/api/join", {"invite_code": code})).status_code == 404
    again = await home.browser.post(home.base + "/machines/remove", **form)
    assert again.status_code == 404
    assert "Let it back" in await home.browser.show(home.base + "/settings")
    await home.send("/machines/readmit", **form)
    assert (await guest.post("/api/join", {"invite_code": code})).status_code == 200


async def test_forms_come_from_our_own_pages(home: Home) -> None:
    before = await home.machine.team()
    for path, form in (*((home.base + path, form) for path, form in FORMS), ("/new", {})):
        for origin in (None, "null", "https://evil.example", HOME + ".evil.example", "HTTP://x"):
            answer = await home.browser.post(path, origin=origin, **form)
            assert answer.status_code == 403
            assert "did not come from a page of this site" in answer.text
    assert await home.machine.team() == before


async def test_the_address_of_a_form_leads_to_its_page(home: Home) -> None:
    for path, _ in FORMS:
        answer = await home.browser.get(home.base + path)
        assert answer.status_code in (200, 303)
        if answer.status_code == 303:
            await home.browser.show(answer.headers["location"])
    odd = await home.browser.get("/teams/%0d%0aset-cookie:x/members")
    assert odd.headers["location"] == "/teams/%0D%0Aset-cookie%3Ax"


async def test_forms_that_are_none_are_refused(home: Home) -> None:
    headers = home.browser._headers() | {"origin": HOME}
    before = await home.machine.team()
    bodies: tuple[tuple[str, bytes, int], ...] = (
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"name=a%00b", 422),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 200), 400),
        ("application/x-www-form-urlencoded", b"name=" + b"x" * 200_000, 413),
        ("multipart/form-data; boundary=x", b"--x--", 415),
    )
    for media_type, content, status in bodies:
        for path in (f"{home.base}/name", "/new", f"{home.base}/members"):
            answer = await home.browser.client.post(
                path, content=content, headers=headers | {"content-type": media_type}
            )
            assert answer.status_code == status, (media_type, content[:20])
    assert await home.machine.team() == before


async def test_odd_texts_in_forms_never_break_a_page(home: Home) -> None:
    odd = ("\u202e", "🦀", "\r", "'--", " ")
    for text in odd:
        for path, form in FORMS[:-1]:
            answer = await home.browser.post(home.base + path, **{name: text for name in form})
            assert answer.status_code in (303, 400, 404, 409), (path, text)
