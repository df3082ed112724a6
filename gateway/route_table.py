"""The route table: which service owns which path, and what the gateway asks of a caller there.

The longest prefix wins, compared segment by segment: ``/api/teams`` covers ``/api/teams/x`` but not
``/api/teamsters``. The table is checked when it is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway import body_limits as limits
from gateway.rate_limit import CLASSES
from shared.settings import SERVICES
from shared.surfaces import Surface, surface_of

BEARER: Final = ("jwt", "api_key")
"""A bearer token: an access token or an API key."""

SIGNATURE: Final = ("signature",)
"""An Ed25519 signature over the request; stands alone, because it may need the body."""

TICKET: Final = ("ticket",)
"""A signed ticket in the query, for sockets; stands alone. What asks for no socket needs none."""

AUTHENTICATORS: Final = frozenset((*BEARER, *SIGNATURE, *TICKET))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What holds for all paths under a prefix.

    Attributes:
        prefix: without a trailing slash.
        upstream: the service that owns it.
        surface: whose dialect the gateway's own errors speak there.
        authenticators: which credentials are understood, asked in order.
        rate_class: of ``gateway.rate_limit``.
        reading_class: the same for GET, where that is counted apart.
        address_class: the same for the caller's address, counted beside the caller.
        failure_class: the same for addresses of callers who are refused; ``rate_class`` if absent.
        body_limit: bytes of a body, or of a message that a caller sends through a socket.
        patience: seconds that the service has to begin its answer; the setting's if those are more.
        is_public: whether no operation there needs a credential: the service decides (pages).
        refuses_bad_bearer: whether a bearer token must hold there although none is needed.
        takes_query_token: whether a credential may stand in the query as ``token``.
        own_tokens: how such a token begins that the service signed itself, and judges, for reading.
        passes_authorization: whether the service gets ``Authorization`` as it was sent, because it
            asks for a person beside the machine that signed.
        is_socket: whether WebSockets are bridged there.
        marks_personal: whether errors are marked as of personal data, too (teams, section 8).
        names_errors: whether errors have their word as top-level ``error``, too (learnings, 2.1).
    """

    prefix: str
    upstream: str
    surface: Surface
    authenticators: tuple[str, ...] = BEARER
    rate_class: str
    reading_class: str = ""
    address_class: str = ""
    failure_class: str = ""
    body_limit: int = limits.DEFAULT_BODY
    patience: float = 0.0
    is_public: bool = False
    refuses_bad_bearer: bool = False
    takes_query_token: bool = False
    own_tokens: str = ""
    passes_authorization: bool = False
    is_socket: bool = False
    marks_personal: bool = False
    names_errors: bool = False
    template: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "template", self.prefix.encode())
        object.__setattr__(self, "failure_class", self.failure_class or self.rate_class)

    def class_of(self, method: str) -> str:
        """Name the rate class that counts a request."""
        return self.reading_class if self.reading_class and method == "GET" else self.rate_class

    def classes(self) -> set[str]:
        """Name every rate class of the row."""
        named = {self.rate_class, self.reading_class, self.address_class, self.failure_class}
        return named - {""}


def _row(prefix: str, upstream: str, rate_class: str, **more: object) -> Row:
    return Row(
        prefix=prefix,
        upstream=upstream,
        surface=surface_of(prefix),
        rate_class=rate_class,
        **more,  # type: ignore[arg-type]  # each is a field of Row, checked by the tests
    )


def _rows(upstream: str, rate_class: str, *prefixes: str, **more: object) -> list[Row]:
    return [_row(prefix, upstream, rate_class, **more) for prefix in prefixes]


def _signed_rows(upstream: str, rate_class: str, *prefixes: str, **more: object) -> list[Row]:
    common: dict[str, object] = {
        "authenticators": SIGNATURE,
        "address_class": "signed_address",
        "failure_class": "failed_signature",
        "body_limit": limits.TEAMS_BODY,
    }
    return _rows(upstream, rate_class, *prefixes, **(common | more))


_ACCOUNT: Final[dict[str, object]] = {
    "body_limit": limits.TEAMS_BODY,
    "is_public": True,
    "refuses_bad_bearer": True,
    "marks_personal": True,
}

