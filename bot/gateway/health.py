"""Whether all of Usher is ready, on however many machines it runs."""

import asyncio
from collections.abc import Sequence

import httpx
from fastapi import Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from bot.errors import Unavailable
from bot.gateway.context import Gateway, gateway_of
from bot.internal_http import HEALTH_PATHS


async def health(request: Request) -> JSONResponse:
    """200 when every kind of part has one that is ready, else 503, with the state of each.

    Where there are several servers of a kind, `servers` says how many of them are ready.
    """
    gateway = gateway_of(request)
    kinds = {
        kind: [url + HEALTH_PATHS[kind] for url in urls]
        for kind, urls in gateway.settings.internal_servers.items()
    }
    database, redis, worker, *ready = await asyncio.gather(
        asyncio.to_thread(_record_answers, gateway),
        gateway.nudges.reachable(),
        gateway.nudges.is_alive("worker"),
        *(_how_many_answer(gateway, urls) for urls in kinds.values()),
    )
    states = {"database": database, "redis": redis, "worker": worker}
    states |= {kind: count > 0 for kind, count in zip(kinds, ready, strict=True)}
    all_ready = all(states.values())
    answer = {
        "status": "ready" if all_ready else "unavailable",
        "components": {name: "ready" if each else "unavailable" for name, each in states.items()},
    }
    servers = {
        kind: f"{count} of {len(urls)}"
        for (kind, urls), count in zip(kinds.items(), ready, strict=True)
        if len(urls) > 1
    }
    if servers:
        answer["servers"] = servers
    return JSONResponse(answer, 200 if all_ready else 503)


async def _how_many_answer(gateway: Gateway, urls: Sequence[str]) -> int:
    return sum(await asyncio.gather(*(_answers(gateway, url) for url in urls)))


async def _answers(gateway: Gateway, url: str) -> bool:
    try:
        return (await gateway.internal.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _record_answers(gateway: Gateway) -> bool:
    try:
        with gateway.database.read() as session:
            session.execute(text("SELECT 1 FROM customers LIMIT 1"))
    except Unavailable:
        return False
    return True
