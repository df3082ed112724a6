"""``python -m guildhall``."""

from __future__ import annotations

from guildhall.cli import main

if __name__ == "__main__":
    main()
