"""A tiny Robyn application: backend.py PORT. Robyn itself, because its weaknesses are what nginx covers."""

import asyncio
import sys
from collections.abc import AsyncIterator

port = int(sys.argv[1])
sys.argv = sys.argv[:1]  # Robyn reads the command line

from robyn import Request, Robyn, StreamingResponse  # noqa: E402

app = Robyn(__file__)
go_on = asyncio.Event()


@app.get("/ok")
async def ok() -> str:
    return "ok"


@app.post("/length")
async def length(request: Request) -> str:
    return str(len(request.body))


@app.get("/headers")
async def headers(request: Request) -> str:
    return f"{request.headers.get('host')} {request.headers.get('x-forwarded-proto')}"


@app.post("/go-on")
async def release() -> str:
    go_on.set()
    return "ok"


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await go_on.wait()
        yield "data: last\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


app.start(host="127.0.0.1", port=port)
