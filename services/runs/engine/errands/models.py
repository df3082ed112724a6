"""What an errand is given, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

URL_NOT_ALLOWED = "url_not_allowed"


class Failed(Exception):
    """Raised when nothing comes of an errand.

    Attributes:
        reason: why, for clients; it holds nothing that is secret.
        code: a word for it, ``url_not_allowed`` where an address may not be reached.
    """

    def __init__(self, reason: str, code: str = "failed") -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class Exchange(Protocol):
    """The other side of an errand: who may end it, and who watches it."""

    def check(self) -> None:
        """Ask before each action whether it may be done.

        Raises:
            Cancelled: the errand is to end (``running.models``).
        """

    async def cancelled(self) -> None:
        """Wait until the errand is to end."""

    async def wish(self) -> Mapping[str, Any]:
        """Wait for the next thing that is said to the errand, in its order."""

    async def tell(self, content: Mapping[str, Any], slot: str = "") -> None:
        """Tell who watches; in a slot that is not empty only the newest counts."""
