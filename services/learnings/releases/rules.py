"""What is said of a release, and how it is signed (learnings contract, section 5.4)."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from typing import Final

from nacl.signing import SigningKey

from services.learnings.files.models import Described
from services.learnings.releases.models import Artifact, NewRelease, Release, Stored

INSTALLER_NAME: Final = "install-trw.py"
SUMS_NAME: Final = "SHA256SUMS"


class Signer:
    """Signs releases with Ed25519.

    Args:
        seed: 32 bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)

    def sign(self, text: bytes) -> str:
        """Give the detached signature in base64."""
        return base64.b64encode(self._key.sign(text).signature).decode()

    @property
    def public_key(self) -> str:
        """The public half in base64."""
        return base64.b64encode(bytes(self._key.verify_key)).decode()


def is_same(stored: Stored, posted: NewRelease) -> bool:
    """Tell whether a version that is there was posted with just this."""
    return (
        stored.channel == posted.channel
        and stored.built_at == posted.artifact_url
        and stored.artifact_checksum == posted.artifact_checksum
        and stored.artifact_size_bytes == posted.artifact_size_bytes
        and stored.framework_version == posted.framework_version
        and stored.min_compatible_version == posted.min_compatible_version
        and stored.expected_installer == posted.installer_checksum
        and stored.changelog_url == (posted.changelog_url or "")
        and stored.changelog == posted.changelog
    )


def shown(stored: Stored, public_url: str, signer: Signer) -> Release:
    """Show a release, signed."""
    home = _home(stored, public_url)
    signed = canonical(stored)
    return Release(
        version=stored.version,
        published_at=_day(stored),
        channel=stored.channel,
        changelog_url=stored.changelog_url or f"{home}/changelog",
        artifact_url=f"{home}/artifact.tar.gz",
        artifact_checksum=stored.artifact_checksum,
        artifact_size_bytes=stored.artifact_size_bytes,
        installer_checksum=_installer(stored),
        min_compatible_version=stored.min_compatible_version,
        framework_version=stored.framework_version,
        sha256sums_url=f"{home}/{SUMS_NAME}",
        signed=signed,
        signature=signer.sign(signed.encode()),
    )


def canonical(stored: Stored) -> str:
    """Give the text that is signed: what decides what a client runs, as JSON, keys in order."""
    fields = {
        "artifact_checksum": stored.artifact_checksum,
        "artifact_size_bytes": stored.artifact_size_bytes,
        "channel": stored.channel,
        "framework_version": stored.framework_version,
        "installer_checksum": _installer(stored),
        "min_compatible_version": stored.min_compatible_version,
        "published_at": _day(stored),
        "version": stored.version,
    }
    return json.dumps(fields, separators=(",", ":"), sort_keys=True)


def artifact_of(stored: Stored, public_url: str) -> Artifact:
    """Say where the artifact is."""
    return Artifact(
        version=stored.version,
        artifact_url=f"{_home(stored, public_url)}/artifact.tar.gz",
        artifact_checksum=stored.artifact_checksum,
        artifact_size_bytes=stored.artifact_size_bytes,
        min_compatible_version=stored.min_compatible_version,
    )


def sums_of(stored: Stored) -> bytes:
    """Write the file that ``sha256sum --check`` reads."""
    lines = [f"{stored.artifact_checksum}  {artifact_name(stored)}\n"]
    installer = _installer(stored)
    if installer is not None:
        lines.append(f"{installer}  {INSTALLER_NAME}\n")
    return "".join(lines).encode()


def changelog_of(stored: Stored) -> bytes:
    """Give what changed, as text."""
    return (stored.changelog or f"{stored.version}, {_day(stored)}\n").encode()


def artifact_name(stored: Stored) -> str:
    """Name the artifact as it is saved."""
    return f"trw-{stored.version}.tar.gz"


def described_artifact(stored: Stored) -> Described:
    """Describe the artifact for its download."""
    return Described(
        stored.artifact_size_bytes,
        stored.artifact_checksum,
        artifact_name(stored),
        "application/gzip",
    )


def described_installer(stored: Stored) -> Described:
    """Describe the installer, which must be there, for its download."""
    assert stored.installer_checksum is not None
    assert stored.installer_size_bytes is not None
    return Described(
        stored.installer_size_bytes, stored.installer_checksum, INSTALLER_NAME, "text/x-python"
    )


def _installer(stored: Stored) -> str | None:
    return stored.installer_checksum or stored.expected_installer


def _day(stored: Stored) -> str:
    return stored.posted_at.astimezone(UTC).strftime("%Y-%m-%d")


def _home(stored: Stored, public_url: str) -> str:
    # "+" is the one character of a version that some clients would read as a blank.
    return f"{public_url}/v1/releases/{stored.version.replace('+', '%2B')}"
