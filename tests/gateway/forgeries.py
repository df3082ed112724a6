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
    parts = [encode_base64url(json.dumps(part).encode()) for part in (header, payload)]
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
    "no exp": _with_claims(exp=...),
    "exp null": _with_claims(exp=None),
    "exp as text": _with_claims(exp="9999999999"),
    "exp past": _with_claims(exp=1),
    "no iat": _with_claims(iat=...),
    "iat in the future": _with_claims(iat=int(time.time()) + 3600),
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
    "signed with another key": _of_another_key,
    "bit of the header flipped": _flipped(0),
    "bit of the payload flipped": _flipped(1),
    "bit of the signature flipped": _flipped(2),
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
