"""What a service wants said to a caller if it vanishes; ``shared.last_words`` has the wire."""

from __future__ import annotations

from gateway.websocket.frames import Frames, Violation, text_frame
from shared.last_words import FORGET, MOST, REMEMBER


class ServiceFrames(Frames):
    """Follows the frames of a service, and keeps its last words instead of passing them on.

    Args:
        key: with which the Pongs begin that are for us.
    """

    __slots__ = ("_cuts", "_kept", "_key")

    def __init__(self, key: bytes) -> None:
        super().__init__(is_masked=False)
        self._key = key
        self._kept: tuple[bytes, ...] = ()
        self._cuts: list[tuple[int, int]] | None = None

    def last_words(self) -> bytes:
        """Write the texts that are kept, to be said between two frames of the service.

        Empty within a message in fragments, of which they would become a part.
        """
        return b"" if self.is_fragmented else b"".join(map(text_frame, self._kept))

    def feed(self, data: bytes) -> bytes:
        """Read a piece and give what passes on, without last words; see ``Frames.feed``."""
        try:
            passed = super().feed(data)
        except Violation as fault:
            fault.passed = self._without_words(fault.passed)
            raise
        return passed if self._cuts is None else self._without_words(passed)

    def _read_pong(self, data: bytes, at: int, length: int) -> int:
        """Hold a Pong back until it is whole, and take it out if it is for us."""
        end = at + length
        if len(data) < end:
            return 0
        if data.startswith(self._key, at + 2):
            if self._cuts is None:
                self._cuts = []
            self._cuts.append((at, end))
            self._hear(data[at + 2 + len(self._key) : end])
        return length

    def _hear(self, said: bytes) -> None:
        sign, text = said[:1], said[1:]
        if sign == REMEMBER and text not in self._kept and len(self._kept) < MOST:
            self._kept = (*self._kept, text)
        elif sign == FORGET:
            self._kept = tuple(kept for kept in self._kept if kept != text)

    def _without_words(self, passed: bytes) -> bytes:
        cuts, self._cuts = self._cuts, None
        pieces, start = [], 0
        for at, end in cuts or ():
            pieces.append(passed[start:at])
            start = end
        return b"".join((*pieces, passed[start:]))
