"""A gateway as most people write it: FastAPI, httpx, PyJWT, and a count in a dictionary.

Run by an environment of its own: ``python fastapi_proxy.py PORT UPSTREAM CHECKS SECRET LIMIT``.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import jwt
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

PORT, UPSTREAM, CHECKS, SECRET, LIMIT = sys.argv[1:]
HOP_BY_HOP = {"connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
WINDOW = 60

client = httpx.AsyncClient(
    base_url=f"http://127.0.0.1:{UPSTREAM}",
    limits=httpx.Limits(max_connections=128, max_keepalive_connections=128),
    timeout=30,
)
counts: dict[tuple[str, int], int] = defaultdict(int)


def check(request: Request) -> None:
    """Verify the token and count its subject."""
    _, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="bench", issuer="bench")
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, str(error)) from error
    slot = (claims["sub"], int(time.time()) // WINDOW)
    counts[slot] += 1
    if counts[slot] > int(LIMIT):
        raise HTTPException(429)


async def forward(request: Request) -> StreamingResponse:
    """Send a request on and stream its answer."""
    if CHECKS == "1":
        check(request)
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
    asked = client.build_request(
        request.method,
        httpx.URL(path=request.url.path, query=request.url.query.encode()),
        headers=headers,
        content=request.stream() if has_body else None,
    )
    answer = await client.send(asked, stream=True)
    kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
    return StreamingResponse(
        answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose)
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the client at the end."""
    yield
    await client.aclose()


app = FastAPI(lifespan=lifespan)
app.add_api_route(
    "/{path:path}", forward, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], response_model=None
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(PORT), access_log=False, log_level="error")
