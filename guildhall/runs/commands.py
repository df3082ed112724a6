"""The commands, as they are typed."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup

from guildhall.failures import Failure
from guildhall.runs.exits import Exit
from guildhall.runs.words import plain

_USAGE = cast(type[Exception], typer.BadParameter.__mro__[1])
"""Whatever is wrong with how a command was called."""

INTERRUPTED: Final = 130
"""As shells report the end by Ctrl-C."""


class _Group(TyperGroup):
    """Leaves with 3 where a command was called wrongly: 2 says that a run was broken."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _USAGE as error:
            vars(error)["exit_code"] = Exit.UNUSABLE
            raise


app = typer.Typer(
    cls=_Group,
    help="Suites in plain English, run here or on a server. Exits with 0: all passed, 1: some "
    "failed, 2: some were broken, 3: a spec or the configuration is wrong.",
    no_args_is_help=True,
)

Work = Coroutine[Any, Any, int]
"""A command at work; it gives its exit status."""

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Files, folders or patterns (** for any folders)."),
]
FileIssues = Annotated[
    str | None,
    typer.Option(help="Where failures are filed: tripwire,github,gitlab,jira; or none."),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where reports are written.")]
Headed = Annotated[bool, typer.Option("--headed", help="Show the browser.")]
ServerUrl = Annotated[
    str | None, typer.Option(envvar="GUILDHALL_SERVER", help="Run on this server instead of here.")
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar=["GUILDHALL_TOKEN", "TRIPWIRE_TOKEN"],
        show_envvar=True,
        help="For the server: tw_... Better given by the environment, where others do not see it.",
    ),
]
Jobs = Annotated[int, typer.Option(min=1, max=16, help="Suites at once.")]
Cases = Annotated[list[str] | None, typer.Option("--case", help="Only this case; repeatable.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only cases with any of these.")]
BaselineFolder = Annotated[
    Path | None,
    typer.Option(
        "--baselines",
        metavar="DIR",
        help="Baselines of screenshots; .tripwire-baselines beside the reports if absent.",
    ),
]
Replaces = Annotated[
    bool,
    typer.Option("--update-baselines", help="Take what differs for the new baseline."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each step.")]


@app.command()
def run(
    paths: Paths,
    file_issues: FileIssues = None,
    out: Out = Path("artifacts"),
    headed: Headed = False,
    server: ServerUrl = None,
    token: Token = None,
    jobs: Jobs = 1,
    case: Cases = None,
    tag: Tags = None,
    baselines: BaselineFolder = None,
    update_baselines: Replaces = False,
    verbose: Verbose = False,
) -> None:
    """Run suites, and write report.json, junit.xml and report.html (a folder for each of several).

    Needs a browser here, or a server. Ctrl-C cancels the runs and reports what is known.
    """

    def work() -> Work:
        from guildhall.runs.running import Line, run_suites

        line = Line(
            paths=tuple(paths),
            out=out,
            file_issues=file_issues,
            is_headed=headed,
            server=server,
            token=token or "",
            jobs=jobs,
            cases=tuple(case or ()),
            tags=tuple(tag or ()),
            baselines=baselines or out.parent / ".tripwire-baselines",
            replaces_baselines=update_baselines,
            has_steps=verbose,
        )
        return run_suites(line)

    _leave(work)


@app.command("test-url")
def try_url(
    url: Annotated[str, typer.Argument(help="Where to begin.")],
    instructions: Annotated[
        str,
        typer.Argument(help="Steps in English, separated by line ends, ';' or the word 'then'."),
    ],
    headed: Headed = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep report and pictures there.")
    ] = None,
) -> None:
    """Carry out instructions in a browser here, and show where that leads."""

    def work() -> Work:
        from guildhall.runs.running import try_instructions

        return try_instructions(url, instructions, is_headed=headed, out=out)

    _leave(work)


def _leave(work: Callable[[], Work]) -> None:
    """Run to the end and leave with its status; what it needs is loaded here, too."""
    try:
        status = asyncio.run(work())
    except asyncio.CancelledError:
        status = INTERRUPTED  # by a second Ctrl-C, without reports
    except Failure as error:
        for line in str(error).splitlines():
            typer.secho(plain(line, 2000), fg="red", err=True)
        status = Exit.UNUSABLE
    except Exception:
        # Python would leave with 1, and that says that a case has failed.
        traceback.print_exc(file=sys.stderr)
        status = Exit.BROKEN
    raise typer.Exit(int(status))
