"""Signing in with an issuer, through the gateway of the running system."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
import pytest

from tests.services.auth.external_support import CLIENT, FakeIssuer, fake_issuer, left_by
from tests.support.stack import MakeStack

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def _body(issuer: FakeIssuer) -> Mapping[str, object]:
    config = {"issuer": issuer.url, "client_id": CLIENT}
    return {"provider": "oidc", "token": issuer.id_token(), "provider_config": config}


async def test_a_browser_and_a_program_sign_in_with_an_issuer(make_stack: MakeStack) -> None:
    async with fake_issuer() as issuer:
        trusted = issuer.settings(trusted_email=True, auto_register=True, agents=True)
        stack = make_stack(GUILDHALL_AUTH_ISSUERS=json.dumps([trusted]))
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as browser:
            page = await browser.get("/users/log-in")
            assert "/auth/corp" in page.text
            answer = await browser.get("/auth/corp", params={"redirect_to": "/dashboard?x=1"})
            assert answer.status_code == 303, answer.text
            left = left_by(answer.headers["location"])
            assert left.query["redirect_uri"] == f"{stack.base_url}/auth/corp/callback"
            issuer.claims = {
                "nonce": left.query["nonce"],
                "email": "ada@corp.example",
                "email_verified": True,
            }
            back = {"state": left.state, "code": "good", "iss": issuer.url}
            async with httpx.AsyncClient(base_url=stack.base_url) as stranger:
                answer = await stranger.get("/auth/corp/callback", params=back)
                assert answer.status_code == 400
            answer = await browser.get("/auth/corp/callback", params=back)
            assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard?x=1")
            assert "ada@corp.example" in (await browser.get("/dashboard")).text

            answer = await browser.get("/auth/github")
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/html")

        issuer.put_back()
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as program:
            answer = await program.post("/api/v0/auth/external", json=_body(issuer))
            assert answer.status_code == 200, answer.text
            bearer = {"authorization": f"Bearer {answer.json()['token']}"}
            me = await program.get("/api/v0/auth/me", headers=bearer)
            assert (me.status_code, me.json()["user"]) == (200, "oidc:ada")
            # It opens nothing of people's.
            assert (await program.get("/v1/auth/me", headers=bearer)).status_code in (401, 403)
            answer = await program.post("/api/v0/auth/logout", headers=bearer)
            assert answer.status_code == 204
