from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm
from jwt.api_jws import PyJWS

from shared import tokens
from shared.secret import encode_base64url
from shared.tokens import InvalidToken, SigningKey, VerifyKey, sign, verify

NOW = 1_760_000_000
ISSUER = "http://127.0.0.1:8000"
KEY = SigningKey(bytes(range(32)))
OTHER_KEY = SigningKey(bytes(32))
KEYS: Mapping[str, VerifyKey] = {KEY.kid: KEY.verify_key}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "guildhall",
    "sub": "usr_1",
    "sid": "ses_1",
    "org": "org_1",
    "role": "member",
    "typ": "access",
    "iat": NOW,
    "exp": NOW + 3600,
    "jti": "one",
}


def raw(header: object, payload: object, key: SigningKey = KEY) -> str:
    """Sign anything at all, as an attacker who holds a key could."""
    parts = [
        encode_base64url(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signed = ".".join(parts)
    return f"{signed}.{encode_base64url(key.sign(signed.encode()))}"


def head(**changes: object) -> dict[str, object]:
    """Give the right header, changed; None takes a field away."""
    merged = {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid} | changes
    return {name: value for name, value in merged.items() if value is not None}


def claims(**changes: object) -> dict[str, object]:
    """Give the right claims, changed; ``...`` takes a claim away."""
    return {name: value for name, value in (CLAIMS | changes).items() if value is not ...}


def refused(token: str, now: float = NOW) -> str:
    with pytest.raises(InvalidToken) as caught:
        verify(token, KEYS, ISSUER, now)
    return caught.value.reason


def test_round_trip() -> None:
    found = verify(sign(CLAIMS, KEY), KEYS, ISSUER, NOW)
    assert (found.sub, found.sid, found.org, found.role) == ("usr_1", "ses_1", "org_1", "member")
    assert (found.iat, found.exp, found.jti) == (NOW, NOW + 3600, "one")
    assert found.scopes is None
    assert found.account == ""


def test_optional_claims() -> None:
    token = sign(claims(scp=["sync:read"], acc="usr_2", org=""), KEY)
    found = verify(token, KEYS, ISSUER, NOW)
    assert found.scopes == ("sync:read",)
    assert found.account == "usr_2"


def test_another_reader_agrees() -> None:
    key = OKPAlgorithm.from_jwk(KEY.verify_key.to_jwk())
    decoded = PyJWS().decode_complete(sign(CLAIMS, KEY), cast(Any, key), ["EdDSA"])
    assert decoded["header"] == head()
    assert json.loads(decoded["payload"]) == CLAIMS


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_required(name: str) -> None:
    assert refused(raw(head(), claims(**{name: ...}))) == "bad claims"
    with pytest.raises(ValueError, match=name):
        sign(claims(**{name: ...}), KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://evil.test"},
        {"aud": "other"},
        {"aud": ["guildhall"]},
        {"typ": "refresh"},
        {"exp": NOW - 3},
        {"exp": True},
        {"exp": float(NOW + 60)},
        {"exp": "never"},
        {"exp": None},
        {"iat": NOW + 60},
        {"sub": ""},
        {"sid": ""},
        {"jti": ""},
        {"org": None},
        {"scp": "*"},
        {"scp": [1]},
        {"acc": 1},
    ],
)
def test_wrong_claims(changes: dict[str, object]) -> None:
    refused(raw(head(), claims(**changes)))


def test_expiry_has_little_leeway() -> None:
    token = sign(CLAIMS, KEY)
    assert verify(token, KEYS, ISSUER, NOW + 3600 + tokens.LEEWAY - 1)
    assert refused(token, NOW + 3600 + tokens.LEEWAY) == "expired"


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "nOnE", "HS256", "RS256", "ES256", "Ed25519", "eddsa", "", 1, None],
)
def test_no_other_algorithm(algorithm: object) -> None:
    token = raw(head(alg=algorithm), CLAIMS)
    refused(token)
    refused(token.rpartition(".")[0] + ".")


@pytest.mark.parametrize(
    "secret", [KEY.verify_key.public, encode_base64url(KEY.verify_key.public).encode()]
)
def test_public_key_is_no_hmac_secret(secret: bytes) -> None:
    signed = raw(head(alg="HS256"), CLAIMS).rpartition(".")[0]
    refused(f"{signed}.{encode_base64url(hmac.digest(secret, signed.encode(), hashlib.sha256))}")
    signed = raw(head(), CLAIMS).rpartition(".")[0]
    refused(f"{signed}.{encode_base64url(hmac.digest(secret, signed.encode(), hashlib.sha512))}")


