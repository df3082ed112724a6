from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guildhall.run_lock import AlreadyRunning, RunLock, is_running

ROOT = Path(__file__).resolve().parents[2]


def test_only_one_holds_it_and_the_other_hears_who(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with RunLock(tmp_path) as lock:
        assert not lock.last_was_killed
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), RunLock(tmp_path):
            pass
    assert not is_running(tmp_path)
    with RunLock(tmp_path) as lock:
        assert not lock.last_was_killed


def test_a_killed_run_lets_go_and_is_noticed(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from guildhall.run_lock import RunLock\n"
        "RunLock(Path(sys.argv[1])).__enter__()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = (sys.executable, "-c", code, str(tmp_path))
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == -9
    assert not is_running(tmp_path)
    with RunLock(tmp_path) as lock:
        assert lock.last_was_killed
