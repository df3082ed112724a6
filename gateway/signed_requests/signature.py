"""What a signature covers and why it does not hold: pure, on bytes (teams contract, section 2).

The token *is* the public key, so a request needs no look-up. Every refusal has the exact sentence
that existing clients know, in the exact order in which they were checked before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nacl.bindings import crypto_sign_BYTES, crypto_sign_open, crypto_sign_PUBLICKEYBYTES
from nacl.exceptions import BadSignatureError
from pydantic_core import from_json

from shared.errors import BadRequest
from shared.secret import decode_base64url, encode_base64url

PREFIX: Final = "trc_ak_"
"""How a machine's token begins; its Ed25519 public key follows."""

WINDOW: Final = 30
"""Seconds by which a timestamp may be off, either way."""

NO_TOKEN: Final = "missing or invalid token"  # noqa: S105 - a sentence, not a token
NO_SIGNATURE: Final = "missing or invalid signature header"
NO_TIMESTAMP: Final = "missing timestamp header"
OUT_OF_RANGE: Final = "timestamp out of range"
BAD_FORMAT: Final = "invalid token format"
NO_MESSAGE: Final = "unable to construct sign message"
BAD_SIGNATURE: Final = "signature verification failed"
NOT_CANONICAL: Final = "token does not match signing key"

BODY_METHODS: Final = frozenset({"POST", "PATCH", "PUT"})
"""Methods whose signature covers the body, and that alone."""

TARGET_METHODS: Final = frozenset({"GET", "DELETE"})
"""Methods whose signature covers method and target, and no body."""

_TIMESTAMP: Final = re.compile(rb"[0-9]{1,18}")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# The static words come before the parameter, as they do in the service.
_WORDS: Final = (
    "all|claim|clone|invite|knowledge|preview|rollback|tasks|view-token|visibility"  # of section 4
)
_PATHS: Final = {
    "GET": (
        re.compile(r"/api/teams/(?:all|tasks)/([^/]+)"),
        re.compile(
            rf"/api/teams/(?!(?:{_WORDS})(?:/|$))([^/]+)(?:/head|/export|/versions(?:/[^/]+)?)?"
        ),
    ),
    "DELETE": (re.compile(r"/api/token/([^/]+)/erase"),),
}


class BadProof(Exception):
    """The signature does not hold; ``reason`` is what the caller is told."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """What of a request takes part in its signature.

    Attributes:
        method: upper case.
        target: path and query as they were sent.
        path: percent-decoded and normalized.
        signatures: the values of ``x-trc-signature``.
        timestamps: the values of ``x-trc-timestamp``.
        tokens: the values of ``x-trc-token``.
    """

    method: str
    target: bytes
    path: str
    signatures: tuple[bytes, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    tokens: tuple[bytes, ...] = ()


def verify(request: Signed, body: bytes, now: float) -> str:
    """Check a signed request completely and give the token of the machine that signed it.

    Args:
        request: the signed parts of its head.
        body: as it was sent.
        now: Unix seconds.

    Raises:
        BadRequest: the body is not JSON.
        BadProof: the signature does not hold.
    """
    token = find_token(request, body)
    signature = read_signature(request.signatures)
    timestamp = read_timestamp(request.timestamps, int(now))
    key = read_key(token)
    message = signed_bytes(request.method, request.target, timestamp, body)
    if message is None:
        raise BadProof(NO_MESSAGE)
    check_signature(token, key, signature, message)
    return token


def check_signature(token: str, key: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature, and that the token is the one way to write its key.

    Raises:
        BadProof: one of them is not so.
    """
    if len(key) != crypto_sign_PUBLICKEYBYTES or len(signature) != crypto_sign_BYTES:
        raise BadProof(BAD_SIGNATURE)
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        raise BadProof(BAD_SIGNATURE) from None
    if PREFIX + encode_base64url(key) != token:
        raise BadProof(NOT_CANONICAL)


def signed_bytes(method: str, target: bytes, timestamp: bytes, body: bytes) -> bytes | None:
    """Give the bytes that a request's signature covers; None where no rule names its method."""
    if method in BODY_METHODS:
        return timestamp + b"." + (body or b"{}")
    if method in TARGET_METHODS:
        return timestamp + b"." + method.encode("ascii") + b" " + target
    return None


def find_token(request: Signed, body: bytes) -> str:
    """Look a token up: in the JSON body, then in the path, then in the header.

    A body that the signature does not cover is not read, and neither is the query.

    Raises:
        BadRequest: the body is not JSON.
        BadProof: there is no token.
    """
    if body and request.method in BODY_METHODS:
        document = _document(body)
        found = document.get("token") if isinstance(document, dict) else None
        if found is not None and not isinstance(found, str):
            raise BadProof(NO_TOKEN)
        if found:
            return found
    for pattern in _PATHS.get(request.method, ()):
        match = pattern.fullmatch(request.path)
        if match is not None:
            return match[1]
    token = _only(request.tokens, NO_TOKEN, NO_TOKEN)
    return token.decode("latin-1")


def _document(body: bytes) -> object:
    try:
        document: object = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None
    return document


def _only(values: tuple[bytes, ...], absent: str, ambiguous: str) -> bytes:
    """Give a header's value; an empty one is as good as none, and two could be read in two ways."""
    if not values or values == (b"",):
        raise BadProof(absent)
    if len(values) > 1:
        raise BadProof(ambiguous)
    return values[0]


def read_signature(values: tuple[bytes, ...]) -> bytes:
    """Read a signature.

    Raises:
        BadProof: there is none, or it is not base64url without padding.
    """
    try:
        return decode_base64url(_only(values, NO_SIGNATURE, NO_SIGNATURE))
    except ValueError:
        raise BadProof(NO_SIGNATURE) from None


def read_timestamp(values: tuple[bytes, ...], now: int) -> bytes:
    """Check a timestamp against the window and give it as it was sent.

    Raises:
        BadProof: there is none, or it is out of range.
    """
    timestamp = _only(values, NO_TIMESTAMP, OUT_OF_RANGE)
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) > WINDOW:
        raise BadProof(OUT_OF_RANGE)
    return timestamp


def read_key(token: str) -> bytes:
    """Read the key out of a token, forgiving unused bits: that refusal comes last of all.

    Raises:
        BadProof: the text is no token.
    """
    text = token[len(PREFIX) :]
    if not token.startswith(PREFIX) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise BadProof(BAD_FORMAT)
    unused = {2: 4, 3: 2}.get(len(text) % 4, 0)
    if unused:
        text = text[:-1] + _ALPHABET[_ALPHABET.index(text[-1]) >> unused << unused]
    return decode_base64url(text)
