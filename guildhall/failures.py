"""The errors that a command tells in a sentence, without a traceback."""

from __future__ import annotations

from typing import Final

from guildhall.embedded.account import NoAccount
from guildhall.embedded.place import NoPrograms
from guildhall.embedded.server import PostgresFailed, PostgresInUse
from guildhall.ports import PortTaken
from guildhall.provision import ProvisionError
from guildhall.run_lock import AlreadyRunning
from guildhall.secret_files import SecretMissing
from guildhall.supervisor import StartFailed
from shared.migrate import MigrationError

EXPECTED: Final = (
    AlreadyRunning,
    MigrationError,
    NoAccount,
    NoPrograms,
    PortTaken,
    PostgresFailed,
    PostgresInUse,
    ProvisionError,
    SecretMissing,
    StartFailed,
)
