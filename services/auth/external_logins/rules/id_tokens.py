"""Reading ID tokens (OpenID Connect Core 1.0, section 3.1.3.7) and the keys that sign them.

A key has exactly one algorithm, which follows from its type; the token's header only has to agree.
So neither ``none`` nor a public key used as a shared secret can ever be asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from services.auth.external_logins.models import LONGEST_SUBJECT, LONGEST_TOKEN, IdClaims
from shared.secret import decode_base64url, encode_base64url

LEEWAY: Final = 60
"""Seconds by which the clocks of issuer and reader may differ."""

MOST_AGE: Final = 3600
"""Seconds after which a token is not taken any more, however long it says that it lives."""

MOST_KEYS: Final = 100
MOST_GROUPS: Final = 200
LONGEST_GROUP: Final = 255

_RSA_BITS: Final = range(2048, 8193)
_HASHES: Final = {"RS256": "sha256", "ES256": "sha256", "EdDSA": "sha512"}


class BadIdToken(ValueError):
    """The token does not hold. ``reason`` is a stable word for logs, never shown to a client."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnknownKey(BadIdToken):
    """It names a key that the issuer's key set, as we know it, does not have."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key of an issuer, and the one algorithm it is for."""

    kid: str | None
    algorithm: str
    key: Any


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say.

    Attributes:
        issuer: ``iss``.
        client_id: in ``aud``, and ``azp``.
        groups_claim: where groups stand, if they are read at all.
        nonce: that went with the sign-in; None where a client shows a token it got by itself.
        access_token: that came with it, to which ``at_hash`` must belong.
    """

    issuer: str
    client_id: str
    groups_claim: str | None = None
    nonce: str | None = None
    access_token: str | None = None


def read_keys(document: object) -> tuple[IssuerKey, ...]:
    """Read a key set (RFC 7517); keys that are not for RS256, ES256 or Ed25519 are passed over.

    Raises:
        ValueError: it is no key set, or has no key that we can use.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError("not a key set")
    keys = tuple(key for entry in entries if (key := _read_key(entry)) is not None)
    if not keys:
        raise ValueError("no key that we can use")
    return keys


def _read_key(entry: object) -> IssuerKey | None:
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
        return None
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithm, reader = _KINDS.get((entry.get("kty"), entry.get("crv")), (None, None))
    kid = entry.get("kid")
    if algorithm is None or reader is None or entry.get("alg", algorithm) != algorithm:
        return None
    if not (kid is None or isinstance(kid, str)) or "d" in entry:
        return None
    try:
        key = reader.from_jwk(dict(entry))
    except (PyJWTError, ValueError, TypeError, AttributeError):
        return None
    if algorithm == "RS256" and key.key_size not in _RSA_BITS:
        return None
    return IssuerKey(kid, algorithm, key)


_KINDS: Final[Mapping[tuple[Any, Any], tuple[str, Any]]] = {
    ("RSA", None): ("RS256", RSAAlgorithm),
    ("EC", "P-256"): ("ES256", ECAlgorithm),
    ("OKP", "Ed25519"): ("EdDSA", OKPAlgorithm),
}
_JWS: Final = PyJWS(algorithms=sorted(_HASHES))


def verify(token: str, keys: Sequence[IssuerKey], expected: Expected, now: float) -> IdClaims:
    """Check an ID token completely and give what it says.

    Nothing of the payload is read before the signature holds.

    Args:
        token: the compact form.
        keys: of the issuer.
        expected: what it must say.
        now: Unix seconds.

    Raises:
        UnknownKey: the issuer may have new keys.
        BadIdToken: it does not hold, for whatever reason.
    """
    header = _read_header(token)
    key = _key_for(header, keys)
    try:
        payload = _JWS.decode(token, key.key, algorithms=[key.algorithm])
    except PyJWTError:
        raise BadIdToken("bad signature") from None
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadIdToken("bad claims") from None
    if not isinstance(claims, dict):
        raise BadIdToken("bad claims")
    _check_parties(claims, expected)
    _check_times(claims, now)
    _check_bindings(claims, expected, key.algorithm)
    return _read_claims(claims, expected)


