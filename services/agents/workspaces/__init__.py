"""Workspaces: namespaces and their sessions in the words of an older web client."""

from __future__ import annotations
