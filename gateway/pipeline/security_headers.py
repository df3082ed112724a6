"""Security headers: what every answer says beside its own words, as bytes written once.

Two are always ours: ``nosniff``, and over https ``Strict-Transport-Security`` (RFC 6797). The
others are defaults: a header that a service sends itself wins, because only it knows its pages.

    Referrer-Policy          no-referrer: addresses here hold clone tokens, invitations, tickets
    Content-Security-Policy  nothing may load or run, nobody may frame: for what was never meant as
                             a page, such as an artifact that is HTML
    X-Frame-Options          DENY, for browsers that do not read the former
    Cross-Origin-Opener-Policy  same-origin: whoever opens an answer gets no hold of its window
    Cache-Control            on private answers; ``private, no-cache`` where the answer can be asked
                             for again by ``ETag`` or ``Last-Modified``, else ``no-store``

An answer is private unless an operation open to all gave it to somebody without a credential.
``Cross-Origin-Resource-Policy`` is not sent: pages of other origins show screenshots by ``<img>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

REFERRER: Final = 1
POLICY: Final = 2
FRAMES: Final = 4
OPENER: Final = 8
CACHE: Final = 16
VALIDATOR: Final = 32

SPEAKS: Final = {
    b"referrer-policy": REFERRER,
    b"content-security-policy": POLICY,
    b"x-frame-options": FRAMES,
    b"cross-origin-opener-policy": OPENER,
    b"cache-control": CACHE,
    b"etag": VALIDATOR,
    b"last-modified": VALIDATOR,
}
"""Headers of a service by which one of our defaults gives way; their bits are put together."""

OWNED: Final = frozenset({b"x-content-type-options", b"strict-transport-security"})
"""Headers that are always ours."""

_NOSNIFF: Final = b"x-content-type-options: nosniff\r\n"
_DEFAULTS: Final = {
    REFERRER: b"referrer-policy: no-referrer\r\n",
    POLICY: (
        b"content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'\r\n"
    ),
    FRAMES: b"x-frame-options: DENY\r\n",
    OPENER: b"cross-origin-opener-policy: same-origin\r\n",
}
_NO_STORE: Final = b"cache-control: no-store\r\n"
_NO_CACHE: Final = b"cache-control: private, no-cache\r\n"


class SecurityHeaders:
    """Header lines, each with its end, ready for every case.

    Args:
        is_https: whether the gateway's public address is https.
        hsts_max_age: seconds for which browsers are to come by https only; 0 makes them forget.

    Attributes:
        private: by the bits of what a service said itself, for private answers.
        public: the same for answers to anybody.
    """

    def __init__(self, *, is_https: bool, hsts_max_age: int = 0) -> None:
        # Not includeSubDomains: the other names under this one are not ours to decide about.
        hsts = b"strict-transport-security: max-age=%d\r\n" % hsts_max_age if is_https else b""
        self.private = tuple(_written(said, True, hsts) for said in range(VALIDATOR * 2))
        self.public = tuple(_written(said, False, hsts) for said in range(VALIDATOR * 2))

    def around(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Write the headers of an answer of our own, ours beside them; it is private."""
        said, lines = 0, []
        for name, value in headers:
            if name not in OWNED:
                said |= SPEAKS.get(name, 0)
                lines.append(b"%b: %b\r\n" % (name, value))
        return b"".join(lines) + self.private[said]


def _written(said: int, is_private: bool, always: bytes) -> bytes:
    lines = [_NOSNIFF, always, *(line for bit, line in _DEFAULTS.items() if not said & bit)]
    if is_private and not said & CACHE:
        lines.append(_NO_CACHE if said & VALIDATOR else _NO_STORE)
    return b"".join(lines)
