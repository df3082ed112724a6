"""Asking a sibling service at its ``/internal/…`` routes (teams contract, section 1.1).

Within two seconds or not at all: whatever is wrong with the sibling, to the caller it is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from shared.errors import Unavailable
from shared.log import get_logger
from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion

TIMEOUT: Final = 2.0
"""Seconds that a sibling has for an answer."""

AUTH: Final = Principal(Kind.SERVICE, "auth")

AnswerT = TypeVar("AnswerT", bound=BaseModel)

log = get_logger()


@dataclass(frozen=True, slots=True, repr=False)
class Sibling:
    """Where a service listens, and the key under which it believes assertions."""

    url: str
    key: bytes


class Siblings:
    """The services that auth may ask. Open it with ``opened``."""

    def __init__(self, client: httpx.AsyncClient, known: Mapping[str, Sibling]) -> None:
        self._client = client
        self._known = dict(known)

    @classmethod
    @asynccontextmanager
    async def opened(cls, known: Mapping[str, Sibling]) -> AsyncIterator[Siblings]:
        """Keep connections until the context is left.

        Args:
            known: by the service's name; one that is not named is away.
        """
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            yield cls(client, known)

    async def ask(
        self, service: str, path: str, question: Mapping[str, Any], answer: type[AnswerT]
    ) -> AnswerT:
        """Post a question as JSON and read the answer.

        Raises:
            Unavailable: there was none within two seconds, or not one of this form.
        """
        sibling = self._known.get(service)
        if sibling is None:
            raise Unavailable
        assertion = sign_assertion(sibling.key, service, AUTH, time.time())
        headers = {ASSERTION_HEADER: assertion, "content-type": "application/json"}
        try:
            async with asyncio.timeout(TIMEOUT):
                given = await self._client.post(
                    sibling.url + path, content=to_json(question), headers=headers
                )
            if given.status_code == httpx.codes.OK:
                return answer.model_validate_json(given.content)
        except (httpx.HTTPError, TimeoutError) as error:
            log.info("sibling is away", service=service, path=path, reason=type(error).__name__)
            raise Unavailable from None
        except ValidationError:
            log.error("answer of a sibling not understood", service=service, path=path)
            raise Unavailable from None
        log.info("sibling gave no answer", service=service, path=path, status=given.status_code)
        raise Unavailable
