"""Places for clusters of one's own, for tests that break the server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guildhall.embedded.place import Place, prepare_place
from guildhall.embedded.server import EmbeddedPostgres


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > 1_000_000_000


@contextmanager
def _open_folder() -> Iterator[Path]:
    # In memory where that goes: what is tested is the death of processes, not of the machine.
    memory = Path("/dev/shm")
    folder = Path(
        tempfile.mkdtemp(prefix="guildhall-cli-", dir=memory if _has_room(memory) else None)
    )
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the server's system user can enter, unlike pytest's own."""
    with _open_folder() as folder:
        yield folder


@pytest.fixture
def place(open_folder: Path) -> Place:
    """Where there is no cluster yet."""
    return prepare_place(open_folder / "postgres")


@pytest.fixture(scope="session")
def fresh_cluster() -> Iterator[Path]:
    """A cluster made once, to be copied: faster than making each anew."""
    with _open_folder() as folder:
        server = EmbeddedPostgres(prepare_place(folder / "postgres"))
        server.start()
        server.stop()
        yield server.place.home


@pytest.fixture
def server(fresh_cluster: Path, open_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A started server of the test's own, durable as in real life."""
    home = open_folder / "postgres"
    subprocess.run(("cp", "-a", str(fresh_cluster), str(home)), check=True, timeout=60)
    (home / "port").unlink()
    server = EmbeddedPostgres(prepare_place(home))
    server.start()
    yield server
    server.stop()
