"""Pages of figures: tables between markers in what a person wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_BLOCK: Final = "<!-- figures: {name} -->\n{content}\n<!-- end of {name} -->"
_NAME: Final = re.compile(r"[a-z]+")


def with_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """Put blocks in the place of those of the same names.

    What stands outside of markers stays as it is; a block that the page lacks goes to its end.

    Args:
        page: its text so far.
        blocks: Markdown by name.

    Raises:
        ValueError: a name is not of small letters, or a block has no end.
    """
    for name, content in blocks.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no block")
        block = _BLOCK.format(name=name, content=content.strip())
        start, end = f"<!-- figures: {name} -->", f"<!-- end of {name} -->"
        if start not in page:
            page = f"{page.rstrip()}\n\n{block}\n".lstrip()
            continue
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the block {name} has no end")
        page = before + block + after
    return page
