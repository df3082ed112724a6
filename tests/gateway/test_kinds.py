"""Whose a token is: by auth's word and the session's id, never by the subject's name."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from shared.principal import Kind
from tests.gateway.conftest import House

NAMES = ("builder", "usr_1", "key_1", "sas_1", "org_1")


async def _call(home: House, sid: str, standing: dict[str, Any], **claims: object) -> int:
    home.auth.sessions[sid] = {"active": True, "role": "", "scopes": []} | standing
    token = home.auth.token(sid, **claims)
    answer = await home.client.get("/api/v0/agents", headers=home.bearer(token))
    return answer.status_code


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [Kind.SERVICE_ACCOUNT, Kind.SUBJECT, ""])
async def test_session_of_no_account(home: House, name: str, kind: str) -> None:
    sid = _id("sas_")
    standing = {"kind": kind, "groups": ["dev", "ops"]}
    assert await _call(home, sid, standing, sub=name, org="", role="") == 200
    principal = home.principal("agents")
    assert principal.kind is Kind(kind or Kind.SERVICE_ACCOUNT)
    assert (principal.subject, principal.session) == (name, sid)
    assert (principal.account, principal.org) == ("", "")
    assert principal.groups == ("dev", "ops")
    asked = {"session_id": sid, "account_id": name, "org_id": ""}
    assert [one.json for one in home.auth.looked_up] == [asked]
    assert home.gateway.credentials._by_tag.keys() >= {sid, name}


@pytest.mark.parametrize("claims", [{"org": "org_1"}, {"acc": "usr_1"}])
async def test_session_of_no_account_takes_none_from_its_token(
    home: House, claims: dict[str, object]
) -> None:
    assert await _call(home, _id("sas_"), {}, **({"sub": "usr_2", "org": ""} | claims)) == 200
    principal = home.principal("agents")
    assert (principal.account, principal.org, principal.subject) == ("", "", "usr_2")


@pytest.mark.parametrize("kind", [Kind.USER, ""])
async def test_session_of_a_person(home: House, kind: str) -> None:
    assert await _call(home, _id("ses_"), {"kind": kind}) == 200
    principal = home.principal("agents")
    assert (principal.kind, principal.account, principal.groups) == (Kind.USER, "usr_1", ())


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("ses_", "subject"),
        ("ses_", "service_account"),
        ("ses_", "service"),
        ("ses_", "machine"),
        ("key_", "user"),
        ("sas_", "user"),
        ("sas_", "api_key"),
        ("sas_", "service"),
        ("sas_", "anonymous"),
        ("sas_", "something new"),
    ],
)
async def test_answer_that_cannot_be_is_not_believed(home: House, prefix: str, kind: str) -> None:
    assert await _call(home, _id(prefix), {"kind": kind}) == 503
    assert not home.services["agents"].asked
