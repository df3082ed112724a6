"""A mail server that prints what it gets: the tests read a person's mail from its log.

The least of RFC 5321 that a client needs; no TLS, no login. Runs alone in a container, so it may
import nothing of ours.
"""

from __future__ import annotations

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hold one conversation."""
    writer.write(b"220 mailbox\r\n")
    while line := await asyncio.wait_for(reader.readline(), 60):
        verb = line[:4].upper().strip()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            text = await asyncio.wait_for(reader.readuntil(b"\r\n.\r\n"), 60)
            sys.stdout.write(text.decode(errors="replace"))
            sys.stdout.flush()
        writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        await writer.drain()
        if verb == b"QUIT":
            break
    writer.close()


async def main() -> None:
    """Listen on port 2525 until killed."""
    async with await asyncio.start_server(serve, "0.0.0.0", 2525) as server:  # noqa: S104 - a container
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
