"""The system user that runs PostgreSQL, which refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guildhall.failures import Failure

NAME: Final = "pgserver"

_FALLBACKS: Final = ("postgres", "_postgres", "nobody")
_TIMEOUT: Final = 30.0

# Debian and Red Hat have useradd, Alpine has only adduser. A system user, because logind may
# remove the shared memory of ordinary users when they log out.
_COMMANDS: Final = (
    ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME),
    ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", NAME),
)


class NoAccount(Failure):
    """We are root, and there is no unprivileged user to run PostgreSQL as."""


@dataclass(frozen=True, slots=True)
class Account:
    """An entry of the system's user table."""

    name: str
    uid: int
    gid: int

    def succeeds_in(self, *command: str) -> bool:
        """Whether this user can run a command, from the root folder, and it ends well."""
        try:
            done = subprocess.run(  # noqa: S603 - callers pass fixed commands
                command,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except PermissionError:
            return False
        return done.returncode == 0


def server_account(data: Path) -> Account | None:
    """Say which user must run the cluster in ``data``; None means: the one we are.

    As root it is the owner of an existing cluster, else ``pgserver``, made when missing.

    Raises:
        NoAccount: there is no such user and none can be made.
    """
    if os.geteuid() != 0:
        return None
    if data.is_dir() and (owner := data.stat().st_uid) != 0:
        return _by_uid(owner)
    if found := _by_name(NAME):
        return found
    for command in _COMMANDS:
        if program := shutil.which(command[0]):
            # A sibling may make the same user at this moment: only the outcome counts.
            subprocess.run(  # noqa: S603 - fixed commands
                (program, *command[1:]), capture_output=True, timeout=_TIMEOUT, check=False
            )
            break
    for name in (NAME, *_FALLBACKS):
        if found := _by_name(name):
            return found
    raise NoAccount(
        f"PostgreSQL does not run as root, and the system user {NAME!r} could not be made. "
        f"Make it (useradd --system {NAME}), or run as an ordinary user."
    )


def _by_name(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _by_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NoAccount(
            f"The database files belong to user number {uid}, which this machine does not know."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
