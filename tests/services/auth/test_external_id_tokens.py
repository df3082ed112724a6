from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.external_logins.rules.id_tokens import (
    LEEWAY,
    MOST_AGE,
    BadIdToken,
    Expected,
    IssuerKey,
    UnknownKey,
    read_keys,
    verify,
    with_userinfo,
)
from shared.secret import encode_base64url
from tests.services.auth.external_support import (
    Signer,
    ec_signer,
    ed_signer,
    rsa_signer,
    unsigned,
)

NOW = time.time()
RS, ES, ED = rsa_signer(), ec_signer(), ed_signer()
KEYS = read_keys({"keys": [RS.jwk(), ES.jwk(), ED.jwk()]})
EXPECTED = Expected("https://id.example", "guildhall", "groups")


def claims(**fields: Any) -> dict[str, Any]:
    good = {
        "iss": "https://id.example",
        "aud": "guildhall",
        "sub": "ada",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
    }
    return {name: value for name, value in (good | fields).items() if value is not None}


def reason(token: str, expected: Expected = EXPECTED, keys: tuple[IssuerKey, ...] = KEYS) -> str:
    with pytest.raises(BadIdToken) as raised:
        verify(token, keys, expected, NOW)
    return raised.value.reason


@pytest.mark.parametrize("signer", [RS, ES, ED], ids=lambda signer: signer.algorithm)
def test_a_good_token_is_read(signer: Signer) -> None:
    token = signer.sign(
        claims(
            email="ada@corp.example",
            email_verified=True,
            name="Ada",
            groups=["devs", "ops", "devs", 7, "", "x\n", "y" * 256],
        )
    )
    found = verify(token, KEYS, EXPECTED, NOW)
    assert (found.issuer, found.subject) == ("https://id.example", "ada")
    assert (found.email, found.email_verified, found.name) == ("ada@corp.example", True, "Ada")
    assert found.groups == ("devs", "ops")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": "https://id.example/"}, "another issuer"),
        ({"iss": ["https://id.example"]}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "for another client"),
        ({"aud": None}, "for another client"),
        ({"aud": []}, "for another client"),
        ({"aud": [["guildhall"]]}, "for another client"),
        ({"aud": {"guildhall": 1}}, "for another client"),
        ({"aud": ["guildhall", "other"]}, "for another client"),
        ({"aud": ["guildhall", "other"], "azp": "other"}, "for another client"),
        ({"azp": "other"}, "for another client"),
        ({"exp": None}, "bad exp"),
        ({"exp": "tomorrow"}, "bad exp"),
        ({"exp": True}, "bad exp"),
        ({"exp": float("inf")}, "bad exp"),
        ({"exp": float("nan")}, "bad exp"),
        ({"exp": int(NOW) - LEEWAY - 1}, "expired"),
        ({"iat": None}, "bad iat"),
        ({"iat": int(NOW) + LEEWAY + 5}, "not yet valid"),
        ({"nbf": int(NOW) + LEEWAY + 5}, "not yet valid"),
        ({"nbf": "now"}, "bad nbf"),
        ({"iat": int(NOW) - MOST_AGE - LEEWAY - 1}, "too old"),
        ({"sub": None}, "bad sub"),
        ({"sub": ""}, "bad sub"),
        ({"sub": 7}, "bad sub"),
        ({"sub": "x" * 256}, "bad sub"),
        ({"sub": "a\nb"}, "bad sub"),
        ({"sub": "a\x00"}, "bad sub"),
        ({"groups": ["g"] * 201}, "too many groups"),
    ],
)
def test_a_wrong_claim_is_refused(fields: dict[str, Any], why: str) -> None:
    assert reason(ES.sign(claims(**fields))) == why


