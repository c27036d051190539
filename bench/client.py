"""What is asked of a server, and of the bare graphs in its place."""

import time

import aiohttp
import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from bench import graphs

INPUT = {"messages": [{"role": "user", "content": "hello there"}]}


class Client:
    """One of everything that is measured; each call is one request."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._thread = ""
        self.first_tokens: list[float] = []

    async def _call(self, path: str, body: object = None) -> dict[str, object]:
        async with self._http.request("GET" if body is None else "POST", path, json=body) as answer:
            answer.raise_for_status()
            found: dict[str, object] = await answer.json()
            return found

    async def ok(self) -> None:
        await self._call("/ok")

    async def create(self) -> None:
        self._thread = str((await self._call("/threads", {"metadata": {"of": "bench"}}))["thread_id"])

    async def get(self) -> None:
        await self._call(f"/threads/{self._thread}")

    async def search(self) -> None:
        await self._call("/threads/search", {"metadata": {"of": "bench"}, "limit": 10})

    async def stateless(self) -> None:
        await self._call("/runs/wait", {"assistant_id": "echo", "input": INPUT})

    async def stateful(self) -> None:
        thread = (await self._call("/threads", {}))["thread_id"]
        await self._call(f"/threads/{thread}/runs/wait", {"assistant_id": "echo", "input": INPUT})

    async def stream(self) -> None:
        thread = (await self._call("/threads", {}))["thread_id"]
        body = {"assistant_id": "tokens", "input": INPUT, "stream_mode": ["messages-tuple"]}
        began, first = time.perf_counter(), None
        async with self._http.post(f"/threads/{thread}/runs/stream", json=body) as answer:
            async for chunk in answer.content.iter_any():
                if first is None and b"event: messages" in chunk:
                    first = time.perf_counter() - began
        assert first is not None, "no token came"
        self.first_tokens.append(first)


class Floor:
    """The same runs without any server: the graph, its checkpoints in memory, each chunk encoded once."""

    def __init__(self) -> None:
        self._tokens = graphs.tokens.copy(update={"checkpointer": InMemorySaver()})
        self._threads = 0
        self.first_tokens: list[float] = []

    async def stateless(self) -> None:
        orjson.dumps(await graphs.echo.ainvoke(INPUT), default=lambda value: value.model_dump())

    async def stream(self) -> None:
        self._threads += 1
        config = RunnableConfig(configurable={"thread_id": str(self._threads)})
        began, first = time.perf_counter(), None
        async for chunk in self._tokens.astream(INPUT, config, stream_mode="messages"):
            if first is None:
                first = time.perf_counter() - began
            orjson.dumps(chunk, default=lambda value: value.model_dump())
        assert first is not None, "no token came"
        self.first_tokens.append(first)
