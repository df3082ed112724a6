"""The HTTP door of artifacts (runs contract, section 3.8)."""

from __future__ import annotations

from typing import Final

from starlette.convertors import StringConvertor, register_url_convertor

from services.runs.artifacts import operations
from services.runs.artifacts.models import ArtifactQuery, TokenMade, TokenRequest
from services.runs.artifacts.operations import Links, Store
from shared.api import Call, Empty, Operation, Reply

_TAG: Final = "Artifacts"


class _Key(StringConvertor):
    """A path that may name an object; every other one is unknown, whatever it would lead to."""

    # Starlette's `$` matches before a closing newline as well.
    regex = r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*(?!\n)"


register_url_convertor("key", _Key())


async def make_token(call: Call[TokenRequest, Empty]) -> TokenMade:
    """``POST /api/v1/artifacts/token``."""
    return await call.resource(Links).make(call.database, call.principal, call.body.path)


async def show(call: Call[Empty, ArtifactQuery]) -> Reply:
    """``GET /api/v1/artifacts/{path}``."""
    sent = await operations.send(
        call.database,
        call.resource(Store),
        call.resource(Links),
        call.principal,
        call.query.token,
        call.path["path"],
        call.headers,
    )
    return Reply(sent.body, sent.status, sent.headers, sent.media_type)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/api/v1/artifacts/token",
        endpoint=make_token,
        summary="Make a token by which an image or a link shows one artifact, or a run's",
        answer=TokenMade,
        body=TokenRequest,
        scope=operations.SCOPE,
        no_store=True,
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/api/v1/artifacts/{path:key}",
        endpoint=show,
        summary="Send an artifact of a run",
        answer=None,
        query=ArtifactQuery,
        # Open, because a token stands in the place of a name; without either it is a 401.
        public=True,
        errors=(401, 403, 404, 412, 416),
        tag=_TAG,
        media_type="application/octet-stream",
    ),
)