@pytest.mark.parametrize(
    "fields",
    [
        {"aud": ["guildhall"]},
        {"aud": ["other", "guildhall"], "azp": "guildhall"},
        {"exp": int(NOW) - LEEWAY + 5},
        {"iat": int(NOW) + LEEWAY - 5},
        {"nbf": int(NOW) - 5},
        {"exp": NOW + 5.5},
        {"groups": "devs"},
        {"email": 7, "email_verified": "true", "name": None},
    ],
)
def test_what_the_standard_allows_is_taken(fields: dict[str, Any]) -> None:
    found = verify(ES.sign(claims(**fields)), KEYS, EXPECTED, NOW)
    assert (found.email, found.email_verified, found.groups) == (None, False, ())


def test_the_nonce_must_be_the_one_that_went_out() -> None:
    expected = replace(EXPECTED, nonce="right")
    assert verify(ES.sign(claims(nonce="right")), KEYS, expected, NOW).subject == "ada"
    for nonce in ("wrong", "", None, ["right"], "r\u0131ght"):
        assert reason(ES.sign(claims(nonce=nonce)), expected) == "another nonce"


@pytest.mark.parametrize(
    ("signer", "name"), [(RS, "sha256"), (ES, "sha256"), (ED, "sha512")], ids=["RS", "ES", "Ed"]
)
def test_the_access_token_must_be_the_one_that_came_along(signer: Signer, name: str) -> None:
    digest = hashlib.new(name, b"access").digest()
    token = signer.sign(claims(at_hash=encode_base64url(digest[: len(digest) // 2])))
    assert verify(token, KEYS, replace(EXPECTED, access_token="access"), NOW)
    assert reason(token, replace(EXPECTED, access_token="other")) == "another access token"
    assert verify(token, KEYS, EXPECTED, NOW)


def test_none_is_no_algorithm() -> None:
    for name in ("none", "None", "NONE", "nOnE", "", None, 7, ["RS256"]):
        assert reason(unsigned({"alg": name, "kid": "rs"}, claims())) == "wrong algorithm"
    assert reason(unsigned({"kid": "rs"}, claims())) == "wrong algorithm"


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(name: str) -> None:
    public = RS.private.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(RS.jwk()).encode(),
        b"",
    ]
    for secret in secrets:
        token = unsigned({"alg": name, "kid": "rs"}, claims())
        signed = token.rpartition(".")[0]
        mac = hmac.digest(secret, signed.encode(), f"sha{name[2:]}")
        assert reason(f"{signed}.{encode_base64url(mac)}") == "wrong algorithm"


def test_a_key_has_one_algorithm() -> None:
    for kid, name in (("rs", "ES256"), ("es", "RS256"), ("ed", "ES256"), ("rs", "EdDSA")):
        assert reason(unsigned({"alg": name, "kid": kid}, claims(), b"x" * 64)) == "wrong algorithm"
    for name in ("RS384", "PS256", "ES512", "ES256K"):
        assert reason(unsigned({"alg": name, "kid": "rs"}, claims())) == "wrong algorithm"


def test_another_key_under_a_known_name_is_refused() -> None:
    assert reason(ec_signer("es").sign(claims())) == "bad signature"
    assert reason(rsa_signer("rs").sign(claims())) == "bad signature"
    assert reason(ed_signer("ed").sign(claims())) == "bad signature"


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        verify(ec_signer("new").sign(claims()), KEYS, EXPECTED, NOW)


def test_without_a_name_there_must_be_one_key() -> None:
    nameless = ec_signer(None)
    token = nameless.sign(claims())
    assert verify(token, read_keys({"keys": [nameless.jwk()]}), EXPECTED, NOW).subject == "ada"
    two = read_keys({"keys": [nameless.jwk(), ES.jwk()]})
    assert reason(token, keys=two) == "no key named"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
    ],
)
def test_headers_that_change_the_reading_are_refused(header: dict[str, Any]) -> None:
    assert reason(unsigned({"alg": "ES256", "kid": "es", **header}, claims())) == (
        "unexpected header"
    )


def test_keys_in_the_header_are_not_looked_at() -> None:
    attacker = ec_signer("es")
    for fields in ({"jwk": attacker.jwk()}, {"jku": "https://evil.example/"}, {"x5u": "https://e"}):
        assert reason(attacker.sign(claims(), **fields)) == "bad signature"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: "...",
        lambda token: token + "=",
        lambda token: token + ".x",
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: "." + token,
        lambda token: " " + token,
        lambda token: token.replace(".", "\n.", 1),
        lambda token: "W10." + token.partition(".")[2],
        lambda token: "é" + token,
        lambda token: token + "A" * 40_000,
        lambda token: encode_base64url(b"[" * 9000) + "." + token.partition(".")[2],
    ],
)
def test_a_malformed_token_is_refused(spoil: Any) -> None:
    assert reason(spoil(ES.sign(claims()))) in ("malformed", "too long", "bad signature")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_change_of_a_signed_token_holds(data: st.DataObject) -> None:
    token = ED.sign(claims())
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=+/ "))
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        reason(changed)


