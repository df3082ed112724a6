"""Where a request line leads, and what of it the service is told."""

from __future__ import annotations

from urllib.parse import parse_qs

from gateway.pipeline.cors import CorsPolicy
from gateway.pipeline.decisions import Destination
from gateway.route_table import TICKET, RouteTable, Row
from gateway.signed_requests import ticket
from shared.middleware import normalized_path
from shared.surfaces import surface_of

TOKEN = "token"  # noqa: S105 - the name of a field, not a token
"""The query's field that may hold a bearer token, on rows that take one there."""


class Destinations:
    """Reads request lines.

    Args:
        routes: the table.
        cors: which pages may read what.
    """

    def __init__(self, routes: RouteTable, cors: CorsPolicy) -> None:
        self._routes = routes
        self._cors = cors

    def locate(self, method: str, target: bytes, path: str, query: bytes) -> Destination:
        """Find where a request line leads.

        Args:
            method: upper case.
            target: as it was sent.
            path: of the target, percent-decoded.
            query: of the target, as it was sent.
        """
        path = normalized_path(path)
        row = None if _climbs(path) else self._routes.find(path)
        is_signed = row is not None and _is_signed_by_service(row, method, query)
        return Destination(
            method=method,
            target=target,
            path=path,
            query=query,
            start=b"%b %b HTTP/1.1"
            % (
                method.encode("ascii"),
                target if is_signed else _upstream_target(target, row),
            ),
            row=row,
            surface=row.surface if row else surface_of(path),
            is_open=is_signed or (row is not None and self._routes.is_public(row, method, path)),
            rate_class=row.class_of(method) if row else "",
            cors=self._cors.zone(row, path),
            is_options=method == "OPTIONS",
            label=row.prefix if row else "other",
        )


def _upstream_target(target: bytes, row: Row | None) -> bytes:
    """Leave out the credential that the gateway has looked at: services log what they like."""
    if row is not None and row.authenticators == TICKET:
        return ticket.without_field(target, ticket.NAME)
    if row is not None and row.takes_query_token and b"?" in target:
        return ticket.without_field(target, TOKEN)
    return target


def _is_signed_by_service(row: Row, method: str, query: bytes) -> bool:
    """Tell whether a query holds a token of the service's own, with which it may be read."""
    if not row.own_tokens or method not in ("GET", "HEAD"):
        return False
    token = query_token(query)
    return token is not None and token.startswith(row.own_tokens.encode())


def _climbs(path: str) -> bool:
    """Tell whether a path has dot segments, which two readers could resolve in two ways."""
    return "/." in path and any(segment in (".", "..") for segment in path.split("/"))


def query_token(query: bytes) -> bytes | None:
    """Give the bearer token that a query holds, if it holds exactly one."""
    if b"token=" not in query:
        return None
    try:
        values = parse_qs(query.decode("ascii"), max_num_fields=50).get(TOKEN, [])
    except ValueError:
        return None
    return values[0].encode() if len(values) == 1 and values[0] else None
