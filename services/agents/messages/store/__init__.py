"""SQL of messages: ``writing`` adds and deletes them, ``reading`` finds them, ``turning`` is for
the worker's turns."""

from __future__ import annotations
