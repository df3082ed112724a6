"""What a request must pass before its signature is looked at (teams contract, section 2).

Accept → CORS → version → signature → rate limit → handler

CORS is ``gateway.pipeline.cors``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gateway.pipeline.request_head import Headers
from gateway.signed_requests.signature import Signed
from shared.errors import BadRequest, NotAcceptable, UpgradeRequired

MINIMUM_VERSION: Final = 1

_OLD: Final = "Your teamrc CLI is outdated. Please update: npm install -g teamrc"
_MALFORMED: Final = "Malformed version header. Expected an integer."
_INTEGER: Final = re.compile(rb"([+-]?)([0-9]+)")
_JSON: Final = frozenset({b"*/*", b"application/*", b"application/json"})
_NO_WEIGHT: Final = re.compile(rb"q=0(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True, repr=False)
class SignedHead:
    """The headers of a request that the stages look at.

    Attributes:
        signed: what takes part in the signature.
        accepts: the values of ``Accept``.
        versions: the values of ``X-Teamrc-Version``.
    """

    signed: Signed
    accepts: tuple[bytes, ...]
    versions: tuple[bytes, ...]


def read_signed(method: str, target: bytes, path: str, headers: Headers) -> SignedHead:
    """Read the headers in one pass.

    Args:
        method: upper case.
        target: path and query as they were sent.
        path: decoded and normalized.
        headers: names in lower case.
    """
    seen: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in headers:
        if name in _NAMES:
            seen[name] = (*seen.get(name, ()), value.strip(b" \t"))
    signed = Signed(
        method=method,
        target=target,
        path=path,
        signatures=seen.get(b"x-trc-signature", ()),
        timestamps=seen.get(b"x-trc-timestamp", ()),
        tokens=seen.get(b"x-trc-token", ()),
    )
    return SignedHead(
        signed,
        accepts=seen.get(b"accept", ()),
        versions=seen.get(b"x-teamrc-version", ()),
    )


_NAMES: Final = frozenset(
    {
        b"accept",
        b"x-teamrc-version",
        b"x-trc-signature",
        b"x-trc-timestamp",
        b"x-trc-token",
    }
)


def check_accept(values: tuple[bytes, ...]) -> None:
    """Let pass who reads JSON, or says nothing of what they read.

    Raises:
        NotAcceptable: only other types are wanted.
    """
    wanted = [part.strip() for part in b",".join(values).lower().split(b",") if part.strip()]
    if wanted and not any(_is_json(part) for part in wanted):
        raise NotAcceptable


def _is_json(media_range: bytes) -> bool:
    media_type, *parameters = (part.strip() for part in media_range.split(b";"))
    return media_type in _JSON and not any(_NO_WEIGHT.fullmatch(one) for one in parameters)


def check_version(values: tuple[bytes, ...]) -> None:
    """Let pass who is new enough, or does not say.

    Raises:
        UpgradeRequired: the client is too old.
        BadRequest: the header is no integer.
    """
    if not values:
        return
    match = _INTEGER.fullmatch(values[0])
    if match is None or len(values) > 1:
        raise BadRequest(extra={"message": _MALFORMED})
    if match[1] == b"-" or not match[2].strip(b"0"):
        raise UpgradeRequired(extra={"message": _OLD, "minimum_version": MINIMUM_VERSION})
