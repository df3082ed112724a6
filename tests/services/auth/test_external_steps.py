from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from services.auth.external_logins.models import Discovery, IdClaims, TrustedIssuer
from services.auth.external_logins.rules import steps

ISSUER = TrustedIssuer(name="corp", issuer="https://id.example", client_id="guild & hall")
CLAIMS = IdClaims("https://id.example", "ada", "Ada@Corp.example", True, "Ada", ("devs",))


def test_the_challenge_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert steps.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_where_the_browser_goes() -> None:
    found = Discovery("https://id.example/go?tenant=a+b&state=x#y", "", "", None, True, False)
    address = steps.authorization_address(
        found, ISSUER, "https://us/auth/corp/callback", "the state", "the nonce", "v"
    )
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "id.example", "/go")
    assert parts.fragment == ""
    assert parse_qs(parts.query) == {
        "tenant": ["a b"],
        "response_type": ["code"],
        "client_id": ["guild & hall"],
        "redirect_uri": ["https://us/auth/corp/callback"],
        "scope": ["openid email profile"],
        "state": ["the state"],
        "nonce": ["the nonce"],
        "code_challenge": [steps.challenge("v")],
        "code_challenge_method": ["S256"],
    }


def test_the_cookie_is_bound_to_the_host_over_https() -> None:
    value = "v" * 43
    written = steps.set_cookie(value, "https://us.example")
    assert written == (
        f"__Host-guildhall_external={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"
    )
    assert "Secure" not in steps.set_cookie(value, "http://127.0.0.1:8000")


def test_the_cookie_is_found_among_others() -> None:
    value = "v" * 43
    header = f'odd="quoted; x=[1]; guildhall_external={value}; ü=1'
    assert steps.cookie_in({"cookie": header}, "http://127.0.0.1:8000") == value
    assert steps.cookie_in({"cookie": header}, "https://us.example") is None
    assert steps.cookie_in({"cookie": "guildhall_external=short"}, "http://x") is None
    assert steps.cookie_in({}, "http://x") is None


def test_two_issuers_never_share_a_subject_or_a_group() -> None:
    other = TrustedIssuer(
        name="other", issuer="https://b", client_id="c", agents=True, subject_prefix="partner"
    )
    assert steps.subject_of(ISSUER, CLAIMS) == "oidc:ada"
    assert steps.subject_of(other, CLAIMS) == "partner:ada"
    # What one may write into sub cannot be read as the other's.
    forged = replace(CLAIMS, subject="partner:ada", groups=("partner:devs", "devs", "team:x"))
    assert steps.subject_of(ISSUER, forged) == "oidc:partner:ada"
    assert steps.groups_of(ISSUER, forged, [other]) == ("devs", "team:x")
    assert steps.groups_of(other, CLAIMS, [ISSUER]) == ("partner:devs",)


def test_addresses_are_believed_of_trusted_issuers_only() -> None:
    trusted = ISSUER.model_copy(update={"trusted_email": True})
    assert steps.proved_address(trusted, CLAIMS) == "Ada@Corp.example"
    assert steps.proved_address(ISSUER, CLAIMS) is None
    assert steps.proved_address(trusted, replace(CLAIMS, email_verified=False)) is None
    for bad in (None, "", "ada", "ada@", "a@b@c.example", "ada@corp.example\nBcc: x@y.example"):
        assert steps.proved_address(trusted, replace(CLAIMS, email=bad)) is None


def test_domains_are_compared_whole_and_only_when_verified() -> None:
    narrow = ISSUER.model_copy(update={"allowed_domains": ("corp.example",)})
    assert steps.has_allowed_domain(ISSUER, replace(CLAIMS, email=None))
    assert steps.has_allowed_domain(narrow, CLAIMS)
    assert not steps.has_allowed_domain(narrow, replace(CLAIMS, email_verified=False))
    for other in (None, "x@notcorp.example", "x@corp.example.evil.example", "x@a.corp.example"):
        assert not steps.has_allowed_domain(narrow, replace(CLAIMS, email=other))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada\r\nBcc: x\x00 ", "AdaBcc: x"),
        ("", "Ada"),
        ("\x07", "Ada"),
        ("x" * 300, "x" * 200),
        ("\ud800Ada", "Ada"),
    ],
)
def test_a_name_is_one_line(name: str, shown: str) -> None:
    assert steps.name_of(replace(CLAIMS, name=name)) == shown
