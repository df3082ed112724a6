from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from guildhall import child, supervisor
from guildhall.log_lines import LogLines, Screen
from guildhall.processes import Process
from guildhall.supervisor import StartFailed, Supervised, Supervisor
from tests.guildhall.waiting import until
from tests.support.ports import free_port

PROGRAMS = "tests.guildhall.programs"


def answering(name: str, **environment: str) -> Process:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    environment = {**environment, "PORT": str(port), "PATH": os.environ["PATH"]}
    return Process(name, f"{PROGRAMS}.answer", ("with", "words"), environment, url)


def failing(status: int) -> Process:
    return Process("failing", f"{PROGRAMS}.fail", (str(status),), {}, "http://127.0.0.1:1/")


class Output:
    """What the supervisor has written, as plain text."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.lines = LogLines(Screen(file=self._file, force_terminal=False, width=200))

    @property
    def text(self) -> str:
        return self._file.getvalue()


async def eventually(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(until, condition)


@asynccontextmanager
async def supervised(
    output: Output, gateway: Process, *services: Process
) -> AsyncIterator[Supervisor]:
    system = Supervisor(gateway, services, output.lines)
    system.start()
    try:
        yield system
    finally:
        system.kill()
        await system.stop(20)


async def test_all_are_started_and_found_ready() -> None:
    output = Output()
    async with supervised(output, answering("gateway"), answering("auth")) as system:
        await system.ready(30)
        assert all(one.pid for one in system.children)
    assert re.search(r"^gateway   \| started \d+ with words$", output.text, re.MULTILINE)
    assert re.search(r"^auth      \| started \d+ with words$", output.text, re.MULTILINE)


async def test_the_gateway_goes_first_and_the_services_after_it() -> None:
    output = Output()
    async with supervised(output, answering("gateway"), answering("auth")) as system:
        await system.ready(30)
        await system.stop(20)
        said = [line for line in output.text.splitlines() if "told to stop" in line]
        assert [line.split()[0] for line in said] == ["gateway", "auth"]
        assert all(one.pid is None for one in system.children)


async def test_a_process_that_does_not_end_is_killed_in_time() -> None:
    output = Output()
    async with supervised(output, answering("gateway", IGNORE="1"), answering("auth")) as system:
        await system.ready(30)
        await system.stop(1.0)
        assert all(one.pid is None for one in system.children)
    assert "gateway does not end, so it is killed" in output.text
    assert "auth does not end" not in output.text


async def test_a_dead_process_is_started_again() -> None:
    output = Output()
    async with supervised(output, answering("gateway"), answering("auth")) as system:
        await system.ready(30)
        first = system.children[1].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: system.children[1].pid not in (None, first))
        await system.ready(30)
    assert "auth ended (SIGKILL)" in output.text


async def test_what_a_dead_process_leaves_behind_is_ended_too() -> None:
    output = Output()
    leaving = Supervised(
        Process("leaving", f"{PROGRAMS}.leave_helper", (), {"PATH": os.environ["PATH"]}, None),
        output.lines,
    )
    leaving.start()
    await eventually(lambda: leaving.deaths >= 1)
    found = re.search(r"helper (\d+)", output.text)
    assert found is not None
    await eventually(lambda: _is_gone(int(found[1])))
    await leaving.stop(asyncio.get_running_loop().time() + 5)


async def test_what_cannot_start_is_told_with_its_last_words() -> None:
    output = Output()
    async with supervised(output, failing(3)) as system:
        with pytest.raises(
            StartFailed, match=r"(?s)failing does not start \(status 3.*this is why"
        ):
            await system.ready(30)


async def test_wrong_settings_are_not_tried_again() -> None:
    output = Output()
    async with supervised(output, failing(supervisor.BAD_SETTINGS)) as system:
        with pytest.raises(StartFailed, match="status 78"):
            await system.ready(30)
        assert system.children[0].deaths == 1


async def test_what_is_never_ready_is_named() -> None:
    output = Output()
    process = answering("mute")
    elsewhere = Process(
        "mute", process.module, (), process.environment, f"http://127.0.0.1:{free_port()}/"
    )
    async with supervised(output, elsewhere) as system:
        with pytest.raises(StartFailed, match="mute"):
            await system.ready(0.5)


async def test_a_child_knows_only_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_ROOT_SECRET", "very secret")
    output = Output()
    async with supervised(output, answering("gateway")) as system:
        await system.ready(30)
        pid = system.children[0].pid
        assert pid is not None
        assert set(psutil.Process(pid).environ()) <= {"PORT", "PATH", "PYTHONPATH", "LC_CTYPE"}


@pytest.mark.parametrize("deaf", [False, True])
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, deaf: bool) -> None:
    """The parent here is a shell that holds the pipe; it dies without a word to the child."""
    environment = {"PORT": str(free_port()), "PATH": os.environ["PATH"]}
    if deaf:
        environment["IGNORE"] = "1"
    script = tmp_path / "child.py"
    script.write_text(Path(child.__file__).read_text().replace("GRACE = 22.0", "GRACE = 0.5"))
    code = (
        "import subprocess, sys, time\n"
        "one = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(one.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = (sys.executable, "-c", code, sys.executable, str(script), "-m", f"{PROGRAMS}.answer")
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command,
        env={**environment, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        pid = int(parent.stdout.readline())
        assert "started" in parent.stderr.readline()
        parent.kill()
        until(lambda: _is_gone(pid))


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
