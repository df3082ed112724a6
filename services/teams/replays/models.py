"""A signed request, and what is kept of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """A request that a machine has signed.

    Attributes:
        token: the machine's.
        signature: 64 bytes, as verified by the gateway.
        request: SHA-256 over method, raw target and raw body.
        body: the JSON object that was sent; empty for methods without a body.
    """

    token: str
    signature: bytes
    request: bytes
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Done:
    """What came of a request.

    Attributes:
        body: ready JSON.
        status: of success.
        team_id: the team it touched: an answer is not repeated after that has changed again. None
            where a repeat stays one whatever happens to the team, as with tasks.
        kept: what a repeat is answered with, if not ``body``: without the secret that is told only
            once. Empty where a repeat reads the team anew, which cannot have changed.
        is_repeated: whether a repeat gets the same answer; else it is judged anew, and finds done
            what it asks for.
    """

    body: bytes
    status: int = 200
    team_id: str | None = None
    kept: bytes | None = None
    is_repeated: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Use:
    """What is known of a signature.

    Attributes:
        request: the digest of the request it was used for.
        status: of the answer; None where there is none to repeat.
        body: of the answer, sealed.
        team_id: the team it touched.
    """

    request: bytes
    status: int | None
    body: bytes
    team_id: str | None
