"""Places for clusters of one's own, for tests that break the server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guildhall.embedded.place import Place, prepare_place
from guildhall.embedded.server import EmbeddedPostgres
from tests.support import folders


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the server's system user can enter, unlike pytest's own."""
    # In memory where that goes: what is tested is the death of processes, not of the machine.
    with folders.open_folder("guildhall-cli-") as folder:
        yield folder


@pytest.fixture
def place(open_folder: Path) -> Place:
    """Where there is no cluster yet."""
    return prepare_place(open_folder / "postgres")


@pytest.fixture(scope="session")
def fresh_cluster() -> Iterator[Path]:
    """A cluster made once, to be copied: faster than making each anew."""
    with folders.open_folder("guildhall-cli-") as folder:
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
