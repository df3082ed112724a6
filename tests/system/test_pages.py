"""People at their browsers and devices without one, through the gateway of the running system."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from tests.gateway.machines import Machine
from tests.support.stack import Stack
from tests.system.people import PASSWORD, Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def site(stack: Stack, agent: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.base_url, headers={"user-agent": agent}, timeout=20)


async def submit(browser: httpx.AsyncClient, page: httpx.Response, **typed: str) -> httpx.Response:
    """Send the page's form as a browser does: hidden fields, and its Origin."""
    form = re.search(r'<form method="post" action="([^"]*)">(.*?)</form>', page.text, re.DOTALL)
    assert form is not None, page.text
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[2])
    fields = {name: html.unescape(value) for name, value in hidden} | typed
    headers = {"origin": str(browser.base_url).rstrip("/")}
    return await browser.post(html.unescape(form[1]), data=fields, headers=headers)


async def ada(stack: Stack, address: str) -> Person:
    async with site(stack, "setup") as client:
        return await joined(client, stack.mail_directory, address)


async def test_a_device_is_allowed_on_the_way_through_the_login(stack: Stack) -> None:
    person = await ada(stack, "ada-device@pages.example")
    async with site(stack, "trw/9 (test)") as device, site(stack, "browser") as browser:
        code = (await device.post("/v1/auth/device/code", json={"client_id": "trw-cli"})).json()
        assert code["verification_uri_complete"].startswith(f"{stack.base_url}/device?code=")
        poll = {"client_id": "trw-cli", "device_code": code["device_code"], "grant_type": GRANT}
        answer = await device.post("/v1/auth/device/token", json=poll)
        assert answer.json()["error"] == "authorization_pending"
        answer = await device.post("/v1/auth/device/token", json=poll)
        assert answer.json()["error"] == "slow_down"

        page = await browser.get(f"/device?code={code['user_code']}&auto=1", follow_redirects=True)
        assert "trw/9 (test)" in page.text
        assert "x-ratelimit-limit" in page.headers
        answer = await submit(browser, page, email=person.email, password=PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/device/allowed")

        answer = await device.post("/v1/auth/device/token", json=poll)
        assert answer.status_code == 200, answer.text
        key = answer.json()["api_key"]
        bearer = {"authorization": f"Bearer {key}"}
        listed = await device.get("/v1/learnings", headers=bearer)
        assert listed.status_code == 200
        answer = await device.post("/v1/auth/device/token", json=poll)
        assert answer.json()["error"] == "invalid_grant"


async def test_a_signed_machine_is_linked_and_revoked_by_the_cookie(stack: Stack) -> None:
    person, machine = await ada(stack, "ada-machine@pages.example"), Machine()
    async with site(stack, "teamrc/2 (test)") as client, site(stack, "browser") as browser:
        body = machine.body()
        answer = await client.post(
            "/api/auth/device",
            content=body,
            headers=machine.headers("POST", "/api/auth/device", body)
            | {"content-type": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        code = answer.json()
        assert code["verification_url"] == f"{stack.base_url}/auth/verify"
        path = f"/api/auth/device/{code['device_code']}"
        answer = await client.get(path, headers=machine.headers("GET", path))
        assert answer.json() == {"status": "pending"}
        stranger = Machine()
        answer = await client.get(path, headers=stranger.headers("GET", path))
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")

        page = await browser.get("/users/log-in")
        answer = await submit(browser, page, email=person.email, password=PASSWORD)
        assert (await browser.get(answer.headers["location"])).status_code == 200
        page = await browser.get(f"/auth/verify?code={code['user_code']}")
        assert machine.token[:12] in page.text
        answer = await submit(browser, page, choice="allow", machine_name="my laptop")
        assert answer.headers["location"] == "/device/allowed"
        assert "my laptop" in (await browser.get("/users/settings")).text

        revoked = f"/api/account/machines/{machine.token}"
        answer = await browser.delete(revoked)
        assert (answer.status_code, answer.json()) == (403, {"error": "missing_origin"})
        answer = await browser.delete(revoked, headers={"origin": stack.base_url})
        assert answer.json() == {"status": "revoked"}
        assert answer.headers["x-pii-access"] == "true"
        assert (await client.delete(revoked)).json() == {"error": "authentication required"}


async def test_signing_out_on_a_page_ends_the_cookie(stack: Stack) -> None:
    person = await ada(stack, "ada-out@pages.example")
    async with site(stack, "browser") as browser:
        page = await browser.get("/dashboard", follow_redirects=True)
        await submit(browser, page, email=person.email, password=PASSWORD)
        page = await browser.get("/dashboard")
        assert person.email in page.text
        await submit(browser, page)
        assert (await browser.get("/dashboard")).status_code == 303


async def test_a_team_is_made_joined_and_deleted_on_its_pages(stack: Stack) -> None:
    person, machine = await ada(stack, "ada-team@pages.example"), Machine()
    async with site(stack, "teamrc/2 (test)") as client, site(stack, "browser") as browser:

        async def send(method: str, path: str, **fields: Any) -> httpx.Response:
            body = machine.body(**fields) if method == "POST" else b""
            headers = machine.headers(method, path, body) | {"content-type": "application/json"}
            return await client.request(method, path, content=body, headers=headers)

        page = await browser.get("/new", follow_redirects=True)
        answer = await submit(browser, page, email=person.email, password=PASSWORD)
        assert answer.headers["location"] == "/new"
        page = await browser.get("/new")
        answer = await submit(browser, page, name="Web", member="reviewer", role="Reviews")
        assert answer.status_code == 303, answer.text
        invite = await client.get(answer.headers["location"])
        (code,) = set(re.findall(r"trc_inv_[A-Za-z0-9_-]{24}", invite.text))
        assert f"teamrc join {code} --relay {stack.base_url}" in invite.text
        assert (await send("POST", "/api/join", invite_code=code)).status_code == 200

        token = (await send("POST", "/api/teams/view-token")).json()
        path = f"/teams/{token['team_id']}"
        view = await client.get(f"{path}?vt={token['view_token']}")
        assert "reviewer" in view.text
        assert path in (await browser.get("/teams")).text
        settings = await browser.get(f"{path}/settings")
        answer = await submit(browser, settings, name="Renamed")
        assert answer.status_code == 303, answer.text
        answer = await send("GET", f"/api/teams/{machine.token}")
        assert answer.json()["team"]["name"] == "Renamed"
        foreign = {"origin": "https://evil.example"}
        answer = await browser.post(f"{path}/delete", data={"name": "Renamed"}, headers=foreign)
        assert answer.status_code == 403
        answer = await browser.post(
            f"{path}/delete", data={"name": "Renamed"}, headers={"origin": stack.base_url}
        )
        assert answer.headers["location"] == "/teams?done=deleted"
        assert (await send("GET", f"/api/teams/{machine.token}")).status_code == 404
    for secret in (code, token["view_token"]):
        assert secret not in stack.log


async def test_no_code_and_no_token_stands_in_the_log(stack: Stack) -> None:
    async with site(stack, "trw") as device:
        code = (await device.post("/v1/auth/device/code", json={"client_id": "trw-cli"})).json()
        await device.get(f"/device?code={code['user_code']}")
        await device.get("/users/log-in/a-token-of-a-letter")
        await device.get("/users/reset-password/a-token-of-another")
    for secret in (code["device_code"], code["user_code"], "a-token-of-a"):
        assert secret not in stack.log
