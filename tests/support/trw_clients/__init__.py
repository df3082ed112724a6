"""The real clients of the learnings surface, of two generations, as their makers published them.

Each generation is installed from PyPI into a virtual environment of its own in the user's cache,
pinned by hash, by ``python -m tests.prepare``. Tests run its command line, or small programs that
call what its server would call by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

FOLDER: Final = Path(__file__).parent
GENERATIONS: Final = ("current", "older")
INSTALL_TIMEOUT: Final = 400.0
RUN_TIMEOUT: Final = 90.0


def home(generation: str) -> Path:
    """Name the environment of a generation; another lock file has another."""
    lock = hashlib.sha256((FOLDER / f"{generation}.txt").read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "guildhall" / f"trw-{generation}-{lock[:16]}"


def is_installed() -> bool:
    """Tell whether both generations can be run."""
    return all((home(generation) / "installed").is_file() for generation in GENERATIONS)


def install() -> str:
    """Install what is missing; give what went wrong, or nothing."""
    for generation in GENERATIONS:
        if not (home(generation) / "installed").is_file():
            problem = _install(generation)
            if problem:
                return problem
    return ""


def _install(generation: str) -> str:
    place = home(generation)
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    python = str(place / "bin" / "python")
    packages = ("--quiet", "--require-hashes", "-r", str(FOLDER / f"{generation}.txt"))
    uv = shutil.which("uv")
    steps: tuple[tuple[str, ...], ...] = (
        (sys.executable, "-m", "venv", str(place)),
        (python, "-m", "pip", "install", "--disable-pip-version-check", *packages),
    )
    if uv is not None:
        steps = (
            (uv, "venv", "--quiet", "--python", sys.executable, str(place)),
            (uv, "pip", "install", "--python", python, *packages),
        )
    for step in steps:
        done = subprocess.run(
            step,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            return done.stderr.strip()
    (place / "installed").touch()
    return ""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the client gave."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both outputs, for a failing test."""
        return f"status {self.status}\n{self.out}\n{self.err}"


class TrwClient:
    """One installation of a client, in a project and a home of its own.

    Args:
        folder: empty; its home and project go there.
        generation: of ``GENERATIONS``.
        base_url: the platform's address, without ``/v1``.
        key: its API key; none where it is to log in.
    """

    def __init__(self, folder: Path, generation: str, base_url: str, key: str = "") -> None:
        self.project = folder / "project"
        self.home = folder / "home"
        self.base_url = base_url
        self._bin = home(generation) / "bin"
        self._generation = generation
        self._key = key
        for made in (self.project, self.home):
            made.mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the client's processes get to see."""
        keys = {"TRW_PLATFORM_API_KEY": self._key, "TRW_BACKEND_API_KEY": self._key}
        return {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TRW_PROJECT_ROOT": str(self.project),
            "TRW_PLATFORM_URL": self.base_url,
            "TRW_BACKEND_URL": self.base_url,
            "TRW_BACKUP_REMOTE_ENABLED": "true",
            "TRW_DEBUG": "true",
            "PYTHONUNBUFFERED": "1",
            "TRW_MEMORY_EMBEDDINGS_ENABLED": "false",
            "HF_HUB_OFFLINE": "1",
            **(keys if self._key else {}),
        }

    async def run(self, *arguments: str) -> Ran:
        """Run the client's command line in its project."""
        return await self._run("trw-mcp", *arguments)

    async def call(self, what: str, **values: Any) -> Any:
        """Have the generation's program do one thing, and give what it says as JSON.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        program = FOLDER / "programs" / f"{self._generation}.py"
        ran = await self._run("python", str(program), what, json.dumps(values))
        assert ran.status == 0, ran.said
        return json.loads(ran.out.strip().splitlines()[-1])

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command line; its output is read, and it is ended, by the caller."""
        return await self._start("trw-mcp", *arguments)

    async def start_call(self, what: str, **values: Any) -> asyncio.subprocess.Process:
        """Start the generation's program; its output is read, and it is ended, by the caller."""
        program = FOLDER / "programs" / f"{self._generation}.py"
        return await self._start("python", str(program), what, json.dumps(values))

    async def _start(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(self._bin / program), *arguments),
            cwd=self.project,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def _run(self, program: str, *arguments: str) -> Ran:
        # Into files: a daemon that the client leaves behind would keep a pipe open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = await asyncio.create_subprocess_exec(
                *(str(self._bin / program), *arguments),
                cwd=self.project,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            try:
                async with asyncio.timeout(RUN_TIMEOUT):
                    status = await process.wait()
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        return Ran(status, *texts)

    def close(self) -> None:
        """End what the client left running: its memory daemon knows this home."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOME") == str(self.home):
                    process.send_signal(signal.SIGKILL)
