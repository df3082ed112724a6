"""Teams: their content, how it is read, compared and changed."""

from __future__ import annotations
