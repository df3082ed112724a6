"""Where a login leads to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qs, urlencode

from services.auth.web_sessions.operations import HOME, local_path

DEVICE_PATHS: Final = frozenset({"/device", "/auth/verify"})
"""Two addresses of the consent page (learnings contract, 3.1; teams contract, 7)."""

LONGEST_CODE: Final = 64


@dataclass(frozen=True, slots=True)
class Target:
    """Where a login leads to, and the device that it may approve on the way.

    Attributes:
        path: one of ours.
        code: the user code of a device, where the path is the consent page.
        auto: whether signing in approves that device at once.
    """

    path: str
    code: str = ""
    auto: bool = False

    @classmethod
    def read(cls, redirect_to: str, code: str = "", auto: str = "") -> Target:
        """Read what a query or form says; anything that is no path of ours leads to the home page.

        A code may stand beside the path or in its query.
        """
        path = local_path(redirect_to) if redirect_to else HOME
        base, _, query = path.partition("?")
        if base not in DEVICE_PATHS:
            return cls(path)
        inner = parse_qs(query.partition("#")[0], max_num_fields=20)
        code = code or inner.get("code", [""])[0]
        auto = auto or inner.get("auto", [""])[0]
        return cls(base, code[:LONGEST_CODE], bool(code) and auto == "1")

    @property
    def location(self) -> str:
        """The address to go on to, which approves nothing by itself."""
        return f"{self.path}?{urlencode({'code': self.code})}" if self.code else self.path

    @property
    def by_hand(self) -> Target:
        """The same, with the device to be approved on its own page."""
        return replace(self, auto=False)

    @property
    def fields(self) -> dict[str, str]:
        """What carries it through the steps of a login."""
        found = {"redirect_to": self.path}
        if self.code:
            found["code"] = self.code
        if self.auto:
            found["auto"] = "1"
        return found

    @property
    def query(self) -> str:
        """The same as a query string; slashes stay readable."""
        return urlencode(self.fields, safe="/")