TABLE: Final[tuple[Row, ...]] = (
    # The learnings surface.
    *_rows("auth", "auth", "/v1/auth", "/v1/waitlist"),
    _row("/v1/auth/device", "auth", "auth", names_errors=True),
    _row("/v1/auth/device/token", "auth", "device", names_errors=True),
    *_rows(
        "auth",
        "learnings",
        "/v1/admin/users",
        "/v1/admin/organizations",
        "/v1/admin/waitlist",
        "/v1/admin/audit-events",
        "/v1/admin/stats",
        "/v1/admin/erasures",
    ),
    _row("/v1", "learnings", "learnings"),
    _row("/v1/sync", "learnings", "sync", body_limit=limits.SYNC_BODY),
    _row("/v1/intel", "learnings", "sync"),
    _row("/v1/telemetry", "learnings", "telemetry"),
    _row("/v1/health", "learnings", "health"),
    *_rows(
        "learnings",
        "learnings",
        "/v1/releases",
        "/v1/backup/file",
        body_limit=limits.FILE_BODY,
    ),
    *_rows(
        "learnings",
        "learnings",
        "/v1/proprietary",
        "/v1/me/proprietary-license",
        names_errors=True,
    ),
    _row(
        "/v1/proprietary/packages",
        "learnings",
        "learnings",
        body_limit=limits.FILE_BODY,
        names_errors=True,
    ),
    # The runs surface.
    _row("/api/v1/auth", "auth", "runs"),
    *_rows(
        "auth",
        "auth",
        "/api/v1/auth/login",
        "/api/v1/auth/setup",
        "/api/v1/auth/signup",
        "/api/v1/auth/accept-invite",
    ),
    _row("/api/v1", "runs", "runs", body_limit=limits.RUNS_BODY),
    _row("/api/v1/checks", "runs", "runs", body_limit=limits.CHECKS_BODY),
    _row("/api/v1/generate", "runs", "runs", body_limit=limits.RUNS_BODY, patience=65.0),
    _row("/api/v1/artifacts", "runs", "runs", takes_query_token=True, own_tokens="art_"),
    _row("/api/v1/health", "runs", "health"),
    # The agents surface.
    *_rows(
        "auth",
        "agents",
        "/api/v0/auth",
        "/api/v0/service-accounts",
        "/api/v0/roles",
        "/api/v0/role-bindings",
    ),
    *_rows(
        "auth",
        "auth",
        "/api/v0/auth/internal",
        "/api/v0/auth/login",
        "/api/v0/auth/external",
    ),
    _row("/api/v0", "agents", "agents"),
    _row("/api/v0/health", "agents", "health"),
    # The teams surface: signed requests, and web sessions, which auth looks at itself.
    *_signed_rows("teams", "signed", "/api/teams", "/api/join", "/api/token"),
    *_signed_rows("teams", "claim", "/api/teams/claim", address_class="claim_address"),
    *_signed_rows("auth", "signed", "/api/auth"),
    *_signed_rows("auth", "device_start", "/api/auth/device", reading_class="device_poll"),
    _row(
        "/api/teams/clone",
        "teams",
        "clone",
        authenticators=(),
        body_limit=limits.TEAMS_BODY,
        is_public=True,
    ),
    _row("/api/account", "auth", "account", **_ACCOUNT),
    _row("/api/account/teams", "teams", "account", **_ACCOUNT),
    *_signed_rows(
        "teams",
        "account",
        "/api/account/reassociate",
        passes_authorization=True,
        marks_personal=True,
    ),
    _row(
        "/socket",
        "teams",
        "signed_address",
        authenticators=TICKET,
        failure_class="failed_signature",
        is_socket=True,
    ),
    # Pages, which carry a web session of their own.
    *_rows(
        "auth",
        "pages",
        "/device",
        "/auth",
        "/users",
        "/dashboard",
        "/accept-invite",
        authenticators=(),
        is_public=True,
    ),
    *_rows(
        "auth",
        "web_login",
        "/users/log-in",
        "/users/complete-login",
        "/users/register",
        "/users/forgot-password",
        "/users/reset-password",
        authenticators=(),
        is_public=True,
        reading_class="pages",
    ),
    *_rows(
        "teams",
        "pages",
        "/new",
        "/invite",
        "/teams",
        "/t",
        authenticators=(),
        is_public=True,
    ),
    _row("/.well-known/jwks.json", "auth", "pages", authenticators=(), is_public=True),
)

