"""Document collections of a LangConnect server, one search tool each."""

import asyncio
import logging
import re
from typing import Any
from uuid import UUID

import httpx
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from tools_agent.caller import Caller
from tools_agent.configuration import RagConfig
from tools_agent.outbound import Outbound
from tools_agent.toolbox import Toolbox

logger = logging.getLogger(__name__)

RESULTS = 10
SECONDS = 30
DESCRIPTION = "Search your collection of documents for results semantically similar to the input query"


class Search(BaseModel):
    """The one argument of a collection's tool."""

    query: str = Field(description="The search query to find relevant documents")


class _NotThere(Exception):
    """A collection that cannot be used; the text says why."""


async def rag_toolbox(settings: RagConfig | None, caller: Caller, outbound: Outbound) -> Toolbox:
    """The tools of all collections that can be read. Never raises for a collection: what cannot be read is missing."""
    if settings is None or not settings.rag_url or not settings.collections:
        return Toolbox()
    url = settings.rag_url.rstrip("/")
    try:
        credentials = _credentials(url, caller, outbound)
    except _NotThere as refusal:
        return Toolbox(missing=(f"The document collections cannot be searched: {refusal}",))
    server = _Collections(url, credentials, outbound)
    collections = list(dict.fromkeys(settings.collections))
    found = await asyncio.gather(
        *(server.tool(collection) for collection in collections), return_exceptions=True
    )
    tools: list[BaseTool] = []
    missing: list[str] = []
    for collection, result in zip(collections, found, strict=True):
        if isinstance(result, _NotThere):
            logger.warning("Collection %s gives no tool: %s", collection, result)
            missing.append(f"The document collection {collection} cannot be searched: {result}")
        elif isinstance(result, BaseException):
            raise result
        else:
            tools.append(result)
    return Toolbox(tuple(tools), tuple(missing))


def _credentials(url: str, caller: Caller, outbound: Outbound) -> dict[str, Any]:
    """What a request says of its caller, as options of a client; nothing where nobody signs in. Raises `_NotThere`."""
    if caller.ticket and outbound.is_same_server(url, caller.ticket_url):
        return {"params": {"ticket": caller.ticket}}
    if caller.token is None:
        if caller.identity:
            raise _NotThere("that needs a user with a token")
        return {}
    if not outbound.may_have_token(url):
        raise _NotThere("their host is not in TOKEN_FORWARD_HOSTS, so it is not given the user's token")
    return {"headers": {"Authorization": f"Bearer {caller.token}"}}


class _Collections:
    def __init__(self, url: str, credentials: dict[str, Any], outbound: Outbound) -> None:
        self._url = url
        self._credentials = credentials
        self._outbound = outbound

    async def tool(self, collection: UUID) -> BaseTool:
        """The search tool of one collection. Raises `_NotThere`."""
        found = await self._asked("GET", f"/collections/{collection}")
        if not isinstance(found, dict):
            raise _NotThere("the server did not describe it")
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", str(found.get("name") or collection))[:64]
        about = (found.get("metadata") or {}).get("description")

        async def search(query: str) -> str:
            return await self._search(collection, query)

        return StructuredTool.from_function(
            coroutine=search,
            name=name,
            description=f"{DESCRIPTION}. Collection description: {about}" if about else DESCRIPTION,
            args_schema=Search,
        )

    async def _search(self, collection: UUID, query: str) -> str:
        try:
            documents = await self._asked(
                "POST", f"/collections/{collection}/documents/search", {"query": query, "limit": RESULTS}
            )
        except _NotThere as error:
            return f"<all-documents>\n  <error>{error}</error>\n</all-documents>"
        found = [document for document in documents or () if isinstance(document, dict)]
        lines = [
            f'  <document id="{document.get("id", "unknown")}">\n    {document.get("page_content", "")}\n  </document>'
            for document in found
        ]
        return "\n".join(["<all-documents>", *lines, "</all-documents>"])

    async def _asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            async with self._outbound.client(timeout=SECONDS, **self._credentials) as client:
                response = await client.request(method, self._url + path, json=body)
                response.raise_for_status()
                return response.json()
        except httpx.HTTPStatusError as error:
            raise _NotThere(f"the server answered with status {error.response.status_code}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _NotThere("the server could not be reached") from error
        except ValueError as error:
            raise _NotThere("the server's answer is not JSON") from error
