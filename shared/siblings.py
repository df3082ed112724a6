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
from pydantic import BaseModel, SecretBytes, ValidationError
from pydantic_core import to_json

from shared.errors import Unavailable
from shared.log import get_logger
from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion
from shared.secret import derive
from shared.settings import sibling_purpose

TIMEOUT: Final = 2.0
"""Seconds that a sibling has for an answer."""

AnswerT = TypeVar("AnswerT", bound=BaseModel)

log = get_logger()


@dataclass(frozen=True, slots=True, repr=False)
class Sibling:
    """Where a service listens, and the key under which it believes assertions."""

    url: str
    key: bytes


def sibling_at(
    url: str | None, key: SecretBytes | None, root: SecretBytes | None, service: str
) -> dict[str, Sibling]:
    """Give a sibling by its name, as far as settings say where it is.

    Args:
        url: where it listens, if anywhere.
        key: under which it is asked; derived from the root secret if absent.
        root: that secret, where this process knows it.
        service: its name.
    """
    if url is None or (key is None and root is None):
        return {}
    if key is not None:
        return {service: Sibling(url, key.get_secret_value())}
    assert root is not None
    return {service: Sibling(url, derive(root.get_secret_value(), sibling_purpose(service)))}


class Siblings:
    """The services that one service may ask. Open it with ``opened``."""

    def __init__(
        self, client: httpx.AsyncClient, asker: Principal, known: Mapping[str, Sibling]
    ) -> None:
        self._client = client
        self._asker = asker
        self._known = dict(known)

    @classmethod
    @asynccontextmanager
    async def opened(cls, asker: str, known: Mapping[str, Sibling]) -> AsyncIterator[Siblings]:
        """Keep connections until the context is left.

        Args:
            asker: the name of the service that asks.
            known: by the service's name; one that is not named is away.
        """
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            yield cls(client, Principal(Kind.SERVICE, asker), known)

    async def ask(
        self, service: str, path: str, question: Mapping[str, Any], answer: type[AnswerT]
    ) -> AnswerT:
        """Post a question as JSON and read the answer.

        Raises:
            Unavailable: there was none within two seconds, or not one of this form.
        """
        given = await self.fetch(service, path, question)
        try:
            return answer.model_validate_json(given)
        except ValidationError:
            log.error("answer of a sibling not understood", service=service, path=path)
            raise Unavailable from None

    async def fetch(
        self, service: str, path: str, question: Mapping[str, Any], *, within: float = TIMEOUT
    ) -> bytes:
        """Post a question as JSON and give the answer as it came.

        Args:
            service: the sibling's name.
            path: such as ``/internal/machines/check``.
            question: the body.
            within: seconds; more than two where nobody waits for it.

        Raises:
            Unavailable: there was none within that time.
        """
        sibling = self._known.get(service)
        if sibling is None:
            raise Unavailable
        assertion = sign_assertion(sibling.key, service, self._asker, time.time())
        headers = {ASSERTION_HEADER: assertion, "content-type": "application/json"}
        try:
            async with asyncio.timeout(within):
                given = await self._client.post(
                    sibling.url + path,
                    content=to_json(question),
                    headers=headers,
                    timeout=within,
                )
        except (httpx.HTTPError, TimeoutError) as error:
            log.info("sibling is away", service=service, path=path, reason=type(error).__name__)
            raise Unavailable from None
        if given.status_code == httpx.codes.OK:
            return given.content
        log.info("sibling gave no answer", service=service, path=path, status=given.status_code)
        raise Unavailable
