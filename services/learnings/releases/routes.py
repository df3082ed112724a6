"""The HTTP door of releases (learnings contract, sections 4 and 5.4)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.files.models import Delivery
from services.learnings.releases import operations, rules
from services.learnings.releases.models import (
    Artifact,
    NewRelease,
    Release,
    ReleaseListQuery,
    ReleasePage,
    ReleaseQuery,
    SigningKey,
    Stored,
    Uploaded,
)
from services.learnings.releases.operations import Part
from services.learnings.releases.rules import Signer
from services.learnings.settings import LearningsSettings
from shared.api import Call, Operation, Reply
from shared.object_store import FileStore
from shared.pagination import page_of

LARGEST_FILE: Final = 5 * 2**30
"""Bytes, whatever the settings say; those are looked at while the body passes."""

_TAG: Final = "Releases"
_HOME: Final = "/v1/releases"
_ONE: Final = "/v1/releases/{version}"


def _shown(call: Call[Any, Any], stored: Stored) -> Release:
    settings = call.resource(LearningsSettings)
    return rules.shown(stored, settings.public_url, call.resource(Signer))


async def create(call: Call[NewRelease, Any]) -> Reply:
    """Post a release: 201, or 200 when it was posted just so before."""
    most = call.resource(LearningsSettings).release_size
    stored, is_new = await operations.post(call.database, call.body, most)
    return Reply(_shown(call, stored), status=201 if is_new else 200)


async def index(call: Call[Any, ReleaseListQuery]) -> ReleasePage:
    """List releases, newest first."""
    items, total = await operations.page(call.database, call.query)
    return page_of([_shown(call, stored) for stored in items], total, call.query)


async def latest(call: Call[Any, ReleaseQuery]) -> Release:
    """Show the newest release of a channel."""
    return _shown(call, await operations.newest(call.database, call.query.channel))


async def show(call: Call[Any, Any]) -> Release:
    """Show one release."""
    return _shown(call, await operations.find(call.database, call.path["version"]))


async def withdraw(call: Call[Any, Any]) -> Reply:
    """Withdraw a release."""
    files = call.resource(FileStore)
    await operations.withdraw(call.database, files, call.path["version"])
    return Reply(None)


async def artifact(call: Call[Any, Any]) -> Artifact:
    """Say where a release's artifact is."""
    stored = await operations.find(call.database, call.path["version"])
    return rules.artifact_of(stored, call.resource(LearningsSettings).public_url)


async def download_artifact(call: Call[Any, Any]) -> Reply:
    """Send the artifact, or a part of it."""
    stored = await operations.find(call.database, call.path["version"])
    return await _download(call, stored, "artifact")


async def download_installer(call: Call[Any, ReleaseQuery]) -> Reply:
    """Send the newest release's installer."""
    stored = await operations.newest(call.database, call.query.channel)
    return await _download(call, stored, "installer")


async def _download(call: Call[Any, Any], stored: Stored, part: Part) -> Reply:
    files = call.resource(FileStore)
    return _reply(await operations.download(files, stored, part, call.headers))


def _reply(delivery: Delivery) -> Reply:
    return Reply(delivery.body, delivery.status, delivery.headers, delivery.media_type)


async def upload_artifact(call: Call[Any, Any]) -> Uploaded:
    """Take the artifact of a posted release."""
    return await _upload(call, "artifact")


async def upload_installer(call: Call[Any, Any]) -> Uploaded:
    """Take the installer of a posted release."""
    return await _upload(call, "installer")


async def _upload(call: Call[Any, Any], part: Part) -> Uploaded:
    files, most = call.resource(FileStore), call.resource(LearningsSettings).release_size
    version = call.path["version"]
    return await operations.upload(call.database, files, version, part, call.pieces, most)


async def sums(call: Call[Any, Any]) -> Reply:
    """Send the digests of a release's files."""
    stored = await operations.find(call.database, call.path["version"])
    return Reply(rules.sums_of(stored), media_type="text/plain")


async def sums_signature(call: Call[Any, Any]) -> Reply:
    """Send the signature over them, in base64."""
    stored = await operations.find(call.database, call.path["version"])
    signature = call.resource(Signer).sign(rules.sums_of(stored))
    return Reply(f"{signature}\n".encode(), media_type="text/plain")


async def changelog(call: Call[Any, Any]) -> Reply:
    """Send what changed, as text."""
    stored = await operations.find(call.database, call.path["version"])
    return Reply(rules.changelog_of(stored), media_type="text/plain")


async def signing_key(call: Call[Any, Any]) -> SigningKey:
    """Show the public key."""
    return SigningKey(public_key=call.resource(Signer).public_key)


def _public(path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {"method": "GET", "answer": None, "public": True, "tag": _TAG}
    return Operation(path=path, endpoint=endpoint, summary=summary, **(row | more))


def _publishing(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {"answer": Uploaded, "scope": "releases:write", "tag": _TAG}
    return Operation(method=method, path=path, endpoint=endpoint, summary=summary, **(row | more))


_FILE: Final[dict[str, Any]] = {"raw": True, "body_limit": LARGEST_FILE, "errors": (422,)}

OPERATIONS: Final = (
    _publishing(
        *("POST", _HOME, create, "Post a release"),
        body=NewRelease,
        answer=Release,
        status=201,
        idempotent=True,
        errors=(409,),
    ),
    _publishing("PUT", f"{_ONE}/artifact", upload_artifact, "Upload the artifact", **_FILE),
    _publishing("PUT", f"{_ONE}/installer", upload_installer, "Upload the installer", **_FILE),
    _publishing("DELETE", _ONE, withdraw, "Withdraw a release", answer=None, status=204),
    Operation(
        method="GET",
        path=_HOME,
        endpoint=index,
        summary="List releases",
        answer=ReleasePage,
        query=ReleaseListQuery,
        scope="releases:read",
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=_ONE,
        endpoint=show,
        summary="Show a release",
        answer=Release,
        scope="releases:read",
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_HOME}/latest/installer",
        endpoint=download_installer,
        summary="Download the newest release's installer",
        answer=None,
        query=ReleaseQuery,
        scope="releases:read",
        errors=(404, 412, 416),
        tag=_TAG,
    ),
    _public(
        *(f"{_HOME}/latest", latest, "Show the newest release"),
        answer=Release,
        query=ReleaseQuery,
        errors=(404,),
    ),
    _public(f"{_HOME}/signing-key", signing_key, "The key that signs", answer=SigningKey),
    _public(f"{_ONE}/artifact", artifact, "Say where a release's artifact is", answer=Artifact),
    _public(
        *(f"{_ONE}/artifact.tar.gz", download_artifact, "Download the artifact"),
        errors=(412, 416),
    ),
    _public(f"{_ONE}/SHA256SUMS", sums, "The digests of a release's files"),
    _public(f"{_ONE}/SHA256SUMS.sig", sums_signature, "The signature over SHA256SUMS"),
    _public(f"{_ONE}/changelog", changelog, "What changed, as text"),
)
