"""Who may see an artifact, by name or by a token for it, and sending it."""

from __future__ import annotations

from collections.abc import Mapping

from services.runs.artifacts import rules, store
from services.runs.artifacts.models import OWN_TOKEN, TOKEN_LIFE, Delivery, TokenMade
from services.runs.artifacts.operations.keeping import Store
from shared.byte_ranges import select
from shared.db import Database
from shared.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from shared.principal import Principal
from shared.tickets import Tickets

SCOPE = "runs:read"

_PURPOSE = "artifact"


class Links:
    """Writes and reads tokens for one path, or a run's folder, that hold for five minutes.

    Args:
        key: the service's encryption key, from which one for tokens alone is derived.
    """

    def __init__(self, key: bytes) -> None:
        self._tickets = Tickets(key, TOKEN_LIFE)

    async def make(self, database: Database, principal: Principal, path: str) -> TokenMade:
        """Make a token for a path of the caller's organization.

        Raises:
            NotFound: it names nothing that could be there, or another organization's run.
        """
        path = rules.folder_or_artifact(path)
        await _find_run(database, principal.org, path.partition("/")[0])
        ticket = self._tickets.write(_PURPOSE, org=principal.org, path=path)
        return TokenMade(token=OWN_TOKEN + ticket)

    def org_of(self, token: str, path: str) -> str:
        """Give the organization whose member made the token.

        Raises:
            Unauthenticated: it is not ours, or is over.
            Forbidden: it is for another path.
        """
        if not token.startswith(OWN_TOKEN):
            raise Unauthenticated
        try:
            claims = self._tickets.read(_PURPOSE, token.removeprefix(OWN_TOKEN))
        except BadRequest:
            raise Unauthenticated from None
        if not rules.covers(str(claims["path"]), path):
            raise Forbidden("The token is for another artifact")
        return str(claims["org"])


async def send(
    database: Database,
    files: Store,
    links: Links,
    principal: Principal,
    token: str | None,
    path: str,
    headers: Mapping[str, str],
) -> Delivery:
    """Open an artifact for a request (RFC 9110: conditions, one range).

    Raises:
        Unauthenticated: neither a name nor a token that holds.
        Forbidden: the name may not read runs, or the token is for another path.
        NotFound: it is not there, or another organization's.
        PreconditionFailed: ``If-Match`` names another version.
        RangeNotSatisfiable: the range begins behind the end.
    """
    if not principal.is_anonymous:
        principal.require_scope(SCOPE)
        org_id = principal.org
    elif token:
        org_id = links.org_of(token, path)
    else:
        raise Unauthenticated
    run_id, name = rules.split(path)
    await _find_run(database, org_id, run_id)
    found = await files.files.find(path)
    selection = select(found.size, found.etag, headers)
    sent = rules.headers_of(name) | selection.headers(found.size, found.etag)
    body = None
    if selection.status != 304:
        body = await files.files.get(path, selection.start, selection.end)
    return Delivery(selection.status, sent, body, rules.media_type(name))


async def _find_run(database: Database, org_id: str, run_id: str) -> None:
    async with database.connection() as connection:
        if not org_id or not await store.has_run(connection, org_id, run_id):
            raise NotFound
