"""Runs inside the current client's environment: calls what its server calls by itself.

``current.py <what> <JSON arguments>``; the last line of its output is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def _memory_config() -> Any:
    import os

    from trw_memory.models.config import MemoryConfig

    return MemoryConfig(
        sync_enabled=True,
        platform_url=os.environ["TRW_PLATFORM_URL"],
        platform_api_key=os.environ["TRW_PLATFORM_API_KEY"],
        project_root=os.environ["TRW_PROJECT_ROOT"],
    )


def search(query: str) -> Any:
    from trw_memory.sync._remote_admission import AdmissionOutcome
    from trw_memory.sync._remote_fetch import fetch_shared_memories

    found = fetch_shared_memories(
        query, _memory_config(), admit=lambda rows: AdmissionOutcome(list(rows), 0, 0)
    )
    return {"status": found.status, "results": found.results}


def publish(summary: str, detail: str) -> Any:
    from trw_memory.models.memory import MemoryEntry
    from trw_memory.sync._remote_publish import publish_memory_result

    entry = MemoryEntry(id="M-0123456789abcdef", content=summary, detail=detail, importance=0.9)
    return publish_memory_result(entry, _memory_config())


def retire(remote_id: str) -> Any:
    from trw_memory.sync._remote_publish import retire_remote_memory

    return retire_remote_memory(remote_id, _memory_config())


def stream(seconds: float) -> Any:
    from trw_memory.sync.subscriber import SSESubscriber

    def say(event: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    subscriber = SSESubscriber(_memory_config(), say)
    subscriber.start()
    time.sleep(seconds)
    subscriber.stop()
    return {"ended": True}


def pulled(feed_id: str) -> Any:
    from trw_mcp.state import _store_selection
    from trw_mcp.state._paths import resolve_trw_dir

    store, _ = _store_selection.selected_store(resolve_trw_dir())
    entry = store.get(f"team-sync-{feed_id}")
    return None if entry is None else entry.model_dump(mode="json")


def client_id() -> Any:
    from trw_mcp.sync.identity import resolve_sync_client_id

    return resolve_sync_client_id()


def telemetry(events: list[dict[str, Any]]) -> Any:
    from trw_mcp.telemetry.pipeline import TelemetryPipeline

    pipeline = TelemetryPipeline.get_instance()
    for event in events:
        pipeline.enqueue(event)
    return pipeline.flush_now()


def publish_all(min_impact: float) -> Any:
    from trw_mcp.telemetry.publisher import publish_learnings

    return publish_learnings(min_impact)


def change(learning_id: str, detail: str) -> Any:
    from trw_mcp.state._paths import resolve_trw_dir
    from trw_mcp.state.memory_adapter import update_learning

    return update_learning(resolve_trw_dir(), learning_id, detail=detail)


if __name__ == "__main__":
    answer = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps(answer, default=str) + "\n")
