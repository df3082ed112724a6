"""``python -m services.learnings serve|work|migrate``."""

from __future__ import annotations

from services.learnings.app import SERVICE
from shared.service import main

main(SERVICE)
