"""Knowledge: what learnings and teams know on a question, with the rights of whoever asks it."""

from __future__ import annotations
