"""The HTTP door of outgoing webhooks: for an organization's administrators, never for keys."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.settings import LearningsSettings
from services.learnings.webhooks import operations, rules
from services.learnings.webhooks.models import (
    Delivery,
    DeliveryQuery,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookWithSecret,
)
from shared.api import Call, Operation, Reply
from shared.pagination import Page, PageQuery
from shared.targets import TargetPolicy
from shared.vault import Vault

COLLECTION: Final = "/v1/webhooks"
ONE: Final = COLLECTION + "/{id}"
TAG: Final = "Webhooks"


def _org(call: Call[Any, Any]) -> str:
    return rules.org_of(call.principal)


def _policy(call: Call[Any, Any]) -> TargetPolicy:
    return call.resource(LearningsSettings).targets()


async def index(call: Call[Any, PageQuery]) -> Page[Webhook]:
    """``GET /v1/webhooks``."""
    return await operations.page(call.database, _org(call), call.query)


async def create(call: Call[NewWebhook, Any]) -> WebhookWithSecret:
    """``POST /v1/webhooks``."""
    vault = call.resource(Vault)
    return await operations.create(call.database, vault, _policy(call), _org(call), call.body)


async def show(call: Call[Any, Any]) -> Webhook:
    """``GET /v1/webhooks/{id}``."""
    return await operations.show(call.database, _org(call), call.path["id"])


async def change(call: Call[WebhookChange, Any]) -> Webhook:
    """``PATCH /v1/webhooks/{id}``."""
    return await operations.change(
        call.database, _policy(call), _org(call), call.path["id"], call.body
    )


async def delete(call: Call[Any, Any]) -> Reply:
    """``DELETE /v1/webhooks/{id}``."""
    await operations.delete(call.database, _org(call), call.path["id"])
    return Reply(None)


async def rotate(call: Call[Any, Any]) -> WebhookWithSecret:
    """``POST /v1/webhooks/{id}/rotate``."""
    vault = call.resource(Vault)
    return await operations.rotate(call.database, vault, _org(call), call.path["id"])


async def send_test(call: Call[Any, Any]) -> Delivery:
    """``POST /v1/webhooks/{id}/test``."""
    return await operations.send_test(call.database, _org(call), call.path["id"])


async def deliveries(call: Call[Any, DeliveryQuery]) -> Page[Delivery]:
    """``GET /v1/webhooks/{id}/deliveries``."""
    return await operations.deliveries(call.database, _org(call), call.path["id"], call.query)


async def redeliver(call: Call[Any, Any]) -> Delivery:
    """``POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver``."""
    return await operations.redeliver(
        call.database, _org(call), call.path["id"], call.path["delivery_id"]
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=index,
        summary="List the organization's webhooks",
        answer=Page[Webhook],
        query=PageQuery,
        admin=True,
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Add a webhook; its secret is shown only now",
        answer=WebhookWithSecret,
        status=201,
        body=NewWebhook,
        admin=True,
        no_store=True,
        errors=(409,),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=show,
        summary="Show a webhook, and how its address behaves",
        answer=Webhook,
        admin=True,
        tag=TAG,
    ),
    Operation(
        method="PATCH",
        path=ONE,
        endpoint=change,
        summary="Change a webhook, disable it, or enable it again",
        answer=Webhook,
        body=WebhookChange,
        admin=True,
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete a webhook with its deliveries",
        answer=None,
        status=204,
        admin=True,
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/rotate",
        endpoint=rotate,
        summary="Replace a webhook's secret; for a day both sign",
        answer=WebhookWithSecret,
        admin=True,
        no_store=True,
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/test",
        endpoint=send_test,
        summary="Send a test message",
        answer=Delivery,
        status=201,
        admin=True,
        idempotent=True,
        errors=(409,),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE + "/deliveries",
        endpoint=deliveries,
        summary="List a webhook's deliveries of the last 30 days",
        answer=Page[Delivery],
        query=DeliveryQuery,
        admin=True,
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/deliveries/{delivery_id}/redeliver",
        endpoint=redeliver,
        summary="Try a delivery again, now",
        answer=Delivery,
        admin=True,
        errors=(409,),
        tag=TAG,
    ),
)
