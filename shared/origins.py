"""Whether a browser's request comes from our own pages."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import Forbidden


def check_origin(headers: Mapping[str, str], public_url: str) -> None:
    """Check that a change comes from our own pages (teams contract, section 8).

    Raises:
        Forbidden: the ``Origin`` header is absent or names another site.
    """
    origin = headers.get("origin")
    if origin is None:
        raise Forbidden("missing_origin", code="missing_origin")
    if origin != public_url.rstrip("/"):
        raise Forbidden("origin_mismatch", code="origin_mismatch")
