"""The HTTP door of settings and of what is integrated (runs contract, section 3.7)."""

from __future__ import annotations

from typing import Any, Final

from services.runs.integrations import operations
from services.runs.integrations.models import Outcome, SettingsChange, SettingsShown, Trackers
from services.runs.settings import RunsSettings
from shared.api import Call, Empty, Operation
from shared.fetch import Fetcher
from shared.vault import Vault

_HOME: Final = "/api/v1/settings"
_TAG: Final = "Settings"


def _means(call: Call[Any, Any]) -> tuple[Vault, RunsSettings]:
    return call.resource(Vault), call.resource(RunsSettings)


async def show(call: Call[Empty, Empty]) -> SettingsShown:
    """``GET /api/v1/settings``."""
    return await operations.show(call.database, *_means(call), call.principal.org)


async def change(call: Call[SettingsChange, Empty]) -> SettingsShown:
    """``PUT /api/v1/settings``."""
    fetcher = call.resource(Fetcher)
    return await operations.change(call.database, *_means(call), fetcher, call.principal, call.body)


async def test_notification(call: Call[Empty, Empty]) -> Outcome:
    """``POST /api/v1/settings/test-notification``."""
    fetcher = call.resource(Fetcher)
    return await operations.test_notification(call.database, *_means(call), fetcher, call.principal)


async def trackers(call: Call[Empty, Empty]) -> Trackers:
    """``GET /api/v1/integrations/trackers``."""
    return await operations.trackers(call.database, *_means(call), call.principal.org)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=_HOME,
        endpoint=show,
        summary="Show the settings of other systems, secrets masked",
        answer=SettingsShown,
        scope="runs:read",
        tag=_TAG,
    ),
    Operation(
        method="PUT",
        path=_HOME,
        endpoint=change,
        summary="Change settings; null keeps, an empty text clears",
        answer=SettingsShown,
        body=SettingsChange,
        scope="runs:write",
        admin=True,
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path=_HOME + "/test-notification",
        endpoint=test_notification,
        summary="Say something in every channel that is configured",
        answer=Outcome,
        scope="runs:write",
        admin=True,
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/api/v1/integrations/trackers",
        endpoint=trackers,
        summary="Tell which trackers have complete credentials",
        answer=Trackers,
        scope="runs:read",
        tag=_TAG,
    ),
)
