"""The feed under load for a minute: ``python -m bench.feed [--seconds 60]``.

Starts PostgreSQL and two processes of the learnings service, lets 8 writers and 4 pollers at them,
and tells what was done and how long pulls took. Fails if a poller missed a row.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uvloop

from bench.service import database_server, make_database, say
from guildhall.embedded.server import EmbeddedPostgres
from tests.support import feed_load
from tests.support.service_process import running_service


@dataclass(frozen=True)
class _Urls:
    urls: dict[str, str]

    def url(self, schema: str) -> str:
        return self.urls[schema]


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.feed")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments.seconds, arguments.seed))


async def _measure(server: EmbeddedPostgres, seconds: float, seed: int) -> None:
    urls = _Urls(await make_database(server, "feed", "learnings"))
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_service("learnings", urls, Path(folder)) as one,
            running_service("learnings", urls, Path(folder)) as two,
        ):
            tenant, report = await feed_load.run([one.url, two.url], seconds, seed)
    connection = await asyncpg.connect(urls.url("learnings"))
    rows = await connection.fetch(
        "SELECT feed_id, sync_seq FROM learnings.learning WHERE org_id = $1 AND served", tenant.org
    )
    await connection.close()
    committed = {row["feed_id"]: row["sync_seq"] for row in rows}
    for poller in report.pollers:
        held = {name: row["sync_seq"] for name, row in poller.rows.items()}
        if held != committed or poller.seen != sorted(set(poller.seen)):
            raise SystemExit(f"{poller.client_id} missed rows or saw numbers fall")
    say(f"{len(committed)} learnings in {seconds:.0f} s, newest number {max(committed.values())}")
    for what, count in report.done.most_common():
        say(f"{what:>14} {count / seconds:8.1f}/s")


if __name__ == "__main__":
    main()
