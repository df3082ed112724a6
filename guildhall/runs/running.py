"""One call of a command: from what was typed to an exit status."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import SecretStr

from guildhall.failures import Failure
from guildhall.log_lines import Screen as Terminal
from guildhall.runs.alone import Alone, environment_of
from guildhall.runs.answering import Answers, Baselines
from guildhall.runs.ci import job_of
from guildhall.runs.distant import Distant
from guildhall.runs.explaining import Explaining
from guildhall.runs.filing import Filing, accounts_of
from guildhall.runs.finding import find, load
from guildhall.runs.keeping import REPORTS, Folder, opened
from guildhall.runs.models import Halt, Keeper, Outcome, Runner, SuiteFile, Wishes
from guildhall.runs.screen import Screen
from guildhall.runs.server import Server
from guildhall.runs.settings import AloneSettings, read_settings
from guildhall.runs.totals import exit_of, total
from guildhall.runs.url_testing import LONGEST_TEXT, Look, last_url, split, suite_of
from services.runs.causes.operations import Explainer
from services.runs.engine.evidence import Masker
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.engine.model import Asking
from services.runs.engine.model.lines import Ask
from services.runs.engine.probes.pictures import Comparer
from services.runs.integrations.operations import of_environment
from services.runs.runs.rules import UnknownWord, read_places
from shared.fetch import Fetcher
from shared.log import configure

SIGNALLED: Final = 128
"""Added to a signal's number, as shells report it."""


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """What was typed; see the options of ``run``."""

    paths: tuple[str, ...]
    out: Path = Path("artifacts")
    file_issues: str | None = None
    is_headed: bool = False
    server: str | None = None
    token: str = ""
    jobs: int = 1
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    baselines: Path = Path(".tripwire-baselines")
    replaces_baselines: bool = False
    has_steps: bool = False


async def run_suites(line: Line) -> int:
    """Run suites, and give the exit status.

    Raises:
        Failure: something is wrong with a suite or with the configuration.
    """
    configure("guildhall", "warning", "console")
    suites = load(find(line.paths), line.cases, line.tags)
    try:
        file_issues = read_places(line.file_issues)
    except UnknownWord as error:
        raise Failure(f"--file-issues: {error}") from None
    job = job_of(os.environ)
    wishes = Wishes(line.is_headed, file_issues, job.git_sha, job.url, job.is_ci)
    place = opened(line.out)
    masker = _masker(suites, line.token)
    screen = Screen(Terminal(), masker, has_steps=line.has_steps, has_names=line.jobs > 1)
    with _halting(screen) as halt:
        async with _runner(line, wishes, suites, screen, masker, halt) as runner:
            with screen.working():
                outcomes = await _run_all(runner, suites, place, screen, halt, line.jobs)
        for outcome in outcomes:
            screen.summary(outcome)
    totals = total(outcomes)
    # What was never begun is not passed.
    totals = replace(totals, broken=totals.broken + len(suites) - len(outcomes))
    screen.end(totals, place if len(suites) > 1 else place / REPORTS[-1])
    return SIGNALLED + halt.signals[0] if halt.signals else exit_of(totals)


@asynccontextmanager
async def _runner(
    line: Line,
    wishes: Wishes,
    suites: list[SuiteFile],
    screen: Screen,
    masker: Masker,
    halt: Halt,
) -> AsyncIterator[Runner]:
    if line.server is not None:
        async with Server.opened(line.server, line.token) as server:
            distant = Distant(server, wishes, os.environ, halt)
            await distant.check(suites)
            yield distant
        return
    settings = read_settings()
    _mask_keys(masker, settings)
    accounts, missing = accounts_of(settings, job_of(os.environ), wishes.file_issues)
    for one in missing:
        screen.say(one)
    comparer = Comparer()
    baselines = Baselines(line.baselines, comparer, replaces=line.replaces_baselines)
    async with _asking(settings) as asking:

        def answering(keeper: Keeper) -> Answers:
            return Answers(asking() if asking is not None else None, baselines, keeper)

        alone = Alone(settings, wishes, answering, halt)
        alone.check()
        async with Fetcher.opened(settings.targets()) as fetcher:
            explaining = Explaining(alone, _explainer(fetcher, settings), asking)
            if not accounts:
                yield explaining
                return
            yield Filing(explaining, fetcher, accounts, job_of(os.environ))


