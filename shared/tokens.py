"""Access tokens: JWTs (RFC 7519, RFC 9068) signed with Ed25519 (RFC 8037) by auth, read by all.

One format whatever the surface. ``sign`` goes through PyJWT with an algorithm of ours on PyNaCl.
``verify`` uses the same algorithm but reads the compact form itself, because it is stricter than
PyJWT's reader (canonical base64url, exactly three header fields) and half as expensive.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, NoReturn, cast

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from shared.secret import decode_base64url, encode_base64url

ALGORITHM: Final = "EdDSA"
HEADER_TYPE: Final = "at+jwt"
"""The header's ``typ`` (RFC 9068 section 2.1), so that no other kind of JWT passes for a token."""

AUDIENCE: Final = "guildhall"
CLAIM_TYPE: Final = "access"
"""The claim ``typ``."""

LEEWAY: Final = 2
"""Seconds by which the clocks of signer and reader may differ."""

MAX_LENGTH: Final = 4096
"""Most characters of a token; a longer one is not even looked at."""

_HEADER_FIELDS: Final = frozenset({"alg", "typ", "kid"})
_TEXTS: Final = ("iss", "aud", "sub", "sid", "org", "role", "typ", "jti")
_NUMBERS: Final = ("iat", "exp")


class InvalidToken(ValueError):
    """The token does not hold. ``reason`` is a stable word for logs, never shown to a client."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key; ``kid`` is the start of the SHA-256 of its 32 bytes, so it cannot disagree."""

    public: bytes

    def __post_init__(self) -> None:
        if len(self.public) != 32:
            raise ValueError("an Ed25519 public key has 32 bytes")

    @property
    def kid(self) -> str:
        """The key's name in token headers and in the key set."""
        return encode_base64url(hashlib.sha256(self.public).digest())[:16]

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the key's owner signed a message; PyNaCl takes half of what others take."""
        if len(signature) != 64:
            return False
        try:
            crypto_sign_open(signature + message, self.public)
        except BadSignatureError:
            return False
        return True

    def to_jwk(self) -> dict[str, str]:
        """Write the key as a JWK (RFC 8037 section 2)."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64url(self.public),
            "kid": self.kid,
            "use": "sig",
            "alg": ALGORITHM,
        }


class SigningKey:
    """A private key. Its bytes appear in no ``repr``, hence in no log and no traceback."""

    __slots__ = ("_secret", "verify_key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError("an Ed25519 seed has 32 bytes")
        public, self._secret = crypto_sign_seed_keypair(seed)
        self.verify_key = VerifyKey(public)

    @classmethod
    def from_base64url(cls, text: str) -> SigningKey:
        """Read the seed of 32 bytes as ``GUILDHALL_SIGNING_KEYS`` writes it.

        Raises:
            ValueError: the text is not canonical base64url of 32 bytes.
        """
        return cls(decode_base64url(text))

    @property
    def kid(self) -> str:
        """The key's name in token headers and in the key set."""
        return self.verify_key.kid

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature."""
        return crypto_sign(message, self._secret)[:64]


def jwks(keys: Iterable[VerifyKey]) -> dict[str, Any]:
    """Write a key set (RFC 7517 section 5)."""
    return {"keys": [key.to_jwk() for key in keys]}


def read_jwks(document: object) -> dict[str, VerifyKey]:
    """Read a key set that ``jwks`` wrote; keys of other types are passed over.

    Raises:
        ValueError: it is not a key set, or a key's name is not that of its bytes.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")
    keys = {}
    for entry in document["keys"]:
        if not isinstance(entry, dict) or entry.get("crv") != "Ed25519":
            continue
        key = VerifyKey(decode_base64url(str(entry.get("x"))))
        if entry.get("kid") != key.kid:
            raise ValueError("a key's name is not that of its bytes")
        keys[key.kid] = key
    return keys


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified content of a token.

    Attributes:
        iss: who signed it: the installation's public URL.
        sub: account (``usr_…``) or service-account name.
        sid: the login session, or the API key that the token was bought with.
        org: the organization acted in; empty for service accounts.
        role: the subject's standing there when it was signed.
        iat: when it was signed, Unix seconds.
        exp: when it dies, Unix seconds.
        jti: the token's own id.
        scopes: ``scp``: what it is narrowed to, or None where it carries all that its session has.
        account: ``acc``: the account behind a subject that is not one itself, else empty.
    """

    iss: str
    sub: str
    sid: str
    org: str
    role: str
    iat: int
    exp: int
    jti: str
    scopes: tuple[str, ...] | None = None
    account: str = ""


def sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    """Make a token.

    Args:
        claims: all of ``iss aud sub sid org role typ iat exp jti``; optionally ``scp`` (a list of
            scopes) and ``acc`` (an account).
        key: the signing key.

    Raises:
        ValueError: a claim is missing or of the wrong type, or the token would be too long.
    """
    _read_claims(claims)
    payload = json.dumps(claims, separators=(",", ":")).encode()
    # PyJWT hands the key on to our algorithm, and types it for those that it brings itself.
    headers = {"typ": HEADER_TYPE, "kid": key.kid}
    token: str = _jws().encode(payload, cast(Any, key), algorithm=ALGORITHM, headers=headers)
    if len(token) > MAX_LENGTH:
        raise ValueError(f"a token has at most {MAX_LENGTH} characters")
    return token


def verify(token: str, keys: Mapping[str, VerifyKey], issuer: str, now: float) -> Claims:
    """Check a token completely and give what it says.

    Nothing of the payload is read before the signature holds.

    Args:
        token: the compact form.
        keys: by ``kid``.
        issuer: whose tokens hold here.
        now: Unix seconds.

    Raises:
        InvalidToken: it does not hold, for whatever reason.
    """
    if len(token) > MAX_LENGTH:
        raise InvalidToken("too long")
    signed, _, mac = token.rpartition(".")
    head, _, body = signed.partition(".")
    kid = _read_header(head)
    key = keys.get(kid)
    if key is None:
        raise InvalidToken("unknown key")
    try:
        payload, signature = decode_base64url(body), decode_base64url(mac)
    except ValueError:
        raise InvalidToken("malformed") from None
    if not key.verify(signed.encode("ascii"), signature):
        raise InvalidToken("bad signature")
    try:
        document = json.loads(payload, object_pairs_hook=_unique)
        claims = _read_claims(document)
    except (ValueError, RecursionError):
        raise InvalidToken("bad claims") from None
    if claims.iss != issuer or document["aud"] != AUDIENCE or document["typ"] != CLAIM_TYPE:
        raise InvalidToken("not for us")
    if claims.exp <= now - LEEWAY:
        raise InvalidToken("expired")
    if claims.iat > now + LEEWAY:
        raise InvalidToken("not yet valid")
    return claims


# Every token of a key has the same header, so it is decoded once; what raises is not kept.
@lru_cache(maxsize=64)
def _read_header(segment: str) -> str:
    try:
        header = json.loads(decode_base64url(segment), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidToken("malformed") from None
    # A field that we do not write (crit, jwk, jku, x5c, b64, …) could only ask us to trust it.
    if not isinstance(header, dict) or header.keys() != _HEADER_FIELDS:
        raise InvalidToken("unexpected header")
    if header["alg"] != ALGORITHM or header["typ"] != HEADER_TYPE:
        raise InvalidToken("wrong algorithm or type")
    if not isinstance(header["kid"], str):
        raise InvalidToken("unknown key")
    return header["kid"]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; one that names a field twice could be read in two ways (RFC 7519, 4)."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _read_claims(document: Mapping[str, Any]) -> Claims:
    if not isinstance(document, Mapping):
        raise ValueError("claims are an object")
    for name in _TEXTS:
        if not isinstance(document.get(name), str):
            raise ValueError(f"the claim {name} is a text")
    for name in _NUMBERS:
        if type(document.get(name)) is not int:
            raise ValueError(f"the claim {name} is a whole number")
    if not (document["sub"] and document["sid"] and document["jti"]):
        raise ValueError("the claims sub, sid and jti are not empty")
    scopes, account = document.get("scp"), document.get("acc", "")
    if scopes is not None and not (
        isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes)
    ):
        raise ValueError("the claim scp is a list of texts")
    if not isinstance(account, str):
        raise ValueError("the claim acc is a text")
    return Claims(
        iss=document["iss"],
        sub=document["sub"],
        sid=document["sid"],
        org=document["org"],
        role=document["role"],
        iat=document["iat"],
        exp=document["exp"],
        jti=document["jti"],
        scopes=None if scopes is None else tuple(scopes),
        account=account,
    )


@cache
def _jws() -> Any:
    """Make PyJWT's writer of the compact form, with PyNaCl as its Ed25519 (RFC 7515, RFC 8037).

    Imported here, because who only reads tokens need not carry PyJWT and what it brings along.
    """
    from jwt.algorithms import Algorithm
    from jwt.api_jws import PyJWS

    class EdDSA(Algorithm):
        def prepare_key(self, key: Any) -> Any:
            if not isinstance(key, SigningKey):
                raise TypeError("a SigningKey is needed")
            return key

        def sign(self, msg: bytes, key: Any) -> bytes:
            signature: bytes = key.sign(msg)
            return signature

        def verify(self, msg: bytes, key: Any, sig: bytes) -> NoReturn:
            raise NotImplementedError("VerifyKey.verify reads signatures")

        @staticmethod
        def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:
            raise NotImplementedError("VerifyKey.to_jwk writes keys")

        @staticmethod
        def from_jwk(jwk: Any) -> NoReturn:
            raise NotImplementedError("read_jwks reads keys")

    jws = PyJWS(algorithms=[])
    jws.register_algorithm(ALGORITHM, EdDSA())
    return jws
