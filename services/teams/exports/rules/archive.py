"""ZIP archives whose bytes depend on nothing but the files in them."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterable
from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.naming import check_paths

# The first moment that the format can tell; the moment of packing would change every answer.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_ORDINARY: Final = (stat.S_IFREG | 0o644) << 16


def pack(files: Iterable[File]) -> bytes:
    """Pack files in order of their paths, each as an ordinary file that anyone may read.

    Raises:
        UnsafePath: a path is not safe to unpack.
    """
    ordered = sorted(files, key=lambda file: file.path)
    check_paths(file.path for file in ordered)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in ordered:
            entry = zipfile.ZipInfo(file.path, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _ORDINARY
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.content)
    return packed.getvalue()
