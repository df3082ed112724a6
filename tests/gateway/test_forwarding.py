from __future__ import annotations

from tests.gateway.conftest import House


async def test_forwards(home: House) -> None:
    answer = await home.client.get("/v1/learnings?a=1&b=%20", headers=home.bearer())
    assert answer.status_code == 200, answer.text
