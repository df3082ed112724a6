"""How knowledge of several writers comes together (teams contract, section 6.4)."""

from __future__ import annotations

from services.teams.teams.rules.canonical import WHITESPACE


def merge(existing: str | None, incoming: str | None) -> str:
    """Append the lines of ``incoming`` that ``existing`` lacks; nothing is ever taken away.

    Lines compare without the white space around them and are kept as written; blank ones are never
    new. A line that ``incoming`` says twice is appended twice. Takes time in proportion to the
    texts.
    """
    if not existing or not incoming:
        return existing or incoming or ""
    known = {line.strip(WHITESPACE) for line in existing.split("\n")}
    # A blank line is never new.
    known.add("")
    new = [line for line in incoming.split("\n") if line.strip(WHITESPACE) not in known]
    if not new:
        return existing
    return existing.rstrip(WHITESPACE) + "\n" + "\n".join(new) + "\n"