@given(st.text(max_size=200))
def test_any_text_is_refused_without_a_crash(text: str) -> None:
    reason(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_claims_are_read_or_refused_without_a_crash(value: Any) -> None:
    names = ("iss", "aud", "azp", "exp", "iat", "nbf", "sub", "nonce", "at_hash", "groups", "email")
    expected = replace(EXPECTED, nonce="n", access_token="a")
    for name in names:
        signed = _signed(json.dumps(claims(nonce="n") | {name: value}).encode())
        try:
            verify(signed, KEYS, expected, NOW)
        except BadIdToken:
            continue


def _signed(payload: bytes) -> str:
    head = encode_base64url(b'{"alg":"EdDSA","kid":"ed"}')
    signed = f"{head}.{encode_base64url(payload)}"
    return f"{signed}.{encode_base64url(ED.private.sign(signed.encode()))}"


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 5000])
def test_a_signed_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    assert reason(_signed(payload)) == "bad claims"


def test_keys_that_are_not_for_us_are_passed_over() -> None:
    private = {**ES.jwk(), "d": "AAAA"}
    others: list[Any] = [
        {"kty": "oct", "k": "AAAA", "kid": "es", "alg": "HS256"},
        {**RS.jwk(), "use": "enc"},
        {**RS.jwk(), "alg": "PS256"},
        {**RS.jwk(), "key_ops": ["encrypt"]},
        {**RS.jwk(), "key_ops": "verify"},
        {**RS.jwk(), "kid": 7},
        {**ES.jwk(), "x": "AAAA"},
        {**ED.jwk(), "crv": "X25519"},
        {**ED.jwk(), "x": "AAAA"},
        {**RS.jwk(), "n": None},
        Signer("p", "ES256", ec.generate_private_key(ec.SECP384R1())).jwk(),
        rsa_signer("small", 1024).jwk(),
        private,
        None,
        "key",
        [],
    ]
    assert [key.kid for key in read_keys({"keys": [*others, ED.jwk()]})] == ["ed"]


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": None}, {"keys": {}}, {"keys": []}, {"keys": [{"kty": "oct"}]}],
)
def test_what_is_no_key_set_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="key"):
        read_keys(document)
    with pytest.raises(ValueError, match="not a key set"):
        read_keys({"keys": [ES.jwk()] * 101})


def test_userinfo_adds_only_to_the_same_subject() -> None:
    found = verify(ES.sign(claims(name="Ada")), KEYS, EXPECTED, NOW)
    more = {"sub": "ada", "email": "a@b.example", "email_verified": True, "name": "Other"}
    full = with_userinfo(found, more)
    assert (full.email, full.email_verified, full.name) == ("a@b.example", True, "Ada")
    for subject in ("eve", None, ""):
        with pytest.raises(BadIdToken, match="another subject"):
            with_userinfo(found, more | {"sub": subject})
