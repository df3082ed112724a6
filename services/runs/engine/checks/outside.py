"""Checks that look beyond the page: an answer of an API, a picture of earlier."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urljoin

from pydantic_core import from_json

from services.runs.engine.checks.looking import Eye, Seen
from services.runs.engine.checks.models import Undecidable
from services.runs.engine.probes.api import ABSENT, ApiRequest, call_api
from shared.fetch import Fetcher


class Baselines(Protocol):
    """Keeps pictures by name, and compares with them."""

    async def compare(self, name: str, picture: bytes, tol: float | None) -> tuple[bool, str]:
        """Tell whether a PNG is as the kept one, and what differs; the first of a name is kept."""


async def api(eye: Eye) -> Seen:
    """Send the request, once, and look at its answer.

    Raises:
        Undecidable: the target policy closes its address, or the check is not readable.
    """
    headers = eye.check.parameters.get("headers") or {}
    asked = ApiRequest(
        url=urljoin(eye.scene.base_url, eye.text("url") or ""),
        method=(eye.text("method") or "GET").strip().upper(),
        status=eye.number("status"),
        json_path=eye.text("json_path") or "",
        equals=_expected(eye.text("equals")),
        headers={name: eye.fill(value) for name, value in headers.items()},
        body=eye.text("body"),
    )
    async with Fetcher.opened(eye.scene.policy) as fetcher:
        try:
            judged = await call_api(fetcher, asked)
        except ValueError as error:
            raise Undecidable("not_readable", f"`json_path` {error}") from error
    if judged.is_refused:
        raise Undecidable(
            "url_not_allowed",
            f"{judged.observed} may not be reached from here; whoever runs this installation can "
            "open it with GUILDHALL_URL_ALLOW.",
        )
    return Seen(judged.passed, judged.observed)


def _expected(text: str | None) -> object:
    """Read what a suite's text expects: a JSON value if it writes one, else the text itself."""
    if text is None:
        return ABSENT
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text


async def screenshot(eye: Eye, baselines: Baselines | None) -> Seen:
    """Compare a picture of the page with the one kept under that name.

    Raises:
        Undecidable: there is nowhere to keep pictures.
    """
    if baselines is None:
        raise Undecidable("no_baselines", "Pictures of earlier runs are not kept here.")
    name = eye.text("name") or ""
    tol = eye.check.parameters.get("tol")
    picture = await eye.stage.screenshot(still=True)
    passed, observed = await baselines.compare(name, picture, None if tol is None else float(tol))
    return Seen(passed, observed)
