"""A server whose routes say what the edge made of a request: `python edge_app.py PORT [KEY=VALUE of Settings]`."""

import asyncio
import logging
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from robyn_server.auth.interfaces import Credentials
from robyn_server.errors import Conflict, StartupError, Unauthenticated
from robyn_server.resources.caller import ANONYMOUS, Caller
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.request_facts import NO_REQUEST, RequestFacts
from robyn_server.settings import Settings
from robyn_server.web.application import Application
from robyn_server.web.routing import Answer, EventStream, Reply, Request, Route, Surface
from robyn_server.web.server import run_server

SEEN: Counter[str] = Counter()


class EngineStandIn:
    def __init__(self, caller: Caller = ANONYMOUS, facts: RequestFacts = NO_REQUEST) -> None:
        self.caller = caller
        self.facts = facts

    def acting_for(self, caller: Caller, facts: RequestFacts = NO_REQUEST) -> "EngineStandIn":
        return EngineStandIn(caller, facts)

    async def admitted(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        return caller


class StrangerAuth:
    """Refuses who calls himself a stranger."""

    mode = "custom"

    async def authenticate(self, credentials: Credentials) -> Caller:
        if "x-stranger" in credentials.headers:
            raise Unauthenticated("missing token")
        return Caller(credentials.headers.get("x-name", ""))

    async def authorize(self, *_: Any) -> MetadataFilter:
        return EVERYTHING

    async def close(self) -> None: ...


async def ok(_: Request) -> Reply:
    return Reply.json({"ok": True})


async def echo(request: Request) -> Reply:
    engine: Any = request.engine
    return Reply.json(
        {
            "params": dict(request.path_params),
            "query": {name: list(values) for name, values in request.query.items()},
            "headers": dict(request.headers),
            "body": request.body.decode("latin-1"),
            "request_id": request.request_id,
            "facts_id": engine.facts.request_id,
            "caller": engine.caller.identity,
            "base_url": request.base_url,
        },
        headers={"location": "/ünï", "x-pagination-total": "3"},
    )


async def nothing(_: Request) -> Reply:
    return Reply.empty(204)


async def broken(_: Request) -> Reply:
    raise RuntimeError("a secret of the inside")


async def conflict(_: Request) -> Reply:
    raise Conflict("Thing is busy")


async def seen(_: Request) -> Reply:
    return Reply.json({**SEEN, "rss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})


async def disconnected() -> None:
    SEEN["disconnects"] += 1


def stream(chunks: AsyncIterator[bytes], **given: Any) -> EventStream:
    return EventStream(chunks, on_disconnect=disconnected, **given)


async def events(request: Request) -> Answer:
    count, pause = int(request.query_value("n") or 3), float(request.query_value("pause") or 0)

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(count):
            yield b"event: number\r\ndata: %d\r\n\r\n" % number
            await asyncio.sleep(pause)

    return stream(chunks(), headers={"content-location": "/things/1"})


async def silent(_: Request) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"event: open\r\ndata: 1\r\n\r\n"
            await asyncio.Event().wait()
        finally:
            SEEN["sources_closed"] += 1

    return stream(chunks())


async def flood(_: Request) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            SEEN["pulled"] += 1 << 16
            yield b":" + b"x" * (1 << 16) + b"\r\n\r\n"
            await asyncio.sleep(0)

    return stream(chunks())


async def failing(_: Request) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"event: number\r\ndata: 0\r\n\r\n"
        raise RuntimeError("a secret of the inside")

    return stream(chunks())


async def late(_: Request) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\n"
        await asyncio.sleep(1.5)
        yield b'{"late":true}'

    return stream(chunks(), content_type="application/json", heartbeat=b"\n", farewell=None)


NEW_THING = {
    "type": "object",
    "required": ["graph_id"],
    "properties": {"graph_id": {"type": "string"}, "part": {"$ref": "#/components/schemas/Part"}},
}
SCHEMAS = {
    "NewThing": NEW_THING,
    "Part": {"type": "object", "properties": {"size": {"type": ["number", "null"]}}},
}
ROUTES = (
    Route("GET", "/ok", ok, public=True, summary="Whether it lives"),
    Route("GET", "/seen", seen, public=True),
    Route("POST", "/things", echo, body="NewThing", returns="NewThing", tags=("Things",)),
    Route("POST", "/things/search", nothing),
    Route("GET", "/things/{thing_id}", echo, query=(("limit", "integer"),)),
    Route("PATCH", "/things/{thing_id}", echo),
    Route("DELETE", "/things/{thing_id}", nothing),
    Route("GET", "/things/{thing_id}/parts/{part_id}", echo),
    Route("POST", "/raw", echo),
    Route("GET", "/broken", broken),
    Route("GET", "/conflict", conflict),
    Route("GET", "/events", events),
    Route("GET", "/silent", silent),
    Route("GET", "/flood", flood),
    Route("GET", "/failing", failing),
    Route("GET", "/late", late),
)


def main() -> None:
    port, given = int(sys.argv[1]), dict(word.split("=") for word in sys.argv[2:])
    surface = Surface("edge", ROUTES, SCHEMAS)

    async def drain() -> None:
        print("drained", flush=True)

    async def close() -> None:
        print("closed", flush=True)

    async def open_application() -> Application:
        if "refuse" in given:
            raise StartupError(given["refuse"])
        engine: Any = EngineStandIn()
        return Application(engine=engine, auth=StrangerAuth(), surfaces=(surface,), drain=drain, close=close)

    logging.basicConfig(level=logging.INFO if "quiet" not in given else logging.WARNING)
    settings = Settings(
        port=port,
        max_body_bytes=10_000,
        max_streams=int(given.get("max_streams", 5_000)),
        stream_heartbeat=timedelta(seconds=float(given.get("heartbeat", 5))),
        web_workers=2,
    )
    try:
        run_server(settings, open_application, ready=lambda: print("ready", flush=True))
    except StartupError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
