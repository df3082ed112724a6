"""``python -m services.auth serve|work|migrate``."""

from __future__ import annotations

from services.auth.app import SERVICE
from shared.service import main

if __name__ == "__main__":
    main(SERVICE)
