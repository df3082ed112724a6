"""A process that ends and leaves a helper behind, which holds its output open."""

from __future__ import annotations

import subprocess
import sys

helper = subprocess.Popen(("sleep", "600"))
sys.stderr.write(f"helper {helper.pid}\n")
sys.stderr.flush()
helper.returncode = 0  # left behind on purpose
