from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from guildhall.embedded import leftovers
from guildhall.embedded.place import Place, find_place, prepare_place
from guildhall.embedded.server import EmbeddedPostgres, PostgresFailed, PostgresInUse
from tests.guildhall.waiting import until

pytestmark = pytest.mark.slow

GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a client may see of a server that is killed."""

# The server's methods block and run a loop of their own, so these tests are plain functions.


def query(server: EmbeddedPostgres, *statements: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(server.url(), timeout=10)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close(timeout=5)

    return asyncio.run(run())


def kill_all(server: EmbeddedPostgres) -> None:
    """Kill postmaster and backends at the same moment, and reap ours."""
    for process in leftovers.running(server.place.cluster_name):
        process.send_signal(signal.SIGKILL)
    until(lambda: server.pid is None)
    server.stop()


def test_data_survives_an_orderly_restart(server: EmbeddedPostgres) -> None:
    query(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1) RETURNING n")
    port = server.port
    server.stop()
    assert not leftovers.running(server.place.cluster_name)
    server.start()
    assert query(server, "SELECT n FROM kept") == 1
    assert server.port == port


def test_it_asks_every_connection_for_the_password(server: EmbeddedPostgres) -> None:
    async def without() -> None:
        url = f"postgresql://guildhall:wrong@127.0.0.1:{server.port}/postgres"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url, timeout=10)

    asyncio.run(without())


def test_other_users_of_the_machine_see_neither_data_nor_password(server: EmbeddedPostgres) -> None:
    home = server.place.home
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "password").stat().st_mode & 0o077 == 0
    assert (home / "data").stat().st_mode & 0o077 == 0


def test_it_does_not_run_as_root(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    assert psutil.Process(server.pid).uids().real != 0


@pytest.mark.slow
def test_killing_everything_under_write_load_loses_nothing_committed(
    server: EmbeddedPostgres,
) -> None:
    query(server, "CREATE TABLE written (n bigint PRIMARY KEY)", "SELECT 1")
    for kill in range(3):
        acknowledged = asyncio.run(_write_until_killed(server, kill))
        assert len(acknowledged) > 100
        server.stop()
        server.start()
        found = query(server, "SELECT array_agg(n) FROM written")
        assert isinstance(found, list)
        assert set(acknowledged) <= set(found)


async def _write_until_killed(server: EmbeddedPostgres, batch: int) -> list[int]:
    """Write from several connections, kill the server amid that; give the confirmed rows."""
    confirmed: list[int] = []
    enough = asyncio.Event()

    async def write(writer: int) -> None:
        try:
            connection = await asyncpg.connect(server.url(), timeout=10)
        except GONE:
            return  # the others were quicker, and the server is killed already
        try:
            for step in range(100_000):
                number = batch * 1_000_000 + writer * 100_000 + step
                await connection.execute("INSERT INTO written VALUES ($1)", number)
                confirmed.append(number)
                if len(confirmed) > 400:
                    enough.set()
        except GONE:
            return
        finally:
            connection.terminate()

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    await asyncio.wait_for(enough.wait(), 60)
    for process in leftovers.running(server.place.cluster_name):
        process.send_signal(signal.SIGKILL)
    await asyncio.wait_for(asyncio.gather(*writers), 60)
    return confirmed


def test_backends_that_outlive_their_postmaster_do_not_stand_in_the_way(
    server: EmbeddedPostgres,
) -> None:
    async def busy() -> None:
        connection = await asyncpg.connect(server.url(), timeout=10)
        # Busy without ever waiting, so that the backend cannot notice its postmaster's death.
        work = asyncio.create_task(
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000) n")
        )
        await asyncio.to_thread(until, lambda: _active(server))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: server.pid is None)
        assert leftovers.running(server.place.cluster_name)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        with pytest.raises(GONE):
            await work
        connection.terminate()

    asyncio.run(busy())
    assert query(server, "SELECT 1") == 1


def _active(server: EmbeddedPostgres) -> bool:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
    return query(server, statement) == 2  # the watcher sees itself


def test_a_postmaster_left_running_is_stopped_and_its_data_kept(place: Place) -> None:
    """As after SIGKILL of ``guildhall up`` where no parent-death signal exists."""
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from guildhall.embedded import launch\n"
        "from guildhall.embedded.place import prepare_place\n"
        "from guildhall.embedded.server import EmbeddedPostgres\n"
        "source = Path(launch.__file__).read_text()\n"
        "shim = Path(sys.argv[1]).parent / 'launch.py'\n"
        "shim.write_text(source.replace('libc.prctl(', '(lambda *_: None)('))\n"
        "launch.__file__ = str(shim)\n"
        "server = EmbeddedPostgres(prepare_place(Path(sys.argv[1])))\n"
        "server.start()\n"
        "os._exit(9)\n"
    )
    command = (sys.executable, "-c", code, str(place.home))
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run(command, check=False, cwd=root, timeout=60).returncode == 9
    orphan = leftovers.postmaster(place.data, place.cluster_name)
    assert orphan is not None
    server = EmbeddedPostgres(place)
    server.start()
    try:
        assert orphan not in leftovers.running(place.cluster_name)
        assert query(server, "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_it_ends_by_itself_when_its_starter_is_killed(place: Place) -> None:
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from guildhall.embedded.place import prepare_place\n"
        "from guildhall.embedded.server import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(prepare_place(Path(sys.argv[1])))\n"
        "server.start()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = (sys.executable, "-c", code, str(place.home))
    subprocess.run(command, check=False, cwd=root, timeout=60)
    until(lambda: not leftovers.running(place.cluster_name))


def test_a_recycled_process_number_in_the_pid_file_does_not_stand_in_the_way(
    server: EmbeddedPostgres,
) -> None:
    query(server, "CREATE TABLE kept (n int)", "SELECT 1")
    pid_file = server.place.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill_all(server)
    account = server.place.account
    stranger = subprocess.Popen(("sleep", "600"), user=account.uid if account else None)
    try:
        lines[0] = str(stranger.pid)
        pid_file.write_text("\n".join(lines) + "\n")
        server.start()
        assert query(server, "SELECT count(*) FROM kept") == 0
        assert stranger.poll() is None  # and it was left alone
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "not a number\n"])
def test_a_damaged_pid_file_does_not_stand_in_the_way(
    server: EmbeddedPostgres, content: str
) -> None:
    kill_all(server)
    (server.place.data / "postmaster.pid").write_text(content)
    server.start()
    assert query(server, "SELECT 1") == 1


def test_it_moves_to_another_port_when_its_own_is_taken(server: EmbeddedPostgres) -> None:
    port = server.port
    server.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        server.start()
        assert server.port != port
        assert query(server, "SELECT 1") == 1


def test_a_cluster_half_made_is_made_anew(place: Place) -> None:
    (place.home / "data.new" / "base").mkdir(parents=True)
    server = EmbeddedPostgres(place)
    server.start()
    server.stop()
    assert not (place.home / "data.new").exists()


def test_two_cannot_look_after_one_cluster(server: EmbeddedPostgres) -> None:
    other = EmbeddedPostgres(server.place)
    assert other.is_answering()
    with pytest.raises(PostgresInUse):
        other.start()
    assert query(server, "SELECT 1") == 1


def test_the_log_tells_why_it_does_not_start(place: Place) -> None:
    server = EmbeddedPostgres(place, {"shared_buffers": "nonsense"})
    with pytest.raises(PostgresFailed, match="shared_buffers"):
        server.start()
    assert not leftovers.running(place.cluster_name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_a_data_dir_that_the_server_may_not_enter_stays_closed(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "var"
    place = find_place(data_dir, state_root=open_folder / "state")
    assert place.home.is_relative_to(open_folder / "state")
    assert closed.stat().st_mode & 0o077 == 0
    server = EmbeddedPostgres(place)
    server.start()
    query(server, "CREATE TABLE kept (n int)", "SELECT 1")
    server.stop()
    moved = open_folder / "moved"
    data_dir.rename(moved)
    again = find_place(moved, state_root=open_folder / "state")
    assert again.home == place.home


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_programs_that_the_server_may_not_run_are_copied_for_it(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guildhall.embedded import place as place_module

    original = place_module.wheel_programs()
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    site = closed / "site"
    site.mkdir()
    wheel = original.parent.parent
    shutil.copytree(original.parent, site / wheel.name / original.parent.name)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, site / libraries.name)
    bin_folder = site / wheel.name / original.parent.name / "bin"
    monkeypatch.setattr(place_module, "wheel_programs", lambda: bin_folder)
    place = prepare_place(open_folder / "postgres", state_root=open_folder / "state")
    assert place.programs.is_relative_to(open_folder / "state")
    server = EmbeddedPostgres(place)
    server.start()
    server.stop()
