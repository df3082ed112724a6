"""Artifacts: screenshots, traces, downloads and reports of runs, in the object store."""

from __future__ import annotations
