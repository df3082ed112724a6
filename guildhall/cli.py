"""The ``guildhall`` command."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import typer
from rich.console import Console

from guildhall.settings import CommandSettings
from shared import VERSION
from shared.settings import read_or_exit

app = typer.Typer(
    name="guildhall",
    help="One self-hosted backend for teams that build software with AI coding agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Run the command line."""
    app(prog_name="guildhall")


@app.command()
def up() -> None:
    """Start the whole system on this machine and stay until Ctrl-C.

    Settings come from the environment, all named GUILDHALL_...; see docs/settings.md.
    """
    from guildhall.failures import EXPECTED
    from guildhall.log_lines import LogLines
    from guildhall.up import Up

    settings = read_or_exit(CommandSettings)
    lines = LogLines(Console())

    async def run() -> None:
        await Up(settings, lines).run()

    try:
        asyncio.run(run())
    except EXPECTED as error:
        _fail(str(error))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)
