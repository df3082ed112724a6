"""The real Playwright test runner and the real TypeScript compiler, for exported suites.

Their packages are pinned by hash in ``package-lock.json`` and installed once into the user's cache,
by ``python -m tests.prepare``. They bring no browser: the system's is used.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support import chromium
from tests.support.npm import Packages

FOLDER: Final = Path(__file__).parent
LIMIT: Final = 180.0

PACKAGES: Final = Packages("playwright-runner", FOLDER)

_OPTIONS: Final = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noImplicitReturns": True,
    "noEmit": True,
    "target": "ES2022",
    "lib": ["ES2022", "DOM", "DOM.Iterable"],
    "module": "ESNext",
    "moduleResolution": "bundler",
    "types": ["node"],
    "skipLibCheck": True,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test of a spec: ``passed``, ``failed``, ``skipped`` (a fixme, too), and why."""

    file: str
    title: str
    status: str
    said: str


async def compiled(folder: Path) -> str:
    """Check the types of all specs in a folder; give the compiler's complaints."""
    _prepare(folder)
    status, output, _ = await _run(
        folder, PACKAGES.modules() / "typescript/bin/tsc", ("--project", "tsconfig.json"), {}
    )
    return "" if status == 0 else output or "failed without a word"


async def tested(folder: Path, environment: Mapping[str, str]) -> list[Outcome]:
    """Run all specs in a folder, with nothing but these variables in their environment."""
    _prepare(folder)
    arguments = ("test", "--config", "playwright.config.ts")
    _, output, errors = await _run(
        folder, PACKAGES.modules() / "@playwright/test/cli.js", arguments, environment
    )
    assert output.startswith("{"), output + errors
    report = json.loads(output)
    assert not report["errors"], report["errors"]
    return [test for suite in report["suites"] for test in _tests(suite, suite["file"])]


def _tests(suite: dict[str, Any], file: str) -> list[Outcome]:
    found = [test for inner in suite.get("suites", ()) for test in _tests(inner, file)]
    for spec in suite.get("specs", ()):
        result = (spec["tests"][0]["results"] or [{"status": "skipped"}])[-1]
        notes = [note.get("description", "") for note in spec["tests"][0]["annotations"]]
        errors = [error.get("message", "") for error in result.get("errors", ())]
        found.append(Outcome(file, spec["title"], result["status"], "\n".join([*notes, *errors])))
    return found


def _prepare(folder: Path) -> None:
    modules = folder / "node_modules"
    if modules.exists():
        return
    modules.symlink_to(PACKAGES.modules(), target_is_directory=True)
    options = {"compilerOptions": _OPTIONS, "include": ["*.spec.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(options))
    browser = {"executablePath": chromium.program(), "args": ["--no-sandbox"]}
    config = {
        "testDir": ".",
        "workers": 2,
        "retries": 0,
        "reporter": [["json"]],
        "use": {"launchOptions": browser, "trace": "off"},
    }
    (folder / "playwright.config.ts").write_text(f"export default {json.dumps(config)};\n")


async def _run(
    folder: Path, program: Path, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(program),
        *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, errors = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")
