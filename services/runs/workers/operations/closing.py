"""What is owed when a run ends: each part that stands on runs has its line here."""

from __future__ import annotations

from services.runs.deliveries import operations as deliveries
from services.runs.runs.operations import Endings
from services.runs.settings import RunsSettings
from services.runs.trackers import operations as trackers
from shared.vault import Vault


class Closing(Endings):
    """The steps of a run's end, in the transaction in which it ends.

    A run comes by here once: from its worker, from whoever finds its worker dead, when it is
    cancelled while it waits, and when its suite is gone.

    Args:
        settings: of this process.
        vault: opens stored credentials.
    """

    def __init__(self, settings: RunsSettings, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault
        # One line for each part: an ``async def (connection, run, report) -> None``.
        super().__init__((deliveries.owing(settings, vault), trackers.owing(settings, vault)))