OPERATIONS_WITHOUT_CREDENTIAL: Final[tuple[tuple[str, str], ...]] = (
    # Learnings contract, sections 3 and 4.
    ("POST", "/v1/auth/token"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/register"),
    ("POST", "/v1/auth/verify-email"),
    ("POST", "/v1/auth/resend-verification"),
    ("POST", "/v1/auth/forgot-password"),
    ("POST", "/v1/auth/request-password-reset"),
    ("POST", "/v1/auth/reset-password"),
    ("POST", "/v1/auth/2fa/verify"),
    ("POST", "/v1/auth/device/code"),
    ("POST", "/v1/auth/device/token"),
    ("POST", "/v1/waitlist"),
    ("GET", "/v1/health"),
    ("GET", "/v1/releases/latest"),
    ("GET", "/v1/releases/signing-key"),
    ("GET", "/v1/releases/{version}/artifact"),
    ("GET", "/v1/releases/{version}/artifact.tar.gz"),
    ("GET", "/v1/releases/{version}/changelog"),
    ("GET", "/v1/releases/{version}/SHA256SUMS"),
    ("GET", "/v1/releases/{version}/SHA256SUMS.sig"),
    # The addresses are signed.
    ("PUT", "/v1/backup/file"),
    ("GET", "/v1/backup/file"),
    ("POST", "/v1/proprietary/entitlement"),
    ("GET", "/v1/proprietary/file"),
    # Runs contract, section 2.
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/health/ready"),
    # The page of a recording, which shows a ticket of its own.
    ("GET", "/api/v1/record/live.js"),
    ("GET", "/api/v1/record/live.css"),
    ("GET", "/api/v1/record/sessions/{id}/live"),
    ("GET", "/api/v1/record/sessions/{id}/live/picture"),
    ("POST", "/api/v1/record/sessions/{id}/live/input"),
    ("POST", "/api/v1/record/sessions/{id}/live/stop"),
    ("POST", "/api/v1/auth/login"),
    ("GET", "/api/v1/auth/setup"),
    ("POST", "/api/v1/auth/setup"),
    ("POST", "/api/v1/auth/signup"),
    ("POST", "/api/v1/auth/accept-invite"),
    # Agents contract, section 2.
    ("GET", "/api/v0/health"),
    ("GET", "/api/v0/version"),
    ("POST", "/api/v0/auth/internal"),
    ("POST", "/api/v0/auth/login"),
    ("POST", "/api/v0/auth/external"),
)
"""The public operations of rows that otherwise ask for a credential; HEAD goes with GET."""


class _Node:
    __slots__ = ("children", "row")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.row: Row | None = None


class RouteTable:
    """The table made quick to search.

    Args:
        rows: in any order.
        public: method and path template of the operations open to all.

    Raises:
        ValueError: a prefix stands twice, or a row names what does not exist.
    """

    def __init__(self, rows: Sequence[Row], public: Iterable[tuple[str, str]]) -> None:
        self._root = _Node()
        for row in rows:
            _check(row)
            node = self._root
            for segment in row.prefix[1:].split("/"):
                node = node.children.setdefault(segment, _Node())
            if node.row is not None:
                raise ValueError(f"{row.prefix} stands twice")
            node.row = row
        self._public: set[tuple[str, str]] = set()
        self._public_templates: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
        for method, template in public:
            covering = self.find(template)
            if covering is None:
                raise ValueError(f"no row covers the public {template}")
            for verb in (method, "HEAD") if method == "GET" else (method,):
                if "{" in template:
                    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
                    of_row = self._public_templates.setdefault(covering.prefix, [])
                    of_row.append((verb, re.compile(pattern)))
                else:
                    self._public.add((verb, template))

    def find(self, path: str) -> Row | None:
        """Give the row with the longest prefix of a normalized path."""
        node, found = self._root, None
        for segment in path[1:].split("/", 8):
            child = node.children.get(segment)
            if child is None:
                break
            node = child
            found = node.row or found
        return found

    def is_public(self, row: Row, method: str, path: str) -> bool:
        """Tell whether an operation may be called without a credential."""
        if row.is_public or (method, path) in self._public:
            return True
        templates = self._public_templates.get(row.prefix, ())
        return any(verb == method and pattern.fullmatch(path) for verb, pattern in templates)


def _check(row: Row) -> None:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", row.prefix) or row.prefix.startswith("/internal"):
        raise ValueError(f"{row.prefix} is no prefix")
    if row.upstream not in SERVICES:
        raise ValueError(f"{row.prefix}: {row.upstream} is no service")
    if not CLASSES.issuperset(row.classes()):
        raise ValueError(f"{row.prefix}: {row.classes() - CLASSES} is no rate class")
    if not AUTHENTICATORS.issuperset(row.authenticators):
        raise ValueError(f"{row.prefix}: an authenticator is unknown")
    if SIGNATURE[0] in row.authenticators and row.authenticators != SIGNATURE:
        raise ValueError(f"{row.prefix}: no other authenticator stands beside a signature")
    if TICKET[0] in row.authenticators and (row.authenticators != TICKET or not row.is_socket):
        raise ValueError(f"{row.prefix}: a ticket is an authenticator of its own, for sockets")
    if row.own_tokens and not row.takes_query_token:
        raise ValueError(f"{row.prefix}: its own tokens would stand in the query")
    if not row.authenticators and not row.is_public:
        raise ValueError(f"{row.prefix}: nobody could call it")


ROUTES: Final = RouteTable(TABLE, OPERATIONS_WITHOUT_CREDENTIAL)
