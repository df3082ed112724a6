"""The process of one run, or errand: it knows that, its scratch folder and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.grammar.models import Login
from services.runs.engine.host.errands import done
from services.runs.engine.host.models import LONGEST_LINE, End, Errand, Job, Secrets
from services.runs.engine.host.pipe import Pipe
from services.runs.engine.model import Distant
from services.runs.engine.running.execution import execute
from services.runs.engine.running.models import Assignment
from shared.log import configure, get_logger
from shared.targets import TargetPolicy, read_targets

FAILED: Final = 70
"""Exit status (sysexits' EX_SOFTWARE) of a run that ended without its last line."""

log = get_logger()


def main() -> None:
    """Execute the run that the first line of standard input describes."""
    if os.getpgrp() != os.getpid():
        # Ending everything must not reach whoever started this.
        os.setpgid(0, 0)
    # What libraries print goes to the log; the lines have a descriptor of their own.
    out = os.dup(1)
    os.dup2(2, 1)
    configure("runs.engine")
    try:
        asyncio.run(_serve(out))
    except Exception:
        log.exception("run failed")
        sys.exit(FAILED)


async def _serve(out: int) -> None:
    pipe = await _opened(out)
    job = await pipe.first()
    os.chdir(job.scratch)
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(pipe.listen()), tasks.create_task(pipe.watch())]
        try:
            if isinstance(job, Errand):
                await pipe.say_line(await done(job, browser_of(job), pipe))
            else:
                await _run(pipe, job)
        finally:
            for task in beside:
                task.cancel()


async def _opened(out: int) -> Pipe:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(out, "wb")
    )
    return Pipe(reader, asyncio.StreamWriter(transport, protocol, None, loop))


async def _run(pipe: Pipe, job: Job) -> None:
    ending = await execute(
        assignment_of(job),
        browser_of(job),
        pipe,
        Distant(pipe.ask) if job.has_model else None,
        pipe,
    )
    if ending.status in ("failed", "broken"):
        with suppress(ValueError):  # too many to be said: nobody adds to the report then
            await pipe.say_line(Secrets(values=ending.secrets))
    with suppress(ValueError):
        await pipe.say_line(
            End.model_validate(
                {"status": ending.status, "report": ending.report, "reason": ending.reason}
            )
        )


def assignment_of(job: Job) -> Assignment:
    """Give what is to be run."""
    return Assignment(
        run_id=job.run_id,
        attempt=job.attempt,
        file=job.file,
        text=job.text,
        cases=job.cases,
        scratch=Path(job.scratch),
        environment=job.environment,
        variables=job.variables,
        account=None if job.account is None else Login(**dict(job.account)),
        is_sharded=job.is_sharded,
        is_headed=job.browser.headed,
        git_sha=job.git_sha,
        ci_url=job.ci_url,
        entries=job.entries,
        refused=job.refused,
        keeps=job.keeps,
        seconds=job.seconds,
    )


def browser_of(job: Job | Errand) -> BrowserSettings:
    """Give the browser's settings.

    Raises:
        ValueError: the words for addresses are none.
    """
    return BrowserSettings(
        targets=TargetPolicy(
            allow_private=job.targets.allow_private,
            allow=read_targets(job.targets.allow),
            deny=read_targets(job.targets.deny),
        ),
        scratch=Path(job.scratch),
        executable=job.browser.executable or None,
        endpoint=job.browser.endpoint or None,
        headed=job.browser.headed,
        sandbox=job.browser.sandbox,
    )
