"""Runs inside the older client's environment: calls what its server calls by itself.

``older.py <what> <JSON arguments>``; the last line of its output is JSON.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any


def search(query: str) -> Any:
    from trw_mcp.telemetry.remote_recall import fetch_shared_learnings

    return fetch_shared_learnings(query)


def update() -> Any:
    from trw_mcp.state.auto_upgrade import check_for_update

    return check_for_update()


def artifact(version: str) -> Any:
    from trw_mcp.state.auto_upgrade import _fetch_artifact_info

    return _fetch_artifact_info(version)


def download(url: str, checksum: str) -> Any:
    if not hasattr(tarfile, "data_filter"):
        # The client needs it, and Debian 12's Python 3.11.2 has none yet.
        plain = tarfile.TarFile.extractall
        tarfile.TarFile.extractall = lambda self, path, filter: plain(self, path)  # type: ignore
    from trw_mcp.state.auto_upgrade import download_release_artifact

    found = download_release_artifact(url, checksum)
    return found is not None and Path(found).exists()


def publish_all(min_impact: float) -> Any:
    from trw_mcp.telemetry.publisher import publish_learnings

    return publish_learnings(min_impact)


def telemetry(events: list[dict[str, Any]]) -> Any:
    from trw_mcp.telemetry.pipeline import TelemetryPipeline

    pipeline = TelemetryPipeline.get_instance()
    for event in events:
        pipeline.enqueue(event)
    return pipeline.flush_now()


if __name__ == "__main__":
    answer = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps(answer, default=str) + "\n")
