"""Credentials that must not hold, each made for the keys of a fake auth service."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable

from shared.secret import encode_base64url
from shared.tokens import SigningKey, sign
from tests.gateway.fake_auth import ISSUER, FakeAuth


def _signed(auth: FakeAuth, header: object, payload: object, key: SigningKey | None = None) -> str:
    parts = [
        encode_base64url(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signed = ".".join(parts)
    signature = (key or auth.signing_keys[0]).sign(signed.encode())
    return f"{signed}.{encode_base64url(signature)}"


def _header(auth: FakeAuth, **changes: object) -> dict[str, object]:
    return {"alg": "EdDSA", "typ": "at+jwt", "kid": auth.signing_keys[0].kid} | changes


def _claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    right = {
        "iss": ISSUER,
        "aud": "guildhall",
        "sub": "usr_1",
        "sid": "ses_1",
        "org": "org_1",
        "role": "owner",
        "typ": "access",
        "iat": now,
        "exp": now + 600,
        "jti": "x",
    }
    return {name: value for name, value in (right | changes).items() if value is not ...}


def _unsigned(algorithm: str) -> Callable[[FakeAuth], str]:
    return lambda auth: (
        _signed(auth, _header(auth, alg=algorithm), _claims()).rpartition(".")[0] + "."
    )


def _keyed_with_public_key(auth: FakeAuth) -> str:
    signed = _signed(auth, _header(auth, alg="HS256"), _claims()).rpartition(".")[0]
    public = auth.signing_keys[0].verify_key.public
    return f"{signed}.{encode_base64url(hmac.digest(public, signed.encode(), hashlib.sha256))}"


def _with_claims(**changes: object) -> Callable[[FakeAuth], str]:
    return lambda auth: _signed(auth, _header(auth), _claims(**changes))


def _with_header(**changes: object) -> Callable[[FakeAuth], str]:
    return lambda auth: _signed(auth, _header(auth, **changes), _claims())


def _flipped(part: int) -> Callable[[FakeAuth], str]:
    def make(auth: FakeAuth) -> str:
        parts = auth.token().split(".")
        changed = "A" if parts[part][7] != "A" else "B"
        parts[part] = parts[part][:7] + changed + parts[part][8:]
        return ".".join(parts)

    return make


def _twice(**changes: object) -> Callable[[FakeAuth], str]:
    def make(auth: FakeAuth) -> str:
        payload = json.dumps(_claims())[:-1] + ", " + json.dumps(changes)[1:]
        return _signed(auth, _header(auth), payload.encode())

    return make


def _of_rsa(auth: FakeAuth) -> str:
    # As long as a signature of RSA with 2048 bits.
    signed = _signed(auth, _header(auth, alg="RS256"), _claims()).rpartition(".")[0]
    return f"{signed}.{encode_base64url(secrets.token_bytes(256))}"


def _not_canonical(auth: FakeAuth) -> str:
    # 64 bytes leave four unused bits in the last character.
    token = auth.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def _plain_base64(auth: FakeAuth) -> str:
    while not {"-", "_"} & set((token := auth.token()).rpartition(".")[2]):
        pass
    signed, _, mac = token.rpartition(".")
    return f"{signed}.{mac.replace('-', '+').replace('_', '/')}"


def _of_another_key(auth: FakeAuth) -> str:
    return _signed(auth, _header(auth), _claims(), SigningKey(secrets.token_bytes(32)))


def _of_unknown_key(auth: FakeAuth) -> str:
    return sign(_claims(), SigningKey(secrets.token_bytes(32)))


ATTACKS: dict[str, Callable[[FakeAuth], str]] = {
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg nOnE": _unsigned("nOnE"),
    "alg NONE": _unsigned("NONE"),
    "alg empty": _unsigned(""),
    "alg HS256 with the public key": _keyed_with_public_key,
    "alg RS256": _of_rsa,
    "alg RS256 with our signature": _with_header(alg="RS256"),
    "alg ES256": _with_header(alg="ES256"),
    "alg Ed25519": _with_header(alg="Ed25519"),
    "no exp": _with_claims(exp=...),
    "exp null": _with_claims(exp=None),
    "exp as text": _with_claims(exp="9999999999"),
    "exp past": _with_claims(exp=1),
    "no iat": _with_claims(iat=...),
    "iat in the future": _with_claims(iat=int(time.time()) + 3600),
    "iat a little in the future": _with_claims(iat=int(time.time()) + 30 * 60),
    "sub twice": _twice(sub="usr_2"),
    "exp twice": _twice(exp=9_999_999_999),
    "typ twice": _twice(typ="access"),
    "wrong iss": _with_claims(iss="http://evil.test"),
    "wrong aud": _with_claims(aud="other"),
    "aud as list": _with_claims(aud=["guildhall"]),
    "wrong typ claim": _with_claims(typ="refresh"),
    "no sid": _with_claims(sid=...),
    "no org": _with_claims(org=...),
    "no jti": _with_claims(jti=...),
    "wrong typ header": _with_header(typ="JWT"),
    "unknown kid": _of_unknown_key,
    "kid of another type": _with_header(kid=["x"]),
    "crit": _with_header(crit=["exp"]),
    "jwk in the header": _with_header(jwk={"kty": "OKP"}),
    "jku in the header": _with_header(jku="http://evil.test/jwks"),
    "x5u in the header": _with_header(x5u="http://evil.test/certificate"),
    "x5c in the header": _with_header(x5c=["AA=="]),
    "b64 in the header": _with_header(b64=False, crit=["b64"]),
    "b64 without crit": _with_header(b64=True),
    "crit empty": _with_header(crit=[]),
    "kid is a path": _with_header(kid="../../../../dev/null"),
    "kid is an address": _with_header(kid="http://evil.test/key"),
    "kid is SQL": _with_header(kid="' UNION SELECT 'key' --"),
    "kid empty": _with_header(kid=""),
    "alg twice": lambda auth: _signed(
        auth, b'{"alg":"none",' + json.dumps(_header(auth))[1:].encode(), _claims()
    ),
    "payload is no object": lambda auth: _signed(auth, _header(auth), [_claims()]),
    "payload is not JSON": lambda auth: _signed(auth, _header(auth), b"{"),
    "signed with another key": _of_another_key,
    "bit of the header flipped": _flipped(0),
    "bit of the payload flipped": _flipped(1),
    "bit of the signature flipped": _flipped(2),
    "not canonical": _not_canonical,
    "plain base64": _plain_base64,
    "truncated": lambda auth: auth.token()[:-1],
    "cut in half": lambda auth: auth.token()[: len(auth.token()) // 2],
    "signature of another token": lambda auth: (
        auth.token().rpartition(".")[0] + "." + auth.token().rpartition(".")[2]
    ),
    "huge": lambda auth: _signed(auth, _header(auth), _claims(role="x" * 20_000)),
    "huge header": lambda auth: _signed(auth, _header(auth, kid="x" * 20_000), _claims()),
    "padding": lambda auth: auth.token() + "=",
    "no signature": lambda auth: auth.token().rpartition(".")[0] + ".",
    "two parts": lambda auth: auth.token().rpartition(".")[0],
    "four parts": lambda auth: auth.token() + ".x",
    "too long": lambda auth: auth.token() + "A" * 5000,
    "dots": lambda auth: "..",
    "noise": lambda auth: "noise",
    "no key of ours": lambda auth: "sk_live_" + "a" * 43,
    "key with junk": lambda auth: "trw_live_" + "a" * 40 + "!",
    "key too long": lambda auth: "trw_live_" + "a" * 200,
    "bare prefix": lambda auth: "tw_",
}
