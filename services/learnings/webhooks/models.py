"""What goes in and out of the webhook routes, and the rows behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.api import Answer, Body
from shared.pagination import PageQuery

MOST_WEBHOOKS: Final = 20
"""Webhooks of one organization."""

URL_LIMIT: Final = 2_048


class EventType(StrEnum):
    """What a webhook can be told of."""

    RECORDED = "learning.recorded"
    CHANGED = "learning.changed"
    RETIRED = "learning.retired"


TEST_TYPE: Final = "webhook.test"
"""The type of the message that somebody sends to try an address."""

Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=URL_LIMIT)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


def _each_once(events: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(events))


Events = Annotated[list[EventType], Field(min_length=1, max_length=20), AfterValidator(_each_once)]


class NewWebhook(Body):
    """``POST /v1/webhooks``."""

    url: Url
    events: Events = list(EventType)
    description: Description = ""


class WebhookChange(Body):
    """``PATCH /v1/webhooks/{id}``: any of these; null counts as not sent."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: Annotated[bool, Field(strict=True)] | None = None


class Webhook(Answer):
    """A webhook as it is shown.

    ``disabled_reason`` is ``administrator``, ``gone`` (the address answered 410) or ``failing``
    (nothing but failures for five days, or ten deliveries given up in a row).
    """

    id: str
    url: str
    events: list[EventType]
    description: str
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: Literal["administrator", "gone", "failing"] | None
    failing_since: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    old_secret_ends_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    """A webhook with its secret, which is shown only now."""

    secret: str


class DeliveryQuery(PageQuery):
    """The filter of a webhook's deliveries."""

    status: Literal["pending", "delivered", "failed"] | None = None


class Delivery(Answer):
    """One message on its way to one webhook.

    ``message_id`` is what receivers see as ``webhook-id``, the same over all attempts. ``error`` is
    a class such as ``timeout`` or ``status``; ``response_text`` is how the last answer began.
    """

    id: str
    message_id: str
    type: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    attempted_at: datetime | None
    duration_ms: int | None
    response_status: int | None
    response_text: str | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """The secrets of a webhook as they are stored; the old one only while it still signs."""

    secret: bytes
    old_secret: bytes | None


@dataclass(frozen=True, slots=True, repr=False)
class Due:
    """A delivery that is to be tried now; ``attempt`` counts from its last redelivery, from 1."""

    id: str
    message_id: str
    body: str
    attempts: int
    attempt: int


@dataclass(frozen=True, slots=True, repr=False)
class Turn:
    """A webhook in this process's hands until ``held_until``, and what to deliver to it."""

    org_id: str
    webhook_id: str
    url: str
    sealed: Sealed
    held_until: datetime
    due: Sequence[Due]


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What became of one attempt.

    Attributes:
        delivery_id: of which delivery.
        attempts: the number of this one among all of it, so that a late result is known as such.
        error: empty where it was delivered.
        response_status: that was answered, if anything was.
        response_text: its beginning.
        duration_ms: of the attempt.
        delay_s: until the next one; None where there is none.
    """

    delivery_id: str
    attempts: int
    error: str
    response_status: int | None
    response_text: str
    duration_ms: int
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """How a webhook's address behaves.

    Attributes:
        failures: failed attempts since the last success.
        failing_since: when the first of them was.
        given_up: deliveries given up since the last success.
    """

    failures: int = 0
    failing_since: datetime | None = None
    given_up: int = 0
