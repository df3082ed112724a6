"""What else happens when a run ends, given by who stands above runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from services.runs.runs.models import RunRow
from shared.db import Connection

Step: TypeAlias = Callable[[Connection, RunRow, Mapping[str, Any] | None], Awaitable[None]]
"""Takes the connection of the transaction, the run as it ended, and its report if it has one."""


class Endings:
    """Steps of the transaction in which a run ends, after the run was moved and its report stored.

    They write rows only: nothing that waits for a network. One that fails leaves the run as it was.

    Args:
        steps: in their order.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = tuple(steps)

    async def __call__(
        self, connection: Connection, run: RunRow, report: Mapping[str, Any] | None
    ) -> None:
        """Take all steps.

        Args:
            connection: of the transaction.
            run: as it ended; it is not tried again.
            report: whole, or as far as it went; None where there is none.
        """
        for step in self._steps:
            await step(connection, run, report)


NOTHING_ELSE = Endings()
