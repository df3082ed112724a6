"""Preflights: what browsers ask by themselves before a page's request (Fetch, section 3.2.2).

They carry no credential and concern no service, so they are answered before authentication, and
counted by the caller's address. On the teams surface that holds for any ``OPTIONS`` (contract,
section 2); elsewhere one that is no preflight goes to the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.body_limits import DEFAULT_BODY
from gateway.pipeline import request_head
from gateway.route_table import SIGNATURE
from gateway.signed_requests import stages
from shared.errors import NotAcceptable, ServiceError
from shared.surfaces import Surface

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Destination
    from gateway.pipeline.request_head import Fields

PREFLIGHT_CLASS: Final = "preflight"
"""The rate class that counts them: its own, because what a browser asks by itself must not use up
the few tries of a login, nor the failures after which nobody is asked about an address any more."""

_WISH: Final = b"access-control-request-method"


def is_asked(destination: Destination, fields: Fields) -> bool:
    """Tell whether ``OPTIONS`` is to be answered here."""
    if destination.surface is Surface.TEAMS:
        return True
    return fields.origin is not None and any(name == _WISH for name, _ in fields.headers)


def fault_of(destination: Destination, fields: Fields) -> ServiceError | None:
    """Say why it is refused, if it is."""
    row = destination.row
    fault = request_head.fault_of(fields, DEFAULT_BODY if row is None else row.body_limit)
    if fault is not None or row is None or row.authenticators != SIGNATURE:
        return fault
    try:
        stages.check_accept(tuple(value for name, value in fields.headers if name == b"accept"))
    except NotAcceptable as error:
        return error
    return None
