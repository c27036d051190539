"""A project's own Starlette application: routes, middleware, lifespan, error handlers by request of `OWN_HANDLERS`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

SEEN: list[str] = []


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
    yield {"given": "by the lifespan"}
    # Read by a test once the server has ended.
    print("lifespan ended", flush=True)


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = "stamped"
        return response


async def hello(request: Request) -> Response:
    user = request.scope.get("user")
    return JSONResponse(
        {
            "state": request.state.given,
            "query": request.query_params.multi_items(),
            "path": request.path_params,
            "root": request.scope["root_path"],
            "client": request.client.host if request.client else None,
            "user": user["identity"] if user else None,
        }
    )


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def cookies(_: Request) -> Response:
    response = JSONResponse({})
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


async def teapot(_: Request) -> Response:
    raise HTTPException(418, "short and stout")


async def bad_value(_: Request) -> Response:
    raise ValueError("bad value")


async def crash(_: Request) -> Response:
    raise RuntimeError("a secret of the inside")


async def ticks(_: Request) -> Response:
    async def ticking() -> AsyncIterator[bytes]:
        try:
            for number in range(1000):
                yield f"{number}\n".encode()
                await asyncio.sleep(0.05)
        finally:
            SEEN.append("ticks ended")

    return StreamingResponse(ticking(), media_type="text/plain")


async def later(_: Request) -> Response:
    async def work() -> None:
        SEEN.append("worked later")

    return JSONResponse({}, background=BackgroundTask(work))


async def hook(request: Request) -> Response:
    SEEN.append(f"hooked {(await request.json())['run_id']}")
    return JSONResponse({})


async def seen(_: Request) -> Response:
    return JSONResponse(SEEN)


async def shadow(_: Request) -> Response:
    return JSONResponse({"shadowed": True})


async def own_404(_: Request, error: Exception) -> Response:
    return JSONResponse({"nothing": "here"}, 404)


app = Starlette(
    routes=[
        Route("/custom/hello/{name}", hello),
        Route("/custom/echo", echo, methods=["POST"]),
        Route("/custom/cookies", cookies),
        Route("/custom/teapot", teapot),
        Route("/custom/value", bad_value),
        Route("/custom/crash", crash),
        Route("/custom/ticks", ticks),
        Route("/custom/later", later),
        Route("/custom/hook", hook, methods=["POST"]),
        Route("/custom/seen", seen),
        Route("/info", shadow),
        Route("/ok", shadow),
        Route("/threads/count", shadow, methods=["POST"]),
    ],
    middleware=[Middleware(Stamp)],
    lifespan=lifespan,
    exception_handlers={404: own_404} if os.environ.get("OWN_HANDLERS") else None,
)
no_application = object()