def _explainer(fetcher: Fetcher, settings: AloneSettings) -> Explainer:
    environment: Mapping[str, str] = of_environment(settings)

    async def values(_: str) -> Mapping[str, str]:
        return environment

    return Explainer(fetcher, values, environment)


async def _run_all(
    runner: Runner,
    suites: Sequence[SuiteFile],
    place: Path,
    screen: Screen,
    halt: Halt,
    jobs: int,
) -> list[Outcome]:
    """Run suites, ``jobs`` of them at once; give how those ended that were begun."""
    places = asyncio.Semaphore(jobs)
    ended: dict[int, Outcome] = {}

    async def one(number: int, suite: SuiteFile) -> None:
        async with places:
            if halt.asked.is_set():
                return
            folder = Folder(place / suite.folder)
            await asyncio.to_thread(folder.clear)
            outcome = await runner.run(suite, lambda event: screen.event(suite, event), folder)
            await folder.report(outcome.report)
            ended[number] = outcome

    try:
        async with asyncio.TaskGroup() as tasks:
            for number, suite in enumerate(suites):
                tasks.create_task(one(number, suite), name=suite.file)
    except* Failure as failed:
        first: BaseException = failed
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    return [ended[number] for number in sorted(ended)]


async def try_instructions(
    url: str, instructions: str, *, is_headed: bool = False, out: Path | None = None
) -> int:
    """Carry out instructions here, show where that leads, and give the exit status.

    Raises:
        Failure: something is wrong with the instructions or with the configuration.
    """
    configure("guildhall", "warning", "console")
    suite = suite_of(url, split(instructions), os.environ)
    settings = read_settings()
    masker = _masker([suite], "")
    _mask_keys(masker, settings)
    terminal = Terminal()
    screen = Screen(terminal, masker, has_steps=True)
    job = job_of(os.environ)
    wishes = Wishes(is_headed, "none", job.git_sha, job.url, job.is_ci)
    kept = nullcontext(str(opened(out))) if out is not None else TemporaryDirectory(prefix="gh-")
    with _halting(screen) as halt, kept as place:
        async with _asking(settings) as asking:
            look = Look(asking() if asking is not None else None)
            baselines = Baselines(Path(place), Comparer())
            alone = Alone(
                settings, wishes, lambda keeper: Answers(look.answer, baselines, keeper), halt
            )
            alone.check()
            folder = Folder(Path(place))
            with screen.working():
                outcome = await alone.run(suite, lambda event: screen.event(suite, event), folder)
        if out is not None:
            await folder.report(outcome.report)
    _show(screen, look, outcome)
    status = exit_of(total([outcome]))
    return SIGNALLED + halt.signals[0] if halt.signals else status


def _show(screen: Screen, look: Look, outcome: Outcome) -> None:
    if outcome.status != "passed":
        screen.summary(outcome)
    screen.say(f"URL: {look.url or last_url(outcome.report) or 'no page was opened'}", "bold")
    if look.title:
        screen.say(f"Title: {look.title}")
    if look.text is not None:
        screen.say(f"Text: {look.text[:LONGEST_TEXT]}", most=2 * LONGEST_TEXT)


@contextmanager
def _halting(screen: Screen) -> Iterator[Halt]:
    """Let the first Ctrl-C end runs in order, and the second one everything at once."""
    halt, loop = Halt(), asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # a coroutine runs in one

    def on_signal(number: int) -> None:
        halt.signals.append(number)
        if halt.asked.is_set():
            task.cancel()
        else:
            screen.say("Ending: once more ends it at once.")
            halt.asked.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield halt
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _asking(settings: AloneSettings) -> AsyncIterator[Callable[[], Ask] | None]:
    """Give what makes, for one run, who asks the model; None where none is configured."""
    service = settings.model_service()
    if service is None:
        yield None
        return
    async with service.opened() as endpoint:

        def of_a_run() -> Ask:
            return Asking(service, endpoint, settings.model_limits()).answer

        yield of_a_run


def _masker(suites: Sequence[SuiteFile], token: str) -> Masker:
    """Know what the caller's suites take from the environment that is secret by its name."""
    masker = Masker([token] if token else [])
    for suite in suites:
        taken: Mapping[str, str] = environment_of(suite, os.environ)
        for name, value in taken.items():
            if is_secret_name(name):
                masker.add(value)
    return masker


def _mask_keys(masker: Masker, settings: AloneSettings) -> None:
    for _, value in settings:
        if isinstance(value, SecretStr):
            masker.add(value.get_secret_value())
