"""A process that cannot start: says why and ends with the status it is given."""

from __future__ import annotations

import sys

sys.stderr.write("this is why\n")
raise SystemExit(int(sys.argv[1]))
