"""A small MCP server (streamable HTTP, the mcp package's own): lists one tool a page, and fails in several ways.

Prints its address, without `/mcp`, when it is ready. `--token T` refuses requests without that bearer token and
offers the exchange that gives it at `/oauth/token` for the subject token `user-jwt`.
`POST /signed-in` makes `locked` work.
"""

import argparse
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from mcp import McpError, types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

NUMBERS = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
NAMES = ("add", "broken", "crash", "locked", "unwanted")

counts = {"exchanges": 0, "calls": 0, "signed_in": 0, "sessions": 0}


async def list_tools(request: types.ListToolsRequest) -> types.ServerResult:
    place = int(request.params.cursor or 0) if request.params else 0
    page = [types.Tool(name=NAMES[place], description=f"The tool {NAMES[place]}", inputSchema=NUMBERS)]
    after = str(place + 1) if place + 1 < len(NAMES) else None
    return types.ServerResult(types.ListToolsResult(tools=page, nextCursor=after))


async def call_tool(request: types.CallToolRequest) -> types.ServerResult:
    counts["calls"] += 1
    name, given = request.params.name, request.params.arguments or {}
    if name == "locked" and not counts["signed_in"]:
        data = {
            "type": "url",
            "message": {"type": "text", "text": "Sign in at"},
            "url": "https://example.org/sign-in",
        }
        raise McpError(types.ErrorData(code=-32003, message="interaction required", data=data))
    if name == "crash":
        raise McpError(types.ErrorData(code=-32000, message="no such luck"))
    texts = [f"{given['a'] + given['b']}", "second line"] if name == "add" else [f"{name} it is"]
    blocks = [types.TextContent(type="text", text=text) for text in texts]
    return types.ServerResult(types.CallToolResult(content=blocks, isError=name == "broken"))


async def exchange(request: Request) -> Response:
    form = await request.form()
    counts["exchanges"] += 1
    if form["subject_token"] != "user-jwt" or not str(form["resource"]).endswith("/mcp"):
        return JSONResponse({"error": "invalid_request"}, 400)
    return JSONResponse({"access_token": request.app.state.token, "token_type": "bearer", "expires_in": 3600})


async def sign_in(request: Request) -> Response:
    counts["signed_in"] = 1
    return JSONResponse(counts)


async def seen(request: Request) -> Response:
    return JSONResponse(counts)


class Guard:
    """Refuses /mcp without the token."""

    def __init__(self, app, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope, receive, send) -> None:
        wanted = f"Bearer {self.token}".encode()
        guarded = scope["type"] == "http" and scope["path"].startswith("/mcp") and self.token
        if guarded and dict(scope["headers"]).get(b"authorization") != wanted:
            await JSONResponse({"error": "invalid_token"}, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--token", default="")
    token = parser.parse_args().token
    server: Server = Server("fake")
    server.request_handlers[types.ListToolsRequest] = list_tools
    server.request_handlers[types.CallToolRequest] = call_tool
    sessions = StreamableHTTPSessionManager(server)

    async def mcp(scope, receive, send) -> None:
        counts["sessions"] += scope["method"] == "POST" and b"mcp-session-id" not in dict(scope["headers"])
        await sessions.handle_request(scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            yield

    routes = [Route("/signed-in", sign_in, methods=["POST"]), Route("/seen", seen)]
    if token:
        routes.append(Route("/oauth/token", exchange, methods=["POST"]))
    app = Starlette(
        routes=[*routes, Mount("/", mcp)], middleware=[Middleware(Guard, token=token)], lifespan=lifespan
    )
    app.state.token = token
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
