"""Secrets the system makes for itself and keeps under ``<data dir>/secrets``.

Each is one file of mode 0600 in a folder of mode 0700. What the environment gives wins and is not
written down. In production nothing is made up: what is missing is an error.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from guildhall.failures import Failure
from guildhall.settings import CommandSettings
from shared.secret import decode_base64url, encode_base64url


class SecretMissing(Failure):
    """Production lacks a secret, or one on disk cannot be used; the text names it."""


@dataclass(frozen=True)
class Secrets:
    """What the environment or the files hold.

    Attributes:
        root: from which every other key is derived.
        signing_keys: Ed25519 seeds, newest first, as auth reads them.
        service_admin_password: of the agents surface's account ``admin``.
        made: which of them this call has made, by file name: the moment to tell a person.
    """

    root: bytes = field(repr=False)
    signing_keys: str = field(repr=False)
    service_admin_password: str = field(repr=False)
    made: frozenset[str]


def load_or_make(settings: CommandSettings, *, may_make: bool = True) -> Secrets:
    """Take each secret from the environment, else from its file, else make it.

    Raises:
        SecretMissing: not given and production, or not ``may_make``; or a file is damaged.
    """
    may_make = may_make and settings.is_development
    folder = SecretFolder(settings.directory / "secrets", may_make=may_make)
    if settings.root_secret is not None:
        root = settings.root_secret.get_secret_value()
    else:
        root = _decoded(folder.get("root_secret", _random_key), folder.path / "root_secret")
    signing = settings.signing_keys and settings.signing_keys.get_secret_value()
    admin = settings.service_admin_password and settings.service_admin_password.get_secret_value()
    return Secrets(
        root=root,
        signing_keys=signing or folder.get("signing_keys", _random_key),
        service_admin_password=admin
        or folder.get("service_admin_password", lambda: secrets.token_urlsafe(18)),
        made=frozenset(folder.made),
    )


class SecretFolder:
    """A folder with one secret a file."""

    def __init__(self, path: Path, *, may_make: bool) -> None:
        self.path = path
        self.made: list[str] = []
        self._may_make = may_make

    def get(self, name: str, make: Callable[[], str]) -> str:
        """Read a secret, or make it, whole and durable before it is used.

        Raises:
            SecretMissing: it is not there and may not be made, or the file is empty.
        """
        path = self.path / name
        if not path.exists():
            self._make(path, make)
        value = path.read_text().strip()
        if not value:
            raise SecretMissing(f"{path} is empty: restore it from a backup, or delete it")
        return value

    def _make(self, path: Path, make: Callable[[], str]) -> None:
        if not self._may_make:
            raise SecretMissing(f"GUILDHALL_{path.name.upper()} is missing")
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{make()}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        self.made.append(path.name)


def _random_key() -> str:
    return encode_base64url(secrets.token_bytes(32))


def _decoded(text: str, path: Path) -> bytes:
    try:
        return decode_base64url(text)
    except ValueError:
        raise SecretMissing(f"{path} is damaged: restore it from a backup") from None
