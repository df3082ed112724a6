from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest

from services.auth.external_logins.models import Provider
from services.auth.external_logins.operations import providers
from services.auth.settings import AuthSettings
from shared.settings import SettingsError, read
from tests.services.auth.test_settings import GOOD

CORP = {"name": "corp", "issuer": "https://id.corp.example", "client_id": "guildhall"}


def settings(*issuers: Any, **values: Any) -> AuthSettings:
    return AuthSettings.model_validate(GOOD | {"GUILDHALL_ISSUERS": json.dumps(issuers)} | values)


def problems(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in (GOOD | values).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        read(AuthSettings)
    return raised.value.problems


def test_nobody_is_trusted_by_default() -> None:
    found = AuthSettings.model_validate(GOOD)
    assert found.trusted_issuers() == ()
    assert providers(found) == ()


def test_an_issuer_is_careful_by_default() -> None:
    (issuer,) = settings(CORP).trusted_issuers()
    assert (issuer.sign_in, issuer.agents) == (True, False)
    assert (issuer.trusted_email, issuer.auto_register) == (False, False)
    assert issuer.scopes == ("openid", "email", "profile")
    assert (issuer.groups_claim, issuer.subject_prefix) == (None, "oidc")


def test_the_services_own_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GUILDHALL_AUTH_ISSUERS", json.dumps([CORP]))
    assert read(AuthSettings).trusted_issuers()[0].name == "corp"


def test_the_secret_shows_itself_nowhere() -> None:
    found = settings(CORP | {"client_secret": "hunter2hunter2"})
    (issuer,) = found.trusted_issuers()
    assert issuer.client_secret is not None
    assert issuer.client_secret.get_secret_value() == "hunter2hunter2"
    for text in (repr(found), str(found), repr(issuer), str(issuer)):
        assert "hunter2" not in text


def test_buttons_are_for_those_that_people_sign_in_with() -> None:
    found = settings(
        CORP,
        CORP | {"name": "big-corp", "label": "Big & Corp"},
        CORP | {"name": "robots", "sign_in": False, "agents": True},
    )
    assert providers(found) == (Provider("corp", "Corp"), Provider("big-corp", "Big & Corp"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "id.corp.example"}, "0.issuer"),
        ({"issuer": "https://"}, "0.issuer"),
        ({"issuer": "https://id.corp.example/?a=b"}, "no user, query or fragment"),
        ({"issuer": "https://user:hunter2@id.corp.example"}, "no user, query or fragment"),
        ({"issuer": "https://id.corp.example:0x"}, "0.issuer"),
        ({"issuer": "http://id.corp.example"}, "https://"),
        ({"issuer": "ftp://id.corp.example"}, "0.issuer"),
        ({"name": "Corp"}, "0.name"),
        ({"name": "a/b"}, "0.name"),
        ({"name": "verify-email"}, "reserved"),
        ({"name": None}, "0.name"),
        ({"client_id": ""}, "0.client_id"),
        ({"client_secrets": "hunter2"}, "0.client_secrets"),
        ({"scopes": ["email"]}, "openid"),
        ({"auto_register": True}, "trusted_email"),
        ({"sign_in": False}, "sign_in or agents"),
        ({"allowed_domains": ["@corp.example"]}, "0.allowed_domains"),
        ({"allowed_domains": ["corp"]}, "0.allowed_domains"),
        ({"subject_prefix": "a:b"}, "0.subject_prefix"),
        ({"subject_prefix": ""}, "0.subject_prefix"),
    ],
)
def test_a_bad_issuer_is_named(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    text = "\n".join(problems(monkeypatch, GUILDHALL_ISSUERS=json.dumps([CORP | changes])))
    assert said in text
    assert "hunter2" not in text


def test_every_problem_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [CORP | {"name": "A", "client_id": ""}, {"name": "b"}]
    found = problems(
        monkeypatch,
        GUILDHALL_AUTH_ISSUERS=json.dumps(bad),
        GUILDHALL_URL_ALLOW="good.example http://bad",
        GUILDHALL_URL_DENY="10.0.0.0/99",
    )
    text = "\n".join(found)
    for place in ("0.name", "0.client_id", "1.issuer", "1.client_id", "http://bad", "10.0.0.0/99"):
        assert place in text
    assert len(found) == 3


@pytest.mark.parametrize("text", ["{", "corp", "{}", '"x"', "[1]", "[[]]", "[" * 5000, "null"])
def test_what_is_no_list_of_issuers_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert any("GUILDHALL" in problem for problem in problems(monkeypatch, GUILDHALL_ISSUERS=text))


def test_names_clients_and_prefixes_mean_one_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = CORP | {"agents": True}
    other = agents | {"name": "other", "issuer": "https://other.example"}
    second = agents | {"name": "second", "client_id": "2"}
    assert settings(agents, other | {"subject_prefix": "other"}).trusted_issuers()
    # Two clients of one issuer speak of the same subjects.
    assert settings(agents, second).trusted_issuers()
    for issuers, said in (
        ([CORP, CORP], "name corp stands twice"),
        ([agents, other], "two issuers of agents have the subject_prefix oidc"),
        ([agents, other, second | {"subject_prefix": "x"}], "have the subject_prefix oidc"),
        ([agents, agents | {"name": "x", "subject_prefix": "x"}], "agents has guildhall at https"),
    ):
        text = "\n".join(problems(monkeypatch, GUILDHALL_ISSUERS=json.dumps(issuers)))
        assert said in text


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:9000", "http://localhost/x", "http://[::1]:1"]
)
def test_only_development_talks_to_this_machine_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, issuer: str
) -> None:
    local = CORP | {"issuer": issuer}
    assert settings(local, GUILDHALL_PROFILE="development").trusted_issuers()
    text = "\n".join(problems(monkeypatch, GUILDHALL_ISSUERS=json.dumps([local])))
    assert "https://" in text


@pytest.mark.parametrize(
    ("profile", "setting", "private"),
    [
        ("development", None, True),
        ("development", "0", False),
        ("production", None, False),
        ("production", "1", True),
    ],
)
def test_private_targets_follow_the_profile_and_the_setting(
    profile: str, setting: str | None, private: bool
) -> None:
    values = {} if setting is None else {"GUILDHALL_ALLOW_PRIVATE_TARGETS": setting}
    policy = settings(GUILDHALL_PROFILE=profile, **values).targets()
    assert policy.permits("x.example", 80, ip_address("10.0.0.1")) == private
    assert not policy.permits("x.example", 80, ip_address("169.254.169.254"))
