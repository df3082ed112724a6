"""One request to somebody's server, and what was answered."""

from __future__ import annotations

from typing import Final

from services.runs.checks.models import ApiCheck, ApiChecked
from services.runs.engine.probes.api import call_api
from shared.errors import BadRequest
from shared.fetch import Fetcher

NOT_ALLOWED: Final = (
    "This address may not be reached: only http and https, and no private network unless "
    "GUILDHALL_URL_ALLOW (or TRIPWIRE_URL_ALLOW) lists its host"
)


async def call(fetcher: Fetcher, check: ApiCheck) -> ApiChecked:
    """Ask, and say whether the answer is the expected one.

    Raises:
        BadRequest: ``url_not_allowed``: the address, or one that it sends us on to, is not open.
    """
    judged = await call_api(fetcher, check.as_request())
    if judged.is_refused:
        raise BadRequest(NOT_ALLOWED, code="url_not_allowed")
    return ApiChecked(status="passed" if judged.passed else "failed", observed=judged.observed)
