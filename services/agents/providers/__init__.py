"""What answers a turn: model services and a built-in provider behind one port, with tools."""

from __future__ import annotations
