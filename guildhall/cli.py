"""The ``guildhall`` command."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from guildhall.failures import Failure
from guildhall.runs.commands import app as runs
from guildhall.settings import CommandSettings
from shared import VERSION
from shared.log import configure
from shared.migrate import MigrationError
from shared.settings import SERVICES, read_or_exit

T = TypeVar("T")
Service = StrEnum("Service", SERVICES)  # type: ignore[misc]  # the members are the settings' list

app = typer.Typer(
    name="guildhall",
    help="One self-hosted backend for teams that build software with AI coding agents.",
    epilog="Settings come from the environment, all named GUILDHALL_...; see docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
events = typer.Typer(
    help="The events that a consumer gave up on after five attempts.", no_args_is_help=True
)
app.add_typer(events, name="events")
app.add_typer(runs, name="runs")


def main() -> None:
    """Run the command line."""
    app(prog_name="guildhall")


@app.command()
def up() -> None:
    """Start the whole system on this machine and stay until Ctrl-C.

    Without GUILDHALL_DATABASE_URL it brings its own PostgreSQL. Everything is kept in the data
    dir (GUILDHALL_DATA_DIR, default var/); delete that to begin anew.
    """
    from guildhall.log_lines import LogLines, Screen
    from guildhall.up import Up

    settings = _settings()

    async def run() -> None:
        await Up(settings, LogLines(Screen())).run()

    _run(run())


@app.command()
def migrate() -> None:
    """Bring database and bus up to date, without starting anything else."""
    from guildhall.databases import broker_url, reach
    from guildhall.migrations import migrate_all
    from guildhall.queues import declare_all

    settings = _settings()

    async def run() -> dict[str, list[str]]:
        async with reach(settings) as urls:
            applied = await migrate_all(urls)
            if not await declare_all(broker_url(settings) or urls["bus"]):
                typer.echo("The broker does not answer: services will bind their queues.", err=True)
            return applied

    for schema, applied in _run(run()).items():
        typer.echo(f"{schema:<10} {', '.join(applied) or 'current'}")


@app.command()
def doctor() -> None:
    """Look at every part, and name the broken one and its mend. Exits with 1 if one is broken."""
    from guildhall.doctor import examine

    settings = _settings()
    console = Console()
    marks = {
        "ok": "[green]ok[/]     ",
        "warning": "[yellow]warning[/]",
        "broken": "[red]broken[/] ",
    }

    async def run() -> bool:
        healthy = True
        async for finding in examine(settings):
            healthy = healthy and finding.state != "broken"
            console.print(f"{marks[finding.state]} {finding.part:<18}", end=" ", highlight=False)
            console.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
            if finding.mend and finding.state != "ok":
                console.print(f"{'':<27}{finding.mend}", style="bold", markup=False)
        return healthy

    if not _run(run()):
        raise typer.Exit(1)


@events.command("parked")
def events_parked(
    service: Annotated[Service | None, typer.Option(help="Only this service's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each service.")] = 50,
) -> None:
    """List parked events, oldest first, with the reason."""
    from guildhall.parked_events import parked

    found = _run(parked(_settings(), (service,) if service else SERVICES, limit))
    table = Table("service", "id", "event", "consumer", "attempts", "parked", "reason")
    for name, entries in found.items():
        for entry in entries:
            when = f"{entry.parked_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(
                name,
                str(entry.id),
                entry.kind,
                entry.consumer,
                str(entry.attempts),
                when,
                entry.reason,
            )
    if table.row_count:
        Console().print(table)
    else:
        typer.echo("No parked events.")


@events.command("replay")
def events_replay(
    service: Annotated[Service, typer.Option(help="Whose consumers gave up.")],
    ids: Annotated[list[int] | None, typer.Argument(help="Which, as `parked` lists them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of the service's.")] = False,
) -> None:
    """Give parked events five new attempts, at the consumers that gave up on them only."""
    from guildhall.parked_events import replay

    if bool(ids) == every:
        raise typer.BadParameter("name the events, or say --all")
    count = _run(replay(_settings(), service, None if every else ids))
    typer.echo(f"{count} replayed")


@app.command()
def secrets() -> None:
    """Print a complete .env for docker compose, with fresh random values.

    guildhall secrets > .env && chmod 600 .env
    """
    from guildhall.env_file import env_file

    typer.echo(env_file(), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


def _settings() -> CommandSettings:
    settings = read_or_exit(CommandSettings)
    configure("guildhall", "warning", "console")
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what a person can mend is told in a sentence."""
    try:
        return asyncio.run(work)
    except (Failure, MigrationError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