def _read_header(token: str) -> dict[str, Any]:
    if len(token) > LONGEST_TOKEN:
        raise BadIdToken("too long")
    parts = token.split(".")
    try:
        decoded = [decode_base64url(part) for part in parts]
        header = json.loads(decoded[0])
    except (ValueError, RecursionError):
        raise BadIdToken("malformed") from None
    if len(parts) != 3 or not isinstance(header, dict):
        raise BadIdToken("malformed")
    # Both change what is signed or how it is read; nobody needs them here.
    if "crit" in header or "b64" in header:
        raise BadIdToken("unexpected header")
    return header


def _key_for(header: Mapping[str, Any], keys: Sequence[IssuerKey]) -> IssuerKey:
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _HASHES:
        raise BadIdToken("wrong algorithm")
    if kid is None:
        # Allowed where there is no choice (OpenID Connect Core, section 10.1).
        found = [key for key in keys if key.algorithm == algorithm]
        if len(found) != 1:
            raise BadIdToken("no key named")
        return found[0]
    named = [key for key in keys if key.kid == kid]
    if not named:
        raise UnknownKey("unknown key")
    for key in named:
        if key.algorithm == algorithm:
            return key
    raise BadIdToken("wrong algorithm")


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadIdToken("another issuer")
    audience, party = claims.get("aud"), claims.get("azp")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise BadIdToken("for another client")
    if (len(audiences) > 1 or party is not None) and party != expected.client_id:
        raise BadIdToken("for another client")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if now >= expires + LEEWAY:
        raise BadIdToken("expired")
    if issued > now + LEEWAY or _number(claims, "nbf", issued) > now + LEEWAY:
        raise BadIdToken("not yet valid")
    if now >= issued + MOST_AGE + LEEWAY:
        raise BadIdToken("too old")


def _number(claims: Mapping[str, Any], name: str, absent: float | None = None) -> float:
    value = claims.get(name, absent)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise BadIdToken(f"bad {name}")
    return float(value)


def _check_bindings(claims: Mapping[str, Any], expected: Expected, algorithm: str) -> None:
    if expected.nonce is not None:
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode(), expected.nonce.encode()
        ):
            raise BadIdToken("another nonce")
    if "at_hash" in claims and expected.access_token is not None:
        digest = hashlib.new(_HASHES[algorithm], expected.access_token.encode()).digest()
        if claims["at_hash"] != encode_base64url(digest[: len(digest) // 2]):
            raise BadIdToken("another access token")


def _read_claims(claims: Mapping[str, Any], expected: Expected) -> IdClaims:
    subject = claims.get("sub")
    if not _is_plain(subject) or not 1 <= len(subject) <= LONGEST_SUBJECT:
        raise BadIdToken("bad sub")
    return IdClaims(
        issuer=expected.issuer,
        subject=subject,
        **_read_profile(claims),
        groups=_read_groups(claims, expected.groups_claim),
    )


def with_userinfo(claims: IdClaims, document: Mapping[str, Any]) -> IdClaims:
    """Add what the userinfo endpoint says (OpenID Connect Core, section 5.3.2).

    Raises:
        BadIdToken: it speaks of another subject.
    """
    if document.get("sub") != claims.subject:
        raise BadIdToken("userinfo of another subject")
    profile = _read_profile(document)
    return replace(claims, **{**profile, "name": claims.name or profile["name"]})


def _read_profile(claims: Mapping[str, Any]) -> dict[str, Any]:
    email, name = claims.get("email"), claims.get("name")
    return {
        "email": email if isinstance(email, str) else None,
        # Not the text "true": whoever writes that may write "false" as well, which is true too.
        "email_verified": claims.get("email_verified") is True,
        "name": name if isinstance(name, str) else "",
    }


def _read_groups(claims: Mapping[str, Any], name: str | None) -> tuple[str, ...]:
    groups = claims.get(name) if name is not None else None
    if not isinstance(groups, list):
        return ()
    if len(groups) > MOST_GROUPS:
        raise BadIdToken("too many groups")
    named = (group for group in groups if _is_plain(group) and 1 <= len(group) <= LONGEST_GROUP)
    return tuple(dict.fromkeys(named))


def _is_plain(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isprintable()
