"""What a path may look like, and how what lies there is sent."""

from __future__ import annotations

from typing import Final

from shared.errors import NotFound
from shared.object_store import check_key

REPORTS: Final = ("report.json", "junit.xml", "report.html")
"""Names in a run's folder that are kept when the others' time is over."""

BINARY: Final = "application/octet-stream"

_SHOWN: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "xml": "application/xml",
    "txt": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "md": "text/plain; charset=utf-8",
    "csv": "text/plain; charset=utf-8",
}
_SAVED: Final = {"zip": "application/zip", "pdf": "application/pdf", "webm": "video/webm"}

_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox"
)


def split(path: str) -> tuple[str, str]:
    """Give run id and name of an artifact's path.

    Raises:
        NotFound: it names nothing that could be there.
    """
    run_id, _, name = folder_or_artifact(path).partition("/")
    if not name:
        raise NotFound
    return run_id, name


def folder_or_artifact(path: str) -> str:
    """Give a path without a closing slash.

    Raises:
        NotFound: it names nothing that could be there.
    """
    try:
        return check_key(path.removesuffix("/"))
    except ValueError:
        raise NotFound from None


def covers(granted: str, path: str) -> bool:
    """Tell whether what was granted for a path, or for a run's folder, holds for another one."""
    if granted == path:
        return True
    return "/" not in granted and path.startswith(f"{granted}/")


def media_type(name: str) -> str:
    """Name the type of an artifact, by its ending alone."""
    ending = name.rpartition(".")[2].lower()
    return _SHOWN.get(ending) or _SAVED.get(ending) or BINARY


def headers_of(name: str) -> dict[str, str]:
    """Give the headers by which a browser shows an artifact and trusts it in nothing.

    What a page gave to be saved is never shown; a report may let its reader save what it links.
    """
    kind = media_type(name)
    policy = f"{_POLICY} allow-downloads" if name == "report.html" else _POLICY
    headers = {
        # A private copy may be kept and is asked for again, so that who logs out sees it no more.
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "content-security-policy": policy,
    }
    is_shown = kind in _SHOWN.values() and not name.startswith("downloads/")
    if not is_shown:
        headers["content-disposition"] = f'attachment; filename="{name.rpartition("/")[2]}"'
    return headers
