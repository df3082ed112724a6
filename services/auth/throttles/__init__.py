"""Failed tries, counted by what they were made against, over restarts and replicas."""

from __future__ import annotations
