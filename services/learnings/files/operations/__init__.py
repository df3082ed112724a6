"""Large files in an object store: streamed, checked, sealed, signed for, delivered."""

from __future__ import annotations

from services.learnings.files.operations.checking import Checked
from services.learnings.files.operations.delivering import deliver
from services.learnings.files.operations.sealing import opened, random_key, sealed
from services.learnings.files.operations.uploads import (
    Upload,
    delete,
    drop,
    drop_all,
    sweep,
    uploading,
)

__all__ = (
    "Checked",
    "Upload",
    "delete",
    "deliver",
    "drop",
    "drop_all",
    "opened",
    "random_key",
    "sealed",
    "sweep",
    "uploading",
)