@pytest.mark.parametrize(
    "header",
    [
        head(typ="JWT"),
        head(typ=None),
        head(kid=None),
        head(kid=1),
        head(kid="unknown"),
        head(kid=OTHER_KEY.kid),
        head(crit=["exp"]),
        head(crit=[]),
        head(b64=False, crit=["b64"]),
        head(jwk=OTHER_KEY.verify_key.to_jwk()),
        head(jku="http://evil.test/keys"),
        head(x5u="http://evil.test/certificate"),
        head(x5c=["AA=="]),
        head(b64=True),
        head(cty="JWT"),
        head(zip="DEF"),
        head(kid="../../../../dev/null"),
        head(kid="' OR 1=1 --"),
        json.dumps(head())[:-1].encode() + b', "alg": "EdDSA"}',
        b'{"alg": "none", ' + json.dumps(head())[1:].encode(),
        [],
        "EdDSA",
        b"",
        b"{",
        b"\xff",
        b"[" * 2900,
    ],
)
def test_strange_headers(header: object) -> None:
    refused(raw(header, CLAIMS))


@pytest.mark.parametrize("payload", [[], "text", 1, None, b"", b"{", b"\xff\xfe", b"[" * 2000])
def test_strange_payloads(payload: object) -> None:
    assert refused(raw(head(), b"null" if payload is None else payload)) == "bad claims"


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_stand_once(name: str) -> None:
    text = json.dumps(CLAIMS)
    for changed in (f"{text[:-1]}, {json.dumps(name)}: {json.dumps(CLAIMS[name])}}}", text):
        token = raw(head(), changed.encode())
        if changed is text:
            verify(token, KEYS, ISSUER, NOW)
        else:
            assert refused(token) == "bad claims"


def test_key_of_another_does_not_sign() -> None:
    assert refused(raw(head(), CLAIMS, OTHER_KEY)) == "bad signature"


def test_every_flipped_bit_is_noticed() -> None:
    token = sign(CLAIMS, KEY)
    for index in range(len(token)):
        for bit in range(7):
            changed = token[:index] + chr(ord(token[index]) ^ 1 << bit) + token[index + 1 :]
            refused(changed)


def _padded(token: str) -> str:
    return token + "=="


def _plain_base64(token: str) -> str:
    head_part, body, mac = token.split(".")
    padded = base64.urlsafe_b64decode(mac + "==")
    return f"{head_part}.{body}.{base64.b64encode(padded).decode()}"


def _unused_bits(token: str) -> str:
    # 64 bytes leave four unused bits in the last character.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


@pytest.mark.parametrize(
    "spoil",
    [
        _padded,
        _plain_base64,
        _unused_bits,
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: token + "é",
        lambda token: "",
        lambda token: "..",
        lambda token: token + "A" * 5000,
    ],
)
def test_not_the_one_encoding(spoil: Callable[[str], str]) -> None:
    refused(spoil(sign(CLAIMS, KEY)))


@given(st.text(max_size=200))
def test_noise_is_refused_calmly(text: str) -> None:
    refused(text)


def test_too_long_to_sign() -> None:
    with pytest.raises(ValueError, match="4096"):
        sign(claims(role="x" * 4000), KEY)


def test_key_set_round_trip() -> None:
    document = json.loads(json.dumps(tokens.jwks([KEY.verify_key, OTHER_KEY.verify_key])))
    assert tokens.read_jwks(document) == {
        KEY.kid: KEY.verify_key,
        OTHER_KEY.kid: OTHER_KEY.verify_key,
    }
    assert document["keys"][0] == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": KEY.kid,
        "x": encode_base64url(KEY.verify_key.public),
    }


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": [KEY.verify_key.to_jwk() | {"kid": "other"}]},
        {"keys": [{"crv": "Ed25519", "x": "AA"}]},
    ],
)
def test_bad_key_sets(document: object) -> None:
    with pytest.raises(ValueError, match=r"key|base64url"):
        tokens.read_jwks(document)


def test_foreign_key_types_are_passed_over() -> None:
    assert tokens.read_jwks({"keys": [{"kty": "RSA"}, 1]}) == {}


def test_known_key() -> None:
    # RFC 8032 section 7.1, test 1: seed and public key.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    key = SigningKey.from_base64url(encode_base64url(seed))
    assert key.verify_key.public.hex() == public
    assert len(key.kid) == 16


@pytest.mark.parametrize("text", ["", "AA", "A" * 44, "!" * 43])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(ValueError, match=r"seed|base64url"):
        SigningKey.from_base64url(text)
