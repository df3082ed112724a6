"""``python -m tests.prepare``: make this machine ready for ``make test``.

Some tests start real servers that come from the system's packages, and some that come from npm. On
Debian and its kin, as root or with a sudo that asks for no password, what is missing is installed,
without starting any of it as a service. Elsewhere the tests that need it are skipped, which is said
loudly here; with ``CI=true`` it is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.support import (
    chromium,
    oidc_provider,
    phoenix_client,
    playwright_runner,
    trw_clients,
    valkey,
)
from tests.support.npm import has_node
from tests.support.rabbit import server_program

_TIMEOUT: Final = 600.0


@dataclass(frozen=True, slots=True)
class Need:
    """Something that some tests start.

    Attributes:
        package: Debian's name for it, or ours for what is no package of Debian's.
        is_there: whether it can be started.
        without: what is skipped when it cannot.
        install: for what is no package: installs it, and gives what went wrong.
    """

    package: str
    is_there: Callable[[], bool]
    without: str
    install: Callable[[], str] | None = None


_ISSUER: Final = "every test on a real OpenID Connect issuer"
_PHOENIX: Final = "every test of the real Phoenix client"
_RUNNER: Final = "every test that runs an exported suite"
_NPM: Final = (oidc_provider.PACKAGES, phoenix_client.PACKAGES, playwright_runner.PACKAGES)

NEEDS: Final = (
    Need("rabbitmq-server", lambda: server_program() is not None, "every test marked `rabbit`"),
    Need(
        "redis-server",
        lambda: valkey.server_program() is not None,
        "every test marked `valkey`",
    ),
    Need("chromium", lambda: chromium.program() is not None, "every test in a real browser"),
    Need("nodejs", has_node, f"{_ISSUER}, {_PHOENIX}, and {_RUNNER}"),
    Need(
        "npm",
        lambda: shutil.which("npm") is not None or all(one.is_installed() for one in _NPM),
        f"{_ISSUER}, {_PHOENIX}, and {_RUNNER}",
    ),
    Need(
        "oidc-provider",
        oidc_provider.PACKAGES.is_installed,
        _ISSUER,
        oidc_provider.PACKAGES.install,
    ),
    Need(
        "phoenix",
        phoenix_client.PACKAGES.is_installed,
        _PHOENIX,
        phoenix_client.PACKAGES.install,
    ),
    Need(
        "playwright",
        playwright_runner.PACKAGES.is_installed,
        _RUNNER,
        playwright_runner.PACKAGES.install,
    ),
    Need(
        "trw-mcp",
        trw_clients.is_installed,
        "every test of the real clients of the learnings surface",
        trw_clients.install,
    ),
)


def main(needs: Sequence[Need] = NEEDS) -> int:
    """Install what is missing, and give the exit status."""
    missing = [need for need in needs if not need.is_there()]
    packages = [need.package for need in missing if need.install is None]
    if packages:
        _install(packages)
    for need in missing:
        if need.install is not None and (problem := need.install()):
            _say(f"{need.package} was not installed:\n{problem}")
    missing = [need for need in missing if not need.is_there()]
    for need in missing:
        _say(f"*** {need.package} is not installed: {need.without} will be skipped. ***")
    if missing and os.environ.get("CI") == "true":
        _say("With CI=true nothing may be skipped.")
        return 1
    return 0


def _install(packages: Sequence[str]) -> None:
    right = _right_to_install()
    if right is None:
        return
    _say(f"Installing for the tests: {', '.join(packages)}")
    # RUNLEVEL=1 keeps the packages from starting their services.
    apt = (*right, "env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq")
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
        done = subprocess.run(
            (*apt, *arguments),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            _say(f"apt-get {arguments[0]} failed:\n{done.stderr.strip()}")


def _right_to_install() -> tuple[str, ...] | None:
    """Give the words in front of ``apt-get``, or None where it cannot be used."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(("sudo", "-n", "true"), capture_output=True, timeout=30, check=False)
    return ("sudo", "-n") if asked.returncode == 0 else None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
