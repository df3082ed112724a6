"""Every route that fetches what a stranger names refuses the same addresses (contract, section 15).

One table of spellings, one of routes; the policy is that of production: nothing private.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from shared.principal import Principal, Role
from tests.services.runs.conftest import Runs, running
from tests.support.postgres import DatabaseServer

ADDRESSES: Final = (
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[fe80::1]/",
    "http://somebody:secret@127.0.0.1/",
    "http://public.example@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "ftp://127.0.0.1/",
)

ROUTES: Final[dict[str, tuple[str, str, Any]]] = {
    "checks": ("POST", "checks/api", lambda url: {"url": url}),
    "generate url": ("POST", "generate", lambda url: {"kind": "url", "url": url}),
    "generate docs": (
        "POST",
        "generate",
        lambda url: {"kind": "docs", "url": url, "base_url": "https://example.com"},
    ),
    "generate openapi": (
        "POST",
        "generate",
        lambda url: {"kind": "openapi", "url": url, "base_url": "https://example.com"},
    ),
    "generate a plan": ("POST", "generate/plan", lambda url: {"kind": "url", "url": url}),
    "record": ("POST", "record/start", lambda url: {"base_url": url, "mode": "remote"}),
    **{
        f"settings {key}": ("PUT", "settings", lambda url, key=key: {key: url})
        for key in (
            "GITLAB_URL",
            "JIRA_BASE",
            "LOKI_URL",
            "ES_URL",
            "LOG_HTTP_URL",
            "SLACK_WEBHOOK_URL",
            "TEAMS_WEBHOOK_URL",
            "WEBHOOK_URL",
        )
    },
}


@pytest.fixture(scope="module")
async def strict(database_server: DatabaseServer) -> AsyncIterator[Runs]:
    """The service as production has it: no private address may be reached."""
    async with (
        database_server.clone() as urls,
        running(urls, GUILDHALL_ALLOW_PRIVATE_TARGETS=False) as runs,
    ):
        yield runs


@pytest.fixture(scope="module")
def admin(strict: Runs) -> Principal:
    return strict.member(role=Role.ADMIN)


@pytest.mark.parametrize("route", ROUTES)
async def test_no_spelling_of_a_forbidden_address_is_taken(
    strict: Runs, admin: Principal, route: str
) -> None:
    method, path, body = ROUTES[route]
    wrong = []
    for address in ADDRESSES:
        answer = await strict.send(method, path, admin, json=body(address))
        told = answer.json()
        is_refused = (answer.status_code, told.get("type")) == (400, "url_not_allowed")
        # It says how to open it, and does not repeat what may be a secret.
        if not is_refused or "URL_ALLOW" not in told["detail"] or "secret" in answer.text:
            wrong.append((address, answer.status_code, answer.text))
    assert not wrong
